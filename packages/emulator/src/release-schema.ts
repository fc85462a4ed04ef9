import type { ClassDef, MethodDef, PropertyDef, Schema } from '@nova-hyperv/wsman';
import type { Release } from './releases.js';

/** Comes with the failover clustering feature. */
const CLUSTER_NAMESPACE = 'root/mscluster';

/**
 * The WMI schema as one Windows release has it: classes and properties that came later are unknown there, and
 * so are the classes that derive from them.
 */
export function releaseSchema(
  schema: Schema,
  release: Release,
  features: { readonly clustered: boolean } = { clustered: true },
): Schema {
  const isThere = (namespace: string): boolean =>
    features.clustered || namespace.toLowerCase() !== CLUSTER_NAMESPACE;
  const hidden = new Set(release.absentClasses.map((name) => name.toLowerCase()));
  const absent = new Map(
    Object.entries(release.absentProperties).map(([name, list]) => [name.toLowerCase(), new Set(list)]),
  );
  const cache = new Map<ClassDef, ClassDef | undefined>();

  const shown = (def: ClassDef): ClassDef | undefined => {
    if (!cache.has(def)) {
      const isHidden = [def.name, ...def.ancestors].some((name) => hidden.has(name.toLowerCase()));
      cache.set(def, isHidden ? undefined : withoutProperties(def, absent.get(def.name.toLowerCase())));
    }
    return cache.get(def);
  };
  const all = (list: readonly ClassDef[]): ClassDef[] => list.map(shown).filter((def) => def !== undefined);

  return {
    classOf: (namespace, className) => {
      const def = isThere(namespace) ? schema.classOf(namespace, className) : undefined;
      return def === undefined ? undefined : shown(def);
    },
    hasNamespace: (namespace) => isThere(namespace) && schema.hasNamespace(namespace),
    namespaces: () => schema.namespaces().filter(isThere),
    classes: (namespace) => all(schema.classes(namespace)),
    isA: (namespace, className, ancestor) => schema.isA(namespace, className, ancestor),
    withSubclasses: (namespace, className) => all(schema.withSubclasses(namespace, className)),
    property: (def: ClassDef, name: string): PropertyDef | undefined => {
      const property = schema.property(def, name);
      return property !== undefined && absent.get(def.name.toLowerCase())?.has(property.name)
        ? undefined
        : property;
    },
    method: (def: ClassDef, name: string): MethodDef | undefined => schema.method(def, name),
  };
}

function withoutProperties(def: ClassDef, names: ReadonlySet<string> | undefined): ClassDef {
  if (names === undefined) return def;
  return { ...def, properties: new Map([...def.properties].filter(([name]) => !names.has(name))) };
}
