import { randomBytes } from 'node:crypto';
import type { Db } from '../deps.js';
import { neutronError } from '../errors.js';
import { parseAddress, parseBlock } from '../ip/address.js';
import { canonical } from '../subnets/create.js';
import { firstFree } from '../subnets/pools.js';
import { poolsOf } from '../subnets/store.js';
import type { SubnetRow } from '../tables.js';

export interface FixedIpRequest {
  readonly subnet_id?: string | undefined;
  readonly ip_address?: string | undefined;
}

export interface FixedIp {
  readonly subnet_id: string;
  readonly ip_address: string;
}

/** neutron.conf `base_mac`: the first three octets are OpenStack's own. */
const BASE_MAC = 'fa:16:3e';
const MAC_TRIES = 16;

async function used(trx: Db, subnetId: string): Promise<Set<string>> {
  const rows = await trx
    .selectFrom('network_fixed_ip')
    .select('ip_address')
    .where('subnet_id', '=', subnetId)
    .execute();
  return new Set(rows.map((row) => row.ip_address));
}

function subnetFor(
  subnets: readonly SubnetRow[],
  request: FixedIpRequest,
  networkId: string,
): SubnetRow | undefined {
  if (request.subnet_id !== undefined) {
    const subnet = subnets.find((row) => row.id === request.subnet_id);
    if (subnet !== undefined) return subnet;
    const message = `Failed to create port on network ${networkId}, because fixed_ips included invalid subnet ${request.subnet_id}.`;
    throw neutronError('InvalidInput', `Invalid input for operation: ${message}`);
  }
  const address = parseAddress(request.ip_address ?? '');
  return subnets.find((row) => contains(row, address));
}

function contains(subnet: SubnetRow, address: ReturnType<typeof parseAddress>): boolean {
  const block = parseBlock(subnet.cidr);
  return (
    block !== undefined &&
    address?.version === block.version &&
    address.value >= block.first &&
    address.value <= block.last
  );
}

/** One address by what is asked for. @throws ApiError 400, 409 */
async function allocate(
  trx: Db,
  subnet: SubnetRow,
  wanted: string | undefined,
  taken: ReadonlySet<string>,
): Promise<string | undefined> {
  const inUse = new Set([...(await used(trx, subnet.id)), ...taken]);
  if (wanted === undefined) return firstFree(poolsOf(subnet), subnet.ip_version === 4 ? 4 : 6, inUse);
  const address = parseAddress(wanted);
  const block = parseBlock(subnet.cidr);
  const edge =
    block?.version === 4 &&
    block.prefix < 31 &&
    (address?.value === block.first || address?.value === block.last);
  if (!contains(subnet, address) || edge) {
    throw neutronError(
      'InvalidIpForSubnet',
      `IP address ${wanted} is not a valid IP for the specified subnet.`,
    );
  }
  const text = canonical(wanted);
  if (inUse.has(text)) {
    throw neutronError(
      'IpAddressAlreadyAllocated',
      `IP address ${text} already allocated in subnet ${subnet.id}`,
    );
  }
  return text;
}

/**
 * Addresses for a port of a network, in the caller's transaction, which keeps others from getting the same ones.
 * Without a request: one IPv4 and one IPv6 address, as far as the network has subnets of these.
 * @throws ApiError 400, 409
 */
export async function allocateAddresses(
  trx: Db,
  networkId: string,
  requests: readonly FixedIpRequest[] | undefined,
): Promise<readonly FixedIp[]> {
  const subnets = await trx
    .selectFrom('network_subnet')
    .selectAll()
    .where('network_id', '=', networkId)
    .orderBy('created_at')
    .execute();
  const result: FixedIp[] = [];
  const takenOf = (id: string): ReadonlySet<string> =>
    new Set(result.filter((each) => each.subnet_id === id).map((each) => each.ip_address));
  if (requests !== undefined) {
    for (const request of requests) {
      const subnet = subnetFor(subnets, request, networkId);
      if (subnet === undefined) {
        const message = `IP address ${request.ip_address ?? ''} is not a valid IP for any of the subnets on the specified network.`;
        throw neutronError('InvalidIpForNetwork', message);
      }
      const ip = await allocate(trx, subnet, request.ip_address, takenOf(subnet.id));
      if (ip === undefined) throw exhausted(networkId);
      result.push({ subnet_id: subnet.id, ip_address: ip });
    }
    return result;
  }
  for (const version of [4, 6]) {
    const candidates = subnets.filter((row) => row.ip_version === version);
    const found = await firstOf(trx, candidates, takenOf);
    if (found !== undefined) result.push(found);
    else if (candidates.length > 0) throw exhausted(networkId);
  }
  return result;
}

async function firstOf(
  trx: Db,
  subnets: readonly SubnetRow[],
  takenOf: (id: string) => ReadonlySet<string>,
): Promise<FixedIp | undefined> {
  for (const subnet of subnets) {
    const ip = await allocate(trx, subnet, undefined, takenOf(subnet.id));
    if (ip !== undefined) return { subnet_id: subnet.id, ip_address: ip };
  }
  return undefined;
}

const exhausted = (networkId: string): Error =>
  neutronError('IpAddressGenerationFailure', `No more IP addresses available on network ${networkId}.`);

async function macInUse(trx: Db, networkId: string, mac: string, except: string): Promise<boolean> {
  const row = await trx
    .selectFrom('network_port')
    .select('id')
    .where('network_id', '=', networkId)
    .where('mac_address', '=', mac)
    .where('id', '!=', except)
    .executeTakeFirst();
  return row !== undefined;
}

/** A MAC address that the network does not have: the given one, or a random one. @throws ApiError 409 */
export async function chooseMac(
  trx: Db,
  networkId: string,
  wanted: string | undefined,
  portId = '',
): Promise<string> {
  if (wanted !== undefined) {
    const mac = wanted.toLowerCase().replaceAll('-', ':');
    if (await macInUse(trx, networkId, mac, portId)) {
      throw neutronError(
        'MacAddressInUse',
        `Unable to complete operation for network ${networkId}. The mac address ${mac} is in use.`,
      );
    }
    return mac;
  }
  for (let at = 0; at < MAC_TRIES; at += 1) {
    const mac = [BASE_MAC, ...[...randomBytes(3)].map((byte) => byte.toString(16).padStart(2, '0'))].join(
      ':',
    );
    if (!(await macInUse(trx, networkId, mac, portId))) return mac;
  }
  throw neutronError('MacAddressInUse', `No free MAC address was found for network ${networkId}.`);
}
