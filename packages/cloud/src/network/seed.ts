import type { Kysely } from 'kysely';
import { standardColumns } from './deps.js';
import { DEFAULT_MTU, PHYSICAL_NETWORK } from './networks/store.js';
import { parseBlock } from './ip/address.js';
import { defaultPools } from './subnets/pools.js';
import { ensureDefaultGroup } from './security-groups/store.js';
import type { NetworkRow, NetworkTables, SubnetRow } from './tables.js';

const CIDR = '10.10.0.0/24';
const GATEWAY = '10.10.0.1';

/**
 * First start: the network `private`, for all projects, with one subnet, of the project `owner`. Whether this was the first is told by the
 * project's default security group, which outlives the network when an operator deletes that.
 */
export async function seedNetworks(db: Kysely<NetworkTables>, owner: string): Promise<void> {
  await db.transaction().execute(async (trx) => {
    const seeded = await trx
      .selectFrom('network_group')
      .select('id')
      .where('project_id', '=', owner)
      .executeTakeFirst();
    if (seeded !== undefined) return;
    await ensureDefaultGroup(trx, owner);
    const network: NetworkRow = {
      ...standardColumns(owner, 'For the machines of all projects'),
      name: 'private',
      admin_state_up: 1,
      shared: 1,
      external: 0,
      mtu: DEFAULT_MTU,
      port_security_enabled: 1,
      physical_network: PHYSICAL_NETWORK,
    };
    const block = parseBlock(CIDR);
    const subnet: SubnetRow = {
      ...standardColumns(owner, ''),
      name: 'private-subnet',
      network_id: network.id,
      ip_version: 4,
      cidr: CIDR,
      gateway_ip: GATEWAY,
      enable_dhcp: 1,
      allocation_pools: JSON.stringify(block === undefined ? [] : defaultPools(block, GATEWAY)),
      dns_nameservers: '[]',
      host_routes: '[]',
    };
    await trx.insertInto('network_network').values(network).execute();
    await trx.insertInto('network_subnet').values(subnet).execute();
  });
}
