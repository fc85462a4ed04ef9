import type { HostResources } from '@nova-hyperv/driver';
import type { ComputeConfig } from '../config.js';
import type { Inventories, Inventory } from '../rest/placement.js';

interface Rule {
  readonly resourceClass: string;
  readonly total: (resources: HostResources) => number;
  readonly reserved: (config: ComputeConfig) => number;
  readonly ratio: (config: ComputeConfig) => number | null;
  readonly initialRatio: (config: ComputeConfig) => number;
}

/** nova/virt/driver.py _get_allocation_ratios and _get_reserved_host_disk_gb_from_config; reference: update_provider_tree. */
const RULES: readonly Rule[] = [
  {
    resourceClass: 'VCPU',
    total: (resources) => resources.vcpus,
    reserved: (config) => config.reservedHostCpus,
    ratio: (config) => config.cpuAllocationRatio,
    initialRatio: (config) => config.initialCpuAllocationRatio,
  },
  {
    resourceClass: 'MEMORY_MB',
    total: (resources) => resources.memoryMb,
    reserved: (config) => config.reservedHostMemoryMb,
    ratio: (config) => config.ramAllocationRatio,
    initialRatio: (config) => config.initialRamAllocationRatio,
  },
  {
    resourceClass: 'DISK_GB',
    total: (resources) => resources.localGb,
    reserved: (config) => Math.ceil(config.reservedHostDiskMb / 1024),
    ratio: (config) => config.diskAllocationRatio,
    initialRatio: (config) => config.initialDiskAllocationRatio,
  },
];

/**
 * The node's inventories. A ratio that the configuration does not set stays what Placement has, so that administrators can set it
 * there; a new inventory gets the initial one. Inventories of other classes are somebody else's and stay.
 */
export function nodeInventories(
  resources: HostResources,
  config: ComputeConfig,
  present: Inventories,
): Inventories {
  const ours = new Set(RULES.map((rule) => rule.resourceClass));
  const wanted: Record<string, Inventory> = Object.fromEntries(
    Object.entries(present).filter(([resourceClass]) => !ours.has(resourceClass)),
  );
  for (const rule of RULES) {
    const total = Math.floor(rule.total(resources));
    // Placement refuses a total of 0, and a reserve above the total.
    if (total < 1) continue;
    wanted[rule.resourceClass] = {
      total,
      reserved: Math.min(rule.reserved(config), total),
      minUnit: 1,
      maxUnit: total,
      stepSize: 1,
      allocationRatio:
        rule.ratio(config) ?? present[rule.resourceClass]?.allocationRatio ?? rule.initialRatio(config),
    };
  }
  return wanted;
}

/** nova/compute/resource_tracker.py: the compute owns the COMPUTE_ traits of its node, and no others. */
export function nodeTraits(
  driverTraits: readonly string[],
  disabled: boolean,
  present: readonly string[],
): readonly string[] {
  const foreign = present.filter((trait) => !trait.startsWith('COMPUTE_'));
  const own = ['COMPUTE_NODE', ...driverTraits, ...(disabled ? ['COMPUTE_STATUS_DISABLED'] : [])];
  return [...new Set([...foreign, ...own])].toSorted();
}
