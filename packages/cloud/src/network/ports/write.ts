import { z } from 'zod';
import { badRequest } from '../../kernel/errors.js';
import type { RequestContext } from '../../kernel/service.js';
import { type Db, ownerOf, requirePrivilege, standardColumns, touched } from '../deps.js';
import { findNetwork } from '../networks/store.js';
import { ensureDefaultGroup, findGroup } from '../security-groups/store.js';
import { Ip } from '../subnets/create.js';
import { parseBlock } from '../ip/address.js';
import type { PortRow } from '../tables.js';
import { allocateAddresses, chooseMac, type FixedIp } from './addresses.js';
import { findPort, type FullPort } from './store.js';

const Mac = z.string().regex(/^[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}$/, 'is not a MAC address');
const Pair = z.strictObject({
  ip_address: z.string().refine((text) => parseBlock(text) !== undefined, 'is not an address or block'),
  mac_address: Mac.optional(),
});
const Option = z.strictObject({
  opt_name: z.string().max(64),
  opt_value: z.string().max(255).nullable(),
  ip_version: z.union([z.literal(4), z.literal(6)]).optional(),
});

const Shared = {
  name: z.string().max(255).optional(),
  description: z.string().max(255).optional(),
  admin_state_up: z.boolean().optional(),
  mac_address: Mac.optional(),
  device_id: z.string().max(255).nullish(),
  device_owner: z.string().max(255).nullish(),
  fixed_ips: z
    .array(z.strictObject({ subnet_id: z.string().optional(), ip_address: Ip.optional() }))
    .max(64)
    .optional(),
  security_groups: z.array(z.string()).max(64).nullish(),
  port_security_enabled: z.boolean().optional(),
  allowed_address_pairs: z.array(Pair).max(64).nullish(),
  extra_dhcp_opts: z.array(Option).max(64).nullish(),
  'binding:host_id': z.string().max(255).nullish(),
  'binding:vnic_type': z.literal('normal').optional(),
  'binding:profile': z.record(z.string(), z.unknown()).nullish(),
};

export const CreatePort = z.strictObject({
  ...Shared,
  network_id: z.string(),
  project_id: z.string().optional(),
  tenant_id: z.string().optional(),
});
export const UpdatePort = z.strictObject(Shared);

type SharedFields = z.output<typeof UpdatePort>;

function checkPolicy(context: RequestContext, fields: SharedFields, action: 'create' | 'update'): void {
  for (const name of ['binding:host_id', 'binding:profile'] as const) {
    requirePrivilege(context, fields[name] !== undefined && fields[name] !== null, `${action}_port:${name}`);
  }
}

/**
 * What only the owner of a network may ask for, since it could take another's place in it (neutron/conf/policies/port.py):
 * addresses of its own choice, ports that nothing guards, the network's own devices.
 */
function checkNetworkOwner(
  context: RequestContext,
  networkOwner: string,
  fields: SharedFields,
  has: readonly FixedIp[],
  action: 'create' | 'update',
): void {
  if (networkOwner === context.projectId) return;
  const chosen = (fields.fixed_ips ?? []).some(
    ({ ip_address: wanted }) => wanted !== undefined && !has.some((ip) => ip.ip_address === wanted),
  );
  requirePrivilege(context, chosen, `${action}_port:fixed_ips:ip_address`);
  requirePrivilege(
    context,
    fields.port_security_enabled !== undefined,
    `${action}_port:port_security_enabled`,
  );
  const pairs = (fields.allowed_address_pairs ?? []).length > 0;
  requirePrivilege(context, pairs, `${action}_port:allowed_address_pairs`);
  const device = fields.device_owner?.startsWith('network:') === true;
  requirePrivilege(context, device, `${action}_port:device_owner`);
}

async function groupsOf(
  trx: Db,
  context: RequestContext,
  row: PortRow,
  wanted: readonly string[] | null | undefined,
): Promise<readonly string[]> {
  if (row.port_security_enabled === 0) {
    if ((wanted ?? []).length > 0)
      throw badRequest('Port has security groups; they need port security enabled.');
    return [];
  }
  if (wanted === undefined || wanted === null) return [(await ensureDefaultGroup(trx, row.project_id)).id];
  for (const id of wanted) await findGroup(trx, context, id);
  return [...new Set(wanted)];
}

async function writeLinks(
  trx: Db,
  id: string,
  ips: readonly FixedIp[],
  groups: readonly string[],
): Promise<void> {
  await trx.deleteFrom('network_port_group').where('port_id', '=', id).execute();
  await trx.deleteFrom('network_fixed_ip').where('port_id', '=', id).execute();
  if (ips.length > 0) {
    await trx
      .insertInto('network_fixed_ip')
      .values(ips.map((ip) => ({ port_id: id, ...ip })))
      .execute();
  }
  if (groups.length > 0) {
    await trx
      .insertInto('network_port_group')
      .values(groups.map((group) => ({ port_id: id, group_id: group })))
      .execute();
  }
}

