import type { EarlyPlanInput } from './input.js';
import type { Refusal } from './explain.js';

/** A rule that Nova's API or scheduler applies before any driver is asked; undefined when it is kept. */
export interface NovaRule {
  readonly name: string;
  readonly source: string;
  readonly refuse: (input: EarlyPlanInput) => Omit<Refusal, 'rule' | 'source'> | undefined;
}

export const NOVA_RULES: readonly NovaRule[] = [
  { name: 'minimum memory', source: 'Nova, nova/compute/api.py', refuse: refuseLittleMemory },
  { name: 'minimum disk', source: 'Nova, nova/compute/api.py', refuse: refuseSmallDisk },
  {
    name: 'hypervisor type',
    source: 'Nova, ImagePropertiesFilter of the scheduler',
    refuse: refuseOtherHypervisor,
  },
  {
    name: 'hypervisor version',
    source: 'usage guide, Generation 2 VM images; Nova, ImagePropertiesFilter of the scheduler',
    refuse: refuseOtherVersion,
  },
];

function refuseLittleMemory({ image, instance: { flavor } }: EarlyPlanInput): ReturnType<NovaRule['refuse']> {
  if (flavor.memoryMb >= image.minRamMb) return undefined;
  return {
    exception: 'FlavorMemoryTooSmall',
    message: `Image ${image.id} needs ${image.minRamMb} MB of memory (min_ram) and flavor ${flavor.name} has ${flavor.memoryMb} MB. Use a flavor with more.`,
    scope: 'request',
  };
}

function refuseSmallDisk({ image, instance: { flavor } }: EarlyPlanInput): ReturnType<NovaRule['refuse']> {
  if (flavor.rootGb === 0 || flavor.rootGb >= image.minDiskGb) return undefined;
  return {
    exception: 'FlavorDiskSmallerThanMinDisk',
    message: `Image ${image.id} needs a disk of ${image.minDiskGb} GB (min_disk) and flavor ${flavor.name} has ${flavor.rootGb} GB. Use a flavor with a larger disk.`,
    scope: 'request',
  };
}

function refuseOtherHypervisor({ image }: EarlyPlanInput): ReturnType<NovaRule['refuse']> {
  const type = (image.properties['img_hv_type'] || image.properties['hypervisor_type'] || '').trim();
  if (type === '' || type.toLowerCase() === 'hyperv') return undefined;
  return {
    exception: 'NoValidHost',
    message: `Image ${image.id} asks for hypervisor_type=${type}, so that the scheduler passes over Hyper-V hosts. Set hypervisor_type=hyperv on it.`,
    scope: 'request',
  };
}

function refuseOtherVersion({ image, host }: EarlyPlanInput): ReturnType<NovaRule['refuse']> {
  const { properties } = image;
  const wanted = properties['img_hv_requested_version'] || properties['hypervisor_version_requires'] || '';
  const { major, minor } = host.windowsVersion;
  const terms = wanted.split(',').filter((term) => term.trim() !== '');
  const kept = terms.every((term) => isKept(term, [major, minor]));
  if (kept) return undefined;
  return {
    exception: 'NoValidHost',
    message: `Image ${image.id} has hypervisor_version_requires='${wanted}', and host ${host.name} is ${major}.${minor}: the scheduler passes over it. Use a host that fits, or correct the property.`,
    scope: 'host',
  };
}

const COMPARISONS: Readonly<Record<string, (order: number) => boolean>> = {
  '<': (order) => order < 0,
  '<=': (order) => order <= 0,
  '==': (order) => order === 0,
  '!=': (order) => order !== 0,
  '>=': (order) => order >= 0,
  '>': (order) => order > 0,
};

/** One term of oslo.utils' VersionPredicate, such as `>=6.3`. What is none fits no host. */
function isKept(term: string, [major, minor]: readonly [number, number]): boolean {
  const [, sign = '', first, second = '0'] =
    /^\s*(<=|>=|==|!=|<|>)\s*(\d+)(?:\.(\d+))?(?:\.\d+)*\s*$/.exec(term) ?? [];
  if (first === undefined) return false;
  return COMPARISONS[sign]?.(major - Number(first) || minor - Number(second)) ?? false;
}
