import type { RandomAccessFile } from '../io/random-access-file.js';
import {
  BAT_ENTRY_SIZE,
  batEntryCount,
  batRegionLength,
  bitmapIndex,
  chunkRatio,
  payloadBlockCount,
  payloadIndex,
} from './block-geometry.js';
import type { BlockTable } from './block-table.js';
import { PAYLOAD } from './block-table.js';
import { EditBatch } from './edit-batch.js';
import type { FileSpace } from './file-space.js';
import { LOG_SECTOR } from './log-entry.js';
import { encodeVirtualSize } from './metadata.js';
import type { MetadataWriter } from './metadata-writer.js';
import { bytesEdits } from './metadata-writer.js';
import { copyTable, withTableAt } from './move-table.js';
import type { Region } from './region-table.js';
import type { VhdxContents } from './vhdx-file.js';

export interface Growth {
  readonly file: RandomAccessFile;
  readonly writer: MetadataWriter;
  readonly table: BlockTable;
  readonly contents: VhdxContents;
  readonly virtualSize: number;
  readonly space: FileSpace;
  /** Of a differencing disk's parent: what is added to the child must not show its bytes. */
  readonly parentSize: number;
}

/**
 * Grows a disk on which nothing is being written. The last log entry carries the new size and, when the table had to
 * move to have room, the table's new place: before it the disk has its old size, after it the new one.
 * @returns the contents as they are now.
 */
export async function planGrowth(growth: Growth): Promise<VhdxContents> {
  const { contents, virtualSize, table, writer } = growth;
  const grown = { ...contents.metadata, virtualSize };
  const isMoved = batEntryCount(grown) * BAT_ENTRY_SIZE > contents.regions.bat.length;
  const bat = isMoved ? await copyToEnd(growth) : contents.regions.bat;
  const oldOffset = table.regionOffset;
  table.regionOffset = bat.offset;
  try {
    await clearNewEntries(growth, bat);
    await hideParent(growth);
    if (contents.metadata.leaveBlocksAllocated && !contents.metadata.hasParent) await allocateBlocks(growth);
    const edits = bytesEdits(contents.places.virtualSizeOffset, encodeVirtualSize(virtualSize));
    const moved = withTableAt({ ...contents, metadata: grown }, bat);
    // The end of the last block was zeroed where it held something: that must be stable before it counts.
    await writer.commit(isMoved ? [...edits, ...moved.edits] : edits, true);
    return moved.contents;
  } catch (error) {
    table.regionOffset = oldOffset;
    throw error;
  }
}

/** Copies the table to the end of the file, where nothing refers to it yet. */
async function copyToEnd({ file, writer, contents, virtualSize, space }: Growth): Promise<Region> {
  const old = contents.regions.bat;
  const length = batRegionLength({ ...contents.metadata, virtualSize });
  const offset = await space.append(length);
  await writer.flush();
  await copyTable(file, old, offset);
  return { ...old, offset, length };
}

/** Entries past the old end should be zero and are made so where a shrinking or another program left something. */
async function clearNewEntries(growth: Growth, bat: Region): Promise<void> {
  const { writer, contents, virtualSize } = growth;
  const { metadata } = contents;
  const blocks = payloadBlockCount(metadata);
  const ratio = chunkRatio(metadata);
  // The last chunk's bitmap stays: it is that of blocks which are there already.
  const kept = metadata.hasParent ? bitmapIndex(Math.floor((blocks - 1) / ratio), ratio) : -1;
  const from = bat.offset + payloadIndex(blocks, ratio) * BAT_ENTRY_SIZE;
  const to = bat.offset + batEntryCount({ ...metadata, virtualSize }) * BAT_ENTRY_SIZE;
  const keptAt = bat.offset + kept * BAT_ENTRY_SIZE;
  const batch = new EditBatch(writer);
  const clear = (sector: Buffer, sectorOffset: number): void => {
    for (let at = Math.max(from - sectorOffset, 0); at < Math.min(to - sectorOffset, LOG_SECTOR);) {
      if (sectorOffset + at !== keptAt) sector.fill(0, at, at + BAT_ENTRY_SIZE);
      at += BAT_ENTRY_SIZE;
    }
  };
  for (let sectorOffset = from - (from % LOG_SECTOR); sectorOffset < to; sectorOffset += LOG_SECTOR) {
    const sector = await writer.load(sectorOffset);
    const cleared = Buffer.from(sector);
    clear(cleared, sectorOffset);
    if (!cleared.equals(sector))
      await batch.add([{ sectorOffset, apply: (bytes) => clear(bytes, sectorOffset) }]);
  }
  await batch.commit();
}

/** Where the parent of a child that was smaller reaches into what is added, zeros are put before it. */
async function hideParent({ writer, table, contents, virtualSize, parentSize }: Growth): Promise<void> {
  const { blockSize } = contents.metadata;
  const end = payloadBlockCount({ blockSize, virtualSize: Math.min(virtualSize, parentSize) });
  const batch = new EditBatch(writer);
  for (let block = payloadBlockCount(contents.metadata); block < end; block += 1) {
    await batch.add([table.payloadEdit(block, { state: PAYLOAD.zero, fileOffset: 0 })]);
  }
  await batch.commit();
}

/** A fixed disk has all its blocks; those past the size of before count only once the size is there. */
async function allocateBlocks({ writer, table, contents, virtualSize, space }: Growth): Promise<void> {
  const { blockSize } = contents.metadata;
  const first = payloadBlockCount(contents.metadata);
  const end = payloadBlockCount({ blockSize, virtualSize });
  if (first === end) return;
  const base = await space.append((end - first) * blockSize);
  const batch = new EditBatch(writer);
  for (let block = first; block < end; block += 1) {
    const fileOffset = base + (block - first) * blockSize;
    await batch.add([table.payloadEdit(block, { state: PAYLOAD.fullyPresent, fileOffset })]);
  }
  await batch.commit();
}
