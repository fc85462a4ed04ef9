import { readFileSync } from 'node:fs';

/** The data files' layout; `schema/README.md` of the data explains each member. */
export interface RawProperty {
  readonly type?: string;
  readonly array?: boolean;
  readonly ref?: string;
  readonly default?: string;
  readonly access?: 'r' | 'rw';
  readonly interval?: boolean;
  readonly embeddedInstance?: string;
  readonly maxLen?: number;
  readonly minValue?: number;
  readonly maxValue?: number;
}

export interface RawParameter {
  readonly name: string;
  readonly in: boolean;
  readonly out: boolean;
  readonly type: string;
  readonly array?: boolean;
  readonly ref?: string;
  readonly embeddedInstance?: string;
  readonly optional?: boolean;
}

export interface RawMethod {
  readonly returns: string;
  readonly params: readonly RawParameter[];
  readonly static?: boolean;
}

export interface RawClass {
  readonly superclass?: string;
  readonly ancestors?: readonly string[];
  readonly abstract?: boolean;
  readonly association?: boolean;
  readonly singleton?: boolean;
  readonly keys: readonly string[];
  readonly properties: Readonly<Record<string, RawProperty>>;
  readonly methods?: Readonly<Record<string, RawMethod>>;
  readonly methodsWithoutPage?: readonly string[];
}

interface RawCorrection {
  readonly properties?: Readonly<Record<string, RawProperty>>;
  readonly methods?: Readonly<
    Record<string, { readonly params: Readonly<Record<string, Partial<RawParameter>>> }>
  >;
}

interface RawFile<T> {
  readonly namespaces: Readonly<Record<string, Readonly<Record<string, T>>>>;
}

/** The same relative place seen from `src/schema` and from `dist/schema`. */
const folder = new URL('../../schema/', import.meta.url);

function readData<T>(name: string): RawFile<T> {
  const data: RawFile<T> = JSON.parse(readFileSync(new URL(name, folder), 'utf8'));
  return data;
}

/** Overlays what the pages leave out or print wrongly; see `schema/corrections.json`. */
function corrected(raw: RawClass, correction: RawCorrection | undefined): RawClass {
  if (correction === undefined) return raw;
  const properties: Record<string, RawProperty> = { ...raw.properties };
  for (const [name, change] of Object.entries(correction.properties ?? {})) {
    properties[name] = { ...properties[name], ...change };
  }
  const methods: Record<string, RawMethod> = { ...raw.methods };
  for (const [name, change] of Object.entries(correction.methods ?? {})) {
    const method = methods[name];
    if (method === undefined) continue;
    methods[name] = {
      ...method,
      params: method.params.map((parameter) => ({ ...parameter, ...change.params[parameter.name] })),
    };
  }
  return { ...raw, properties, methods };
}

/** Namespace -> class -> data, with corrections applied. */
export function readRawSchema(): Map<string, Map<string, RawClass>> {
  const corrections = readData<RawCorrection>('corrections.json').namespaces;
  const result = new Map<string, Map<string, RawClass>>();
  for (const file of ['virtualization-v2.json', 'other-namespaces.json']) {
    for (const [namespace, classes] of Object.entries(readData<RawClass>(file).namespaces)) {
      const of = corrections[namespace] ?? {};
      result.set(
        namespace,
        new Map(Object.entries(classes).map(([name, raw]) => [name, corrected(raw, of[name])])),
      );
    }
  }
  return result;
}
