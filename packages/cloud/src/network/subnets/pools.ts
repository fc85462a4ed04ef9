import { neutronError } from '../errors.js';
import { type Block, formatAddress, hostRange, parseAddress } from '../ip/address.js';

export interface Pool {
  readonly start: string;
  readonly end: string;
}

interface Range {
  readonly first: bigint;
  readonly last: bigint;
}

/** All of a subnet's addresses but the gateway's, as Neutron makes the pools when none are given. */
export function defaultPools(block: Block, gateway: string | null): readonly Pool[] {
  const { first, last } = hostRange(block);
  const skip = gateway === null ? undefined : parseAddress(gateway)?.value;
  const ranges: readonly Range[] =
    skip === undefined || skip < first || skip > last
      ? [{ first, last }]
      : [
          { first, last: skip - 1n },
          { first: skip + 1n, last },
        ];
  const text = (value: bigint): string => formatAddress({ version: block.version, value });
  return ranges
    .filter((range) => range.first <= range.last)
    .map((range) => ({ start: text(range.first), end: text(range.last) }));
}

function toRange(pool: Pool, version: 4 | 6): Range {
  const [start, end] = [parseAddress(pool.start), parseAddress(pool.end)];
  if (start?.version !== version || end?.version !== version || start.value > end.value) {
    throw neutronError(
      'InvalidInput',
      `Invalid input for operation: the allocation pool ${pool.start}-${pool.end} is not valid.`,
    );
  }
  return { first: start.value, last: end.value };
}

/** @throws ApiError 400, 409 in Neutron's terms */
export function checkPools(pools: readonly Pool[], block: Block, cidr: string, gateway: string | null): void {
  const hosts = hostRange(block);
  const ranges = pools.map((pool) => ({ pool, ...toRange(pool, block.version) }));
  const gatewayValue = gateway === null ? undefined : parseAddress(gateway)?.value;
  for (const [at, range] of ranges.entries()) {
    const label = `${range.pool.start}-${range.pool.end}`;
    if (range.first < hosts.first || range.last > hosts.last) {
      throw neutronError(
        'OutOfBoundsAllocationPool',
        `The allocation pool ${label} spans beyond the subnet cidr ${cidr}.`,
      );
    }
    if (gatewayValue !== undefined && gatewayValue >= range.first && gatewayValue <= range.last) {
      throw neutronError(
        'GatewayConflictWithAllocationPools',
        `Gateway ip ${String(gateway)} conflicts with allocation pool ${label}.`,
      );
    }
    const clash = ranges
      .slice(at + 1)
      .find((other) => other.first <= range.last && range.first <= other.last);
    if (clash !== undefined) {
      const message = `Found overlapping allocation pools: ${label} ${clash.pool.start}-${clash.pool.end} for subnet ${cidr}.`;
      throw neutronError('OverlappingAllocationPools', message);
    }
  }
}

/** The lowest address of the pools that is not used; undefined when all are. */
export function firstFree(
  pools: readonly Pool[],
  version: 4 | 6,
  used: ReadonlySet<string>,
): string | undefined {
  for (const pool of pools) {
    const { first, last } = toRange(pool, version);
    // At most one more try than there are used addresses.
    for (let value = first; value <= last; value += 1n) {
      const text = formatAddress({ version, value });
      if (!used.has(text)) return text;
    }
  }
  return undefined;
}
