import type { Kysely } from 'kysely';
import { ApiError } from '../../kernel/errors.js';
import { standardColumns, type Db } from '../deps.js';
import { allocateAddresses, chooseMac } from '../ports/addresses.js';
import type { NetworkTables } from '../tables.js';

/** Neutron's own: who lists ports sees the network's DHCP server among them. */
export const DHCP_OWNER = 'network:dhcp';
/** What the port of this cloud's only DHCP server is bound to. */
const HOST = 'network-node';

export interface DhcpPort {
  readonly mac: string;
  /** IPv4 addresses by their subnet. */
  readonly addresses: ReadonlyMap<string, string>;
}

/** The network's DHCP port, made when it is first needed; undefined when no subnet has DHCP, or no address is left for it. */
export async function makeDhcpPort(
  db: Kysely<NetworkTables>,
  networkId: string,
): Promise<DhcpPort | undefined> {
  const found = await findDhcpPort(db, networkId);
  const missing = (await dhcpSubnets(db, networkId)).filter((id) => found?.addresses.has(id) !== true);
  if (missing.length === 0) return found;
  try {
    return await db.transaction().execute((trx) => addToPort(trx, networkId));
  } catch (error) {
    // No address is left: what is there goes on.
    if (error instanceof ApiError) return found;
    throw error;
  }
}

async function dhcpSubnets(db: Db, networkId: string): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('network_subnet')
    .select('id')
    .where('network_id', '=', networkId)
    .where('ip_version', '=', 4)
    .where('enable_dhcp', '=', 1)
    .execute();
  return rows.map(({ id }) => id);
}

async function findDhcpPort(
  db: Db,
  networkId: string,
): Promise<(DhcpPort & { readonly id: string }) | undefined> {
  const rows = await db
    .selectFrom('network_port')
    .leftJoin('network_fixed_ip', 'network_fixed_ip.port_id', 'network_port.id')
    .select(['network_port.id', 'mac_address', 'subnet_id', 'ip_address'])
    .where('network_id', '=', networkId)
    .where('device_owner', '=', DHCP_OWNER)
    .orderBy('network_port.created_at')
    .execute();
  const [first] = rows;
  if (first === undefined) return undefined;
  const addresses = rows.flatMap(({ id, subnet_id: subnet, ip_address: address }) =>
    id === first.id && subnet !== null && address !== null ? [[subnet, address] as const] : [],
  );
  return { id: first.id, mac: first.mac_address, addresses: new Map(addresses) };
}

/** Everything is looked at once more: another request may have come first. */
async function addToPort(trx: Db, networkId: string): Promise<DhcpPort | undefined> {
  const found = await findDhcpPort(trx, networkId);
  const subnets = await dhcpSubnets(trx, networkId);
  const missing = subnets.filter((id) => found?.addresses.has(id) !== true);
  if (missing.length === 0) return found;
  const portId = found?.id ?? (await insertPort(trx, networkId));
  const requests = missing.map((id) => ({ subnet_id: id }));
  const ips = await allocateAddresses(trx, networkId, requests);
  await trx
    .insertInto('network_fixed_ip')
    .values(ips.map((ip) => ({ port_id: portId, ...ip })))
    .execute();
  return findDhcpPort(trx, networkId);
}

async function insertPort(trx: Db, networkId: string): Promise<string> {
  const { project_id: projectId } = await trx
    .selectFrom('network_network')
    .select('project_id')
    .where('id', '=', networkId)
    .executeTakeFirstOrThrow();
  const row = {
    ...standardColumns(projectId, ''),
    name: '',
    network_id: networkId,
    mac_address: await chooseMac(trx, networkId, undefined),
    admin_state_up: 1,
    device_id: `dhcp-${networkId}`,
    device_owner: DHCP_OWNER,
    host_id: HOST,
    vnic_type: 'normal',
    profile: '{}',
    port_security_enabled: 0,
    allowed_address_pairs: '[]',
    extra_dhcp_opts: '[]',
  };
  await trx.insertInto('network_port').values(row).execute();
  return row.id;
}

/** Network and subnet take their DHCP port along when they go, as Neutron does. */
export async function dropDhcpPort(
  trx: Db,
  where: { networkId: string } | { subnetId: string },
): Promise<void> {
  const ports = trx.selectFrom('network_port').select('id').where('device_owner', '=', DHCP_OWNER);
  if ('subnetId' in where) {
    await trx
      .deleteFrom('network_fixed_ip')
      .where('subnet_id', '=', where.subnetId)
      .where('port_id', 'in', ports)
      .execute();
    return;
  }
  const own = ports.where('network_id', '=', where.networkId);
  await trx.deleteFrom('network_fixed_ip').where('port_id', 'in', own).execute();
  await trx
    .deleteFrom('network_port')
    .where('network_id', '=', where.networkId)
    .where('device_owner', '=', DHCP_OWNER)
    .execute();
}
