import { MIB } from '../bytes/integers.js';
import type { RandomAccessFile } from '../io/random-access-file.js';
import { corrupt } from '../io/random-access-file.js';
import type { TransferOptions } from '../transfer.js';
import { checkAborted, COMPACTED_SO_FAR } from '../transfer.js';
import { isZero } from '../io/zeros.js';
import { BITMAP_BLOCK_SIZE, chunkRatio, payloadBlockCount } from './block-geometry.js';
import type { BatEntry, BlockTable } from './block-table.js';
import { hasSpace, PAYLOAD } from './block-table.js';
import { EditBatch } from './edit-batch.js';
import type { FileSpace } from './file-space.js';
import type { MetadataWriter } from './metadata-writer.js';
import type { SectorBitmaps } from './sector-bitmap.js';
import { UsageMap } from './usage-map.js';
import type { VhdxContents } from './vhdx-file.js';
import { moveTable } from './move-table.js';

/** A pass can leave room only for the next, as blocks and bitmaps differ in size. */
const MAX_PASSES = 4;
/** Bytes copied before their new places are made known, in one log entry and after one sync. */
const MOVED_PER_COMMIT = 64 * MIB;

/** An open file for work on all of it. */
export interface VhdxParts {
  readonly file: RandomAccessFile;
  readonly writer: MetadataWriter;
  readonly table: BlockTable;
  readonly space: FileSpace;
  readonly contents: VhdxContents;
}

/** A disk on which nothing is being read or written. */
export interface Compaction extends VhdxParts {
  readonly bitmaps: SectorBitmaps;
  readonly options: TransferOptions;
}

/**
 * Makes the file of a dynamic or differencing disk as short as it can be: blocks of zeros and bitmaps without use are
 * given up, what lies at the end moves into holes, the rest is cut off. Whatever moves is copied to where nothing is,
 * then its new place goes through the log: at every moment the disk holds what it held.
 * @returns the contents as they are now.
 */
export async function compactFile(compaction: Compaction): Promise<VhdxContents> {
  const { writer, space } = compaction;
  let { contents } = compaction;
  // An empty log holds nothing that a replay could write to a place that means something else by then.
  await writer.restart();
  await giveUpBlocks(compaction);
  await writer.restart();
  for (let pass = 0; pass < MAX_PASSES; pass += 1) {
    const moved = await moveDown({ ...compaction, contents });
    await writer.restart();
    if (moved === undefined) break;
    contents = moved;
  }
  const usage = await readUsage({ ...compaction, contents });
  await space.reset(usage.end);
  // From now on the log tells the new length.
  await writer.flush();
  return contents;
}

/** Every payload block, then its chunk's bitmap once the chunk's blocks are through. */
async function forEachBlock(
  { table, space, contents, options }: Compaction,
  visit: {
    payload: (block: number, entry: BatEntry) => Promise<void>;
    bitmap: (chunk: number, offset: number) => Promise<void>;
  },
): Promise<void> {
  const { metadata } = contents;
  const blocks = payloadBlockCount(metadata);
  const ratio = chunkRatio(metadata);
  for (let block = 0; block < blocks; block += 1) {
    checkAborted(options.signal, COMPACTED_SO_FAR);
    const found = table.payload(block, space.size);
    await visit.payload(block, found instanceof Promise ? await found : found);
    const isLastOfChunk = block === blocks - 1 || (block + 1) % ratio === 0;
    if (!isLastOfChunk || !metadata.hasParent) continue;
    const chunk = Math.floor(block / ratio);
    const offset = await table.bitmapBlock(chunk, space.size);
    if (offset !== undefined) await visit.bitmap(chunk, offset);
  }
}

async function giveUpBlocks(compaction: Compaction): Promise<void> {
  const { writer, table, bitmaps, space, contents, options } = compaction;
  const { blockSize, logicalSectorSize, virtualSize } = contents.metadata;
  const batch = new EditBatch(writer);
  const sectors = blockSize / logicalSectorSize;
  let isBitmapNeeded = false;
  const giveUp = (block: number, state: number): Promise<void> =>
    batch.add([table.payloadEdit(block, { state, fileOffset: 0 })]);
  await forEachBlock(compaction, {
    payload: async (block, entry) => {
      const length = Math.min(blockSize, virtualSize - block * blockSize);
      if (entry.state === PAYLOAD.fullyPresent) {
        if (await isZeroInFile(compaction.file, entry.fileOffset, length)) await giveUp(block, PAYLOAD.zero);
      } else if (entry.state === PAYLOAD.partiallyPresent) {
        const runs = await bitmaps.runs(block, 0, sectors, space.size);
        if (runs.some((run) => run.present)) isBitmapNeeded = true;
        else await giveUp(block, PAYLOAD.notPresent);
      } else if (entry.fileOffset !== 0) await giveUp(block, entry.state); // Space that it had before.
      options.onProgress?.({ done: Math.floor((block * blockSize) / 2), total: virtualSize });
    },
    bitmap: async (chunk) => {
      if (!isBitmapNeeded) await batch.add([table.bitmapRemoval(chunk)]);
      isBitmapNeeded = false;
    },
  });
  await batch.commit();
}

