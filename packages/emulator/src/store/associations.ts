import { isCimReference, referenceKey } from '@nova-hyperv/wsman';
import type { AssociatorFilter, CimInstance, CimReference, Schema } from '@nova-hyperv/wsman';
import type { ObjectStore } from './store.js';

/** Instances of one association class, computed when somebody asks. */
export interface AssociationSource {
  readonly namespace: string;
  readonly className: string;
  /** All links, or at least those that touch `end`. The caller filters. */
  links(end?: CimReference): Iterable<CimInstance> | Promise<Iterable<CimInstance>>;
}

/** Association classes and who computes them. Enumerating an association class goes through the store as well. */
export class Associations {
  readonly #store: ObjectStore;
  readonly #schema: Schema;
  readonly #sources: AssociationSource[] = [];

  constructor(store: ObjectStore) {
    this.#store = store;
    this.#schema = store.schema;
  }

  add(source: AssociationSource): void {
    if (this.#schema.classOf(source.namespace, source.className) === undefined) return;
    this.#sources.push(source);
    this.#store.addSource({
      namespace: source.namespace,
      className: source.className,
      list: () => source.links(),
    });
  }

  /** Association instances that refer to `source`; it must exist (0x80041002). */
  async references(
    source: CimReference,
    filter: { resultClass?: string; role?: string },
  ): Promise<readonly CimInstance[]> {
    const end = this.#store.referenceTo(await this.#store.get(source));
    const found: CimInstance[] = [];
    for await (const { link, roles } of this.#touching(end, filter.resultClass)) {
      if (filter.role === undefined || roles.some((role) => same(role, filter.role))) found.push(link);
    }
    return found;
  }

  /** Instances at the other ends of the links of `source`; each once. */
  async associators(source: CimReference, filter: AssociatorFilter): Promise<readonly CimInstance[]> {
    const end = this.#store.referenceTo(await this.#store.get(source));
    const found = new Map<string, CimInstance>();
    for await (const { link, roles } of this.#touching(end, filter.associationClass)) {
      const role = filter.role === undefined ? roles[0] : roles.find((name) => same(name, filter.role));
      if (role === undefined) continue;
      for (const [name, value] of Object.entries(link.properties)) {
        if (!isCimReference(value) || name === role) continue;
        if (filter.resultRole !== undefined && !same(name, filter.resultRole)) continue;
        const key = referenceKey(value);
        if (found.has(key)) continue;
        const other = await this.#store.find(value);
        if (other !== undefined && this.#isWanted(other, filter.resultClass)) found.set(key, other);
      }
    }
    return [...found.values()];
  }

  #isWanted(instance: CimInstance, resultClass: string | undefined): boolean {
    return resultClass === undefined || this.#schema.isA(instance.namespace, instance.className, resultClass);
  }

  async *#touching(
    end: CimReference,
    associationClass: string | undefined,
  ): AsyncGenerator<{ link: CimInstance; roles: string[] }> {
    const wanted = referenceKey(end);
    for (const source of this.#sources) {
      if (source.namespace !== end.namespace) continue;
      if (
        associationClass !== undefined &&
        !this.#schema.isA(source.namespace, source.className, associationClass)
      )
        continue;
      for (const link of await source.links(end)) {
        const roles = Object.entries(link.properties)
          .filter(([, value]) => isCimReference(value) && referenceKey(value) === wanted)
          .map(([name]) => name);
        if (roles.length > 0) yield { link, roles };
      }
    }
  }
}

function same(left: string, right: string | undefined): boolean {
  return left.toLowerCase() === right?.toLowerCase();
}
