import { MIB, roundUp } from '../bytes/integers.js';

/** MS-VHDX 2.5: how the block allocation table of a disk is laid out. Sizes in bytes. */
export interface BlockGeometry {
  readonly blockSize: number;
  readonly logicalSectorSize: number;
  readonly virtualSize: number;
  readonly hasParent: boolean;
}

export const BAT_ENTRY_SIZE = 8;
/** Sector bitmap blocks are always of this size, and cover 2^23 sectors. */
export const BITMAP_BLOCK_SIZE = MIB;
const SECTORS_PER_BITMAP_BLOCK = 2 ** 23;

/** Payload blocks that one sector bitmap block covers. */
export function chunkRatio(geometry: Pick<BlockGeometry, 'blockSize' | 'logicalSectorSize'>): number {
  return (SECTORS_PER_BITMAP_BLOCK * geometry.logicalSectorSize) / geometry.blockSize;
}

export function payloadBlockCount(geometry: Pick<BlockGeometry, 'blockSize' | 'virtualSize'>): number {
  return Math.ceil(geometry.virtualSize / geometry.blockSize);
}

/** Index in the table of a payload block's entry: after every chunk comes its bitmap block's entry. */
export function payloadIndex(block: number, ratio: number): number {
  return block + Math.floor(block / ratio);
}

/** Index in the table of a chunk's sector bitmap block. */
export function bitmapIndex(chunk: number, ratio: number): number {
  return chunk * (ratio + 1) + ratio;
}

/** Entries that the table must have. */
export function batEntryCount(geometry: BlockGeometry): number {
  const blocks = payloadBlockCount(geometry);
  const ratio = chunkRatio(geometry);
  if (geometry.hasParent) return Math.ceil(blocks / ratio) * (ratio + 1);
  return payloadIndex(blocks - 1, ratio) + 1;
}

/** Length of a region that holds the table: whole mebibytes. */
export function batRegionLength(geometry: BlockGeometry): number {
  return roundUp(batEntryCount(geometry) * BAT_ENTRY_SIZE, MIB);
}
