import { decodeCimXml } from '../cim/cim-xml-decode.js';
import { CimXmlError } from '../cim/cim-xml-error.js';
import { encodeCimXml } from '../cim/cim-xml-encode.js';
import { parseDuration, parseIsoDateTime } from '../cim/datetime.js';
import { isCimArray } from '../cim/guards.js';
import { CimValueError } from '../cim/numbers.js';
import { describe, scalarFromText, scalarToText } from '../cim/scalar.js';
import type { CimScalar, CimType, CimValue } from '../cim/value.js';
import { WsmanError } from '../errors.js';
import type { Schema } from '../schema/schema.js';
import { attribute, child } from '../xml/reader.js';
import type { XmlElement } from '../xml/reader.js';
import { checkName, element, text } from '../xml/writer.js';
import type { Xml } from '../xml/writer.js';
import { decodeReference, encodeReferenceContent, holdsReference } from './endpoint-reference.js';
import { decodeEmbedded, encodeInstance } from './instance.js';
import { NS } from './namespaces.js';

/** A property or a parameter, as far as its value is concerned. */
export interface MemberDef {
  readonly name: string;
  readonly type: CimType;
  readonly array: boolean;
  readonly embeddedInstance?: string;
}

export interface MemberContext {
  readonly schema: Schema;
  /** Where embedded instances live that do not say it. */
  readonly namespace: string;
  /**
   * Strict: an unknown member or a value of the wrong shape is refused (what a service does). Otherwise it is read
   * as well as possible: real hosts have members newer than the schema data.
   */
  readonly strict: boolean;
}

export type MemberProblem = 'unknown' | 'value' | 'shape';

/** A property or parameter that the class or method does not have, or that has another type. */
export class MemberError extends WsmanError {
  readonly member: string;
  readonly problem: MemberProblem;
  constructor(member: string, problem: MemberProblem, message: string, options?: ErrorOptions) {
    super('WSMAN_MEMBER', `${member}: ${message}`, options);
    this.member = member;
    this.problem = problem;
  }
}

/**
 * Writes one property or parameter into a body whose class has the prefix `p` (DSP0230, 7.2): null as `xsi:nil`,
 * an array as repeated elements, a null or empty array as nothing.
 */
export function encodeMember(def: MemberDef, value: CimValue, context: MemberContext): Xml {
  const tag = `p:${checkName(def.name)}`;
  try {
    if (def.array) {
      if (value === null) return '';
      if (!isCimArray(value)) throw new CimValueError('an array is expected, not one value');
      return value.map((item) => encodeScalar(tag, def, item, context)).join('');
    }
    if (value === null) return element(tag, { 'xsi:nil': 'true' });
    if (isCimArray(value)) throw new CimValueError('one value is expected, not an array');
    return encodeScalar(tag, def, value, context);
  } catch (error) {
    if (error instanceof MemberError || !(error instanceof WsmanError)) throw error;
    throw new MemberError(def.name, 'value', error.message, { cause: error });
  }
}

function encodeScalar(tag: string, def: MemberDef, value: CimScalar, context: MemberContext): Xml {
  const complex = typeof value === 'object' ? value : undefined;
  switch (def.type) {
    case 'reference':
      if (complex?.kind !== 'reference') throw new CimValueError(`${describe(value)} is not a reference`);
      return element(tag, {}, encodeReferenceContent(complex, context.schema));
    case 'object':
      if (complex?.kind !== 'instance') throw new CimValueError(`${describe(value)} is not an instance`);
      return element(tag, {}, encodeInstance(complex, context.schema, { prefix: 'q' }));
    case 'datetime': {
      const form = complex?.kind === 'interval' ? 'cim:Interval' : 'cim:Datetime';
      return element(tag, {}, element(form, {}, text(scalarToText('datetime', value, 'wsman'))));
    }
    default: {
      const embedded =
        def.type === 'string' && def.embeddedInstance !== undefined && complex?.kind === 'instance';
      const plain = embedded ? encodeCimXml(complex, context.schema) : scalarToText(def.type, value, 'wsman');
      return `<${tag}>${text(plain)}</${tag}>`;
    }
  }
}

/**
 * Reads the child elements of an instance or of a method's input or output into values. `find` gives a member's
 * definition. Throws {@link MemberError}.
 */
