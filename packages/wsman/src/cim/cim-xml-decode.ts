import { WsmanError } from '../errors.js';
import type { ClassDef, PropertyDef, Schema } from '../schema/schema.js';
import { attribute, child, parseXml } from '../xml/reader.js';
import type { XmlElement } from '../xml/reader.js';
import { CimXmlError } from './cim-xml-error.js';
import { isCimType } from './guards.js';
import { parseObjectPath } from './object-path.js';
import { scalarFromText } from './scalar.js';
import type { CimInstance, CimReference, CimScalar, CimType, CimValue } from './value.js';

export interface CimXmlDecodeOptions {
  /** The text does not say it. */
  readonly namespace: string;
  /** Gives classes and properties their documented spelling and tells which strings hold instances. */
  readonly schema?: Schema;
}

const MAX_BYTES = 4 * 1024 * 1024;
const MAX_EMBEDDING = 8;
/** DSP0201: what may stand around an INSTANCE. */
const WRAPPERS = new Set([
  'CIM',
  'DECLARATION',
  'DECLARATIONS',
  'DECLGROUP',
  'DECLGROUP.WITHNAME',
  'DECLGROUP.WITHPATH',
  'VALUE.OBJECT',
  'VALUE.NAMEDINSTANCE',
  'VALUE.NAMEDOBJECT',
  'VALUE.OBJECTWITHPATH',
]);
interface Context extends CimXmlDecodeOptions {
  readonly depth: number;
}

/**
 * Reads the CIM-XML text of one instance. Values have the types that the text declares; properties that the schema
 * does not know are kept. Qualifiers are ignored.
 *
 * @throws CimXmlError `WSMAN_CIM_XML`
 */
export function decodeCimXml(text: string, options: CimXmlDecodeOptions): CimInstance {
  return decodeAt(text, { ...options, depth: 0 });
}

function decodeAt(text: string, context: Context): CimInstance {
  if (context.depth > MAX_EMBEDDING) throw new CimXmlError('Instances are embedded too deeply');
  try {
    return instance(unwrap(parseXml(text, { maxBytes: MAX_BYTES })), context);
  } catch (error) {
    if (error instanceof CimXmlError || !(error instanceof WsmanError)) throw error;
    throw new CimXmlError(`Not a CIM-XML instance: ${error.message}`, { cause: error });
  }
}

function unwrap(root: XmlElement): XmlElement {
  let current: XmlElement | undefined = root;
  while (current !== undefined && current.local !== 'INSTANCE') {
    if (!WRAPPERS.has(current.local)) throw new CimXmlError(`Expected INSTANCE, found ${current.local}`);
    current = current.children.find((item) => item.local === 'INSTANCE' || WRAPPERS.has(item.local));
  }
  if (current === undefined) throw new CimXmlError('The text holds no INSTANCE');
  return current;
}

function instance(element: XmlElement, context: Context): CimInstance {
  const written = attribute(element, '', 'CLASSNAME');
  if (written === undefined || written === '') throw new CimXmlError('INSTANCE has no CLASSNAME');
  const def = context.schema?.classOf(context.namespace, written);
  const properties: Record<string, CimValue> = {};
  for (const item of element.children) {
    if (!item.local.startsWith('PROPERTY')) continue;
    const name = attribute(item, '', 'NAME');
    if (name === undefined || name === '') throw new CimXmlError(`A ${item.local} of ${written} has no NAME`);
    const known = def === undefined ? undefined : context.schema?.property(def, name);
    properties[known?.name ?? name] = property(item, known, def, context);
  }
  return {
    kind: 'instance',
    namespace: def?.namespace ?? context.namespace,
    className: def?.name ?? written,
    properties,
  };
}

function property(
  item: XmlElement,
  known: PropertyDef | undefined,
  owner: ClassDef | undefined,
  context: Context,
): CimValue {
  const label = `${owner?.name ?? ''}.${known?.name ?? attribute(item, '', 'NAME') ?? ''}`;
  switch (item.local) {
    case 'PROPERTY': {
      const value = child(item, '', 'VALUE');
      return value === undefined ? null : simple(value, typeOf(item, label), known, context);
    }
    case 'PROPERTY.ARRAY': {
      const array = child(item, '', 'VALUE.ARRAY');
      const type = typeOf(item, label);
      return array === undefined ? null : array.children.map((value) => simple(value, type, known, context));
    }
    case 'PROPERTY.REFERENCE': {
      const value = child(item, '', 'VALUE.REFERENCE');
      return value === undefined ? null : reference(value, context);
    }
    case 'PROPERTY.REFARRAY': {
      const array = child(item, '', 'VALUE.REFARRAY');
      return array === undefined ? null : array.children.map((value) => reference(value, context));
    }
    case 'PROPERTY.OBJECT': {
      const value = child(item, '', 'VALUE.OBJECT');
      return value === undefined ? null : instance(unwrap(value), context);
    }
    case 'PROPERTY.OBJECTARRAY': {
      const array = child(item, '', 'VALUE.OBJECTARRAY');
      return array === undefined ? null : array.children.map((value) => instance(unwrap(value), context));
    }
    default:
      throw new CimXmlError(`${label}: ${item.local} is not a kind of property`);
  }
}

function typeOf(item: XmlElement, label: string): CimType {
  const type = (attribute(item, '', 'TYPE') ?? '').toLowerCase();
  if (!isCimType(type) || type === 'reference' || type === 'object') {
    throw new CimXmlError(`${label}: "${type.slice(0, 40)}" is not the type of a plain value`);
  }
  return type;
}

function simple(
  value: XmlElement,
  type: CimType,
  known: PropertyDef | undefined,
  context: Context,
): CimScalar {
  if (value.local !== 'VALUE' || value.children.length > 0) {
    throw new CimXmlError(`${known?.name ?? 'A property'}: ${value.local} is not a plain value`);
  }
  if (type === 'string' && known?.embeddedInstance !== undefined && value.text.trimStart().startsWith('<')) {
    return decodeAt(value.text, { ...context, depth: context.depth + 1 });
  }
  return scalarFromText(type, value.text);
}

/** DSP0201, VALUE.REFERENCE; WMI also writes the object path as plain text. */
function reference(value: XmlElement, context: Context): CimReference {
  const path = value.children[0];
  if (path === undefined) return parseObjectPath(value.text, context.namespace);
  const name = path.local === 'INSTANCENAME' ? path : child(path, '', 'INSTANCENAME');
  if (name === undefined) throw new CimXmlError(`${path.local} is not the path of an instance`);
  const spaces = child(path, '', 'LOCALNAMESPACEPATH') ?? spacesIn(child(path, '', 'NAMESPACEPATH'));
  const namespace = spaces?.children.map((item) => attribute(item, '', 'NAME') ?? '').join('/');
  const keys: Record<string, string> = {};
  for (const binding of name.children) {
    const key = attribute(binding, '', 'NAME');
    const content = child(binding, '', 'KEYVALUE');
    if (key === undefined || content === undefined) throw new CimXmlError('A KEYBINDING has no plain value');
    keys[key] = content.text;
  }
  return {
    kind: 'reference',
    namespace: namespace ?? context.namespace,
    className: attribute(name, '', 'CLASSNAME') ?? '',
    keys,
  };
}

function spacesIn(path: XmlElement | undefined): XmlElement | undefined {
  return path === undefined ? undefined : child(path, '', 'LOCALNAMESPACEPATH');
}
