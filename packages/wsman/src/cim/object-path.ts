import { WsmanError } from '../errors.js';
import type { Schema } from '../schema/schema.js';
import { isIntegerType } from './numbers.js';
import type { CimReference, CimValue } from './value.js';
import { isCimReference } from './guards.js';

/** The text is no WMI object path. */
export class ObjectPathError extends WsmanError {
  constructor(message: string) {
    super('WSMAN_OBJECT_PATH', message);
  }
}

export interface ObjectPathOptions {
  /** Computer name of the leading `\\HOST\`; without it the path is relative: `Class.Key="…"`. */
  readonly host?: string;
  /** Tells integer and boolean keys, which are written without quotes. */
  readonly schema?: Schema;
}

const MAX_PATH = 32_768;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/u;

/**
 * Writes `\\HOST\root\virtualization\v2:Class.Key="value"`. Inside the quotes each backslash and each quote gets a
 * backslash. Source: WMI SDK, "Describing the Location of a WMI Object".
 */
export function formatObjectPath(reference: CimReference, options: ObjectPathOptions = {}): string {
  const def = options.schema?.classOf(reference.namespace, reference.className);
  const keys = Object.entries(reference.keys).map(([name, value]) => {
    const property = def === undefined ? undefined : options.schema?.property(def, name);
    const bare = property !== undefined && (isIntegerType(property.type) || property.type === 'boolean');
    return `${name}=${bare ? value : `"${value.replaceAll(/["\\]/gu, String.raw`\$&`)}"`}`;
  });
  const prefix =
    options.host === undefined ? '' : `\\\\${options.host}\\${reference.namespace.replaceAll('/', '\\')}:`;
  return `${prefix}${reference.className}${keys.length === 0 ? '=@' : `.${keys.join(',')}`}`;
}

/**
 * Reads an object path: absolute (`\\HOST\ns:Class…`), with a namespace (`ns:Class…`) or relative, for which
 * `defaultNamespace` counts. `Class=@` and a bare class give a reference without keys. The host is not kept: a
 * reference belongs to the host that it is used on. Throws {@link ObjectPathError}.
 */
export function parseObjectPath(path: string, defaultNamespace = 'root/cimv2'): CimReference {
  const text = path.trim();
  if (text.length > MAX_PATH) throw new ObjectPathError('The object path is too long');
  const match = /^(?:(?:[\\/]{2}[^\\/:"=]+[\\/])?([A-Za-z0-9_\\/]+):)?([A-Za-z_][A-Za-z0-9_]*)(.*)$/su.exec(
    text,
  );
  if (match === null) throw new ObjectPathError(`"${text.slice(0, 200)}" is not a WMI object path`);
  const [, namespace, className = '', rest = ''] = match;
  return {
    kind: 'reference',
    namespace: (namespace ?? defaultNamespace).replaceAll('\\', '/').replace(/^\/+|\/+$/gu, ''),
    className,
    keys: parseKeys(rest, text),
  };
}

function parseKeys(rest: string, path: string): Record<string, string> {
  if (rest === '' || rest === '=@') return {};
  if (!rest.startsWith('.'))
    throw new ObjectPathError(`"${path.slice(0, 200)}" names no key after its class`);
  const keys: Record<string, string> = {};
  let at = 1;
  for (;;) {
    const equals = rest.indexOf('=', at);
    const name = rest.slice(at, equals).trim();
    if (equals < 0 || !NAME.test(name))
      throw new ObjectPathError(`"${path.slice(0, 200)}" has a malformed key`);
    const { value, next } = parseKeyValue(rest, equals + 1, path);
    keys[name] = value;
    if (next >= rest.length) return keys;
    if (rest[next] !== ',') throw new ObjectPathError(`"${path.slice(0, 200)}" has text after a key's value`);
    at = next + 1;
  }
}

function parseKeyValue(text: string, from: number, path: string): { value: string; next: number } {
  const quote = text[from];
  if (quote !== '"' && quote !== "'") {
    const comma = text.indexOf(',', from);
    const next = comma < 0 ? text.length : comma;
    const value = text.slice(from, next).trim();
    if (!/^(?:[+-]?\d+|0[xX][0-9a-fA-F]+|true|false)$/iu.test(value)) {
      throw new ObjectPathError(`"${path.slice(0, 200)}" has a key value without quotes`);
    }
    return { value, next };
  }
  let value = '';
  for (let at = from + 1; at < text.length; at += 1) {
    const character = text[at];
    if (character === quote) return { value, next: at + 1 };
    if (character === '\\' && at + 1 < text.length) at += 1;
    value += text[at] ?? '';
  }
  throw new ObjectPathError(`"${path.slice(0, 200)}" has an unterminated key value`);
}

/**
 * A text that is equal for equal references: class and keys without regard to case or order of keys. Keys that
 * hold object paths (associations) are compared as references, without their host.
 */
export function referenceKey(reference: CimReference): string {
  const keys = Object.entries(reference.keys)
    .map(([name, value]): [string, string] => [name.toLowerCase(), canonicalKeyValue(value)])
    .toSorted(([a], [b]) => (a < b ? -1 : Number(a > b)));
  return JSON.stringify([reference.namespace.toLowerCase(), reference.className.toLowerCase(), keys]);
}

function canonicalKeyValue(value: string): string {
  if (/^\\\\[^\\]+\\[^:]+:/u.test(value)) {
    try {
      return referenceKey(parseObjectPath(value));
    } catch (error) {
      if (!(error instanceof ObjectPathError)) throw error;
    }
  }
  return value.toLowerCase();
}

/** Whether two references address the same instance. */
export function referenceEquals(a: CimReference, b: CimReference): boolean {
  return referenceKey(a) === referenceKey(b);
}

/**
 * The address of an instance: its class's keys taken from its properties. Undefined when a key is missing or the
 * class is unknown.
 */
export function referenceOf(
  instance: { namespace: string; className: string; properties: Readonly<Record<string, CimValue>> },
  schema: Schema,
): CimReference | undefined {
  const def = schema.classOf(instance.namespace, instance.className);
  if (def === undefined) return undefined;
  const keys: Record<string, string> = {};
  for (const key of def.keys) {
    const value = instance.properties[key];
    if (value === null || value === undefined) return undefined;
    if (typeof value !== 'object') keys[key] = String(value);
    else if (isCimReference(value)) keys[key] = formatObjectPath(value, { host: '.' });
    else return undefined;
  }
  return { kind: 'reference', namespace: def.namespace, className: def.name, keys };
}
