import type { Flavor } from '@nova-hyperv/driver';
import { ComputeError } from '../errors.js';
import type { InstanceRecord } from '../ports.js';
import { PciTracker } from '../pci/pci-tracker.js';
import type { PciOptions } from '../pci/pci-tracker.js';
import type { Inventories, Inventory } from '../rest/placement.js';
import { hostedFlavor } from './block-devices.js';
import { holdsResources } from './instance-view.js';

export interface Usage {
  readonly vcpus: number;
  readonly memoryMb: number;
  readonly diskGb: number;
}

/** What a flavor takes; swap is rounded up to whole GB as in Nova's scheduler (scheduler/utils.py). */
export function usageOf(flavor: Flavor): Usage {
  return {
    vcpus: flavor.vcpus,
    memoryMb: flavor.memoryMb,
    diskGb: flavor.rootGb + flavor.ephemeralGb + Math.ceil(flavor.swapMb / 1024),
  };
}

/** What an instance takes; while a resize is not confirmed, on one host both its sizes. */
export function usageOfRecord(record: InstanceRecord): Usage {
  const { flavor, oldFlavor, newFlavor } = record;
  const hosted = (one: Flavor): Usage => usageOf(hostedFlavor(record, one));
  if (newFlavor === null) return hosted(flavor);
  const [old, fresh] = [hosted(oldFlavor ?? flavor), hosted(newFlavor)];
  return {
    vcpus: old.vcpus + fresh.vcpus,
    memoryMb: old.memoryMb + fresh.memoryMb,
    diskGb: old.diskGb + fresh.diskGb,
  };
}

export interface TrackedUsage extends Usage {
  readonly instances: number;
}

const KINDS = [
  { key: 'vcpus', resourceClass: 'VCPU', label: 'vCPUs', unit: '' },
  { key: 'memoryMb', resourceClass: 'MEMORY_MB', label: 'memory', unit: ' MB' },
  { key: 'diskGb', resourceClass: 'DISK_GB', label: 'disk', unit: ' GB' },
] as const;

/** What may be given out: Placement's capacity. */
function capacityOf(inventory: Inventory | undefined): number {
  return inventory === undefined ? 0 : (inventory.total - inventory.reserved) * inventory.allocationRatio;
}

/**
 * Which instances hold what of the host. Placement has the last word between hosts; this refuses what came past it: a host
 * that shrank, allocations that somebody removed by hand.
 */
export class ResourceTracker {
  readonly #usages = new Map<string, Usage>();
  readonly pci: PciTracker;
  #inventories: Inventories | null = null;

  constructor(options: PciOptions = { pciDeviceSpec: [], pciAlias: [] }) {
    this.pci = new PciTracker(options);
  }

  /**
   * Takes a fresh look at the host and at the store's instances.
   * @param isBusy instances that are being worked on keep what they have claimed whatever the store said
   */
  refresh(
    inventories: Inventories,
    instances: readonly InstanceRecord[],
    isBusy: (uuid: string) => boolean,
  ): void {
    this.#inventories = inventories;
    const stored = new Set(instances.filter(holdsResources).map((record) => record.uuid));
    for (const uuid of this.#usages.keys()) {
      if (!stored.has(uuid) && !isBusy(uuid)) this.#usages.delete(uuid);
    }
    for (const uuid of this.pci.holders()) {
      if (!stored.has(uuid) && !isBusy(uuid)) this.pci.release(uuid);
    }
    for (const record of instances) {
      if (!stored.has(record.uuid) || isBusy(record.uuid)) continue;
      this.#usages.set(record.uuid, usageOfRecord(record));
      this.pci.remember(record);
    }
  }

  /** Reserves what the instance needs. @throws ComputeError ComputeResourcesUnavailable, scope host */
  claim(uuid: string, flavor: Flavor): void {
    this.#usages.delete(uuid);
    this.#take(uuid, usageOf(flavor));
  }

  /** Reserves a second size beside the one that the instance has. Throws what {@link claim} does. */
  resizeClaim(uuid: string, old: Flavor, flavor: Flavor): void {
    this.#usages.set(uuid, usageOf(old));
    this.#take(uuid, usageOf(flavor));
  }

  /** The instance has this one size again. */
  settle(uuid: string, flavor: Flavor): void {
    this.#usages.set(uuid, usageOf(flavor));
  }

  #take(uuid: string, wanted: Usage): void {
    const used = this.usage();
    for (const { key, resourceClass, label, unit } of KINDS) {
      if (this.#inventories === null) break;
      const free = capacityOf(this.#inventories[resourceClass]) - used[key];
      if (wanted[key] <= free) continue;
      throw new ComputeError(
        'ComputeResourcesUnavailable',
        `Insufficient compute resources: Free ${label} ${Math.floor(free)}${unit} < requested ${wanted[key]}${unit}.`,
        { scope: 'host' },
      );
    }
    const has = this.#usages.get(uuid) ?? { vcpus: 0, memoryMb: 0, diskGb: 0 };
    this.#usages.set(uuid, {
      vcpus: has.vcpus + wanted.vcpus,
      memoryMb: has.memoryMb + wanted.memoryMb,
      diskGb: has.diskGb + wanted.diskGb,
    });
  }

  release(uuid: string): void {
    this.pci.release(uuid);
    this.#usages.delete(uuid);
  }

  usage(): TrackedUsage {
    const sum = { vcpus: 0, memoryMb: 0, diskGb: 0, instances: this.#usages.size };
    for (const usage of this.#usages.values()) {
      for (const { key } of KINDS) sum[key] += usage[key];
    }
    return sum;
  }
}
