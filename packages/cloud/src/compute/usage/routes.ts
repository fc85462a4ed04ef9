import { badRequest } from '../../kernel/errors.js';
import { single } from '../../kernel/collection.js';
import { requireProject, type Call, type Route } from '../api/call.js';
import { pageRequest, paginate } from '../api/paging.js';
import { novaTime } from '../api/times.js';
import type { Nova } from '../deps.js';
import { toServer, type ServerRecord } from '../store/records.js';

const HOUR_MS = 3_600_000;
/** Since 2.40 lists come in pages. */
const PAGED = 40;

interface Period {
  readonly start: Date;
  readonly stop: Date;
  /** Clients ask until tomorrow; what still runs is charged until now. */
  readonly now: Date;
}

/** `2026-01-31`, `2026-01-31T12:00:00`, `2026-01-31 12:00:00.000000`; UTC. */
const DATE = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d:\d\d(?:\.\d{1,6})?))?$/;

function moment(text: string | undefined, fallback: Date): Date {
  if (text === undefined || text === '') return fallback;
  const [, day = '', time = '00:00:00'] = DATE.exec(text) ?? [];
  const at = new Date(`${day}T${time}Z`);
  if (Number.isNaN(at.getTime())) throw badRequest('Datetime is in invalid format');
  return at;
}

/** Both ends are now when they are left out, as in Nova. */
function periodOf(nova: Nova, call: Call): Period {
  const now = nova.now();
  const start = moment(single(call.query, 'start'), now);
  const stop = moment(single(call.query, 'end'), now);
  if (start > stop) throw badRequest('Invalid start time. The start time cannot occur after the end time.');
  return { start, stop, now };
}

/** Servers that ran at some time of the period, deleted ones too, oldest first. */
async function serversOf(
  nova: Nova,
  period: Period,
  projectId: string | null,
): Promise<readonly ServerRecord[]> {
  const rows = await nova.db
    .selectFrom('compute_instance')
    .selectAll()
    .where('launched_at', '<', period.stop.toISOString())
    .where((at) =>
      at.or([at('terminated_at', 'is', null), at('terminated_at', '>=', period.start.toISOString())]),
    )
    .$if(projectId !== null, (query) => query.where('project_id', '=', projectId ?? ''))
    .orderBy('id')
    .execute();
  return rows.map(toServer);
}

function hoursOf(server: ServerRecord, { start, stop, now }: Period): number {
  const from = Math.max(server.launchedAt?.getTime() ?? Infinity, start.getTime());
  const to = Math.min((server.terminatedAt ?? now).getTime(), stop.getTime());
  return Math.max(0, to - from) / HOUR_MS;
}

function serverUsage(server: ServerRecord, period: Period): object {
  const end = server.terminatedAt ?? period.now;
  const started = server.launchedAt ?? end;
  return {
    instance_id: server.uuid,
    name: server.displayName,
    hours: hoursOf(server, period),
    flavor: server.flavor.name,
    tenant_id: server.projectId,
    memory_mb: server.flavor.memoryMb,
    local_gb: server.flavor.rootGb + server.flavor.ephemeralGb,
    vcpus: server.flavor.vcpus,
    started_at: novaTime(server.launchedAt),
    ended_at: novaTime(server.terminatedAt),
    state: server.terminatedAt === null ? server.vmState : 'terminated',
    uptime: Math.max(0, Math.round((end.getTime() - started.getTime()) / 1000)),
  };
}

function projectUsage(
  projectId: string,
  servers: readonly ServerRecord[],
  period: Period,
  detailed: boolean,
): object {
  const total = (amount: (server: ServerRecord) => number): number =>
    servers.reduce((sum, server) => sum + amount(server) * hoursOf(server, period), 0);
  return {
    tenant_id: projectId,
    start: novaTime(period.start),
    stop: novaTime(period.stop),
    total_hours: total(() => 1),
    total_vcpus_usage: total(({ flavor }) => flavor.vcpus),
    total_memory_mb_usage: total(({ flavor }) => flavor.memoryMb),
    total_local_gb_usage: total(({ flavor }) => flavor.rootGb + flavor.ephemeralGb),
    ...(detailed ? { server_usages: servers.map((server) => serverUsage(server, period)) } : {}),
  };
}

/** The servers of this page, with the link to the next; all of them before 2.40. */
function pageOf(nova: Nova, call: Call, servers: readonly ServerRecord[], collection: string) {
  if (call.version < PAGED) return { items: servers, links: undefined };
  return paginate(
    call,
    servers,
    (server) => server.uuid,
    pageRequest(call, nova.config.maxLimit),
    collection,
  );
}

async function list(nova: Nova, call: Call): Promise<object> {
  const period = periodOf(nova, call);
  const { items, links } = pageOf(nova, call, await serversOf(nova, period, null), 'os-simple-tenant-usage');
  const detailed = single(call.query, 'detailed') === '1';
  const projects = [...new Set(items.map((server) => server.projectId))];
  const usages = projects.map((id) => {
    const servers = items.filter((server) => server.projectId === id);
    return projectUsage(id, servers, period, detailed);
  });
  return { tenant_usages: usages, ...(links === undefined ? {} : { tenant_usages_links: links }) };
}

async function show(nova: Nova, call: Call): Promise<object> {
  const projectId = call.params['project'] ?? '';
  requireProject(call.context, projectId, 'os-simple-tenant-usage:show');
  const period = periodOf(nova, call);
  const servers = await serversOf(nova, period, projectId);
  const { items, links } = pageOf(nova, call, servers, `os-simple-tenant-usage/${projectId}`);
  const usage = items.length === 0 ? {} : projectUsage(projectId, items, period, true);
  return { tenant_usage: usage, ...(links === undefined ? {} : { tenant_usage_links: links }) };
}

const QUERY = ['start', 'end', 'detailed', 'limit', 'marker'];

/** What projects used in a period. nova/api/openstack/compute/simple_tenant_usage.py */
export function registerUsage(route: Route, nova: Nova): void {
  route('GET', '/os-simple-tenant-usage', (call) => list(nova, call), {
    admin: 'os-simple-tenant-usage:list',
    query: QUERY,
  });
  route('GET', '/os-simple-tenant-usage/:project', (call) => show(nova, call), { query: QUERY });
}