async function isZeroInFile(file: RandomAccessFile, offset: number, length: number): Promise<boolean> {
  const piece = Buffer.allocUnsafe(Math.min(length, MIB));
  for (let done = 0; done < length; done += piece.length) {
    const part = piece.subarray(0, Math.min(piece.length, length - done));
    if ((await file.read(part, offset + done)) !== part.length)
      throw corrupt(file.path, offset + done, 'the file ends inside a block');
    if (!isZero(part)) return false;
  }
  return true;
}

/** @throws VhdError `VHD_CORRUPT` when two things lie in one place: nothing of such a file may be moved. */
async function readUsage(compaction: Compaction): Promise<UsageMap> {
  const { file, space, contents } = compaction;
  const { current, regions, metadata } = contents;
  const usage = new UsageMap(file.path, space.size);
  usage.mark(0, MIB);
  usage.mark(current.header.logOffset, current.header.logLength);
  for (const { offset, length } of regions.all) usage.mark(offset, length);
  await forEachBlock(compaction, {
    payload: async (_block, entry) => {
      if (hasSpace(entry)) usage.mark(entry.fileOffset, metadata.blockSize);
      await Promise.resolve();
    },
    bitmap: async (_chunk, offset) => {
      usage.mark(offset, BITMAP_BLOCK_SIZE);
      await Promise.resolve();
    },
  });
  return usage;
}

/** Moves what lies past the space that all needs into holes before. @returns undefined when nothing could be moved. */
async function moveDown(compaction: Compaction): Promise<VhdxContents | undefined> {
  const { table, contents, options } = compaction;
  const { blockSize, virtualSize } = contents.metadata;
  const usage = await readUsage(compaction);
  const target = usage.used;
  const mover = new Mover(compaction);
  const wayDown = (offset: number, length: number): number | undefined =>
    offset + length > target ? usage.take(length, offset) : undefined;
  await forEachBlock(compaction, {
    payload: async (block, entry) => {
      const place = hasSpace(entry) ? wayDown(entry.fileOffset, blockSize) : undefined;
      if (place === undefined) return;
      const edit = table.payloadEdit(block, { state: entry.state, fileOffset: place });
      await mover.move(entry.fileOffset, place, blockSize, [edit]);
      options.onProgress?.({ done: Math.floor((virtualSize + block * blockSize) / 2), total: virtualSize });
    },
    bitmap: async (chunk, offset) => {
      const place = wayDown(offset, BITMAP_BLOCK_SIZE);
      if (place === undefined) return;
      await mover.move(offset, place, BITMAP_BLOCK_SIZE, [table.bitmapEdit(chunk, place)]);
    },
  });
  await mover.finish();
  const { bat } = contents.regions;
  const place = wayDown(bat.offset, bat.length);
  if (place !== undefined) {
    await compaction.writer.restart();
    return moveTable(compaction, place);
  }
  return mover.hasMoved ? contents : undefined;
}

/** Copies blocks; their new places become known together. */
class Mover {
  readonly #file: RandomAccessFile;
  readonly #batch: EditBatch;
  readonly #piece = Buffer.allocUnsafe(MIB);
  #copied = 0;
  hasMoved = false;

  constructor({ file, writer }: Compaction) {
    this.#file = file;
    this.#batch = new EditBatch(writer, true);
  }

  async move(
    from: number,
    to: number,
    length: number,
    edits: Parameters<EditBatch['add']>[0],
  ): Promise<void> {
    for (let done = 0; done < length; done += this.#piece.length) {
      if ((await this.#file.read(this.#piece, from + done)) !== this.#piece.length)
        throw corrupt(this.#file.path, from + done, 'the file ends inside a block');
      await this.#file.write(this.#piece, to + done);
    }
    this.hasMoved = true;
    await this.#batch.add(edits);
    this.#copied += length;
    if (this.#copied >= MOVED_PER_COMMIT) await this.finish();
  }

  async finish(): Promise<void> {
    this.#copied = 0;
    await this.#batch.commit();
  }
}
