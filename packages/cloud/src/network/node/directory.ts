import type { Kysely } from 'kysely';
import { parseAddress, parseBlock } from '../ip/address.js';
import { PHYSICAL_NETWORK } from '../networks/store.js';
import { makeDhcpPort } from './dhcp-port.js';
import type { NetworkTables, SubnetRow } from '../tables.js';

/** A subnet of a guest's port, IPv4. */
export interface GuestSubnet {
  /** The guest's. */
  readonly address: string;
  /** `10.10.0.0/24` */
  readonly cidr: string;
  readonly gateway: string | null;
  readonly dns: readonly string[];
  readonly routes: readonly { readonly destination: string; readonly nexthop: string }[];
  /** The network's DHCP port's; null where DHCP is off or no address was left. */
  readonly server: string | null;
}

/** Whose adapter a frame came from. */
export interface Guest {
  readonly portId: string;
  readonly mac: string;
  readonly networkId: string;
  readonly projectId: string;
  /** UUID of the instance. */
  readonly deviceId: string;
  readonly mtu: number;
  readonly subnets: readonly GuestSubnet[];
  /** Address of the network's DHCP port; null without one. */
  readonly serverMac: string | null;
}

/** What the network node asks the cloud's database; as it is now, for ports come and go. */
export interface GuestDirectory {
  /**
   * The port with this address, of a network that the wire carries by that tag; undefined for nobody's, and where two have it, for then
   * nobody can tell which of them has sent.
   */
  find(mac: string, vlan: number | null): Promise<Guest | undefined>;
}

export function createGuestDirectory(db: Kysely<NetworkTables>): GuestDirectory {
  return {
    async find(mac, vlan) {
      // Every network here is flat: none has a tag.
      if (vlan !== null) return undefined;
      const ports = await db
        .selectFrom('network_port')
        .innerJoin('network_network', 'network_network.id', 'network_port.network_id')
        .select([
          'network_port.id',
          'network_port.network_id',
          'network_port.project_id',
          'network_port.device_id',
          'network_network.mtu',
        ])
        .where('network_port.mac_address', '=', mac)
        .where('network_port.admin_state_up', '=', 1)
        .where('network_port.device_owner', 'like', 'compute:%')
        .where('network_port.host_id', '!=', '')
        .where('network_network.admin_state_up', '=', 1)
        .where('network_network.physical_network', '=', PHYSICAL_NETWORK)
        .execute();
      const [port] = ports;
      if (port === undefined || ports.length > 1) return undefined;
      const server = await makeDhcpPort(db, port.network_id);
      return {
        portId: port.id,
        mac,
        networkId: port.network_id,
        projectId: port.project_id,
        deviceId: port.device_id,
        mtu: port.mtu,
        serverMac: server?.mac ?? null,
        subnets: await subnetsOf(db, port.id, server?.addresses ?? new Map()),
      };
    },
  };
}

async function subnetsOf(
  db: Kysely<NetworkTables>,
  portId: string,
  servers: ReadonlyMap<string, string>,
): Promise<readonly GuestSubnet[]> {
  const rows = await db
    .selectFrom('network_fixed_ip')
    .innerJoin('network_subnet', 'network_subnet.id', 'network_fixed_ip.subnet_id')
    .selectAll('network_subnet')
    .select('network_fixed_ip.ip_address')
    .where('network_fixed_ip.port_id', '=', portId)
    .where('network_subnet.ip_version', '=', 4)
    .orderBy('network_fixed_ip.ip_address')
    .execute();
  return rows.map((row) => ({
    address: row.ip_address,
    cidr: row.cidr,
    gateway: row.gateway_ip,
    dns: addressesOf(row),
    routes: routesOf(row),
    server: servers.get(row.id) ?? null,
  }));
}

const isIpv4 = (text: unknown): text is string =>
  typeof text === 'string' && parseAddress(text)?.version === 4;

function addressesOf({ dns_nameservers: text }: SubnetRow): readonly string[] {
  const found: unknown = JSON.parse(text);
  return Array.isArray(found) ? found.filter(isIpv4) : [];
}

function routesOf({ host_routes: text }: SubnetRow): GuestSubnet['routes'] {
  const found: unknown = JSON.parse(text);
  return Array.isArray(found) ? found.filter(isRoute) : [];
}

function isRoute(value: unknown): value is GuestSubnet['routes'][number] {
  return (
    typeof value === 'object' &&
    value !== null &&
    'destination' in value &&
    typeof value.destination === 'string' &&
    parseBlock(value.destination)?.version === 4 &&
    'nexthop' in value &&
    isIpv4(value.nexthop)
  );
}