/** Makes a port in the caller's transaction. @throws ApiError 400, 403, 404, 409 */
export async function createPort(
  trx: Db,
  context: RequestContext,
  fields: z.output<typeof CreatePort>,
): Promise<FullPort> {
  const network = await findNetwork(trx, context, fields.network_id);
  checkPolicy(context, fields, 'create');
  checkNetworkOwner(context, network.project_id, fields, [], 'create');
  const foreign = network.project_id !== context.projectId;
  requirePrivilege(context, foreign && fields.mac_address !== undefined, 'create_port:mac_address');
  requirePrivilege(context, foreign && network.shared === 0, 'create_port');
  const row: PortRow = {
    ...standardColumns(ownerOf(context, fields), fields.description),
    name: fields.name ?? '',
    network_id: network.id,
    mac_address: await chooseMac(trx, network.id, fields.mac_address),
    admin_state_up: Number(fields.admin_state_up ?? true),
    device_id: fields.device_id ?? '',
    device_owner: fields.device_owner ?? '',
    host_id: fields['binding:host_id'] ?? '',
    vnic_type: 'normal',
    profile: JSON.stringify(fields['binding:profile'] ?? {}),
    port_security_enabled: Number(fields.port_security_enabled ?? network.port_security_enabled),
    allowed_address_pairs: JSON.stringify(fields.allowed_address_pairs ?? []),
    extra_dhcp_opts: JSON.stringify(fields.extra_dhcp_opts ?? []),
  };
  const fixedIps = await allocateAddresses(trx, network.id, fields.fixed_ips);
  const groups = await groupsOf(trx, context, row, fields.security_groups);
  await trx.insertInto('network_port').values(row).execute();
  await writeLinks(trx, row.id, fixedIps, groups);
  return { ...row, fixedIps, groups };
}

async function newAddresses(trx: Db, old: FullPort, fields: SharedFields): Promise<readonly FixedIp[]> {
  if (fields.fixed_ips === undefined) return old.fixedIps;
  // What the port has may be asked for again: it is free for it.
  await trx.deleteFrom('network_fixed_ip').where('port_id', '=', old.id).execute();
  const wanted = fields.fixed_ips.map((request) => {
    const kept = old.fixedIps.find((ip) => ip.subnet_id === request.subnet_id);
    return request.ip_address === undefined && kept !== undefined ? kept : request;
  });
  return allocateAddresses(trx, old.network_id, wanted);
}

/** Changes a port in the caller's transaction. @throws ApiError 400, 403, 404, 409 */
export async function updatePort(
  trx: Db,
  context: RequestContext,
  id: string,
  fields: SharedFields,
): Promise<FullPort> {
  const { fixedIps: oldIps, groups: oldGroups, ...old } = await findPort(trx, context, id);
  checkPolicy(context, fields, 'update');
  const network = await trx
    .selectFrom('network_network')
    .select('project_id')
    .where('id', '=', old.network_id)
    .executeTakeFirstOrThrow();
  checkNetworkOwner(context, network.project_id, fields, oldIps, 'update');
  requirePrivilege(context, fields.mac_address !== undefined, 'update_port:mac_address');
  const row: PortRow = {
    ...old,
    ...touched(old),
    name: fields.name ?? old.name,
    description: fields.description ?? old.description,
    mac_address:
      fields.mac_address === undefined
        ? old.mac_address
        : await chooseMac(trx, old.network_id, fields.mac_address, id),
    admin_state_up: Number(fields.admin_state_up ?? old.admin_state_up),
    device_id: fields.device_id === undefined ? old.device_id : (fields.device_id ?? ''),
    device_owner: fields.device_owner === undefined ? old.device_owner : (fields.device_owner ?? ''),
    host_id: fields['binding:host_id'] === undefined ? old.host_id : (fields['binding:host_id'] ?? ''),
    profile:
      fields['binding:profile'] === undefined ? old.profile : JSON.stringify(fields['binding:profile'] ?? {}),
    port_security_enabled: Number(fields.port_security_enabled ?? old.port_security_enabled),
    allowed_address_pairs:
      fields.allowed_address_pairs === undefined
        ? old.allowed_address_pairs
        : JSON.stringify(fields.allowed_address_pairs ?? []),
    extra_dhcp_opts:
      fields.extra_dhcp_opts === undefined
        ? old.extra_dhcp_opts
        : JSON.stringify(fields.extra_dhcp_opts ?? []),
  };
  const groups = await groupsOf(
    trx,
    context,
    row,
    fields.security_groups === undefined ? oldGroups : (fields.security_groups ?? []),
  );
  const fixedIps = await newAddresses(trx, { ...old, fixedIps: oldIps, groups: oldGroups }, fields);
  await trx.updateTable('network_port').set(row).where('id', '=', id).execute();
  await writeLinks(trx, id, fixedIps, groups);
  return { ...row, fixedIps, groups };
}
