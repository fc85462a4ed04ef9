import { DriverError } from '../errors.js';
import type { EarlyPlanInput } from './input.js';
import { machineLimits, MINIMUM_MEMORY_MB } from './limits.js';
import { hasPciDevices } from './pci.js';
import { versionText } from './generation.js';
import { planNested } from './nested.js';
import { planNuma } from './numa.js';
import { planProcessorLimits } from './processor-limits.js';
import type { Generation, MemorySpec, ProcessorSpec } from './vm-spec.js';

/** Limits of the generation and of the host's release, and the host's own processor count. */
export function planProcessors(input: EarlyPlanInput, generation: Generation): ProcessorSpec {
  refuseMachinesProcessors(input, generation);
  refuseHostsProcessors(input);
  return {
    count: input.instance.flavor.vcpus,
    limitFeatures: input.config.limitCpuFeatures,
    nestedVirtualization: planNested(input),
    numa: planNuma(input),
    ...planProcessorLimits(input),
  };
}

/** What a machine of the generation may have on the host's release. */
export function refuseMachinesProcessors({ instance, host }: EarlyPlanInput, generation: Generation): void {
  const { flavor } = instance;
  const limit = machineLimits(host.windowsVersion, generation).processors;
  if (flavor.vcpus >= 1 && flavor.vcpus <= limit) return;
  throw new DriverError(
    'InstanceUnacceptable',
    `Flavor ${flavor.name} has ${flavor.vcpus} vCPUs; a generation ${generation} machine on Windows ${versionText(host)} has 1 to ${limit}.`,
    { scope: 'host' },
  );
}

export function refuseHostsProcessors({ instance, host }: EarlyPlanInput): void {
  const { flavor } = instance;
  if (flavor.vcpus <= host.logicalProcessors) return;
  throw new DriverError(
    'InstanceUnacceptable',
    `Flavor ${flavor.name} has ${flavor.vcpus} vCPUs; host ${host.name} has ${host.logicalProcessors} logical processors, and Hyper-V starts no machine with more.`,
    { scope: 'host' },
  );
}

/** Why a machine's memory is static whatever dynamic_memory_ratio says; undefined when nothing is in the way. */
export function staticMemoryReason(
  processors: Pick<ProcessorSpec, 'numa' | 'nestedVirtualization'>,
): string | undefined {
  if (processors.numa !== null) return 'virtual NUMA nodes';
  return processors.nestedVirtualization ? 'nested virtualization' : undefined;
}

/**
 * With a ratio above 1 the machine starts with memory divided by it, rounded down to an even number of MB, and may
 * grow to the flavor's; unless its processors ask for what excludes dynamic memory.
 */
export function planMemory(
  input: EarlyPlanInput,
  generation: Generation,
  processors: Pick<ProcessorSpec, 'numa' | 'nestedVirtualization'>,
): MemorySpec {
  const { flavor } = input.instance;
  const { host, config } = input;
  const limit = machineLimits(host.windowsVersion, generation).memoryMb;
  if (flavor.memoryMb < MINIMUM_MEMORY_MB || flavor.memoryMb > limit) {
    throw new DriverError(
      'InstanceUnacceptable',
      `Flavor ${flavor.name} has ${flavor.memoryMb} MB of memory; a generation ${generation} machine on Windows ${versionText(host)} has ${MINIMUM_MEMORY_MB} to ${limit} MB.`,
      { scope: 'host' },
    );
  }
  if (flavor.memoryMb % 2 !== 0) {
    throw new DriverError(
      'InstanceUnacceptable',
      `Flavor ${flavor.name} has ${flavor.memoryMb} MB of memory; Hyper-V gives memory in steps of 2 MB.`,
    );
  }
  const maximumMb = flavor.memoryMb;
  const needsAll = staticMemoryReason(processors) !== undefined || hasPciDevices(input);
  if (config.dynamicMemoryRatio <= 1 || needsAll) {
    return { dynamic: false, startupMb: maximumMb, minimumMb: maximumMb, maximumMb };
  }
  const even = 2 * Math.floor(maximumMb / config.dynamicMemoryRatio / 2);
  const startupMb = Math.min(Math.max(even, MINIMUM_MEMORY_MB), maximumMb);
  return { dynamic: true, startupMb, minimumMb: startupMb, maximumMb };
}
