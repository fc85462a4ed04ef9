import { GIB, isPowerOfTwo, KIB, MIB, TIB } from './bytes/integers.js';
import type { DiskFormat, DiskType } from './disk.js';
import { VhdError } from './errors.js';

/** What each format allows, sizes in bytes. Microsoft documents the limits with New-VHD and for VHDX in MS-VHDX 2.6.2. */
export const DISK_LIMITS = {
  vhd: {
    maxVirtualSize: 2040 * GIB,
    minVirtualSize: 512,
    defaultBlockSize: 2 * MIB,
    defaultDifferencingBlockSize: 2 * MIB,
    sectorSizes: [512],
  },
  vhdx: {
    maxVirtualSize: 64 * TIB,
    minVirtualSize: 512,
    defaultBlockSize: 32 * MIB,
    defaultDifferencingBlockSize: 2 * MIB,
    sectorSizes: [512, 4096],
  },
} as const;

/** What a new disk is to be. 0 and undefined mean the default. Sizes in bytes. */
export interface CreateWishes {
  readonly format: DiskFormat;
  readonly type: DiskType;
  /** Not needed for differencing disks, which take the parent's. */
  readonly virtualSize?: number;
  readonly blockSize?: number;
  readonly logicalSectorSize?: number;
  readonly physicalSectorSize?: number;
}

/** The wishes with the defaults filled in and the size rounded up to whole sectors. */
export interface CreatePlan {
  readonly format: DiskFormat;
  readonly type: DiskType;
  readonly virtualSize: number;
  /** 0 for a fixed VHD. */
  readonly blockSize: number;
  readonly logicalSectorSize: number;
  readonly physicalSectorSize: number;
}

function refuse(why: string): VhdError {
  return new VhdError('VHD_INVALID_ARGUMENT', why);
}

/**
 * Checks what a new disk is to be against the limits of its format, and completes it. Touches nothing.
 * @throws VhdError `VHD_INVALID_ARGUMENT` saying what would be possible.
 */
export function validateCreate(wishes: CreateWishes): CreatePlan {
  const { format, type } = wishes;
  const limits = DISK_LIMITS[format];
  const logicalSectorSize = wishes.logicalSectorSize || 512;
  const physicalSectorSize = wishes.physicalSectorSize || (format === 'vhd' ? 512 : 4096);
  const allowed: readonly number[] = limits.sectorSizes;
  if (!allowed.includes(logicalSectorSize) || !allowed.includes(physicalSectorSize)) {
    throw refuse(
      `Sector sizes ${logicalSectorSize}/${physicalSectorSize}: ${format.toUpperCase()} takes ${allowed.join(' or ')}.`,
    );
  }
  const blockSize = checkBlockSize(wishes);
  const virtualSize = Math.ceil((wishes.virtualSize ?? 0) / logicalSectorSize) * logicalSectorSize;
  if (type === 'differencing' && !wishes.virtualSize) {
    return { format, type, virtualSize: 0, blockSize, logicalSectorSize, physicalSectorSize };
  }
  checkVirtualSize(format, virtualSize);
  return { format, type, virtualSize, blockSize, logicalSectorSize, physicalSectorSize };
}

/** @throws VhdError `VHD_INVALID_ARGUMENT` when a disk of this format cannot have the size. */
export function checkVirtualSize(format: DiskFormat, virtualSize: number): void {
  const { minVirtualSize, maxVirtualSize } = DISK_LIMITS[format];
  if (!Number.isSafeInteger(virtualSize) || virtualSize < minVirtualSize || virtualSize > maxVirtualSize) {
    throw refuse(
      `A ${format.toUpperCase()} of ${virtualSize} bytes is not possible: from ${minVirtualSize} to ${maxVirtualSize} are.`,
    );
  }
}

function checkBlockSize({ format, type, blockSize: wanted }: CreateWishes): number {
  const limits = DISK_LIMITS[format];
  if (format === 'vhd') {
    if (type === 'fixed') return 0;
    const blockSize = wanted || limits.defaultBlockSize;
    if (blockSize !== 512 * KIB && blockSize !== 2 * MIB) {
      throw refuse(`A VHD with blocks of ${blockSize} bytes is not possible: 524288 and 2097152 are.`);
    }
    return blockSize;
  }
  const blockSize =
    wanted || (type === 'differencing' ? limits.defaultDifferencingBlockSize : limits.defaultBlockSize);
  if (!isPowerOfTwo(blockSize) || blockSize < MIB || blockSize > 256 * MIB) {
    throw refuse(
      `A VHDX with blocks of ${blockSize} bytes is not possible: powers of two from 1 to 256 MiB are.`,
    );
  }
  return blockSize;
}
