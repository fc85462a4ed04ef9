import { DriverError } from '../errors.js';
import { compareVersions, FIRST_WITH_GENERATION_2 } from './limits.js';
import type { EarlyPlanInput } from './input.js';
import type { Generation } from './vm-spec.js';

const MACHINE_TYPES: Readonly<Record<string, Generation>> = { 'hyperv-gen1': 1, 'hyperv-gen2': 2 };

/** The image's hw_machine_type decides, case sensitive; generation 1 is the default. */
export function chooseGeneration(input: Pick<EarlyPlanInput, 'image' | 'host'>): Generation {
  const wanted = input.image.properties['hw_machine_type'] ?? 'hyperv-gen1';
  const generation = Object.hasOwn(MACHINE_TYPES, wanted) ? MACHINE_TYPES[wanted] : undefined;
  if (generation === undefined) {
    throw new DriverError(
      'InstanceUnacceptable',
      `Image ${input.image.id} asks for hw_machine_type=${wanted}, which Hyper-V does not have. Valid values: ${Object.keys(MACHINE_TYPES).join(', ')}.`,
    );
  }
  const { host } = input;
  if (generation === 2 && compareVersions(host.windowsVersion, FIRST_WITH_GENERATION_2) < 0) {
    throw new DriverError(
      'InstanceUnacceptable',
      `Image ${input.image.id} asks for hw_machine_type=hyperv-gen2, and host ${host.name} (Windows ${versionText(host)}) has generation 1 only. ` +
        `Generation 2 needs Windows Server 2012 R2 (6.3) or later: set hypervisor_version_requires='>=6.3' on the image, so that the scheduler chooses such a host.`,
      { scope: 'host' },
    );
  }
  return generation;
}

export function versionText(host: Pick<EarlyPlanInput['host'], 'windowsVersion'>): string {
  const { major, minor, build } = host.windowsVersion;
  return `${major}.${minor}.${build}`;
}
