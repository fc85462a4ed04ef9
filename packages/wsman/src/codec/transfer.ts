import type { CimReference } from '../cim/value.js';
import { WsmanError } from '../errors.js';
import type { Schema } from '../schema/schema.js';
import type { XmlElement } from '../xml/reader.js';
import { element } from '../xml/writer.js';
import type { Xml } from '../xml/writer.js';
import { decodeReference, encodeReferenceContent } from './endpoint-reference.js';
import { NS } from './namespaces.js';

/** WS-Transfer: the bodies of Get, Put and Delete are the instance itself or nothing; only Create has its own answer. */
export function encodeCreateResponse(reference: CimReference, schema: Schema): Xml {
  return element('x:ResourceCreated', {}, encodeReferenceContent(reference, schema));
}

export function decodeCreateResponse(content: XmlElement | undefined, schema: Schema): CimReference {
  if (content?.uri !== NS.transfer || content.local !== 'ResourceCreated') {
    throw new WsmanError('WSMAN_ENVELOPE', 'The answer to Create is no ResourceCreated');
  }
  return decodeReference(content, schema);
}
