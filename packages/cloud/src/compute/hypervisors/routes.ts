import { badRequest, notFound } from '../../kernel/errors.js';
import { parseBoolean, single } from '../../kernel/collection.js';
import { isUuid } from '../../kernel/ids.js';
import type { Call, Route } from '../api/call.js';
import { pageRequest, paginate } from '../api/paging.js';
import type { Nova } from '../deps.js';
import { instanceName } from '../store/records.js';
import { isUp, listNodes, listServices } from '../store/service-store.js';
import {
  hypervisorDetail,
  hypervisorSummary,
  hypervisorTotals,
  hypervisorUptime,
  type Hypervisor,
} from './views.js';

/** From 2.53 on: UUIDs, and query parameters in place of the routes `search` and `servers`. */
const BY_UUID = 53;

async function all(nova: Nova): Promise<readonly Hypervisor[]> {
  const services = (await listServices(nova.db)).filter((service) => service.binary === 'nova-compute');
  const instances = await nova.db
    .selectFrom('compute_instance')
    .select(['id', 'uuid', 'host', 'task_state'])
    .where('deleted', '=', 0)
    .where('host', 'is not', null)
    .orderBy('id')
    .execute();
  const found: Hypervisor[] = [];
  for (const node of await listNodes(nova.db)) {
    const service = services.find((one) => one.host === node.host);
    if (service === undefined) continue;
    const servers = instances
      .filter((row) => row.host === node.host)
      .map((row) => ({ uuid: row.uuid, name: instanceName(row.id), busy: row.task_state !== null }));
    found.push({ node, service, up: isUp(service, nova.now(), nova.config.serviceDownTimeS), servers });
  }
  return found;
}

function matching(hypervisors: readonly Hypervisor[], pattern: string): readonly Hypervisor[] {
  const found = hypervisors.filter((one) =>
    one.node.hypervisorHostname.toLowerCase().includes(pattern.toLowerCase()),
  );
  if (found.length === 0) throw notFound(`No hypervisor matching '${pattern}' could be found.`);
  return found;
}

const withServers = (call: Call): boolean => {
  const text = call.version >= BY_UUID ? single(call.query, 'with_servers') : undefined;
  return text !== undefined && parseBoolean(text, 'with_servers');
};

type View = (call: Call, one: Hypervisor, servers: boolean) => object;

async function list(nova: Nova, call: Call, collection: string, view: View): Promise<object> {
  const hypervisors = await all(nova);
  const servers = withServers(call);
  const show = (items: readonly Hypervisor[]): object[] => items.map((one) => view(call, one, servers));
  const pattern = call.version >= BY_UUID ? single(call.query, 'hypervisor_hostname_pattern') : undefined;
  if (pattern !== undefined) {
    if (single(call.query, 'limit') !== undefined || single(call.query, 'marker') !== undefined) {
      throw badRequest(
        'Paging over hypervisors with the hypervisor_hostname_pattern query parameter is not supported.',
      );
    }
    return { hypervisors: show(matching(hypervisors, pattern)) };
  }
  if (call.version < 33) return { hypervisors: show(hypervisors) };
  const idOf = (one: Hypervisor): string => (call.version >= BY_UUID ? one.node.uuid : String(one.node.id));
  const { items, links } = paginate(
    call,
    hypervisors,
    idOf,
    pageRequest(call, nova.config.maxLimit),
    collection,
  );
  return { hypervisors: show(items), ...(links === undefined ? {} : { hypervisors_links: links }) };
}

async function find(nova: Nova, call: Call): Promise<Hypervisor> {
  const id = call.params['id'] ?? '';
  if (call.version >= BY_UUID && !isUuid(id)) throw badRequest(`Invalid uuid ${id}`);
  const found = (await all(nova)).find((one) =>
    call.version >= BY_UUID ? one.node.uuid === id : String(one.node.id) === id,
  );
  if (found === undefined) throw notFound(`Hypervisor with ID '${id}' could not be found.`);
  return found;
}

async function search(nova: Nova, call: Call, servers: boolean): Promise<object> {
  const found = matching(await all(nova), call.params['id'] ?? '');
  return { hypervisors: found.map((one) => hypervisorSummary(call, one, servers)) };
}

const LIST_QUERY = ['limit', 'marker', 'hypervisor_hostname_pattern', 'with_servers'];

export function registerHypervisors(route: Route, nova: Nova): void {
  const base = '/os-hypervisors';
  const rule = 'os-hypervisors';
  const paged = { query: LIST_QUERY };
  route('GET', base, (call) => list(nova, call, 'os-hypervisors', hypervisorSummary), {
    ...paged,
    admin: `${rule}:list`,
  });
  route('GET', `${base}/detail`, (call) => list(nova, call, 'os-hypervisors/detail', hypervisorDetail), {
    ...paged,
    admin: `${rule}:list-detail`,
  });
  const until = 87;
  route(
    'GET',
    `${base}/statistics`,
    async () => ({ hypervisor_statistics: hypervisorTotals(await all(nova)) }),
    {
      admin: `${rule}:statistics`,
      until,
    },
  );
  route(
    'GET',
    `${base}/:id`,
    async (call) => ({ hypervisor: hypervisorDetail(call, await find(nova, call), withServers(call)) }),
    { admin: `${rule}:show`, query: ['with_servers'] },
  );
  route(
    'GET',
    `${base}/:id/uptime`,
    async (call) => ({ hypervisor: hypervisorUptime(call, await find(nova, call)) }),
    {
      admin: `${rule}:uptime`,
      until,
    },
  );
  route('GET', `${base}/:id/search`, (call) => search(nova, call, false), {
    admin: `${rule}:search`,
    until: BY_UUID - 1,
  });
  route('GET', `${base}/:id/servers`, (call) => search(nova, call, true), {
    admin: `${rule}:servers`,
    until: BY_UUID - 1,
  });
}
