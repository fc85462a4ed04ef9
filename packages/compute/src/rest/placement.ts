import { z } from 'zod';
import { isStatus } from './rest-error.js';
import { RestClient, segment, type CallOptions, type RestClientOptions } from './rest-client.js';

/** Units per resource class: `{ VCPU: 1, MEMORY_MB: 512 }`. */
export type ResourceAmounts = Readonly<Record<string, number>>;

export interface Inventory {
  readonly total: number;
  readonly reserved: number;
  readonly minUnit: number;
  readonly maxUnit: number;
  readonly stepSize: number;
  readonly allocationRatio: number;
}

export type Inventories = Readonly<Record<string, Inventory>>;

export interface ResourceProvider {
  readonly uuid: string;
  readonly name: string;
  readonly generation: number;
}

export interface Allocations {
  /** By resource provider; empty when the consumer has none. */
  readonly allocations: Readonly<Record<string, { readonly resources: ResourceAmounts }>>;
  /** null: the consumer is new. */
  readonly consumerGeneration: number | null;
  readonly projectId: string | null;
  readonly userId: string | null;
}

export interface NewAllocations {
  readonly allocations: Readonly<Record<string, { readonly resources: ResourceAmounts }>>;
  readonly projectId: string;
  readonly userId: string;
}

export interface AllocationCandidatesQuery {
  readonly resources: ResourceAmounts;
  /** Traits; forbidden ones begin with `!`. */
  readonly required?: readonly string[];
  readonly inTree?: string;
  readonly limit?: number;
}

export interface AllocationCandidates {
  readonly requests: readonly {
    readonly allocations: Readonly<Record<string, { readonly resources: ResourceAmounts }>>;
  }[];
  readonly summaries: Readonly<
    Record<
      string,
      {
        readonly resources: Readonly<Record<string, { readonly capacity: number; readonly used: number }>>;
        readonly traits: readonly string[];
      }
    >
  >;
}

export interface PlacementClient {
  /** null when there is none with this UUID. */
  getProvider(uuid: string, options?: CallOptions): Promise<ResourceProvider | null>;
  /** Finds or creates it; also when another one creates it at the same time. */
  ensureProvider(uuid: string, name: string, options?: CallOptions): Promise<ResourceProvider>;
  getInventories(uuid: string, options?: CallOptions): Promise<Inventories>;
  /** Replaces all inventories by what `change` makes of the present ones; asks again when the provider changed meanwhile. */
  updateInventories(
    uuid: string,
    change: (present: Inventories) => Inventories,
    options?: CallOptions,
  ): Promise<void>;
  getTraits(uuid: string, options?: CallOptions): Promise<readonly string[]>;
  /** As {@link updateInventories}. Traits that Placement does not know are created when custom, else left out and returned. */
  updateTraits(
    uuid: string,
    change: (present: readonly string[]) => readonly string[],
    options?: CallOptions,
  ): Promise<readonly string[]>;
  getAllocations(consumer: string, options?: CallOptions): Promise<Allocations>;
  /** Sets a consumer's allocations; asks again when the consumer or a provider changed meanwhile. No room: RestError 409. */
  putAllocations(consumer: string, allocations: NewAllocations, options?: CallOptions): Promise<void>;
  /** Harmless when there are none. */
  deleteAllocations(consumer: string, options?: CallOptions): Promise<void>;
  /**
   * Gives one consumer's allocations to another, in one transaction, in place of what that one has: Nova's move_allocations. False when `from`
   * has none: it was done already.
   */
  moveAllocations(from: string, to: string, options?: CallOptions): Promise<boolean>;
  /** What each consumer holds of the provider. */
  providerAllocations(
    uuid: string,
    options?: CallOptions,
  ): Promise<Readonly<Record<string, ResourceAmounts>>>;
  allocationCandidates(
    query: AllocationCandidatesQuery,
    options?: CallOptions,
  ): Promise<AllocationCandidates>;
  close(): Promise<void>;
}

