import { WBEM, WmiError } from '@nova-hyperv/wsman';
import type {
  AssociatorFilter,
  Caller,
  CimInstance,
  CimReference,
  CimValue,
  ClassDef,
  Found,
  Identity,
  InvokeResult,
  Schema,
  WmiProvider,
  WqlQuery,
  WqlSelect,
} from '@nova-hyperv/wsman';
import { V2, instance } from './cim.js';
import { HV, HyperVError } from './errors.js';
import { MethodCall, returned } from './methods.js';
import type { MethodTable } from './methods.js';
import { UNQUERYABLE } from './refusals.js';
import type { Associations } from './store/associations.js';
import { parseObjectPath } from './store/object-path.js';
import type { ObjectStore } from './store/store.js';
import { NO_HINT, compileWhere, hintOf } from './store/wql.js';

/** WMI of the emulated host, as the server half of WS-Management asks for it. */
export class HostProvider implements WmiProvider {
  readonly schema: Schema;
  readonly #store: ObjectStore;
  readonly #associations: Associations;
  readonly #methods: MethodTable;
  readonly #version: string;
  readonly #refuse: ReadonlySet<string>;

  constructor(options: {
    store: ObjectStore;
    associations: Associations;
    methods: MethodTable;
    version: string;
    /** Call shapes to refuse: see the documentation of the option. */
    refuse: ReadonlySet<string>;
  }) {
    this.schema = options.store.schema;
    this.#store = options.store;
    this.#associations = options.associations;
    this.#methods = options.methods;
    this.#version = options.version;
    this.#refuse = options.refuse;
  }

  identity(authenticated: boolean): Identity {
    return {
      protocolVersion: 'http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd',
      productVendor: 'Microsoft Corporation',
      productVersion: `OS: ${authenticated ? this.#version : '0.0.0'} SP: 0.0 Stack: 3.0`,
    };
  }

  async get(_caller: Caller, reference: CimReference): Promise<CimInstance> {
    return await this.#store.get(reference);
  }

  async put(_caller: Caller, reference: CimReference): Promise<CimInstance> {
    await this.#store.get(reference);
    throw new WmiError(
      WBEM.providerNotCapable,
      `${reference.className} cannot be changed by Put; use the management service's methods.`,
    );
  }

  async create(_caller: Caller, wanted: CimInstance): Promise<CimReference> {
    const def = this.#store.classOf(wanted.namespace, wanted.className);
    return await Promise.reject(
      new WmiError(WBEM.providerNotCapable, `${def.name} cannot be made by Create.`),
    );
  }

  async delete(_caller: Caller, reference: CimReference): Promise<void> {
    await this.#store.get(reference);
    throw new WmiError(WBEM.providerNotCapable, `${reference.className} cannot be removed by Delete.`);
  }

  async query(caller: Caller, namespace: string, query: WqlQuery): Promise<readonly Found[]> {
    if (query.kind === 'select') return await this.#select(namespace, query);
    const path = parseObjectPath(query.objectPath, namespace);
    if (path === undefined) throw new WmiError(WBEM.invalidQuery, `'${query.objectPath}' is no object path.`);
    return query.kind === 'associators'
      ? await this.associators(caller, path.reference, query)
      : await this.references(caller, path.reference, query);
  }