export function decodeMembers(
  parent: XmlElement,
  find: (name: string) => MemberDef | undefined,
  context: MemberContext,
): Record<string, CimValue> {
  const groups = new Map<string, { def: MemberDef | undefined; elements: XmlElement[] }>();
  for (const item of parent.children) {
    const def = find(item.local);
    if (def === undefined && context.strict) {
      throw new MemberError(item.local, 'unknown', 'there is no such property or parameter');
    }
    const name = def?.name ?? item.local;
    const group = groups.get(name);
    if (group === undefined) groups.set(name, { def, elements: [item] });
    else group.elements.push(item);
  }
  const values: Record<string, CimValue> = {};
  for (const [name, { def, elements }] of groups) {
    try {
      values[name] = decodeMember(def, elements, context);
    } catch (error) {
      if (error instanceof MemberError || !(error instanceof WsmanError)) throw error;
      throw new MemberError(name, 'value', error.message, { cause: error });
    }
  }
  return values;
}

function decodeMember(
  def: MemberDef | undefined,
  elements: readonly XmlElement[],
  context: MemberContext,
): CimValue {
  const present = elements.filter((item) => !isNil(item));
  if (def?.array === true) return present.map((item) => decodeScalar(def, item, context));
  if (elements.length > 1) {
    if (def !== undefined && context.strict)
      throw new MemberError(def.name, 'shape', 'it is given more than once');
    return present.map((item) => decodeScalar(def, item, context));
  }
  const [only] = present;
  return only === undefined ? null : decodeScalar(def, only, context);
}

function isNil(item: XmlElement): boolean {
  const nil = attribute(item, NS.xsi, 'nil')?.trim();
  return nil === 'true' || nil === '1';
}

function decodeScalar(def: MemberDef | undefined, item: XmlElement, context: MemberContext): CimScalar {
  if (def === undefined) return decodeUntyped(item, context);
  if (context.strict) return decodeTyped(def, item, context);
  try {
    return decodeTyped(def, item, context);
  } catch (error) {
    // The documentation may be wrong about a type: one odd value is no reason to lose a whole answer.
    if (error instanceof WsmanError && item.children.length === 0) return item.text;
    throw error;
  }
}

function decodeTyped(def: MemberDef, item: XmlElement, context: MemberContext): CimScalar {
  switch (def.type) {
    case 'reference':
      if (context.strict && child(item, NS.addressing, 'EndpointReference') !== undefined) {
        throw new MemberError(
          def.name,
          'shape',
          'a reference stands directly in its element, without a:EndpointReference',
        );
      }
      return decodeReference(item, context.schema);
    case 'object':
      return decodeEmbedded(item, def.embeddedInstance, context);
    case 'datetime':
      return decodeDateTime(item) ?? scalarFromText('datetime', item.text);
    default:
      if (item.children.length > 0) return decodeUnexpected(def, item, context);
      return decodeSimple(def, item, context);
  }
}

function decodeSimple(def: MemberDef, item: XmlElement, context: MemberContext): CimScalar {
  if (def.type === 'string' && def.embeddedInstance !== undefined && item.text.trimStart().startsWith('<')) {
    return embeddedOrText(item.text, context);
  }
  return scalarFromText(def.type, item.text);
}

/** On the wire it is a string like any other: what is in it is judged by the method that receives it. */
function embeddedOrText(written: string, context: MemberContext): CimScalar {
  try {
    return decodeCimXml(written, { namespace: context.namespace, schema: context.schema });
  } catch (error) {
    if (error instanceof CimXmlError) return written;
    throw error;
  }
}

/** Elements where the schema expects text: a service refuses them, a client takes what came. */
function decodeUnexpected(def: MemberDef, item: XmlElement, context: MemberContext): CimScalar {
  if (context.strict) throw new MemberError(def.name, 'shape', 'text is expected, not elements');
  return decodeUntyped(item, context);
}

function decodeUntyped(item: XmlElement, context: MemberContext): CimScalar {
  const time = decodeDateTime(item);
  if (time !== undefined) return time;
  if (holdsReference(item)) return decodeReference(item, context.schema);
  return item.children.length > 0 ? decodeEmbedded(item, undefined, context) : item.text;
}

function decodeDateTime(item: XmlElement): CimScalar | undefined {
  const point = child(item, NS.cim, 'Datetime') ?? child(item, NS.cim, 'CIM_DateTime');
  if (point !== undefined) return parseIsoDateTime(point.text);
  const span = child(item, NS.cim, 'Interval');
  return span === undefined ? undefined : parseDuration(span.text);
}
