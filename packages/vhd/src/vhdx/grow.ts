import { MIB } from '../bytes/integers.js';
import type { RandomAccessFile } from '../io/random-access-file.js';
import { corrupt } from '../io/random-access-file.js';
import { BAT_ENTRY_SIZE, batEntryCount, batRegionLength, payloadBlockCount } from './block-geometry.js';
import type { BlockTable } from './block-table.js';
import { PAYLOAD } from './block-table.js';
import { LOG_SECTOR } from './log-entry.js';
import { encodeVirtualSize } from './metadata.js';
import type { MetadataWriter, SectorEdit } from './metadata-writer.js';
import { bytesEdits } from './metadata-writer.js';
import type { Region } from './region-table.js';
import { BAT_REGION, encodeRegionTable, REGION_TABLE_OFFSETS } from './region-table.js';
import type { VhdxContents } from './vhdx-file.js';

/** Sectors changed by one log entry while many entries of the table change. */
const SECTORS_PER_COMMIT = 64;

export interface Growth {
  readonly file: RandomAccessFile;
  readonly writer: MetadataWriter;
  readonly table: BlockTable;
  readonly contents: VhdxContents;
  readonly virtualSize: number;
  readonly allocate: (length: number) => Promise<number>;
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
  const bat = isMoved ? await moveTable(growth) : contents.regions.bat;
  const all = contents.regions.all.map((region) => (region.guid === BAT_REGION ? bat : region));
  const oldOffset = table.regionOffset;
  table.regionOffset = bat.offset;
  try {
    await clearNewEntries(growth, bat);
    if (contents.metadata.leaveBlocksAllocated && !contents.metadata.hasParent) await allocateBlocks(growth);
    const edits = bytesEdits(contents.places.virtualSizeOffset, encodeVirtualSize(virtualSize));
    if (isMoved) {
      for (const offset of REGION_TABLE_OFFSETS) edits.push(...bytesEdits(offset, encodeRegionTable(all)));
    }
    await writer.commit(edits);
  } catch (error) {
    table.regionOffset = oldOffset;
    throw error;
  }
  return { ...contents, metadata: grown, regions: { ...contents.regions, all, bat } };
}

/** Copies the table to the end of the file, where nothing refers to it yet. */
async function moveTable({ file, writer, contents, virtualSize, allocate }: Growth): Promise<Region> {
  const old = contents.regions.bat;
  const length = batRegionLength({ ...contents.metadata, virtualSize });
  const offset = await allocate(length);
  await writer.flush();
  const piece = Buffer.alloc(MIB);
  for (let done = 0; done < old.length; done += piece.length) {
    const got = await file.read(piece, old.offset + done);
    if (got !== piece.length) throw corrupt(file.path, old.offset + done, 'the file ends inside the table');
    await file.write(piece, offset + done);
  }
  await file.sync();
  return { ...old, offset, length };
}

/** Entries past the old end of the table should be zero and are made so where another program left something. */
async function clearNewEntries({ writer, contents, virtualSize }: Growth, bat: Region): Promise<void> {
  const from = bat.offset + batEntryCount(contents.metadata) * BAT_ENTRY_SIZE;
  const to = bat.offset + batEntryCount({ ...contents.metadata, virtualSize }) * BAT_ENTRY_SIZE;
  let edits: SectorEdit[] = [];
  for (let sectorOffset = from - (from % LOG_SECTOR); sectorOffset < to; sectorOffset += LOG_SECTOR) {
    const first = Math.max(from - sectorOffset, 0);
    const last = Math.min(to - sectorOffset, LOG_SECTOR);
    const sector = await writer.load(sectorOffset);
    if (sector.subarray(first, last).every((byte) => byte === 0)) continue;
    edits.push({ sectorOffset, apply: (bytes) => bytes.fill(0, first, last) });
    if (edits.length === SECTORS_PER_COMMIT) {
      await writer.commit(edits);
      edits = [];
    }
  }
  if (edits.length > 0) await writer.commit(edits);
}

/** A fixed disk has all its blocks; those past the size of before count only once the size is there. */
async function allocateBlocks({ writer, table, contents, virtualSize, allocate }: Growth): Promise<void> {
  const { blockSize } = contents.metadata;
  const first = payloadBlockCount(contents.metadata);
  const end = payloadBlockCount({ blockSize, virtualSize });
  if (first === end) return;
  const base = await allocate((end - first) * blockSize);
  let edits: SectorEdit[] = [];
  let sectors = new Set<number>();
  for (let block = first; block < end; block += 1) {
    const fileOffset = base + (block - first) * blockSize;
    const edit = table.payloadEdit(block, { state: PAYLOAD.fullyPresent, fileOffset });
    if (sectors.size === SECTORS_PER_COMMIT && !sectors.has(edit.sectorOffset)) {
      await writer.commit(edits);
      edits = [];
      sectors = new Set();
    }
    edits.push(edit);
    sectors.add(edit.sectorOffset);
  }
  await writer.commit(edits);
}