/** Microversion spoken: the last one before consumer types (1.38) and the same in every release since 2019. */
const HEADERS = { 'openstack-api-version': 'placement 1.36' };
/** Times that a generation conflict is met with a fresh look. */
const CONFLICT_TRIES = 5;

const amounts = z.record(z.string(), z.number());
const providerSchema = z.looseObject({ uuid: z.string(), name: z.string(), generation: z.number() });
const inventorySchema = z.looseObject({
  total: z.number(),
  reserved: z.number().default(0),
  min_unit: z.number().default(1),
  max_unit: z.number().default(2147483647),
  step_size: z.number().default(1),
  allocation_ratio: z.number().default(1),
});
const inventoriesSchema = z.object({
  resource_provider_generation: z.number(),
  inventories: z.record(z.string(), inventorySchema),
});
const traitsSchema = z.object({ resource_provider_generation: z.number(), traits: z.array(z.string()) });
const knownTraits = z.object({ traits: z.array(z.string()) });
const byProvider = z.record(z.string(), z.looseObject({ resources: amounts }));
const allocationsSchema = z.object({
  allocations: byProvider,
  consumer_generation: z.number().nullish(),
  project_id: z.string().nullish(),
  user_id: z.string().nullish(),
});
const providerAllocationsSchema = z.object({ allocations: byProvider });
const candidatesSchema = z.object({
  allocation_requests: z.array(z.looseObject({ allocations: byProvider })),
  provider_summaries: z.record(
    z.string(),
    z.looseObject({
      resources: z.record(z.string(), z.looseObject({ capacity: z.number(), used: z.number() })),
      traits: z.array(z.string()).default([]),
    }),
  ),
});

function toInventories(body: z.infer<typeof inventoriesSchema>): Inventories {
  const entries = Object.entries(body.inventories).map(([name, inventory]): [string, Inventory] => [
    name,
    {
      total: inventory.total,
      reserved: inventory.reserved,
      minUnit: inventory.min_unit,
      maxUnit: inventory.max_unit,
      stepSize: inventory.step_size,
      allocationRatio: inventory.allocation_ratio,
    },
  ]);
  return Object.fromEntries(entries);
}

function inventoriesBody(inventories: Inventories): Record<string, unknown> {
  const entries = Object.entries(inventories).map(([name, inventory]): [string, unknown] => [
    name,
    {
      total: inventory.total,
      reserved: inventory.reserved,
      min_unit: inventory.minUnit,
      max_unit: inventory.maxUnit,
      step_size: inventory.stepSize,
      allocation_ratio: inventory.allocationRatio,
    },
  ]);
  return Object.fromEntries(entries);
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return new Set([...a, ...b]).size === a.length && a.length === b.length;
}

function sameInventories(a: Inventories, b: Inventories): boolean {
  const text = (inventories: Inventories): string =>
    JSON.stringify(Object.entries(inventories).toSorted(([x], [y]) => (x < y ? -1 : 1)));
  return text(a) === text(b);
}

/** What Placement tells beside the amounts is not for it. */
function resourcesOnly(allocations: Allocations['allocations']): Allocations['allocations'] {
  return Object.fromEntries(
    Object.entries(allocations).map(([provider, { resources }]) => [provider, { resources }]),
  );
}

/** Does the work again from the start while Placement says that somebody else was faster. */
async function onConflictAgain<T>(work: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await work();
    } catch (error) {
      const conflict = isStatus(error, 409) && error.serviceErrorType === 'placement.concurrent_update';
      if (!conflict || tried >= CONFLICT_TRIES) throw error;
    }
  }
}

class HttpPlacementClient implements PlacementClient {
  readonly #rest: RestClient;

  constructor(rest: RestClient) {
    this.#rest = rest;
  }

