import type { InvokeResult } from '../client/client.js';
import type { CimValue } from '../cim/value.js';
import { WsmanError } from '../errors.js';
import type { ClassDef, MethodDef, ParameterDef } from '../schema/schema.js';
import { child } from '../xml/reader.js';
import type { XmlElement } from '../xml/reader.js';
import { checkName, element } from '../xml/writer.js';
import type { Xml } from '../xml/writer.js';
import { decodeMembers, encodeMember, MemberError } from './members.js';
import type { MemberContext, MemberDef } from './members.js';
import { resourceUri } from './resource-uri.js';

type Values = Readonly<Record<string, CimValue>>;

/**
 * `<Method>_INPUT` with parameters in the order of the definition; null and undefined ones are left out.
 *
 * @throws MemberError for a parameter that the method does not have or whose value does not fit
 */
export function encodeInvoke(
  def: ClassDef,
  method: MethodDef,
  parameters: Values,
  context: MemberContext,
): Xml {
  const inputs = method.parameters.filter((parameter) => parameter.in);
  const known = new Set(inputs.map((parameter) => parameter.name));
  for (const name of Object.keys(parameters)) {
    if (!known.has(name))
      throw new MemberError(name, 'unknown', `${def.name}.${method.name} takes no such parameter`);
  }
  return body(`${method.name}_INPUT`, def, encodeParameters(inputs, parameters, context));
}

function encodeParameters(list: readonly ParameterDef[], values: Values, context: MemberContext): Xml {
  return list
    .map((parameter) => {
      const value = values[parameter.name];
      return value === undefined || value === null ? '' : encodeMember(parameter, value, context);
    })
    .join('');
}

function body(name: string, def: ClassDef, content: Xml): Xml {
  return element(`p:${checkName(name)}`, { 'xmlns:p': resourceUri(def.namespace, def.name) }, content);
}

/** Reads `<Method>_INPUT`. Names distinguish case here, as Windows does. Throws {@link MemberError}. */
export function decodeInvoke(
  content: XmlElement | undefined,
  method: MethodDef,
  context: MemberContext,
): Values {
  if (content === undefined) return {};
  if (content.local !== `${method.name}_INPUT`) {
    throw new MemberError(content.local, 'shape', `the body of ${method.name} is ${method.name}_INPUT`);
  }
  // Nothing is known of a method without a page: its parameters are taken as they come.
  if (!method.documented) return decodeMembers(content, () => undefined, { ...context, strict: false });
  const inputs = new Map(method.parameters.filter((item) => item.in).map((item) => [item.name, item]));
  return decodeMembers(content, (name) => inputs.get(name), context);
}

/** `<Method>_OUTPUT` with ReturnValue last, as Windows orders it. Null results are written as `xsi:nil`. */
export function encodeInvokeResponse(
  def: ClassDef,
  method: MethodDef,
  result: InvokeResult,
  context: MemberContext,
): Xml {
  const outputs = method.parameters.filter((parameter) => parameter.out);
  const known = new Map(outputs.map((parameter) => [parameter.name, parameter]));
  let content = '';
  for (const [name, value] of Object.entries(result.out)) {
    const parameter = known.get(name);
    if (parameter === undefined)
      throw new MemberError(name, 'unknown', `${def.name}.${method.name} gives no such result`);
    content += encodeMember(parameter, value, context);
  }
  const missing = outputs.filter((parameter) => !parameter.array && result.out[parameter.name] === undefined);
  content += missing.map((parameter) => encodeMember(parameter, null, context)).join('');
  const value: MemberDef = { name: 'ReturnValue', type: method.returns, array: false };
  const returned = method.returns === 'boolean' ? result.returnValue !== 0 : result.returnValue;
  return body(`${method.name}_OUTPUT`, def, content + encodeMember(value, returned, context));
}

/** Reads `<Method>_OUTPUT`; null results are left out. */
export function decodeInvokeResponse(
  content: XmlElement | undefined,
  method: MethodDef,
  context: MemberContext,
): InvokeResult {
  if (content?.local !== `${method.name}_OUTPUT`) {
    throw new WsmanError('WSMAN_ENVELOPE', `The answer holds no ${method.name}_OUTPUT`);
  }
  const outputs = new Map(method.parameters.map((item) => [item.name.toLowerCase(), item]));
  const rest = { ...content, children: content.children.filter((item) => item.local !== 'ReturnValue') };
  const values = decodeMembers(rest, (name) => outputs.get(name.toLowerCase()), context);
  const out: Record<string, CimValue> = {};
  for (const [name, value] of Object.entries(values)) if (value !== null) out[name] = value;
  return { returnValue: returnValue(child(content, undefined, 'ReturnValue'), method), out };
}

function returnValue(item: XmlElement | undefined, method: MethodDef): number {
  const written = item?.text.trim().toLowerCase() ?? '';
  if (written === 'true' || written === 'false') return Number(written === 'true');
  const value = Number(written);
  if (written === '' || !Number.isInteger(value)) {
    throw new WsmanError('WSMAN_ENVELOPE', `${method.name} gave no return value`);
  }
  return value;
}
