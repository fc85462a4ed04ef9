import { isCimReference } from '../cim/guards.js';
import { parseObjectPath, referenceEquals, referenceOf } from '../cim/object-path.js';
import type { CimInstance, CimReference, CimValue } from '../cim/value.js';
import type { AssociatorFilter, Found, Identity, InvokeResult } from '../client/client.js';
import { PROTOCOL_VERSION } from '../codec/namespaces.js';
import { WBEM, WmiError } from '../errors.js';
import { loadSchema } from '../schema/load-schema.js';
import type { ClassDef, Schema } from '../schema/schema.js';
import type { Caller, WmiProvider } from '../server/provider.js';
import type { WqlQuery, WqlSelect } from '../wql/ast.js';
import { matchesWql } from '../wql/evaluate.js';

export type MemoryMethod = (
  parameters: Readonly<Record<string, CimValue>>,
  target: CimInstance | undefined,
  caller: Caller,
) => Promise<InvokeResult> | InvokeResult;

export interface MemoryProviderOptions {
  readonly schema?: Schema;
  readonly instances?: readonly CimInstance[];
  /** By `Class.Method`. */
  readonly methods?: Readonly<Record<string, MemoryMethod>>;
}

/** A WMI provider over a list of instances, for tests of whatever speaks WS-Management. It knows no rules of Hyper-V. */
export class MemoryProvider implements WmiProvider {
  readonly schema: Schema;
  readonly instances: CimInstance[];
  readonly #methods: Readonly<Record<string, MemoryMethod>>;

  constructor(options: MemoryProviderOptions = {}) {
    this.schema = options.schema ?? loadSchema();
    this.instances = [...(options.instances ?? [])];
    this.#methods = options.methods ?? {};
  }

  identity(authenticated: boolean): Identity {
    return {
      protocolVersion: PROTOCOL_VERSION,
      productVendor: 'Microsoft Corporation',
      productVersion: `OS: ${authenticated ? '10.0.20348' : '0.0.0'} SP: 0.0 Stack: 3.0`,
    };
  }

  get(_caller: Caller, reference: CimReference): Promise<CimInstance> {
    return this.#settle(() => this.#find(reference));
  }

