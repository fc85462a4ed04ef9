import { DriverError } from '../errors.js';
import { versionText } from './generation.js';
import type { EarlyPlanInput } from './input.js';
import { compareVersions, FIRST_WITH_NESTED } from './limits.js';

/**
 * Whether `vmx` stands in the flavor's hw:cpu_features or in the image's hw_cpu_features; either is enough. Blanks and case do not
 * count.
 */
export function asksForNested({ instance, image }: Pick<EarlyPlanInput, 'instance' | 'image'>): boolean {
  const lists = [instance.flavor.extraSpecs['hw:cpu_features'], image.properties['hw_cpu_features']];
  return lists
    .flatMap((list) => (list ?? '').split(','))
    .some((feature) => feature.trim().toLowerCase() === 'vmx');
}

/** Refuses nested virtualization where the host has none. */
export function planNested(input: Pick<EarlyPlanInput, 'instance' | 'image' | 'host'>): boolean {
  if (!asksForNested(input)) return false;
  const { host } = input;
  if (compareVersions(host.windowsVersion, FIRST_WITH_NESTED) < 0) {
    throw new DriverError(
      'InstanceUnacceptable',
      `Nested virtualization (vmx in hw:cpu_features or hw_cpu_features) needs Windows Server 2016 (10.0) or later, and host ${host.name} runs ` +
        `Windows ${versionText(host)}. Set hypervisor_version_requires='>=10.0' on the image, so that the scheduler chooses such a host.`,
      { scope: 'host' },
    );
  }
  if (host.clustered) {
    throw new DriverError(
      'InstanceUnacceptable',
      `Nested virtualization (vmx in hw:cpu_features or hw_cpu_features) does not work on clustered hosts, and host ${host.name} is a node of a ` +
        'failover cluster. Keep such instances on hosts of their own: an aggregate with an availability zone of hosts outside of the cluster.',
      { scope: 'host' },
    );
  }
  return true;
}
