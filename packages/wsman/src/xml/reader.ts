import { SaxesParser } from 'saxes';
import type { SaxesTagNS } from 'saxes';
import { WsmanError } from '../errors.js';

export interface XmlAttribute {
  /** Empty for attributes without a prefix. */
  readonly uri: string;
  readonly local: string;
  readonly value: string;
}

/** An element with its namespace resolved. Comments are dropped; text is the sum of the direct text nodes. */
export interface XmlElement {
  readonly uri: string;
  readonly local: string;
  readonly attributes: readonly XmlAttribute[];
  readonly children: readonly XmlElement[];
  readonly text: string;
}

export interface XmlLimits {
  readonly maxBytes: number;
  readonly maxDepth: number;
  /** Attributes of one tag, namespace declarations included. */
  readonly maxAttributes: number;
  /** Elements of the whole document: each takes some fifty times the four bytes of `<a/>`. */
  readonly maxElements: number;
  /** Characters of text in one element. */
  readonly maxText: number;
}

export const DEFAULT_XML_LIMITS: XmlLimits = {
  maxBytes: 16 * 1024 * 1024,
  maxDepth: 64,
  maxAttributes: 64,
  maxElements: 1_000_000,
  maxText: 8 * 1024 * 1024,
};

/** The document is no well-formed XML, or uses a part of XML that SOAP 1.2 forbids (DTD, PI; Part 1, section 5). */
export class XmlError extends WsmanError {
  constructor(message: string, options?: ErrorOptions) {
    super('WSMAN_XML_MALFORMED', message, options);
  }
}

/** The document is larger or deeper than the reader was told to accept. */
export class XmlLimitError extends WsmanError {
  constructor(message: string) {
    super('WSMAN_XML_LIMIT', message);
  }
}

interface OpenElement {
  readonly uri: string;
  readonly local: string;
  readonly attributes: XmlAttribute[];
  readonly children: XmlElement[];
  text: string;
}

type Parser = SaxesParser<{ xmlns: true; position: false; forceXMLVersion: true; defaultXMLVersion: '1.0' }>;

/**
 * Reads one XML document fed in pieces and builds a small tree. Every limit is checked while reading, so an
 * oversized document costs no more memory than the limit.
 */
export class XmlReader {
  readonly #limits: XmlLimits;
  readonly #parser: Parser;
  readonly #decoder: InstanceType<typeof TextDecoder>;
  readonly #stack: OpenElement[] = [];
  #attributes = 0;
  #opening = 0;
  #elements = 0;
  #bytes = 0;
  #root: OpenElement | undefined;

  constructor(limits: Partial<XmlLimits> = {}, encoding: 'utf-8' | 'utf-16le' = 'utf-8') {
    this.#limits = { ...DEFAULT_XML_LIMITS, ...limits };
    this.#decoder = new TextDecoder(encoding, { fatal: true });
    this.#parser = new SaxesParser({
      xmlns: true,
      position: false,
      forceXMLVersion: true,
      defaultXMLVersion: '1.0',
    });
    this.#listen();
  }

  /** Takes the next bytes, cut anywhere. Throws {@link XmlError} or {@link XmlLimitError}. */
  write(bytes: Uint8Array): void {
    this.#bytes += bytes.byteLength;
    if (this.#bytes > this.#limits.maxBytes) {
      throw new XmlLimitError(`The XML document exceeds ${this.#limits.maxBytes} bytes`);
    }
    this.#guard(() => this.#parser.write(this.#decoder.decode(bytes, { stream: true })));
  }

  /** Ends the document and returns its root. */
  end(): XmlElement {
    this.#guard(() => {
      this.#parser.write(this.#decoder.decode());
      this.#parser.close();
    });
    if (this.#root === undefined) throw new XmlError('The XML document has no root element');
    return this.#root;
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (error instanceof WsmanError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new XmlError(`Not well-formed XML: ${reason.slice(0, 200)}`, { cause: error });
    }
  }

  #listen(): void {
    const parser = this.#parser;
    parser.on('doctype', () => {
      throw new XmlError('A document type declaration is not allowed in a SOAP message');
    });
    parser.on('processinginstruction', () => {
      throw new XmlError('A processing instruction is not allowed in a SOAP message');
    });
    parser.on('opentagstart', () => {
      this.#attributes = 0;
      this.#elements += 1;
      if (this.#elements > this.#limits.maxElements) {
        throw new XmlLimitError(`The XML document has more than ${this.#limits.maxElements} elements`);
      }
      // The parser resolves prefixes through every open tag: unbounded nesting costs quadratic time.
      this.#opening = this.#stack.length + 1;
      if (this.#opening > this.#limits.maxDepth) {
        throw new XmlLimitError(`XML nested deeper than ${this.#limits.maxDepth} elements`);
      }
    });
    parser.on('attribute', () => {
      this.#attributes += 1;
      if (this.#attributes > this.#limits.maxAttributes) {
        throw new XmlLimitError(`More than ${this.#limits.maxAttributes} attributes on one element`);
      }
    });
    parser.on('opentag', (tag: SaxesTagNS) => this.#open(tag));
    parser.on('text', (text) => this.#text(text));
    parser.on('cdata', (text) => this.#text(text));
    parser.on('closetag', () => {
      this.#stack.pop();
    });
  }

  #open(tag: SaxesTagNS): void {
    const attributes: XmlAttribute[] = [];
    for (const item of Object.values(tag.attributes)) {
      if (item.prefix === 'xmlns' || item.name === 'xmlns') continue;
      attributes.push({ uri: item.uri, local: item.local, value: item.value });
    }
    const element: OpenElement = { uri: tag.uri, local: tag.local, attributes, children: [], text: '' };
    const parent = this.#stack.at(-1);
    if (parent === undefined) this.#root = element;
    else parent.children.push(element);
    this.#stack.push(element);
  }

  #text(text: string): void {
    const element = this.#stack.at(-1);
    if (element === undefined) return;
    if (element.text.length + text.length > this.#limits.maxText) {
      throw new XmlLimitError(`Text longer than ${this.#limits.maxText} characters in one element`);
    }
    element.text += text;
  }
}

/** Reads a document that is at hand as a whole. Throws {@link XmlError} or {@link XmlLimitError}. */
export function parseXml(document: string | Uint8Array, limits: Partial<XmlLimits> = {}): XmlElement {
  const reader = new XmlReader(limits);
  reader.write(typeof document === 'string' ? Buffer.from(document, 'utf8') : document);
  return reader.end();
}

/** First child of that name; any namespace when `uri` is undefined. */
export function child(element: XmlElement, uri: string | undefined, local: string): XmlElement | undefined {
  return element.children.find((item) => item.local === local && (uri === undefined || item.uri === uri));
}

/** First child whose namespace is one of several versions of a specification. */
export function childOf(element: XmlElement, uris: readonly string[], local: string): XmlElement | undefined {
  return element.children.find((item) => item.local === local && uris.includes(item.uri));
}

export function attribute(element: XmlElement, uri: string, local: string): string | undefined {
  return element.attributes.find((item) => item.local === local && item.uri === uri)?.value;
}

/** First descendant (depth first) that satisfies the test. */
export function descendant(
  element: XmlElement,
  test: (element: XmlElement) => boolean,
): XmlElement | undefined {
  for (const item of element.children) {
    if (test(item)) return item;
    const found = descendant(item, test);
    if (found !== undefined) return found;
  }
  return undefined;
}
