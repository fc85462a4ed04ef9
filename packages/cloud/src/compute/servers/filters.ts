import { badRequest, forbidden } from '../../kernel/errors.js';
import { multiple, single } from '../../kernel/collection.js';
import type { Call } from '../api/call.js';
import type { ServerRecord } from '../store/records.js';
import { matchNames } from './name-pattern.js';
import { KNOWN_STATUSES, statusOf } from './states.js';

type Test = (server: ServerRecord) => boolean;

const isTrue = (text: string): boolean => /^(1|t|true|on|y|yes)$/i.test(text.trim());
const equals =
  (of: (server: ServerRecord) => string | number | null) =>
  (value: string): Test =>
  (server) =>
    String(of(server) ?? '') === value;

function moment(name: string, text: string): number {
  const at = Date.parse(/[zZ]|[+-]\d\d:?\d\d$/.test(text) ? text : `${text}Z`);
  if (Number.isNaN(at)) throw badRequest(`Invalid filter field: ${name}.`);
  return at;
}

const changedAt = (server: ServerRecord): number => (server.updatedAt ?? server.createdAt).getTime();

const addresses =
  (version: 4 | 6) =>
  (server: ServerRecord): readonly string[] =>
    server.networkInfo
      .flatMap((vif) => vif.fixedIps.map((ip) => ip.address))
      .filter((ip) => ip.includes(':') === (version === 6));

/** Filters whose value is a regular expression, with the texts of a server one of which it has to match. */
const PATTERNS: Readonly<
  Record<string, { readonly texts: (server: ServerRecord) => readonly string[]; readonly usersSince: number }>
> = {
  name: { texts: (server) => [server.displayName], usersSince: 1 },
  display_name: { texts: (server) => [server.displayName], usersSince: 1 },
  ip: { texts: addresses(4), usersSince: 1 },
  ip6: { texts: addresses(6), usersSince: 5 },
};

const tagsOf = (value: string): readonly string[] => value.split(',');

interface FilterRule {
  readonly test: (value: string) => Test;
  /** First microversion at which users who are not administrators may use it. */
  readonly usersSince?: number;
}

/** What a list can be filtered by. nova/api/openstack/compute/servers.py, _get_server_search_options */
const FILTERS: Readonly<Record<string, FilterRule>> = {
  reservation_id: { test: equals((server) => server.reservationId), usersSince: 1 },
  image: { test: equals((server) => server.imageRef), usersSince: 1 },
  image_ref: { test: equals((server) => server.imageRef) },
  flavor: { test: equals((server) => server.flavor.flavorId), usersSince: 1 },
  'changes-since': {
    usersSince: 1,
    test: (value) => {
      const at = moment('changes-since', value);
      return (server) => changedAt(server) >= at;
    },
  },
  'changes-before': {
    usersSince: 66,
    test: (value) => {
      const at = moment('changes-before', value);
      return (server) => changedAt(server) <= at;
    },
  },
  tags: {
    test: (value) => (server) => tagsOf(value).every((tag) => server.tags.includes(tag)),
    usersSince: 26,
  },
  'tags-any': {
    test: (value) => (server) => tagsOf(value).some((tag) => server.tags.includes(tag)),
    usersSince: 26,
  },
  'not-tags': {
    test: (value) => (server) => !tagsOf(value).every((tag) => server.tags.includes(tag)),
    usersSince: 26,
  },
  'not-tags-any': {
    test: (value) => (server) => !tagsOf(value).some((tag) => server.tags.includes(tag)),
    usersSince: 26,
  },
  locked: { test: (value) => (server) => (server.lockedBy !== null) === isTrue(value), usersSince: 73 },
  availability_zone: { test: equals((server) => server.availabilityZone), usersSince: 83 },
  config_drive: { test: (value) => (server) => server.configDrive === isTrue(value), usersSince: 83 },
  key_name: { test: equals((server) => server.keyName), usersSince: 83 },
  power_state: { test: equals((server) => server.powerState), usersSince: 83 },
  task_state: { test: equals((server) => server.taskState), usersSince: 83 },
  vm_state: { test: equals((server) => server.vmState), usersSince: 83 },
  user_id: { test: equals((server) => server.userId), usersSince: 83 },
  hostname: { test: equals((server) => server.hostname), usersSince: 90 },
  host: { test: equals((server) => server.host) },
  node: { test: equals((server) => server.node) },
  uuid: { test: equals((server) => server.uuid) },
  launch_index: { test: equals((server) => server.launchIndex) },
  description: { test: equals((server) => server.displayDescription) },
};

/** Known to Nova, without meaning here: accepted and ignored. */
const IGNORED = [
  'progress',
  'created_at',
  'launched_at',
  'terminated_at',
  'kernel_id',
  'ramdisk_id',
  'root_device_name',
  'access_ip_v4',
  'access_ip_v6',
  'auto_disk_config',
  'locked_by',
  'soft_deleted',
  'instance_type_id',
];
const HANDLED = [
  'status',
  'deleted',
  'all_tenants',
  'project_id',
  'tenant_id',
  'limit',
  'marker',
  'sort_key',
  'sort_dir',
];

/** Query parameters of the lists; from 2.75 on, others are refused. */
export const LIST_QUERY: readonly string[] = [
  ...Object.keys(FILTERS),
  ...Object.keys(PATTERNS),
  ...IGNORED,
  ...HANDLED,
];

export interface ListScope {
  /** Null: all projects. */
  readonly projectId: string | null;
  readonly deleted: boolean | null;
}

