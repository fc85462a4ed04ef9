import { randomUUID } from 'node:crypto';
import { badRequest, conflict, notFound } from '../../kernel/errors.js';
import { single } from '../../kernel/collection.js';
import { parse } from '../../kernel/validate.js';
import type { Call, Route } from '../api/call.js';
import { pageRequest, paginate } from '../api/paging.js';
import type { Nova } from '../deps.js';
import {
  deleteFlavor,
  findFlavor,
  flavorsOfProject,
  insertFlavor,
  listFlavors,
  setFlavorDescription,
  type FlavorRecord,
} from '../store/flavors.js';
import { createFlavor, updateFlavor } from './schemas.js';
import { flavorDetail, flavorSummary } from './views.js';

/** A flavor that the caller may use. Throws 404. */
export async function visibleFlavor(nova: Nova, call: Call, flavorId: string): Promise<FlavorRecord> {
  const flavor = await findFlavor(nova.db, flavorId);
  const visible =
    flavor !== null &&
    (flavor.isPublic ||
      call.context.isAdmin ||
      (await flavorsOfProject(nova.db, call.context.projectId)).has(flavorId));
  if (!visible) throw notFound(`Flavor ${flavorId} could not be found.`);
  return flavor;
}

/** `is_public`: true (default) public ones, false private ones, none both; for administrators only. */
function publicity(call: Call): boolean | null {
  const text = single(call.query, 'is_public');
  if (!call.context.isAdmin || text === undefined) return true;
  if (/^none$/i.test(text)) return null;
  if (/^(true|1|t|yes|y|on)$/i.test(text)) return true;
  if (/^(false|0|f|no|n|off)$/i.test(text)) return false;
  throw badRequest(`Invalid is_public filter [${text}]`);
}

function minimum(call: Call, parameter: string): number {
  const text = single(call.query, parameter);
  if (text === undefined) return 0;
  if (!/^\d{1,10}$/.test(text)) throw badRequest(`Invalid ${parameter} filter [${text}]`);
  return Number(text);
}

const SORT_KEYS: Readonly<Record<string, (flavor: FlavorRecord) => string | number>> = {
  flavorid: (flavor) => flavor.flavorId,
  id: (flavor) => flavor.flavorId,
  name: (flavor) => flavor.name,
  memory_mb: (flavor) => flavor.memoryMb,
  vcpus: (flavor) => flavor.vcpus,
  root_gb: (flavor) => flavor.rootGb,
  ephemeral_gb: (flavor) => flavor.ephemeralGb,
  swap: (flavor) => flavor.swapMb,
  rxtx_factor: (flavor) => flavor.rxtxFactor,
  is_public: (flavor) => Number(flavor.isPublic),
  created_at: (flavor) => flavor.createdAt.getTime(),
};

function sorted(call: Call, flavors: readonly FlavorRecord[]): readonly FlavorRecord[] {
  const key = single(call.query, 'sort_key') ?? 'flavorid';
  const of = Object.hasOwn(SORT_KEYS, key) ? SORT_KEYS[key] : undefined;
  if (of === undefined) throw badRequest(`Sort key supplied is invalid: ${key}`);
  const sign = single(call.query, 'sort_dir') === 'desc' ? -1 : 1;
  return flavors.toSorted((a, b) => (of(a) < of(b) ? -sign : of(a) > of(b) ? sign : 0));
}

async function list(nova: Nova, call: Call, collection: string, view: typeof flavorDetail): Promise<object> {
  const [minRam, minDisk, wanted] = [minimum(call, 'minRam'), minimum(call, 'minDisk'), publicity(call)];
  const own = await flavorsOfProject(nova.db, call.context.projectId);
  const visible = (flavor: FlavorRecord): boolean => {
    if (flavor.memoryMb < minRam || flavor.rootGb < minDisk) return false;
    if (!call.context.isAdmin) return flavor.isPublic || own.has(flavor.flavorId);
    return wanted === null || flavor.isPublic === wanted;
  };
  const flavors = sorted(call, (await listFlavors(nova.db)).filter(visible));
  const page = pageRequest(call, nova.config.maxLimit);
  const { items, links } = paginate(call, flavors, (flavor) => flavor.flavorId, page, collection);
  return {
    flavors: items.map((flavor) => view(call, flavor)),
    ...(links === undefined ? {} : { flavors_links: links }),
  };
}

function createRequest(call: Call): FlavorRecord {
  const { flavor } = parse(createFlavor(call.version), call.body);
  return {
    flavorId: flavor.id ?? randomUUID(),
    name: flavor.name,
    memoryMb: flavor.ram,
    vcpus: flavor.vcpus,
    rootGb: flavor.disk,
    ephemeralGb: flavor['OS-FLV-EXT-DATA:ephemeral'] ?? 0,
    swapMb: flavor.swap ?? 0,
    rxtxFactor: flavor.rxtx_factor ?? 1,
    isPublic: flavor['os-flavor-access:is_public'] ?? true,
    description: flavor.description ?? null,
    extraSpecs: {},
    createdAt: new Date(),
  };
}

async function create(nova: Nova, call: Call): Promise<object> {
  const wanted = createRequest(call);
  const flavor = await nova.db.transaction().execute(async (trx) => {
    for (const other of await listFlavors(trx)) {
      if (other.flavorId === wanted.flavorId)
        throw conflict(`Flavor with ID ${wanted.flavorId} already exists.`);
      if (other.name === wanted.name) throw conflict(`Flavor with name ${wanted.name} already exists.`);
    }
    return insertFlavor(trx, wanted);
  });
  return { flavor: flavorDetail(call, flavor) };
}

async function update(nova: Nova, call: Call): Promise<object> {
  const { description } = parse(updateFlavor, call.body).flavor;
  const flavor = await visibleFlavor(nova, call, call.params['id'] ?? '');
  await setFlavorDescription(nova.db, flavor.flavorId, description);
  return { flavor: flavorDetail(call, { ...flavor, description }) };
}

async function remove(nova: Nova, call: Call): Promise<void> {
  const flavor = await visibleFlavor(nova, call, call.params['id'] ?? '');
  await deleteFlavor(nova.db, flavor.flavorId);
}

const LIST_QUERY = ['limit', 'marker', 'is_public', 'minRam', 'minDisk', 'sort_key', 'sort_dir'];

export function registerFlavors(route: Route, nova: Nova): void {
  route('GET', '/flavors', (call) => list(nova, call, 'flavors', flavorSummary), { query: LIST_QUERY });
  route('GET', '/flavors/detail', (call) => list(nova, call, 'flavors/detail', flavorDetail), {
    query: LIST_QUERY,
  });
  route('GET', '/flavors/:id', async (call) => ({
    flavor: flavorDetail(call, await visibleFlavor(nova, call, call.params['id'] ?? '')),
  }));
  route('POST', '/flavors', (call) => create(nova, call), { admin: 'os-flavor-manage:create' });
  route('PUT', '/flavors/:id', (call) => update(nova, call), { admin: 'os-flavor-manage:update', since: 55 });
  route('DELETE', '/flavors/:id', (call) => remove(nova, call), {
    admin: 'os-flavor-manage:delete',
    status: 202,
  });
}
