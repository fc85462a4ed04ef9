import { WsmanError } from '../errors.js';

/** Text that XML 1.0 cannot carry (section 2.2: control characters, lone surrogates, U+FFFE, U+FFFF). */
export class XmlEncodeError extends WsmanError {
  constructor(message: string) {
    super('WSMAN_XML_UNENCODABLE', message);
  }
}

/** Already escaped XML: the only thing that {@link element} takes as content besides text made by {@link text}. */
export type Xml = string;

type AttributeValue = string | number | boolean | undefined;

const FORBIDDEN = /[^\P{Cc}\t\n\r\u007f-\u009f]|[\ufffe\uffff]|\p{Surrogate}/u;
const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
};

function check(value: string): void {
  const found = FORBIDDEN.exec(value);
  if (found === null) return;
  const code = (found[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  throw new XmlEncodeError(`U+${code} cannot be written in XML; remove it from the text`);
}

/** Escapes character data. A carriage return is written as a reference, because parsers normalise it away. */
export function text(value: string): Xml {
  check(value);
  return value.replace(/[&<>\r]/gu, (character) => ESCAPES[character] ?? character);
}

function attributeText(value: string): Xml {
  check(value);
  return value.replace(/[&<>"\t\n\r]/gu, (character) => ESCAPES[character] ?? character);
}

/**
 * One element. `content` is XML, not text. Attributes that are undefined are left out; `name` and attribute
 * names come from this package or are checked by {@link checkName}.
 */
export function element(
  name: string,
  attributes: Readonly<Record<string, AttributeValue>> = {},
  content: Xml = '',
): Xml {
  let tag = `<${name}`;
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined) tag += ` ${key}="${attributeText(String(value))}"`;
  }
  return content === '' ? `${tag}/>` : `${tag}>${content}</${name}>`;
}

const NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,255}$/u;

/** Refuses names (of classes, properties, parameters) that would break out of a tag. */
export function checkName(name: string): string {
  if (!NAME.test(name))
    throw new XmlEncodeError(`"${name.slice(0, 80)}" is not the name of a class or member`);
  return name;
}
