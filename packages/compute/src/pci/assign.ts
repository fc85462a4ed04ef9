import type { PciRequest, PciRequestSpec } from './alias.js';

/** A device of a host that instances may have. */
export interface OfferedPciDevice {
  /** `0000:03:00.0` */
  readonly address: string;
  readonly vendorId: string;
  readonly productId: string;
  readonly devType: string;
  readonly tags: Readonly<Record<string, string>>;
}

/** A device that an instance holds. */
export interface ClaimedPciDevice {
  readonly address: string;
  readonly vendorId: string;
  readonly productId: string;
  readonly aliasName: string;
  /** While a resize is not settled: the one of the two flavors that it is for; when not told, for both. */
  readonly only?: 'old' | 'new' | undefined;
}

/** What an instance holds when a resize is confirmed (`new`) or taken back (`old`). */
export function settledDevices(
  devices: readonly ClaimedPciDevice[],
  flavor: 'old' | 'new',
): readonly ClaimedPciDevice[] {
  return devices
    .filter(({ only }) => only === undefined || only === flavor)
    .map(({ only: _only, ...device }) => device);
}

function fits(device: OfferedPciDevice, spec: PciRequestSpec): boolean {
  return (
    device.devType === spec.devType &&
    (spec.vendorId === undefined || spec.vendorId === device.vendorId) &&
    (spec.productId === undefined || spec.productId === device.productId)
  );
}

/**
 * A device for each that is asked for, so that all requests are served, or undefined when they cannot be: a request that fits many
 * devices gives way to one that fits few. Devices that come first are taken first. Pure.
 */
export function assignDevices(
  free: readonly OfferedPciDevice[],
  requests: readonly PciRequest[],
): readonly ClaimedPciDevice[] | undefined {
  const wanted = requests.flatMap((request) => Array.from({ length: request.count }, () => request));
  if (wanted.length > free.length) return undefined;
  const holder = new Map<OfferedPciDevice, number>();
  for (let index = 0; index < wanted.length; index += 1) {
    if (!place(index, new Set())) return undefined;
  }
  return [...holder]
    .toSorted(([, a], [, b]) => a - b)
    .map(([{ address, vendorId, productId }, index]) => ({
      address,
      vendorId,
      productId,
      aliasName: wanted[index]?.aliasName ?? '',
    }));

  /** Finds a device, moving earlier ones on where that helps. */
  function place(index: number, seen: Set<OfferedPciDevice>): boolean {
    for (const device of free) {
      if (seen.has(device) || wanted[index]?.specs.some((spec) => fits(device, spec)) !== true) continue;
      seen.add(device);
      const other = holder.get(device);
      if (other === undefined || place(other, seen)) {
        holder.set(device, index);
        return true;
      }
    }
    return false;
  }
}
