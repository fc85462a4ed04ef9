import { WBEM, WmiError, isCimReference, referenceKey } from '@nova-hyperv/wsman';
import type { CimInstance, CimReference, CimValue, ClassDef, Schema } from '@nova-hyperv/wsman';
import { formatObjectPath, parseObjectPath } from './object-path.js';
import { typedInstance } from './typing.js';
import { NO_HINT } from './wql.js';
import type { QueryHint } from './wql.js';

/** Instances of one class that are computed when somebody asks. */
export interface InstanceSource {
  readonly namespace: string;
  readonly className: string;
  /** All that may match the hint; more is allowed, the caller filters. */
  list(hint: QueryHint): Iterable<CimInstance> | Promise<Iterable<CimInstance>>;
}

/** Objects of one owner (a machine's GUID, or '' for the host) by their reference keys. */
type Rows = Map<string, CimInstance>;

/**
 * The objects of the host, typed by the WMI schema: what the schema does not know cannot get in. Stored objects
 * are indexed by class and owner, so that "the settings of this machine" costs what that machine has.
 */
export class ObjectStore {
  readonly schema: Schema;
  readonly #stored = new Map<string, Map<string, Rows>>();
  readonly #sources = new Map<string, InstanceSource[]>();

  constructor(schema: Schema) {
    this.schema = schema;
  }

  /** Adds or replaces. The owner's objects leave together by {@link removeOwner}. */
  put(instance: CimInstance, owner = ''): void {
    const typed = typedInstance(this.schema, instance);
    const owners = entry(
      this.#stored,
      classKey(typed.namespace, typed.className),
      () => new Map<string, Rows>(),
    );
    entry(owners, owner.toLowerCase(), () => new Map<string, CimInstance>()).set(
      referenceKey(this.referenceTo(typed)),
      typed,
    );
  }

  remove(reference: CimReference, owner = ''): void {
    const owners = this.#stored.get(classKey(reference.namespace, reference.className));
    owners?.get(owner.toLowerCase())?.delete(referenceKey(reference));
  }

  removeOwner(owner: string): void {
    for (const owners of this.#stored.values()) owners.delete(owner.toLowerCase());
  }

  /** Puts `next` in the place of all that the owner has. */
  replaceOwner(owner: string, next: Iterable<CimInstance>): void {
    this.removeOwner(owner);
    for (const instance of next) this.put(instance, owner);
  }

  addSource(source: InstanceSource): void {
    // A release that does not know the class has no such objects.
    if (this.schema.classOf(source.namespace, source.className) === undefined) return;
    entry(this.#sources, classKey(source.namespace, source.className), () => []).push(source);
  }

  /** The class; 0x8004100E and 0x80041010 when the namespace or the class is unknown. */
  classOf(namespace: string, className: string): ClassDef {
    const def = this.schema.classOf(namespace, className);
    if (def !== undefined) return def;
    if (!this.schema.hasNamespace(namespace)) {
      throw new WmiError(WBEM.invalidNamespace, `The namespace ${namespace} does not exist on this host.`);
    }
    throw new WmiError(WBEM.invalidClass, `The class ${className} does not exist in ${namespace}.`);
  }

  /** Instances of the class and its subclasses. */
  async instances(
    namespace: string,
    className: string,
    hint: QueryHint = NO_HINT,
  ): Promise<readonly CimInstance[]> {
    const found: CimInstance[] = [];
    for (const def of this.schema.withSubclasses(namespace, this.classOf(namespace, className).name)) {
      const key = classKey(def.namespace, def.name);
      for (const rows of this.#candidates(key, hint)) found.push(...rows.values());
      for (const source of this.#sources.get(key) ?? []) {
        for (const instance of await source.list(hint)) found.push(typedInstance(this.schema, instance));
      }
    }
    return found;
  }

  /**
   * The instance that a reference names. Keys that are left out match anything as long as one instance remains:
   * a service is addressed by its CreationClassName alone.
   */
  async find(reference: CimReference): Promise<CimInstance | undefined> {
    const wanted = this.classOf(reference.namespace, reference.className);
    const exact = this.#exact(wanted, reference);
    if (exact !== undefined) return exact;
    const given = this.#keyTexts(wanted, reference);
    if (given === undefined || (given.size === 0 && wanted.keys.length > 0)) return undefined;
    const hint: QueryHint = { equals: given, prefixes: new Map() };
    const matches = (await this.instances(wanted.namespace, wanted.name, hint)).filter((row) =>
      this.#hasKeys(row, given),
    );
    return matches.length === 1 ? matches[0] : undefined;
  }

  /** {@link find}, or 0x80041002. */
  async get(reference: CimReference): Promise<CimInstance> {
    const found = await this.find(reference);
    if (found !== undefined) return found;
    throw new WmiError(
      WBEM.notFound,
      `There is no such ${reference.className}: ${JSON.stringify(reference.keys)}.`,
    );
  }

  /** The address of an instance, with the class's keys in the documented order. */
  referenceTo(instance: CimInstance): CimReference {
    const def = this.classOf(instance.namespace, instance.className);
    const keys: Record<string, string> = {};
    for (const name of def.keys) {
      const value = instance.properties[name];
      if (value === null || value === undefined) continue;
      keys[name] = isCimReference(value) ? formatObjectPath(value, '.') : keyText(value);
    }
    return { kind: 'reference', namespace: def.namespace, className: def.name, keys };
  }

  #exact(def: ClassDef, reference: CimReference): CimInstance | undefined {
    const key = referenceKey({ ...reference, namespace: def.namespace });
    for (const rows of this.#stored.get(classKey(def.namespace, def.name))?.values() ?? []) {
      const row = rows.get(key);
      if (row !== undefined) return row;
    }
    return undefined;
  }

  *#candidates(key: string, hint: QueryHint): Iterable<Rows> {
    const owners = this.#stored.get(key);
    if (owners === undefined) return;
    const text = hint.equals.get('instanceid') ?? hint.prefixes.get('instanceid');
    const owner =
      text === undefined
        ? undefined
        : /^microsoft:([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})/.exec(text)?.[1];
    if (owner === undefined) {
      yield* owners.values();
      return;
    }
    const own = owners.get(owner);
    const host = owners.get('');
    if (own !== undefined) yield own;
    if (host !== undefined) yield host;
  }

  #keyTexts(def: ClassDef, reference: CimReference): Map<string, string> | undefined {
    const texts = new Map<string, string>();
    for (const [name, value] of Object.entries(reference.keys)) {
      const property = this.schema.property(def, name);
      if (property === undefined) return undefined;
      texts.set(property.name.toLowerCase(), value.toLowerCase());
    }
    return texts;
  }

  #hasKeys(row: CimInstance, given: ReadonlyMap<string, string>): boolean {
    const values = new Map(
      Object.entries(row.properties).map(([name, value]) => [name.toLowerCase(), value]),
    );
    for (const [name, text] of given) {
      const value = values.get(name);
      if (isCimReference(value)) {
        const path = parseObjectPath(text, row.namespace);
        if (path === undefined || referenceKey(path.reference) !== referenceKey(value)) return false;
      } else if (value === null || value === undefined || keyText(value).toLowerCase() !== text) {
        return false;
      }
    }
    return true;
  }
}

/** Keys are texts, numbers, booleans or references. */
function keyText(value: CimValue): string {
  return typeof value === 'object' ? '' : String(value);
}

function classKey(namespace: string, className: string): string {
  return `${namespace}:${className}`.toLowerCase();
}

function entry<V>(map: Map<string, V>, key: string, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
