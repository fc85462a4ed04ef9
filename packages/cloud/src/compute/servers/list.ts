import type { Call, Route } from '../api/call.js';
import { pageRequest, paginate } from '../api/paging.js';
import type { Nova } from '../deps.js';
import { toServer, type ServerRecord } from '../store/records.js';
import { applyFilters, LIST_QUERY, listScope, sortServers } from './filters.js';
import { findServer } from './find.js';
import { loadExtras } from './load.js';
import { serverDetail, serverSummary } from './views.js';

async function candidates(nova: Nova, call: Call): Promise<readonly ServerRecord[]> {
  const { projectId, deleted } = listScope(call);
  const rows = await nova.db
    .selectFrom('compute_instance')
    .selectAll()
    .$if(projectId !== null, (query) => query.where('project_id', '=', projectId))
    .$if(deleted !== null, (query) => query.where('deleted', '=', deleted === true ? 1 : 0))
    .execute();
  return rows.map(toServer);
}

async function page(nova: Nova, call: Call, collection: string) {
  const servers = sortServers(call, applyFilters(call, await candidates(nova, call)));
  const request = pageRequest(call, nova.config.maxLimit);
  return paginate(call, servers, (server) => server.uuid, request, collection);
}

async function index(nova: Nova, call: Call): Promise<object> {
  const { items, links } = await page(nova, call, 'servers');
  return {
    servers: items.map((server) => serverSummary(call, server)),
    ...(links === undefined ? {} : { servers_links: links }),
  };
}

async function detail(nova: Nova, call: Call): Promise<object> {
  const { items, links } = await page(nova, call, 'servers/detail');
  const extras = await loadExtras(nova, items);
  return {
    servers: items.map((server) => serverDetail(call, server, extras(server), false)),
    ...(links === undefined ? {} : { servers_links: links }),
  };
}

/** `{"server": …}` with everything, as GET shows it. */
export async function showServer(nova: Nova, call: Call, server: ServerRecord): Promise<object> {
  const extras = await loadExtras(nova, [server]);
  return { server: serverDetail(call, server, extras(server), true) };
}

export function registerServerLists(route: Route, nova: Nova): void {
  route('GET', '/servers', (call) => index(nova, call), { query: LIST_QUERY });
  route('GET', '/servers/detail', (call) => detail(nova, call), { query: LIST_QUERY });
  route('GET', '/servers/:id', async (call) => showServer(nova, call, await findServer(nova, call)));
}
