import type { RequestContext } from '../../kernel/service.js';
import { type Db, isPrivileged, standardBody } from '../deps.js';
import { neutronError } from '../errors.js';
import { visibleNetworks } from '../networks/store.js';
import type { SubnetRow } from '../tables.js';
import type { Pool } from './pools.js';

export function poolsOf(row: SubnetRow): readonly Pool[] {
  const pools: readonly Pool[] = JSON.parse(row.allocation_pools);
  return pools;
}

/** Subnets of the networks that the caller sees. */
export async function visibleSubnets(db: Db, context: RequestContext): Promise<readonly SubnetRow[]> {
  const rows = await db.selectFrom('network_subnet').selectAll().execute();
  if (isPrivileged(context)) return rows;
  const networks = new Set((await visibleNetworks(db, context)).map((network) => network.id));
  return rows.filter((row) => row.project_id === context.projectId || networks.has(row.network_id));
}

/** @throws ApiError 404 */
export async function findSubnet(db: Db, context: RequestContext, id: string): Promise<SubnetRow> {
  const row = (await visibleSubnets(db, context)).find((each) => each.id === id);
  if (row === undefined) throw neutronError('SubnetNotFound', `Subnet ${id} could not be found.`);
  return row;
}

export const subnetBody = (row: SubnetRow): Record<string, unknown> => ({
  ...standardBody(row),
  name: row.name,
  network_id: row.network_id,
  ip_version: row.ip_version,
  cidr: row.cidr,
  gateway_ip: row.gateway_ip,
  enable_dhcp: row.enable_dhcp === 1,
  allocation_pools: poolsOf(row),
  dns_nameservers: JSON.parse(row.dns_nameservers) as unknown,
  host_routes: JSON.parse(row.host_routes) as unknown,
  ipv6_address_mode: null,
  ipv6_ra_mode: null,
  subnetpool_id: null,
  service_types: [],
});
