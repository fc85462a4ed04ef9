import type { RequestContext } from '../../kernel/service.js';
import { type Db, isPrivileged, standardBody } from '../deps.js';
import { neutronError } from '../errors.js';
import type { NetworkRow } from '../tables.js';

/** The physical network of every network here: the hosts' external virtual switch. */
export const PHYSICAL_NETWORK = 'physnet1';
export const DEFAULT_MTU = 1_500;

const visible = (context: RequestContext, row: NetworkRow): boolean =>
  isPrivileged(context) || row.project_id === context.projectId || row.shared === 1 || row.external === 1;

export async function visibleNetworks(db: Db, context: RequestContext): Promise<readonly NetworkRow[]> {
  const rows = await db.selectFrom('network_network').selectAll().execute();
  return rows.filter((row) => visible(context, row));
}

/** @throws ApiError 404 */
export async function findNetwork(db: Db, context: RequestContext, id: string): Promise<NetworkRow> {
  const row = await db.selectFrom('network_network').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined || !visible(context, row))
    throw neutronError('NetworkNotFound', `Network ${id} could not be found.`);
  return row;
}

/** Identifiers of the subnets of networks: `get(network)`. */
export async function subnetIds(db: Db, network?: string): Promise<ReadonlyMap<string, readonly string[]>> {
  let query = db.selectFrom('network_subnet').select(['id', 'network_id']).orderBy('created_at');
  if (network !== undefined) query = query.where('network_id', '=', network);
  const ids = new Map<string, string[]>();
  for (const row of await query.execute()) {
    const list = ids.get(row.network_id);
    if (list === undefined) ids.set(row.network_id, [row.id]);
    else list.push(row.id);
  }
  return ids;
}

export function networkBody(
  context: RequestContext,
  row: NetworkRow,
  subnets: readonly string[],
): Record<string, unknown> {
  const provider = {
    'provider:network_type': 'flat',
    'provider:physical_network': row.physical_network,
    'provider:segmentation_id': null,
  };
  return {
    ...standardBody(row),
    name: row.name,
    status: 'ACTIVE',
    admin_state_up: row.admin_state_up === 1,
    shared: row.shared === 1,
    'router:external': row.external === 1,
    mtu: row.mtu,
    port_security_enabled: row.port_security_enabled === 1,
    subnets,
    availability_zones: [],
    availability_zone_hints: [],
    ipv4_address_scope: null,
    ipv6_address_scope: null,
    ...(isPrivileged(context) ? provider : {}),
  };
}
