import { isCimType } from '../cim/guards.js';
import type { CimType } from '../cim/value.js';
import { readRawSchema } from './raw-schema.js';
import type { RawClass, RawMethod, RawProperty } from './raw-schema.js';
import type { ClassDef, MethodDef, ParameterDef, PropertyDef, Schema } from './schema.js';

let cached: Schema | undefined;

/**
 * The WMI classes described by Microsoft's documentation, from the package's `schema/*.json`. Read once per
 * process; classes are resolved when first asked for.
 */
export function loadSchema(): Schema {
  cached ??= createSchema(readRawSchema());
  return cached;
}

interface Namespace {
  readonly name: string;
  readonly raw: ReadonlyMap<string, RawClass>;
  /** Lower-case class name -> documented spelling. */
  readonly spelling: ReadonlyMap<string, string>;
  readonly resolved: Map<string, ClassDef>;
  /** Superclass in lower case -> direct subclasses. */
  readonly children: ReadonlyMap<string, readonly string[]>;
}

/** Builds a {@link Schema} from class data; exposed for tests and for narrowed copies. */
export function createSchema(data: ReadonlyMap<string, ReadonlyMap<string, RawClass>>): Schema {
  const namespaces = new Map<string, Namespace>();
  for (const [name, raw] of data) namespaces.set(name.toLowerCase(), indexNamespace(name, raw));
  return new DataSchema(namespaces);
}

function indexNamespace(name: string, raw: ReadonlyMap<string, RawClass>): Namespace {
  const spelling = new Map<string, string>();
  const children = new Map<string, string[]>();
  for (const [className, def] of raw) {
    spelling.set(className.toLowerCase(), className);
    if (def.superclass === undefined) continue;
    const parent = def.superclass.toLowerCase();
    const siblings = children.get(parent) ?? [];
    siblings.push(className);
    children.set(parent, siblings);
  }
  return { name, raw, spelling, resolved: new Map(), children };
}

class DataSchema implements Schema {
  readonly #namespaces: ReadonlyMap<string, Namespace>;
  readonly #propertyIndex = new WeakMap<ClassDef, ReadonlyMap<string, PropertyDef>>();
  readonly #methodIndex = new WeakMap<ClassDef, ReadonlyMap<string, MethodDef>>();

  constructor(namespaces: ReadonlyMap<string, Namespace>) {
    this.#namespaces = namespaces;
  }

  classOf(namespace: string, className: string): ClassDef | undefined {
    const ns = this.#namespaces.get(namespace.toLowerCase());
    const name = ns?.spelling.get(className.toLowerCase());
    return ns === undefined || name === undefined ? undefined : resolveClass(ns, name);
  }

  hasNamespace(namespace: string): boolean {
    return this.#namespaces.has(namespace.toLowerCase());
  }

  namespaces(): readonly string[] {
    return [...this.#namespaces.values()].map((ns) => ns.name);
  }

  classes(namespace: string): readonly ClassDef[] {
    const ns = this.#namespaces.get(namespace.toLowerCase());
    return ns === undefined ? [] : [...ns.raw.keys()].map((name) => resolveClass(ns, name));
  }

  isA(namespace: string, className: string, ancestor: string): boolean {
    const wanted = ancestor.toLowerCase();
    if (className.toLowerCase() === wanted) return true;
    const def = this.classOf(namespace, className);
    return def?.ancestors.some((name) => name.toLowerCase() === wanted) ?? false;
  }

  withSubclasses(namespace: string, className: string): readonly ClassDef[] {
    const ns = this.#namespaces.get(namespace.toLowerCase());
    const root = this.classOf(namespace, className);
    if (ns === undefined || root === undefined) return [];
    const result: ClassDef[] = [];
    const pending = [root.name];
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      result.push(resolveClass(ns, name));
      pending.push(...(ns.children.get(name.toLowerCase()) ?? []));
    }
    return result;
  }

