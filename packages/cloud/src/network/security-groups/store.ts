import type { RequestContext } from '../../kernel/service.js';
import { type Db, isPrivileged, standardBody, standardColumns } from '../deps.js';
import { neutronError } from '../errors.js';
import type { GroupRow, RuleRow } from '../tables.js';

export const DEFAULT_GROUP = 'default';

const EMPTY = {
  protocol: null,
  port_range_min: null,
  port_range_max: null,
  remote_ip_prefix: null,
  remote_group_id: null,
} as const;

/** Everything may go out: the rules of every new group. */
export function egressRules(group: GroupRow): readonly RuleRow[] {
  return (['IPv4', 'IPv6'] as const).map((ethertype) => ({
    ...standardColumns(group.project_id, ''),
    ...EMPTY,
    group_id: group.id,
    direction: 'egress',
    ethertype,
  }));
}

/**
 * The project's default group; made now, with its four rules, when it is not there (Networking API v2.0, "Security groups").
 * In the caller's transaction.
 */
export async function ensureDefaultGroup(trx: Db, projectId: string): Promise<GroupRow> {
  const there = await trx
    .selectFrom('network_group')
    .selectAll()
    .where('project_id', '=', projectId)
    .where('name', '=', DEFAULT_GROUP)
    .executeTakeFirst();
  if (there !== undefined) return there;
  const group: GroupRow = { ...standardColumns(projectId, 'Default security group'), name: DEFAULT_GROUP };
  await trx.insertInto('network_group').values(group).execute();
  const ingress = (['IPv4', 'IPv6'] as const).map((ethertype): RuleRow => ({
    ...standardColumns(projectId, ''),
    ...EMPTY,
    group_id: group.id,
    direction: 'ingress',
    ethertype,
    remote_group_id: group.id,
  }));
  await trx
    .insertInto('network_rule')
    .values([...egressRules(group), ...ingress])
    .execute();
  return group;
}

/** @throws ApiError 404 */
export async function findGroup(db: Db, context: RequestContext, id: string): Promise<GroupRow> {
  const row = await db.selectFrom('network_group').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined || (!isPrivileged(context) && row.project_id !== context.projectId)) {
    throw neutronError('SecurityGroupNotFound', `Security group ${id} does not exist`);
  }
  return row;
}

export const ruleBody = (row: RuleRow): Record<string, unknown> => ({
  ...standardBody(row),
  security_group_id: row.group_id,
  direction: row.direction,
  ethertype: row.ethertype,
  protocol: row.protocol,
  port_range_min: row.port_range_min,
  port_range_max: row.port_range_max,
  remote_ip_prefix: row.remote_ip_prefix,
  normalized_cidr: row.remote_ip_prefix,
  remote_group_id: row.remote_group_id,
  remote_address_group_id: null,
});

export const groupBody = (row: GroupRow, rules: readonly RuleRow[]): Record<string, unknown> => ({
  ...standardBody(row),
  name: row.name,
  stateful: true,
  shared: false,
  security_group_rules: rules.filter((rule) => rule.group_id === row.id).map(ruleBody),
});
