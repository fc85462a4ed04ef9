import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestCloud, type TestCloud } from '../../testing/test-cloud.js';
import type { NetworkTables } from '../tables.js';
import { createGuestDirectory, type GuestDirectory } from './directory.js';

interface Port {
  readonly id: string;
  readonly mac_address: string;
  readonly device_owner: string;
  readonly fixed_ips: readonly { readonly ip_address: string }[];
}

let cloud: TestCloud;
let directory: GuestDirectory;

const create = async <T>(kind: string, body: object): Promise<T> => {
  const answer = await cloud.request('POST', `/network/v2.0/${kind}s`, { body: { [kind]: body } });
  expect(answer.statusCode, answer.body).toBe(201);
  return answer.json<Record<string, T>>()[kind]!;
};
const portsOf = async (networkId: string, owner: string): Promise<readonly Port[]> => {
  const url = `/network/v2.0/ports?network_id=${networkId}&device_owner=${owner}`;
  return (await cloud.request('GET', url)).json<{ ports: readonly Port[] }>().ports;
};
async function network(cidr: string, subnet: object = {}): Promise<{ network: string; subnet: string }> {
  const { id } = await create<{ id: string }>('network', { name: cidr });
  const made = await create<{ id: string }>('subnet', { network_id: id, cidr, ip_version: 4, ...subnet });
  return { network: id, subnet: made.id };
}
const bound = (networkId: string, more: object = {}): Promise<Port> =>
  create<Port>('port', {
    network_id: networkId,
    device_id: 'instance-1',
    device_owner: 'compute:nova',
    'binding:host_id': 'hv1',
    ...more,
  });
const remove = async (path: string): Promise<number> =>
  (await cloud.request('DELETE', `/network/v2.0/${path}`)).statusCode;

beforeAll(async () => {
  cloud = await createTestCloud();
  directory = createGuestDirectory(cloud.cloud.kernel.db.withTables<NetworkTables>());
});
afterAll(() => cloud[Symbol.asyncDispose]());

describe('the directory of guests', () => {
  it('tells whose adapter it is, and gives its network a DHCP port', async () => {
    const made = await network('10.20.0.0/24', {
      dns_nameservers: ['9.9.9.9'],
      host_routes: [{ destination: '192.168.0.0/16', nexthop: '10.20.0.9' }],
    });
    const port = await bound(made.network);
    const finds = await Promise.all([1, 2, 3].map(() => directory.find(port.mac_address, null)));
    const [dhcp, ...others] = await portsOf(made.network, 'network:dhcp');
    expect(others).toEqual([]);
    for (const found of finds) {
      expect(found).toMatchObject({
        portId: port.id,
        deviceId: 'instance-1',
        networkId: made.network,
        mtu: 1500,
        serverMac: dhcp?.mac_address,
        subnets: [
          {
            address: port.fixed_ips[0]?.ip_address,
            cidr: '10.20.0.0/24',
            gateway: '10.20.0.1',
            dns: ['9.9.9.9'],
            routes: [{ destination: '192.168.0.0/16', nexthop: '10.20.0.9' }],
            server: dhcp?.fixed_ips[0]?.ip_address,
          },
        ],
      });
    }
    expect(await directory.find(port.mac_address, 7)).toBeUndefined();
    expect(await remove(`subnets/${made.subnet}`)).toBe(409);
    expect(await portsOf(made.network, 'network:dhcp')).toHaveLength(1);
    expect(await remove(`ports/${port.id}`)).toBe(204);
    expect(await directory.find(port.mac_address, null)).toBeUndefined();
    expect(await remove(`subnets/${made.subnet}`)).toBe(204);
    expect(await remove(`networks/${made.network}`)).toBe(204);
  });

  it('knows no port that is down, of no instance, or of no host; nor one of two with the same address', async () => {
    const { network: id } = await network('10.21.0.0/24');
    for (const more of [{ admin_state_up: false }, { device_owner: '' }, { 'binding:host_id': '' }]) {
      expect(await directory.find((await bound(id, more)).mac_address, null)).toBeUndefined();
    }
    const port = await bound(id);
    expect(await directory.find(port.mac_address, null)).toBeDefined();
    const other = await network('10.22.0.0/24');
    await bound(other.network, { mac_address: port.mac_address });
    expect(await directory.find(port.mac_address, null)).toBeUndefined();
  });

  it('goes without a DHCP port where DHCP is off, and where no address is left', async () => {
    const off = await network('10.23.0.0/24', { enable_dhcp: false });
    const first = await directory.find((await bound(off.network)).mac_address, null);
    expect(first).toMatchObject({ serverMac: null, subnets: [{ server: null }] });
    const full = await network('10.24.0.0/30');
    const port = await bound(full.network);
    expect(await directory.find(port.mac_address, null)).toMatchObject({ serverMac: null });
    expect(await portsOf(full.network, 'network:dhcp')).toEqual([]);
  });
});
