import type { RequestContext } from '../../kernel/service.js';
import { type Db, isPrivileged, standardBody } from '../deps.js';
import { neutronError } from '../errors.js';
import type { PortRow } from '../tables.js';
import type { FixedIp } from './addresses.js';

export interface FullPort extends PortRow {
  readonly fixedIps: readonly FixedIp[];
  readonly groups: readonly string[];
}

/** Adds addresses and security groups. */
export async function completePorts(db: Db, rows: readonly PortRow[]): Promise<readonly FullPort[]> {
  const one = rows.length === 1 ? rows[0]?.id : undefined;
  let ips = db.selectFrom('network_fixed_ip').selectAll().orderBy('ip_address');
  let groups = db.selectFrom('network_port_group').selectAll();
  if (one !== undefined) {
    ips = ips.where('port_id', '=', one);
    groups = groups.where('port_id', '=', one);
  }
  const byId = new Map<string, { fixedIps: FixedIp[]; groups: string[] }>();
  for (const row of rows) byId.set(row.id, { fixedIps: [], groups: [] });
  for (const { port_id: id, ...ip } of await ips.execute()) byId.get(id)?.fixedIps.push(ip);
  for (const row of await groups.execute()) byId.get(row.port_id)?.groups.push(row.group_id);
  return rows.map((row) => ({ ...row, ...(byId.get(row.id) ?? { fixedIps: [], groups: [] }) }));
}

/** @throws ApiError 404 */
export async function findPort(db: Db, context: RequestContext, id: string): Promise<FullPort> {
  const rows = await db.selectFrom('network_port').selectAll().where('id', '=', id).execute();
  const [port] = await completePorts(db, rows);
  if (port === undefined || (!isPrivileged(context) && port.project_id !== context.projectId)) {
    throw neutronError('PortNotFound', `Port ${id} could not be found.`);
  }
  return port;
}

/** As networking-hyperv's mechanism driver binds: type `hyperv`, no port filter of Open vSwitch's kind. */
function binding(port: PortRow): Record<string, unknown> {
  const bound = port.host_id !== '';
  return {
    'binding:host_id': port.host_id,
    'binding:profile': JSON.parse(port.profile) as unknown,
    'binding:vif_type': bound ? 'hyperv' : 'unbound',
    'binding:vif_details': bound ? { port_filter: false } : {},
  };
}

export function portBody(context: RequestContext, port: FullPort): Record<string, unknown> {
  return {
    ...standardBody(port),
    name: port.name,
    network_id: port.network_id,
    mac_address: port.mac_address,
    admin_state_up: port.admin_state_up === 1,
    // A bound port works at once here: the machine's adapter is connected by the compute service itself.
    status: port.host_id !== '' && port.admin_state_up === 1 ? 'ACTIVE' : 'DOWN',
    device_id: port.device_id,
    device_owner: port.device_owner,
    fixed_ips: port.fixedIps,
    security_groups: port.groups,
    port_security_enabled: port.port_security_enabled === 1,
    allowed_address_pairs: JSON.parse(port.allowed_address_pairs) as unknown,
    extra_dhcp_opts: JSON.parse(port.extra_dhcp_opts) as unknown,
    'binding:vnic_type': port.vnic_type,
    ...(isPrivileged(context) ? binding(port) : {}),
  };
}