  put(_caller: Caller, reference: CimReference, instance: CimInstance): Promise<CimInstance> {
    return this.#settle(() => {
      const old = this.#find(reference);
      const changed = { ...old, properties: { ...old.properties, ...instance.properties } };
      this.instances[this.instances.indexOf(old)] = changed;
      return changed;
    });
  }

  create(_caller: Caller, instance: CimInstance): Promise<CimReference> {
    return this.#settle(() => {
      this.instances.push(instance);
      return this.#address(instance);
    });
  }

  delete(_caller: Caller, reference: CimReference): Promise<void> {
    return this.#settle(() => {
      this.instances.splice(this.instances.indexOf(this.#find(reference)), 1);
    });
  }

  query(_caller: Caller, namespace: string, query: WqlQuery): Promise<readonly Found[]> {
    return this.#settle(() => {
      if (query.kind === 'select') return this.#select(namespace, query);
      const source = parseObjectPath(query.objectPath, namespace);
      return query.kind === 'associators' ? this.#associated(source, query) : this.#referring(source, query);
    });
  }

  enumerate(_caller: Caller, namespace: string, className: string): Promise<readonly Found[]> {
    return this.#settle(() => this.#all(namespace, className).map((instance) => this.#found(instance)));
  }

  associators(_caller: Caller, source: CimReference, filter: AssociatorFilter): Promise<readonly Found[]> {
    return this.#settle(() => this.#associated(source, filter));
  }

  references(
    _caller: Caller,
    source: CimReference,
    filter: { resultClass?: string; role?: string },
  ): Promise<readonly Found[]> {
    return this.#settle(() => this.#referring(source, filter));
  }

  invoke(
    caller: Caller,
    reference: CimReference,
    method: string,
    parameters: Readonly<Record<string, CimValue>>,
  ): Promise<InvokeResult> {
    return this.#settle(() => {
      const handler = this.#methods[`${reference.className}.${method}`];
      if (handler === undefined)
        throw new WmiError(WBEM.providerNotCapable, 'Provider is not capable of the operation');
      const target = Object.keys(reference.keys).length === 0 ? undefined : this.#find(reference);
      return handler(parameters, target, caller);
    });
  }

  async #settle<T>(work: () => T | Promise<T>): Promise<T> {
    return work();
  }

  #class(namespace: string, name: string): ClassDef {
    const def = this.schema.classOf(namespace, name);
    if (def === undefined) throw new WmiError(WBEM.invalidClass, `Invalid class: ${name}`);
    return def;
  }

  #all(namespace: string, className: string): CimInstance[] {
    const def = this.#class(namespace, className);
    return this.instances.filter(
      (item) =>
        item.namespace.toLowerCase() === def.namespace.toLowerCase() &&
        this.schema.isA(namespace, item.className, def.name),
    );
  }

  /** Keys given must match; services are found by fewer than all. */
  #find(reference: CimReference): CimInstance {
    const found = this.#all(reference.namespace, reference.className).find((item) => {
      const own = this.#address(item).keys;
      return Object.entries(reference.keys).every(
        ([key, value]) => own[key]?.toLowerCase() === value.toLowerCase(),
      );
    });
    if (found === undefined) throw new WmiError(WBEM.notFound, 'Not found');
    return found;
  }

  #address(instance: CimInstance): CimReference {
    const reference = referenceOf(instance, this.schema);
    if (reference === undefined) throw new WmiError(WBEM.failed, `${instance.className} lacks a key`);
    return reference;
  }

  #found(instance: CimInstance): Found {
    return { instance, reference: this.#address(instance) };
  }

  #select(namespace: string, query: WqlSelect): Found[] {
    const { where, properties } = query;
    const matching = this.#all(namespace, query.className).filter(
      (item) => where === undefined || this.#matches(item, where),
    );
    if (properties === '*') return matching.map((item) => this.#found(item));
    return matching.map((item) => {
      const def = this.#class(namespace, item.className);
      const wanted = new Set([...properties, ...def.keys].map((name) => name.toLowerCase()));
      const kept = Object.entries(item.properties).filter(([name]) => wanted.has(name.toLowerCase()));
      return { instance: { ...item, properties: Object.fromEntries(kept) }, reference: this.#address(item) };
    });
  }

  #matches(item: CimInstance, where: NonNullable<WqlSelect['where']>): boolean {
    return matchesWql(where, {
      value: (name) => {
        if (name.toLowerCase() === '__class') return item.className;
        const def = this.#class(item.namespace, item.className);
        const property = this.schema.property(def, name);
        if (property === undefined)
          throw new WmiError(WBEM.invalidQuery, `Invalid query: no property ${name}`);
        return item.properties[property.name];
      },
      isA: (_, className) => this.schema.isA(item.namespace, item.className, className),
    });
  }

  #referring(source: CimReference, filter: { resultClass?: string; role?: string }): Found[] {
    return this.#links(source, filter.resultClass, filter.role).map(({ link }) => this.#found(link));
  }

  #associated(source: CimReference, filter: AssociatorFilter): Found[] {
    const results: Found[] = [];
    for (const { link, role } of this.#links(source, filter.associationClass, filter.role)) {
      for (const [name, value] of Object.entries(link.properties)) {
        if (name === role || !isCimReference(value)) continue;
        if (filter.resultRole !== undefined && name.toLowerCase() !== filter.resultRole.toLowerCase())
          continue;
        const instance = this.#find(value);
        if (
          filter.resultClass === undefined ||
          this.schema.isA(instance.namespace, instance.className, filter.resultClass)
        ) {
          results.push(this.#found(instance));
        }
      }
    }
    return results;
  }

  #links(source: CimReference, className: string | undefined, role: string | undefined) {
    const links: { link: CimInstance; role: string }[] = [];
    for (const link of this.instances) {
      if (className !== undefined && !this.schema.isA(link.namespace, link.className, className)) continue;
      for (const [name, value] of Object.entries(link.properties)) {
        if (role !== undefined && name.toLowerCase() !== role.toLowerCase()) continue;
        if (isCimReference(value) && referenceEquals(value, source)) links.push({ link, role: name });
      }
    }
    return links;
  }
}
