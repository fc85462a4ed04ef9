import { z } from 'zod';
import { badRequest, conflict, notFound } from '../../kernel/errors.js';
import { parse } from '../../kernel/validate.js';
import type { Call, Route } from '../api/call.js';
import type { Nova } from '../deps.js';
import type { PortView, SecurityGroupRuleView, SecurityGroupView } from '../ports.js';
import type { ServerRecord } from '../store/records.js';
import { findRequestSpec, saveSecurityGroupNames } from '../store/request-specs.js';
import type { ServerBody } from './create-schema.js';
import { findServer } from './find.js';
import type { Asker } from './network-checks.js';

const DEFAULT = 'default';

/** A group of a new server: what the build looks it up by, and what the server shows. */
export interface GroupChoice {
  readonly reference: string;
  readonly name: string;
}

/** The group with this identifier, or else name. Throws 409 for a name that several have; null for none. */
function choose(groups: readonly SecurityGroupView[], wanted: string): SecurityGroupView | null {
  const byId = groups.find((group) => group.id === wanted);
  if (byId !== undefined) return byId;
  const named = groups.filter((group) => group.name === wanted);
  if (named.length > 1) {
    throw conflict(`Multiple security groups found matching '${wanted}'. Use an ID to be more specific.`);
  }
  return named[0] ?? null;
}

/** The security groups that new ports get. Throws 400 for one that is not there, 409 for an ambiguous name. */
export async function resolveSecurityGroups(
  nova: Nova,
  asker: Asker,
  requested: ServerBody['security_groups'],
): Promise<readonly GroupChoice[]> {
  const wanted = [...new Set((requested ?? []).map((group) => group.name))];
  // Neutron gives new ports the default group by itself.
  if (wanted.every((name) => name === DEFAULT)) return [{ reference: DEFAULT, name: DEFAULT }];
  const groups = await nova.networks.securityGroups(asker.projectId, asker.token);
  return wanted.map((name) => {
    if (name === DEFAULT) return { reference: DEFAULT, name: DEFAULT };
    const group = choose(groups, name);
    if (group === null) throw badRequest(`Security group ${name} not found.`);
    return { reference: group.id, name: group.name };
  });
}

const ACTION = z.strictObject({ name: z.string().min(1).max(255) });

interface Change {
  readonly group: SecurityGroupView;
  readonly groups: readonly SecurityGroupView[];
  readonly ports: readonly PortView[];
}

async function prepare(nova: Nova, call: Call, server: ServerRecord, body: unknown): Promise<Change> {
  const { name } = parse(ACTION, body);
  const groups = await nova.networks.securityGroups(server.projectId, call.token);
  const group = choose(groups, name);
  if (group === null) throw notFound(`Security group ${name} not found for project ${server.projectId}.`);
  const ports = await nova.networks.portsOf(server.uuid, call.token);
  if (ports.length === 0) {
    throw badRequest(
      `Network requires port_security_enabled and subnet associated in order to apply security groups: server ${server.uuid} has no port.`,
    );
  }
  return { group, groups, ports };
}

/** Gives every port its new groups and keeps the names that the server shows. */
async function apply(
  nova: Nova,
  call: Call,
  server: ServerRecord,
  change: Change,
  groupsOf: (port: PortView) => readonly string[],
): Promise<void> {
  const after = new Set<string>();
  for (const port of change.ports) {
    const ids = groupsOf(port);
    for (const id of ids) after.add(id);
    if (ids.length !== port.securityGroupIds.length) {
      await nova.networks.setSecurityGroups(port.id, ids, call.token);
    }
  }
  const names = change.groups.filter((group) => after.has(group.id)).map((group) => group.name);
  const spec = await findRequestSpec(nova.db, server.uuid);
  if (spec !== null) await saveSecurityGroupNames(nova.db, spec, names);
}

/** Adds a group to all ports of a server; harmless when they have it. Throws 404 for an unknown group. */
export async function addSecurityGroup(
  nova: Nova,
  call: Call,
  server: ServerRecord,
  body: unknown,
): Promise<void> {
  const change = await prepare(nova, call, server, body);
  await apply(nova, call, server, change, (port) => [
    ...new Set([...port.securityGroupIds, change.group.id]),
  ]);
}

/** Takes a group from all ports of a server. Throws 404 for a group that none of them has. */
export async function removeSecurityGroup(
  nova: Nova,
  call: Call,
  server: ServerRecord,
  body: unknown,
): Promise<void> {
  const change = await prepare(nova, call, server, body);
  const { id, name } = change.group;
  if (!change.ports.some((port) => port.securityGroupIds.includes(id))) {
    throw notFound(`Security group ${name} not associated with the instance ${server.uuid}`);
  }
  await apply(nova, call, server, change, (port) => port.securityGroupIds.filter((one) => one !== id));
}

const ruleView = (
  group: SecurityGroupView,
  rule: SecurityGroupRuleView,
  names: ReadonlyMap<string, string>,
): object => ({
  id: rule.id,
  parent_group_id: group.id,
  ip_protocol: rule.protocol?.toUpperCase() ?? null,
  from_port: rule.portMin,
  to_port: rule.portMax,
  ip_range: rule.cidr === null ? {} : { cidr: rule.cidr },
  group:
    rule.remoteGroupId === null
      ? {}
      : { name: names.get(rule.remoteGroupId) ?? rule.remoteGroupId, tenant_id: group.projectId },
});

/** A group with its ingress rules, in the form from before Neutron. */
const groupView = (group: SecurityGroupView, names: ReadonlyMap<string, string>): object => ({
  id: group.id,
  name: group.name,
  description: group.description,
  tenant_id: group.projectId,
  rules: group.rules
    .filter((rule) => rule.direction === 'ingress')
    .map((rule) => ruleView(group, rule, names)),
});

const namesById = (groups: readonly SecurityGroupView[]): ReadonlyMap<string, string> =>
  new Map(groups.map((group) => [group.id, group.name]));

async function listOfServer(nova: Nova, call: Call): Promise<object> {
  const server = await findServer(nova, call);
  const ports = await nova.networks.portsOf(server.uuid, call.token);
  const ids = new Set(ports.flatMap((port) => port.securityGroupIds));
  const groups = await nova.networks.securityGroups(server.projectId, call.token);
  const names = namesById(groups);
  return {
    security_groups: groups.filter((group) => ids.has(group.id)).map((group) => groupView(group, names)),
  };
}

async function listOfProject(nova: Nova, call: Call): Promise<object> {
  const groups = await nova.networks.securityGroups(call.context.projectId, call.token);
  const names = namesById(groups);
  return { security_groups: groups.map((group) => groupView(group, names)) };
}

async function showGroup(nova: Nova, call: Call): Promise<object> {
  const id = call.params['group'] ?? '';
  const groups = await nova.networks.securityGroups(call.context.projectId, call.token);
  const group = groups.find((one) => one.id === id);
  if (group === undefined) throw notFound(`Security group ${id} not found.`);
  return { security_group: groupView(group, namesById(groups)) };
}

/** Last microversion with Nova's own view of Neutron's groups; clients of that age look groups up there. */
const LAST_PROXY = 35;

export function registerSecurityGroups(route: Route, nova: Nova): void {
  route('GET', '/servers/:id/os-security-groups', (call) => listOfServer(nova, call));
  route('GET', '/os-security-groups', (call) => listOfProject(nova, call), { until: LAST_PROXY });
  route('GET', '/os-security-groups/:group', (call) => showGroup(nova, call), { until: LAST_PROXY });
}
