import type { Generation } from './vm-spec.js';
import type { PlanHostFacts } from './input.js';

/**
 * What one machine may have, by the host's Windows version: the newest row that the host reaches applies. Source: Microsoft's
 * "Plan for Hyper-V scalability in Windows Server" (limits per virtual machine).
 */
const LIMITS: readonly {
  readonly since: readonly [number, number, number];
  readonly processors: Readonly<Record<Generation, number>>;
  readonly memoryMb: Readonly<Record<Generation, number>>;
}[] = [
  { since: [6, 2, 0], processors: { 1: 64, 2: 64 }, memoryMb: { 1: 1_048_576, 2: 1_048_576 } },
  { since: [10, 0, 0], processors: { 1: 64, 2: 240 }, memoryMb: { 1: 1_048_576, 2: 12_582_912 } },
  { since: [10, 0, 26100], processors: { 1: 64, 2: 2048 }, memoryMb: { 1: 1_048_576, 2: 251_658_240 } },
];

/** Largest virtual disks. Source: Microsoft's "Plan for Hyper-V scalability in Windows Server" (virtual hard disk capacity). */
export const MAXIMUM_DISK_BYTES = { vhd: 2040 * 1024 ** 3, vhdx: 64 * 1024 ** 4 } as const;
/** Hyper-V's smallest machine. */
export const MINIMUM_MEMORY_MB = 32;
/** Synthetic network adapters of one machine. */
export const MAXIMUM_NICS = 8;
/** Msvm_VirtualSystemSettingData.ElementName. */
export const MAXIMUM_NAME_LENGTH = 100;

export function compareVersions(
  a: PlanHostFacts['windowsVersion'],
  b: readonly [number, number, number],
): number {
  return a.major - b[0] || a.minor - b[1] || a.build - b[2];
}

export function machineLimits(
  version: PlanHostFacts['windowsVersion'],
  generation: Generation,
): { readonly processors: number; readonly memoryMb: number } {
  const row = LIMITS.findLast((limit) => compareVersions(version, limit.since) >= 0) ?? LIMITS[0]!;
  return { processors: row.processors[generation], memoryMb: row.memoryMb[generation] };
}

/** Discrete Device Assignment came with Windows Server 2016. */
export const FIRST_WITH_PCI_DEVICES = [10, 0, 0] as const;

/** Hyper-V Server 2012, the oldest host with this WMI provider. */
export const OLDEST_HOST = [6, 2, 0] as const;
/** 2012 R2, the first with IOPSLimit of attached disks. */
export const FIRST_WITH_DISK_LIMITS = [6, 3, 0] as const;
/** 2016, the first whose guests may run virtual machines of their own. */
export const FIRST_WITH_NESTED = [10, 0, 0] as const;
/** 2012 R2, the first with generation 2. */
export const FIRST_WITH_GENERATION_2 = [6, 3, 0] as const;
/** 2016, the first that trusts others' boot loaders than Microsoft's own. */
export const FIRST_WITH_LINUX_SECURE_BOOT = [10, 0, 0] as const;
