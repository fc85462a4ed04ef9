import { z } from 'zod';
import { badRequest } from '../../kernel/errors.js';
import type { RequestContext } from '../../kernel/service.js';
import { type Db, requirePrivilege, standardColumns } from '../deps.js';
import { neutronError } from '../errors.js';
import { formatBlock, parseBlock } from '../ip/address.js';
import type { RuleRow } from '../tables.js';
import { findGroup } from './store.js';

/** IP protocols by name (neutron-lib constants, `IP_PROTOCOL_MAP`). */
const PROTOCOLS = new Set([
  'ah',
  'dccp',
  'egp',
  'esp',
  'gre',
  'icmp',
  'igmp',
  'ipip',
  'ipv6-encap',
  'ipv6-frag',
  'ipv6-icmp',
  'icmpv6',
  'ipv6-nonxt',
  'ipv6-opts',
  'ipv6-route',
  'ospf',
  'pgm',
  'rsvp',
  'sctp',
  'tcp',
  'udp',
  'udplite',
  'vrrp',
]);
/** Those with ports, by name or number. */
const WITH_PORTS = new Set(['tcp', 'udp', 'sctp', 'dccp', 'udplite', '6', '17', '132', '33', '136']);
const ICMP = new Set(['icmp', 'ipv6-icmp', 'icmpv6', '1', '58']);

const Port = z.coerce.number().int().nullish();

export const RuleFields = z.strictObject({
  security_group_id: z.string(),
  direction: z.enum(['ingress', 'egress']),
  ethertype: z.preprocess(
    (value) => (typeof value === 'string' ? value.toLowerCase().replace('ip', 'IP') : value),
    z.enum(['IPv4', 'IPv6']).default('IPv4'),
  ),
  protocol: z.union([z.string(), z.int()]).nullish(),
  port_range_min: Port,
  port_range_max: Port,
  remote_ip_prefix: z.string().nullish(),
  remote_group_id: z.string().nullish(),
  remote_address_group_id: z.null().optional(),
  description: z.string().max(255).nullish(),
  project_id: z.string().optional(),
  tenant_id: z.string().optional(),
});
type Fields = z.output<typeof RuleFields>;

function protocolOf(fields: Fields): string | null {
  if (
    fields.protocol === null ||
    fields.protocol === undefined ||
    fields.protocol === 'any' ||
    fields.protocol === ''
  )
    return null;
  const text = String(fields.protocol).toLowerCase();
  if (PROTOCOLS.has(text) || (/^\d{1,3}$/.test(text) && Number(text) <= 255)) return text;
  throw neutronError(
    'SecurityGroupInvalidProtocolType',
    `Invalid security group rule protocol ${text}: neither a known name nor a number from 0 to 255.`,
  );
}

function checkPorts(protocol: string | null, min: number | null, max: number | null): void {
  if (min === null && max === null) return;
  if (protocol === null) throw badRequest('Must also specify protocol if port range is given.');
  if (ICMP.has(protocol)) {
    for (const [name, value] of [
      ['port_range_min', min],
      ['port_range_max', max],
    ] as const) {
      if (value !== null && (value < 0 || value > 255)) {
        throw neutronError(
          'SecurityGroupInvalidIcmpValue',
          `Invalid value for ICMP ${name}: ${value}. It must be 0 to 255.`,
        );
      }
    }
    if (min === null)
      throw neutronError(
        'SecurityGroupMissingIcmpType',
        'ICMP code (port-range-max) is given but ICMP type (port-range-min) is missing.',
      );
    return;
  }
  if (!WITH_PORTS.has(protocol))
    throw neutronError(
      'SecurityGroupInvalidPortRange',
      `Invalid port range: the protocol ${protocol} has no ports.`,
    );
  if (min === null || max === null || min < 1 || max > 65_535 || min > max) {
    throw neutronError(
      'SecurityGroupInvalidPortRange',
      'For TCP/UDP protocols, port_range_min must be <= port_range_max, both from 1 to 65535.',
    );
  }
}

function prefixOf(fields: Fields): string | null {
  const text = fields.remote_ip_prefix ?? null;
  if (text === null) return null;
  const block = parseBlock(text);
  if (block === undefined)
    throw badRequest(`Invalid input for remote_ip_prefix. '${text}' is not an address block.`);
  if (`IPv${block.version}` !== fields.ethertype)
    throw badRequest(`Conflicting value ethertype ${fields.ethertype} for CIDR ${text}`);
  return formatBlock(block);
}

const IDENTITY = [
  'group_id',
  'direction',
  'ethertype',
  'protocol',
  'port_range_min',
  'port_range_max',
  'remote_ip_prefix',
  'remote_group_id',
] as const;

/** Makes the rule in the caller's transaction. @throws ApiError 400, 404, 409 */
export async function createRule(trx: Db, context: RequestContext, fields: Fields): Promise<RuleRow> {
  const group = await findGroup(trx, context, fields.security_group_id);
  requirePrivilege(context, group.project_id !== context.projectId, 'create_security_group_rule');
  const remoteGroup = fields.remote_group_id ?? null;
  if (remoteGroup !== null) await findGroup(trx, context, remoteGroup);
  const protocol = protocolOf(fields);
  const [min, max] = [fields.port_range_min ?? null, fields.port_range_max ?? null];
  checkPorts(protocol, min, max);
  const prefix = prefixOf(fields);
  if (prefix !== null && remoteGroup !== null)
    throw badRequest('Only remote_ip_prefix or remote_group_id may be provided.');
  const row: RuleRow = {
    ...standardColumns(group.project_id, fields.description ?? undefined),
    group_id: group.id,
    direction: fields.direction,
    ethertype: fields.ethertype,
    protocol,
    port_range_min: min,
    port_range_max: max,
    remote_ip_prefix: prefix,
    remote_group_id: remoteGroup,
  };
  const others = await trx.selectFrom('network_rule').selectAll().where('group_id', '=', group.id).execute();
  const same = others.find((other) => IDENTITY.every((name) => other[name] === row[name]));
  if (same !== undefined)
    throw neutronError(
      'SecurityGroupRuleExists',
      `Security group rule already exists. Rule id is ${same.id}.`,
    );
  await trx.insertInto('network_rule').values(row).execute();
  return row;
}