  async getProvider(uuid: string, call: CallOptions = {}): Promise<ResourceProvider | null> {
    try {
      const path = `/resource_providers/${segment(uuid)}`;
      return await this.#rest.json({ ...call, headers: HEADERS, method: 'GET', path }, providerSchema);
    } catch (error) {
      if (isStatus(error, 404)) return null;
      throw error;
    }
  }

  async ensureProvider(uuid: string, name: string, call: CallOptions = {}): Promise<ResourceProvider> {
    const present = await this.getProvider(uuid, call);
    if (present !== null) return present;
    const body = { uuid, name };
    try {
      return await this.#rest.json(
        { ...call, headers: HEADERS, method: 'POST', path: '/resource_providers', body },
        providerSchema,
      );
    } catch (error) {
      const other = isStatus(error, 409) ? await this.getProvider(uuid, call) : null;
      if (other === null) throw error;
      return other;
    }
  }

  async getInventories(uuid: string, call: CallOptions = {}): Promise<Inventories> {
    return (await this.#inventories(uuid, call)).inventories;
  }

  async #inventories(
    uuid: string,
    call: CallOptions,
  ): Promise<{ readonly inventories: Inventories; readonly generation: number }> {
    const path = `/resource_providers/${segment(uuid)}/inventories`;
    const body = await this.#rest.json({ ...call, headers: HEADERS, method: 'GET', path }, inventoriesSchema);
    return { inventories: toInventories(body), generation: body.resource_provider_generation };
  }

  updateInventories(
    uuid: string,
    change: (present: Inventories) => Inventories,
    call: CallOptions = {},
  ): Promise<void> {
    return onConflictAgain(async () => {
      const { inventories: present, generation } = await this.#inventories(uuid, call);
      const wanted = change(present);
      if (sameInventories(present, wanted)) return;
      const path = `/resource_providers/${segment(uuid)}/inventories`;
      const body = { resource_provider_generation: generation, inventories: inventoriesBody(wanted) };
      await this.#rest.done({ ...call, headers: HEADERS, method: 'PUT', path, body });
    });
  }

  async getTraits(uuid: string, call: CallOptions = {}): Promise<readonly string[]> {
    return (await this.#traits(uuid, call)).traits;
  }

  #traits(uuid: string, call: CallOptions): Promise<z.infer<typeof traitsSchema>> {
    const path = `/resource_providers/${segment(uuid)}/traits`;
    return this.#rest.json({ ...call, headers: HEADERS, method: 'GET', path }, traitsSchema);
  }

  updateTraits(
    uuid: string,
    change: (present: readonly string[]) => readonly string[],
    call: CallOptions = {},
  ): Promise<readonly string[]> {
    return onConflictAgain(async () => {
      const present = await this.#traits(uuid, call);
      const { known, unknown } = await this.#knownTraits(change(present.traits), call);
      if (!sameSet(present.traits, known)) {
        const path = `/resource_providers/${segment(uuid)}/traits`;
        const body = { resource_provider_generation: present.resource_provider_generation, traits: known };
        await this.#rest.done({ ...call, headers: HEADERS, method: 'PUT', path, body });
      }
      return unknown;
    });
  }

  /** Custom traits are made where missing; standard ones come with Placement's release. */
  async #knownTraits(
    wanted: readonly string[],
    call: CallOptions,
  ): Promise<{ readonly known: readonly string[]; readonly unknown: readonly string[] }> {
    const unique = [...new Set(wanted)].toSorted();
    if (unique.length === 0) return { known: [], unknown: [] };
    const query = { name: `in:${unique.join(',')}` };
    const answer = await this.#rest.json(
      { ...call, headers: HEADERS, method: 'GET', path: '/traits', query },
      knownTraits,
    );
    const known = new Set(answer.traits);
    for (const trait of unique) {
      if (known.has(trait) || !trait.startsWith('CUSTOM_')) continue;
      await this.#rest.done({ ...call, headers: HEADERS, method: 'PUT', path: `/traits/${segment(trait)}` });
      known.add(trait);
    }
    return {
      known: unique.filter((trait) => known.has(trait)),
      unknown: unique.filter((trait) => !known.has(trait)),
    };
  }

  async getAllocations(consumer: string, call: CallOptions = {}): Promise<Allocations> {
    const path = `/allocations/${segment(consumer)}`;
    const body = await this.#rest.json({ ...call, headers: HEADERS, method: 'GET', path }, allocationsSchema);
    return {
      allocations: body.allocations,
      consumerGeneration: body.consumer_generation ?? null,
      projectId: body.project_id ?? null,
      userId: body.user_id ?? null,
    };
  }

  putAllocations(consumer: string, wanted: NewAllocations, call: CallOptions = {}): Promise<void> {
    return onConflictAgain(async () => {
      const present = await this.getAllocations(consumer, call);
      const body = {
        allocations: wanted.allocations,
        project_id: wanted.projectId,
        user_id: wanted.userId,
        consumer_generation: present.consumerGeneration,
      };
      const path = `/allocations/${segment(consumer)}`;
      await this.#rest.done({ ...call, headers: HEADERS, method: 'PUT', path, body });
    });
  }

  moveAllocations(from: string, to: string, call: CallOptions = {}): Promise<boolean> {
    return onConflictAgain(async () => {
      const source = await this.getAllocations(from, call);
      if (Object.keys(source.allocations).length === 0) return false;
      const target = await this.getAllocations(to, call);
      const owner = { project_id: source.projectId, user_id: source.userId };
      const body = {
        [from]: { ...owner, allocations: {}, consumer_generation: source.consumerGeneration },
        [to]: {
          ...owner,
          allocations: resourcesOnly(source.allocations),
          consumer_generation: target.consumerGeneration,
        },
      };
      await this.#rest.done({ ...call, headers: HEADERS, method: 'POST', path: '/allocations', body });
      return true;
    });
  }

  async deleteAllocations(consumer: string, call: CallOptions = {}): Promise<void> {
    try {
      const path = `/allocations/${segment(consumer)}`;
      await this.#rest.done({ ...call, headers: HEADERS, method: 'DELETE', path });
    } catch (error) {
      if (!isStatus(error, 404)) throw error;
    }
  }

  async providerAllocations(
    uuid: string,
    call: CallOptions = {},
  ): Promise<Readonly<Record<string, ResourceAmounts>>> {
    const path = `/resource_providers/${segment(uuid)}/allocations`;
    const body = await this.#rest.json(
      { ...call, headers: HEADERS, method: 'GET', path },
      providerAllocationsSchema,
    );
    return Object.fromEntries(
      Object.entries(body.allocations).map(([consumer, { resources }]) => [consumer, resources]),
    );
  }

  async allocationCandidates(
    wanted: AllocationCandidatesQuery,
    call: CallOptions = {},
  ): Promise<AllocationCandidates> {
    const resources = Object.entries(wanted.resources).map(([name, amount]) => `${name}:${amount}`);
    const required = wanted.required ?? [];
    const query = {
      resources: resources.join(','),
      required: required.length === 0 ? undefined : required.join(','),
      in_tree: wanted.inTree,
      limit: wanted.limit,
    };
    const path = '/allocation_candidates';
    const body = await this.#rest.json(
      { ...call, headers: HEADERS, method: 'GET', path, query },
      candidatesSchema,
    );
    return { requests: body.allocation_requests, summaries: body.provider_summaries };
  }

  close(): Promise<void> {
    return this.#rest.close();
  }
}

/** Placement at microversion 1.36. All methods throw RestError, or the signal's reason. */
export function createPlacementClient(options: Omit<RestClientOptions, 'service'>): PlacementClient {
  return new HttpPlacementClient(new RestClient({ ...options, service: 'placement' }));
}
