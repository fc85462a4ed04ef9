import type { Identity } from '../client/client.js';
import { WsmanError } from '../errors.js';
import { child } from '../xml/reader.js';
import type { XmlElement } from '../xml/reader.js';
import { element, text } from '../xml/writer.js';
import { NS } from './namespaces.js';

/** Identify (DSP0226, 11): the only message without WS-Addressing headers. */
export function encodeIdentify(): string {
  return element(
    's:Envelope',
    { 'xmlns:s': NS.soap, 'xmlns:i': NS.identity },
    element('s:Header') + element('s:Body', {}, element('i:Identify')),
  );
}

export function isIdentify(content: XmlElement | undefined): boolean {
  return content?.uri === NS.identity && content.local === 'Identify';
}

export function encodeIdentifyResponse(identity: Identity): string {
  const body = element(
    'i:IdentifyResponse',
    {},
    element('i:ProtocolVersion', {}, text(identity.protocolVersion)) +
      element('i:ProductVendor', {}, text(identity.productVendor)) +
      element('i:ProductVersion', {}, text(identity.productVersion)),
  );
  return element(
    's:Envelope',
    { 'xmlns:s': NS.soap, 'xmlns:i': NS.identity, 'xml:lang': 'en-US' },
    element('s:Header') + element('s:Body', {}, body),
  );
}

export function decodeIdentifyResponse(content: XmlElement | undefined): Identity {
  if (content?.uri !== NS.identity || content.local !== 'IdentifyResponse') {
    throw new WsmanError('WSMAN_ENVELOPE', 'The answer to Identify is no IdentifyResponse');
  }
  return {
    protocolVersion: child(content, NS.identity, 'ProtocolVersion')?.text ?? '',
    productVendor: child(content, NS.identity, 'ProductVendor')?.text ?? '',
    productVersion: child(content, NS.identity, 'ProductVersion')?.text ?? '',
  };
}