  async enumerate(_caller: Caller, namespace: string, className: string): Promise<readonly Found[]> {
    return (await this.#store.instances(namespace, className, NO_HINT)).map((found) => this.#found(found));
  }

  async associators(
    _caller: Caller,
    source: CimReference,
    filter: AssociatorFilter,
  ): Promise<readonly Found[]> {
    for (const name of [filter.associationClass, filter.resultClass]) this.#mustExist(source.namespace, name);
    return (await this.#associations.associators(source, filter)).map((found) => this.#found(found));
  }

  async references(
    _caller: Caller,
    source: CimReference,
    filter: { resultClass?: string; role?: string },
  ): Promise<readonly Found[]> {
    this.#mustExist(source.namespace, filter.resultClass);
    return (await this.#associations.references(source, filter)).map((found) => this.#found(found));
  }

  async invoke(
    _caller: Caller,
    reference: CimReference,
    method: string,
    parameters: Readonly<Record<string, CimValue>>,
  ): Promise<InvokeResult> {
    const def = this.#store.classOf(reference.namespace, reference.className);
    const definition = this.schema.method(def, method);
    if (definition === undefined) {
      throw new WmiError(WBEM.invalidMethod, `The class ${def.name} has no method ${method}.`);
    }
    const target = await this.#target(def, reference, definition.isStatic === true);
    const actual = this.#store.classOf(target.namespace, target.className);
    const handler = this.#methods.find([actual.name, ...actual.ancestors], method);
    if (handler === undefined) return notServed(def, method);
    try {
      return await handler(new MethodCall(this.schema, target, reference, parameters));
    } catch (error) {
      // What is not told by a job is told by the return value.
      if (error instanceof HyperVError) return returned(error.returnValue);
      throw error;
    }
  }

  async #target(def: ClassDef, reference: CimReference, isStatic: boolean): Promise<CimInstance> {
    const isAddressed = Object.keys(reference.keys).length > 0;
    if (isAddressed) return await this.#store.get(reference);
    if (isStatic || def.keys.length === 0) {
      return (
        (await this.#store.instances(def.namespace, def.name))[0] ?? instance(def.namespace, def.name, {})
      );
    }
    throw new WmiError(WBEM.invalidMethodParameters, `${def.name} must be addressed by its keys.`);
  }

  async #select(namespace: string, query: WqlSelect): Promise<readonly Found[]> {
    const def = this.#store.classOf(namespace, query.className);
    const refusal = UNQUERYABLE[def.name];
    if (refusal !== undefined && this.#refuse.has(refusal)) {
      throw new WmiError(WBEM.providerNotCapable, `This host refuses the call shape '${refusal}'.`);
    }
    const matches = compileWhere(this.schema, def, query.where);
    const wanted = query.properties === '*' ? undefined : this.#selected(def, query.properties);
    const rows = await this.#store.instances(namespace, def.name, hintOf(query.where));
    return rows.filter(matches).map((row) => {
      const found = this.#found(row);
      return wanted === undefined ? found : { ...found, instance: this.#projected(row, wanted) };
    });
  }

  /** Properties that were asked for, in documented spelling; 0x80041017 for one that the class lacks. */
  #selected(def: ClassDef, names: readonly string[]): ReadonlySet<string> {
    const selected = new Set<string>();
    for (const name of names) {
      if (name.startsWith('__')) continue;
      const property = this.schema.property(def, name);
      if (property === undefined)
        throw new WmiError(WBEM.invalidQuery, `The class ${def.name} has no property ${name}.`);
      selected.add(property.name);
    }
    return selected;
  }

  #projected(row: CimInstance, wanted: ReadonlySet<string>): CimInstance {
    const keys = this.#store.classOf(row.namespace, row.className).keys;
    const properties = Object.fromEntries(
      Object.entries(row.properties).filter(([name]) => wanted.has(name) || keys.includes(name)),
    );
    return { ...row, properties };
  }

  #found(found: CimInstance): Found {
    return { instance: found, reference: this.#store.referenceTo(found) };
  }

  #mustExist(namespace: string, className: string | undefined): void {
    if (className !== undefined) this.#store.classOf(namespace, className);
  }
}

/** A method that the schema knows and this host does not serve says so, as Windows does where a feature is absent. */
function notServed(def: ClassDef, method: string): InvokeResult {
  if (def.namespace === V2) return returned(HV.notSupported);
  throw new WmiError(WBEM.providerNotCapable, `The emulated host does not serve ${def.name}.${method}.`);
}