/** `all_tenants` counts when it is there at all, unless it says no. */
function allTenants(call: Call): boolean {
  const text = single(call.query, 'all_tenants');
  if (text === undefined) return false;
  if (text === '' || isTrue(text)) return true;
  if (/^(0|f|false|off|n|no)$/i.test(text)) return false;
  throw badRequest(`Invalid value '${text}' for all_tenants.`);
}

/** Which servers a list is of, before filters. Throws 403 when it is of more than the caller's own project's. */
export function listScope(call: Call): ListScope {
  const { isAdmin, projectId } = call.context;
  const all = allTenants(call);
  if (all && !isAdmin) {
    throw forbidden("Policy doesn't allow os_compute_api:servers:index:get_all_tenants to be performed.");
  }
  const named = single(call.query, 'project_id') ?? single(call.query, 'tenant_id');
  const changes = ['changes-since', 'changes-before'].some((name) => call.query[name] !== undefined);
  const asked = single(call.query, 'deleted');
  const deletedStatus = multiple(call.query, 'status').some((status) => /^deleted$/i.test(status));
  if (deletedStatus && !isAdmin) throw forbidden('Only administrators may list deleted instances');
  const chosen = isAdmin && asked !== undefined ? isTrue(asked) : changes ? null : false;
  return { projectId: all ? (named ?? null) : projectId, deleted: deletedStatus ? true : chosen };
}

function statusTest(call: Call): Test | null {
  const statuses = multiple(call.query, 'status').map((status) => status.toUpperCase());
  if (statuses.length === 0) return null;
  if (!statuses.some((status) => KNOWN_STATUSES.has(status))) {
    if (call.version >= 38) throw badRequest('Invalid status value');
    return () => false;
  }
  return (server) => statuses.includes(statusOf(server));
}

/** Filters by everything in the query that the caller may filter by. Throws 400 for malformed values. */
export function applyFilters(call: Call, servers: readonly ServerRecord[]): readonly ServerRecord[] {
  const tests: Test[] = [];
  const status = statusTest(call);
  if (status !== null) tests.push(status);
  for (const [name, rule] of Object.entries(FILTERS)) {
    const value = single(call.query, name);
    if (value === undefined) continue;
    const allowed =
      call.context.isAdmin || (rule.usersSince !== undefined && call.version >= rule.usersSince);
    if (allowed) tests.push(rule.test(value));
  }
  return applyPatterns(
    call,
    servers.filter((server) => tests.every((test) => test(server))),
  );
}

function applyPatterns(call: Call, servers: readonly ServerRecord[]): readonly ServerRecord[] {
  let kept = servers;
  for (const [name, { texts, usersSince }] of Object.entries(PATTERNS)) {
    const pattern = single(call.query, name);
    if (!pattern || (!call.context.isAdmin && call.version < usersSince)) continue;
    const all = [...new Set(kept.flatMap(texts))];
    const matches = matchNames(pattern, all);
    const matched = new Set(all.filter((_text, index) => matches[index] === true));
    kept = kept.filter((server) => texts(server).some((text) => matched.has(text)));
  }
  return kept;
}

type SortValue = (server: ServerRecord) => string | number;
const SORT_KEYS: Readonly<Record<string, SortValue>> = {
  created_at: (server) => server.createdAt.getTime(),
  updated_at: changedAt,
  launched_at: (server) => server.launchedAt?.getTime() ?? 0,
  terminated_at: (server) => server.terminatedAt?.getTime() ?? 0,
  display_name: (server) => server.displayName,
  display_description: (server) => server.displayDescription ?? '',
  availability_zone: (server) => server.availabilityZone ?? '',
  config_drive: (server) => Number(server.configDrive),
  host: (server) => server.host ?? '',
  node: (server) => server.node ?? '',
  hostname: (server) => server.hostname,
  image_ref: (server) => server.imageRef,
  instance_type_id: (server) => server.flavor.flavorId,
  key_name: (server) => server.keyName ?? '',
  launch_index: (server) => server.launchIndex,
  locked: (server) => Number(server.lockedBy !== null),
  power_state: (server) => server.powerState,
  project_id: (server) => server.projectId,
  task_state: (server) => server.taskState ?? '',
  user_id: (server) => server.userId,
  uuid: (server) => server.uuid,
  vm_state: (server) => server.vmState,
};
const ADMIN_KEYS = new Set(['host', 'node']);

/** Newest first unless told otherwise; the running number breaks ties, so pages do not overlap. */
export function sortServers(call: Call, servers: readonly ServerRecord[]): readonly ServerRecord[] {
  const keys = multiple(call.query, 'sort_key');
  const directions = multiple(call.query, 'sort_dir');
  const order = (keys.length === 0 ? ['created_at'] : keys)
    .filter((key) => call.context.isAdmin || !ADMIN_KEYS.has(key))
    .map((key, index) => {
      const of = Object.hasOwn(SORT_KEYS, key) ? SORT_KEYS[key] : undefined;
      if (of === undefined) throw badRequest(`Invalid input for query parameters sort_key. Value: ${key}`);
      const direction = directions[index] ?? directions[0] ?? 'desc';
      if (direction !== 'asc' && direction !== 'desc')
        throw badRequest(`Unknown sort direction: ${direction}`);
      return { of, sign: direction === 'asc' ? 1 : -1 };
    });
  const tie = order[0]?.sign ?? -1;
  return servers.toSorted((a, b) => {
    for (const { of, sign } of order) {
      const [x, y] = [of(a), of(b)];
      if (x !== y) return x < y ? -sign : sign;
    }
    return (a.id - b.id) * tie;
  });
}
