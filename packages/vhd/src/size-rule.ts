import { MIB, roundDown } from './bytes/integers.js';
import type { DiskFormat, DiskType } from './disk.js';
import { VhdError } from './errors.js';
import { NEW_VHDX_LAYOUT } from './vhdx/create.js';
import { BAT_ENTRY_SIZE, chunkRatio } from './vhdx/block-geometry.js';

/** Footer copy, dynamic header and footer of a VHD, as the rule counts them. */
const VHD_FOOTER_SIZE = 512;
const VHD_DYNAMIC_OVERHEAD = 512 + 1024 + 512;
const VHD_TABLE_ENTRY_SIZE = 4;
const VHDX_HEADER_SECTION_SIZE = MIB;

/** What the rule needs of a disk; `DiskInfo` has it all. */
export interface SizeRuleDisk {
  readonly format: DiskFormat;
  readonly type: DiskType;
  readonly blockSize: number;
  readonly logicalSectorSize: number;
  /** VHDX; what `createVhdx` makes when left out. */
  readonly logLength?: number;
  readonly metadataLength?: number;
}

/**
 * The largest virtual size by which the file of a disk stays within `fileSize` bytes: the rule by which OpenStack's
 * driver for Hyper-V turns a flavor's disk size into the size inside the image (os-win, `vhdutils`). Not negative.
 * @param base for a differencing disk: the disk at the bottom of its chain, whose formula counts.
 * @throws VhdError `VHD_INVALID_ARGUMENT` for a differencing disk without `base`.
 */
export function maxInternalSize(disk: SizeRuleDisk, fileSize: number, base?: SizeRuleDisk): number {
  if (disk.type === 'differencing') {
    if (base === undefined || base.type === 'differencing') {
      throw new VhdError(
        'VHD_INVALID_ARGUMENT',
        'The size rule of a differencing disk is that of the base of its chain.',
      );
    }
    return maxInternalSize(base, fileSize);
  }
  if (disk.format === 'vhdx') return vhdxSize(disk, fileSize);
  if (disk.type === 'fixed') return Math.max(0, fileSize - VHD_FOOTER_SIZE);
  const room = BigInt(Math.max(0, fileSize - VHD_DYNAMIC_OVERHEAD));
  return Number((room * BigInt(disk.blockSize)) / BigInt(disk.blockSize + VHD_TABLE_ENTRY_SIZE));
}

/** A block takes itself and its table entry, and every chunk of blocks one entry more. */
function vhdxSize(disk: SizeRuleDisk, fileSize: number): number {
  const ratio = chunkRatio(disk);
  const overhead =
    VHDX_HEADER_SECTION_SIZE +
    (disk.logLength ?? NEW_VHDX_LAYOUT.logLength) +
    (disk.metadataLength ?? NEW_VHDX_LAYOUT.metadataLength) +
    BAT_ENTRY_SIZE +
    Math.floor(BAT_ENTRY_SIZE / ratio);
  const chunk = disk.blockSize * ratio;
  const chunkInFile = chunk + BAT_ENTRY_SIZE * ratio + BAT_ENTRY_SIZE;
  const room = BigInt(Math.max(0, fileSize - overhead));
  return roundDown(Number((room * BigInt(chunk)) / BigInt(chunkInFile)), disk.blockSize);
}
