import { DriverError } from '../errors.js';
import type { EarlyPlanInput } from './input.js';

type Where = 'image property' | 'flavor extra spec';

interface Rule {
  readonly where: Where;
  readonly name: RegExp;
  /** Values that ask for nothing, and so are served by doing nothing. Lower case. */
  readonly harmless?: (value: string) => boolean;
  readonly feature: string;
}

const asksNothing = (...values: readonly string[]) => {
  const set = new Set(values);
  return (value: string) => set.has(value);
};

/**
 * Requests that mean something on Hyper-V and are not served: they are refused rather than dropped. A request that is for other
 * hypervisors (hw_disk_bus=virtio and the like) is not here: Nova's own rule is to ignore it.
 */
const RULES: readonly Rule[] = [
  { where: 'image property', name: /^hw_mem_page_size$/, feature: 'memory page sizes' },
  { where: 'flavor extra spec', name: /^hw:mem_page_size$/, feature: 'memory page sizes' },
  {
    where: 'image property',
    name: /^hw_cpu_policy$/,
    harmless: asksNothing('shared'),
    feature: 'dedicated processors',
  },
  {
    where: 'flavor extra spec',
    name: /^hw:cpu_policy$/,
    harmless: asksNothing('shared'),
    feature: 'dedicated processors',
  },
  {
    where: 'flavor extra spec',
    name: /^pci_passthrough:(?!alias$)/,
    feature: 'PCI pass-through by another key than pci_passthrough:alias',
  },
  { where: 'flavor extra spec', name: /^accel:device_profile$/, feature: 'accelerators' },
  {
    where: 'image property',
    name: /^hw_mem_encryption$/,
    harmless: asksNothing('false', 'no', '0', 'off'),
    feature: 'memory encryption',
  },
  {
    where: 'flavor extra spec',
    name: /^hw:mem_encryption$/,
    harmless: asksNothing('false', 'no', '0', 'off'),
    feature: 'memory encryption',
  },
  {
    where: 'flavor extra spec',
    name: /^quota:disk_(read|write)_(iops|bytes)_sec$/,
    harmless: asksNothing('0'),
    feature: 'separate limits for reading and writing (Hyper-V has quota:disk_total_*)',
  },
  {
    where: 'flavor extra spec',
    name: /^quota:memory_(limit|reservation|shares_level|shares_share)$/,
    harmless: asksNothing('0', 'normal'),
    feature: 'shares or bounds of memory',
  },
];

/** Refuses requests that would otherwise be dropped without a word. */
export function refuseUnservedRequests(input: Pick<EarlyPlanInput, 'instance' | 'image'>): void {
  const { flavor } = input.instance;
  refuse('image property', input.image.properties, `image ${input.image.id}`);
  refuse('flavor extra spec', flavor.extraSpecs, `flavor ${flavor.name}`);
  if (flavor.swapMb > 0) {
    throw new DriverError(
      'InstanceUnacceptable',
      `Flavor ${flavor.name} asks for ${flavor.swapMb} MB of swap, which this driver does not provide. Use a flavor with swap 0 and let the guest make its own swap file.`,
    );
  }
}

function refuse(where: Where, requests: Readonly<Record<string, string>>, owner: string): void {
  for (const [name, value] of Object.entries(requests)) {
    const rule = RULES.find((candidate) => candidate.where === where && candidate.name.test(name));
    if (rule === undefined || rule.harmless?.(value.toLowerCase()) === true) continue;
    throw new DriverError(
      'InstanceUnacceptable',
      `The ${where} ${name}=${value} of ${owner} asks for ${rule.feature}, which this driver does not provide yet. Remove it to run the instance without ${rule.feature}.`,
    );
  }
}