  property(def: ClassDef, name: string): PropertyDef | undefined {
    return (
      def.properties.get(name) ?? index(this.#propertyIndex, def, def.properties).get(name.toLowerCase())
    );
  }

  method(def: ClassDef, name: string): MethodDef | undefined {
    return def.methods.get(name) ?? index(this.#methodIndex, def, def.methods).get(name.toLowerCase());
  }
}

function index<T>(
  cache: WeakMap<ClassDef, ReadonlyMap<string, T>>,
  def: ClassDef,
  members: ReadonlyMap<string, T>,
): ReadonlyMap<string, T> {
  let found = cache.get(def);
  if (found === undefined) {
    found = new Map([...members].map(([name, member]) => [name.toLowerCase(), member]));
    cache.set(def, found);
  }
  return found;
}

function resolveClass(ns: Namespace, name: string): ClassDef {
  const done = ns.resolved.get(name);
  if (done !== undefined) return done;
  const raw = ns.raw.get(name);
  if (raw === undefined) throw new Error(`The schema data names ${name} but does not hold it`);
  const parentName = raw.superclass === undefined ? undefined : ns.spelling.get(raw.superclass.toLowerCase());
  const parent = parentName === undefined ? undefined : resolveClass(ns, parentName);
  const keys = new Set(raw.keys.map((key) => key.toLowerCase()));
  const own = Object.entries(raw.properties).map(([property, data]) =>
    propertyOf(property, data, keys.has(property.toLowerCase()), name),
  );
  const methods = [
    ...Object.entries(raw.methods ?? {}).map(([method, data]) => methodOf(method, data)),
    ...(raw.methodsWithoutPage ?? []).map(undocumentedMethod),
  ];
  const inherited = [...(parent?.properties.values() ?? [])].map((property) => {
    const key = keys.has(property.name.toLowerCase());
    return key === property.key ? property : { ...property, key };
  });
  const def: ClassDef = {
    namespace: ns.name,
    name,
    ...(raw.superclass === undefined ? {} : { superclass: raw.superclass }),
    ancestors: raw.ancestors ?? (parent === undefined ? [] : [parent.name, ...parent.ancestors]),
    abstract: raw.abstract ?? false,
    association: raw.association ?? false,
    keys: raw.keys,
    properties: override(inherited, own),
    methods: override([...(parent?.methods.values() ?? [])], methods, keepDocumented),
  };
  ns.resolved.set(name, def);
  return def;
}

/** A page that only names a method does not hide the signature that an ancestor's page gives. */
function keepDocumented(base: MethodDef, own: MethodDef): MethodDef {
  return own.documented || !base.documented ? own : base;
}

function override<T extends { readonly name: string }>(
  base: readonly T[],
  own: readonly T[],
  choose: (base: T, own: T) => T = (_, mine) => mine,
): ReadonlyMap<string, T> {
  const members = new Map(base.map((member) => [member.name.toLowerCase(), member]));
  for (const member of own) {
    const key = member.name.toLowerCase();
    const inherited = members.get(key);
    members.set(key, inherited === undefined ? member : choose(inherited, member));
  }
  return new Map([...members.values()].map((member) => [member.name, member]));
}

function cimType(name: string): CimType {
  if (!isCimType(name)) throw new Error(`The schema data names the type ${name}, which CIM does not have`);
  return name;
}

function propertyOf(name: string, raw: RawProperty, key: boolean, declaredBy: string): PropertyDef {
  return {
    name,
    type: cimType(raw.type ?? 'string'),
    array: raw.array ?? false,
    key,
    ...(raw.ref === undefined ? {} : { refClass: raw.ref }),
    ...(raw.embeddedInstance === undefined ? {} : { embeddedInstance: raw.embeddedInstance }),
    ...(raw.interval === undefined ? {} : { interval: raw.interval }),
    access: raw.access ?? 'r',
    ...(raw.maxLen === undefined ? {} : { maxLen: raw.maxLen }),
    ...(raw.minValue === undefined ? {} : { minValue: raw.minValue }),
    ...(raw.maxValue === undefined ? {} : { maxValue: raw.maxValue }),
    ...(raw.default === undefined ? {} : { defaultText: raw.default }),
    declaredBy,
  };
}

function methodOf(name: string, raw: RawMethod): MethodDef {
  const parameters = raw.params.map((parameter): ParameterDef => ({
    name: parameter.name,
    in: parameter.in,
    out: parameter.out,
    type: cimType(parameter.type),
    array: parameter.array ?? false,
    ...(parameter.ref === undefined ? {} : { refClass: parameter.ref }),
    ...(parameter.embeddedInstance === undefined ? {} : { embeddedInstance: parameter.embeddedInstance }),
    ...(parameter.optional === undefined ? {} : { optional: parameter.optional }),
  }));
  return {
    name,
    returns: cimType(raw.returns),
    parameters,
    ...(raw.static === undefined ? {} : { isStatic: raw.static }),
    documented: true,
  };
}

function undocumentedMethod(name: string): MethodDef {
  return { name, returns: 'uint32', parameters: [], documented: false };
}
