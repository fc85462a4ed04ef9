import { WsmanError } from '../errors.js';
import type { Schema } from '../schema/schema.js';
import { child, childOf } from '../xml/reader.js';
import type { XmlElement } from '../xml/reader.js';
import { element, text } from '../xml/writer.js';
import type { Xml } from '../xml/writer.js';
import { EnvelopeError, milliseconds, positive } from './envelope.js';
import { decodeFilter, encodeFilter } from './filter.js';
import type { Filter } from './filter.js';
import { NS } from './namespaces.js';

/** What an item holds (DSP0226, 8.7): the object, its reference, or both. */
export type EnumerationMode = 'object' | 'reference' | 'both';

const MODES: Readonly<Record<EnumerationMode, string | undefined>> = {
  object: undefined,
  reference: 'EnumerateEPR',
  both: 'EnumerateObjectAndEPR',
};

/** Items and their ends stand in one namespace in Enumerate's answer and in another in Pull's. */
const EITHER = [NS.wsman, NS.enumeration];

export interface EnumerateRequest {
  readonly optimize: boolean;
  readonly maxElements?: number;
  readonly mode: EnumerationMode;
  readonly filter?: Filter;
  /** As written; only the default may be combined with what is served here. */
  readonly polymorphism?: string;
}

export function encodeEnumerate(request: EnumerateRequest, schema?: Schema): Xml {
  const mode = MODES[request.mode];
  return element(
    'n:Enumerate',
    {},
    (request.optimize ? element('w:OptimizeEnumeration') : '') +
      (request.maxElements === undefined ? '' : element('w:MaxElements', {}, String(request.maxElements))) +
      (mode === undefined ? '' : element('w:EnumerationMode', {}, mode)) +
      (request.filter === undefined ? '' : encodeFilter(request.filter, schema)) +
      (request.polymorphism === undefined
        ? ''
        : element('b:PolymorphismMode', {}, text(request.polymorphism))),
  );
}

/** Throws EnvelopeError or FilterError. */
export function decodeEnumerate(content: XmlElement | undefined, schema?: Schema): EnumerateRequest {
  const body = expectBody(content, 'Enumerate');
  const maxElements = positive(childOf(body, EITHER, 'MaxElements'));
  const filter = childOf(body, EITHER, 'Filter');
  const polymorphism = child(body, NS.binding, 'PolymorphismMode')?.text.trim();
  return {
    optimize: child(body, NS.wsman, 'OptimizeEnumeration') !== undefined,
    mode: decodeMode(child(body, NS.wsman, 'EnumerationMode')?.text.trim()),
    ...(maxElements === undefined ? {} : { maxElements }),
    ...(filter === undefined ? {} : { filter: decodeFilter(filter, schema) }),
    ...(polymorphism === undefined ? {} : { polymorphism }),
  };
}

function decodeMode(written: string | undefined): EnumerationMode {
  switch (written) {
    case undefined:
    case 'EnumerateObject':
      return 'object';
    case 'EnumerateEPR':
      return 'reference';
    case 'EnumerateObjectAndEPR':
      return 'both';
    default:
      throw new EnvelopeError('body', `The enumeration mode "${written.slice(0, 80)}" is not offered`);
  }
}

export interface PullRequest {
  readonly context: string;
  /** Absent means one (WS-Enumeration, 3.2). */
  readonly maxElements?: number;
  readonly maxTimeMs?: number;
  readonly maxCharacters?: number;
}

export function encodePull(request: PullRequest): Xml {
  return element(
    'n:Pull',
    {},
    element('n:EnumerationContext', {}, text(request.context)) +
      (request.maxElements === undefined ? '' : element('n:MaxElements', {}, String(request.maxElements))),
  );
}

export function decodePull(content: XmlElement | undefined): PullRequest {
  const body = expectBody(content, 'Pull');
  const maxElements = positive(childOf(body, EITHER, 'MaxElements'));
  const maxTimeMs = milliseconds(child(body, NS.enumeration, 'MaxTime'));
  const maxCharacters = positive(child(body, NS.enumeration, 'MaxCharacters'));
  return {
    context: contextOf(body),
    ...(maxElements === undefined ? {} : { maxElements }),
    ...(maxTimeMs === undefined ? {} : { maxTimeMs }),
    ...(maxCharacters === undefined ? {} : { maxCharacters }),
  };
}

export function encodeRelease(context: string): Xml {
  return element('n:Release', {}, element('n:EnumerationContext', {}, text(context)));
}

export function decodeRelease(content: XmlElement | undefined): string {
  return contextOf(expectBody(content, 'Release'));
}

function contextOf(body: XmlElement): string {
  const context = child(body, NS.enumeration, 'EnumerationContext')?.text.trim();
  if (context === undefined || context === '') {
    throw new EnvelopeError('body', `${body.local} names no enumeration context`);
  }
  return context;
}

function expectBody(content: XmlElement | undefined, local: string): XmlElement {
  if (content?.uri !== NS.enumeration || content.local !== local) {
    throw new EnvelopeError('body', `The body holds no n:${local}`);
  }
  return content;
}

export interface Page {
  /** Absent at the end of the sequence. */
  readonly context?: string;
  readonly items: readonly Xml[];
  readonly end: boolean;
}

/** Answer to Enumerate: items only when they were asked for (OptimizeEnumeration). */
export function encodeEnumerateResponse(page: Page, optimized: boolean): Xml {
  const context = element('n:EnumerationContext', {}, text(page.context ?? ''));
  if (!optimized) return element('n:EnumerateResponse', {}, context);
  return element(
    'n:EnumerateResponse',
    {},
    context + element('w:Items', {}, page.items.join('')) + (page.end ? element('w:EndOfSequence') : ''),
  );
}

export function encodePullResponse(page: Page): Xml {
  const context = page.context === undefined ? '' : element('n:EnumerationContext', {}, text(page.context));
  return element(
    'n:PullResponse',
    {},
    context + element('n:Items', {}, page.items.join('')) + (page.end ? element('n:EndOfSequence') : ''),
  );
}

export interface ReadPage {
  readonly context: string | undefined;
  readonly items: readonly XmlElement[];
  readonly end: boolean;
}

/** Reads the answer to Enumerate or to Pull. */
export function decodePage(content: XmlElement | undefined): ReadPage {
  if (content?.uri !== NS.enumeration || !/^(?:Enumerate|Pull)Response$/u.test(content.local)) {
    throw new WsmanError('WSMAN_ENVELOPE', 'The answer is neither an EnumerateResponse nor a PullResponse');
  }
  const context = child(content, NS.enumeration, 'EnumerationContext')?.text.trim();
  const end = childOf(content, EITHER, 'EndOfSequence') !== undefined;
  return {
    context: end || context === '' ? undefined : context,
    items: childOf(content, EITHER, 'Items')?.children ?? [],
    end,
  };
}
