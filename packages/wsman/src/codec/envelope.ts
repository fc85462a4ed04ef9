import { formatDuration, interval, parseDuration } from '../cim/datetime.js';
import { WsmanError } from '../errors.js';
import type { Schema } from '../schema/schema.js';
import type { CimReference } from '../cim/value.js';
import { attribute, child } from '../xml/reader.js';
import type { XmlElement } from '../xml/reader.js';
import { element, text } from '../xml/writer.js';
import type { Xml } from '../xml/writer.js';
import { encodeSelectorSet } from './endpoint-reference.js';
import { ANONYMOUS, NS, PREFIXES } from './namespaces.js';

export interface RequestFields {
  readonly to: string;
  readonly action: string;
  /** `uuid:` and a GUID. */
  readonly messageId: string;
  readonly resourceUri: string;
  /** Selectors of the addressed instance; its class and namespace are said by the resource URI. */
  readonly target?: CimReference;
  /** Bytes. */
  readonly maxEnvelopeSize: number;
  readonly operationTimeoutMs: number;
  readonly schema?: Schema;
}

/** Header and body of a request, in the order in which Microsoft's client writes it. */
export function encodeRequest(fields: RequestFields, body: Xml): string {
  const must = { 's:mustUnderstand': 'true' };
  const may = { 's:mustUnderstand': 'false', 'xml:lang': 'en-US' };
  const header =
    element('a:To', {}, text(fields.to)) +
    element('w:ResourceURI', must, text(fields.resourceUri)) +
    element('a:ReplyTo', {}, element('a:Address', must, text(ANONYMOUS))) +
    element('a:Action', must, text(fields.action)) +
    element('w:MaxEnvelopeSize', must, String(fields.maxEnvelopeSize)) +
    element('a:MessageID', {}, text(fields.messageId)) +
    element('w:Locale', may) +
    element('m:DataLocale', may) +
    (fields.target === undefined ? '' : encodeSelectorSet(fields.target, fields.schema)) +
    element('w:OperationTimeout', {}, formatTimeout(fields.operationTimeoutMs));
  return envelope(header, body);
}

function formatTimeout(timeoutMs: number): string {
  return formatDuration(interval(BigInt(Math.max(1, Math.round(timeoutMs))) * 1000n));
}

export interface ResponseFields {
  readonly action: string;
  readonly messageId: string;
  readonly relatesTo?: string | undefined;
}

export function encodeResponse(fields: ResponseFields, body: Xml): string {
  const header =
    element('a:Action', {}, text(fields.action)) +
    element('a:MessageID', {}, text(fields.messageId)) +
    element('a:To', {}, text(ANONYMOUS)) +
    (fields.relatesTo === undefined ? '' : element('a:RelatesTo', {}, text(fields.relatesTo)));
  // The language is the server's, whatever was asked for.
  return envelope(header, body, { 'xml:lang': 'en-US' });
}

function envelope(header: Xml, body: Xml, extra: Readonly<Record<string, string>> = {}): string {
  return element(
    's:Envelope',
    { ...PREFIXES, ...extra },
    element('s:Header', {}, header) + `<s:Body>${body}</s:Body>`,
  );
}

export interface Envelope {
  readonly header: XmlElement | undefined;
  /** First child of the body; undefined when the body is empty. */
  readonly content: XmlElement | undefined;
}

export type EnvelopeProblem = 'version' | 'header' | 'understand' | 'body';

/** The message is no SOAP 1.2 envelope, or its header lacks what WS-Management needs. */
export class EnvelopeError extends WsmanError {
  readonly reason: EnvelopeProblem;
  constructor(reason: EnvelopeProblem, message: string) {
    super('WSMAN_ENVELOPE', message);
    this.reason = reason;
  }
}

export function openEnvelope(root: XmlElement): Envelope {
  if (root.local !== 'Envelope' || root.uri !== NS.soap) {
    throw new EnvelopeError('version', 'The message is not a SOAP 1.2 envelope');
  }
  const body = child(root, NS.soap, 'Body');
  if (body === undefined) throw new EnvelopeError('body', 'The envelope has no body');
  return { header: child(root, NS.soap, 'Header'), content: body.children[0] };
}

export interface RequestHeader {
  readonly action: string;
  readonly messageId: string | undefined;
  readonly resourceUri: string | undefined;
  readonly selectorSet: XmlElement | undefined;
  readonly maxEnvelopeSize: number | undefined;
  readonly operationTimeoutMs: number | undefined;
  /** Set for one property or one array element (w:FragmentTransfer), which is not offered here. */
  readonly fragment: boolean;
}

/** Header elements with mustUnderstand that a request may carry. */
const UNDERSTOOD: ReadonlySet<string> = new Set([
  ...['To', 'Action', 'MessageID', 'ReplyTo', 'FaultTo', 'From'].map((name) => `${NS.addressing} ${name}`),
  ...[
    'ResourceURI',
    'SelectorSet',
    'MaxEnvelopeSize',
    'OperationTimeout',
    'Locale',
    'OptionSet',
    'FragmentTransfer',
  ].map((name) => `${NS.wsman} ${name}`),
  ...['DataLocale', 'SessionId', 'OperationID', 'SequenceId', 'ActivityId'].map(
    (name) => `${NS.microsoft} ${name}`,
  ),
]);

/** Reads the header of a request. Throws {@link EnvelopeError}. */
export function decodeRequestHeader(header: XmlElement | undefined): RequestHeader {
  if (header === undefined) throw new EnvelopeError('header', 'The envelope has no header');
  for (const item of header.children) {
    const must = attribute(item, NS.soap, 'mustUnderstand')?.trim();
    if ((must === 'true' || must === '1') && !UNDERSTOOD.has(`${item.uri} ${item.local}`)) {
      throw new EnvelopeError('understand', `The header ${item.local} is not understood`);
    }
  }
  const action = child(header, NS.addressing, 'Action')?.text.trim();
  if (action === undefined || action === '')
    throw new EnvelopeError('header', 'The header a:Action is missing');
  return {
    action,
    messageId: child(header, NS.addressing, 'MessageID')?.text.trim(),
    resourceUri: child(header, NS.wsman, 'ResourceURI')?.text.trim(),
    selectorSet: child(header, NS.wsman, 'SelectorSet'),
    maxEnvelopeSize: positive(child(header, NS.wsman, 'MaxEnvelopeSize')),
    operationTimeoutMs: milliseconds(child(header, NS.wsman, 'OperationTimeout')),
    fragment: child(header, NS.wsman, 'FragmentTransfer') !== undefined,
  };
}

/** A whole number above zero, as w:MaxElements and w:MaxEnvelopeSize hold it. */
export function positive(item: XmlElement | undefined): number | undefined {
  if (item === undefined) return undefined;
  const value = Number(item.text.trim());
  if (!Number.isSafeInteger(value) || value <= 0) {
    throw new EnvelopeError('header', `${item.local} must be a whole number above zero`);
  }
  return value;
}

/** An xs:duration in milliseconds. */
export function milliseconds(item: XmlElement | undefined): number | undefined {
  if (item === undefined) return undefined;
  try {
    return Number(parseDuration(item.text).microseconds / 1000n);
  } catch (error) {
    if (!(error instanceof WsmanError)) throw error;
    throw new EnvelopeError('header', `${item.local}: ${error.message}`);
  }
}
