import { MIB, roundUp } from '../bytes/integers.js';
import type { RandomAccessFile } from '../io/random-access-file.js';
import { corrupt } from '../io/random-access-file.js';
import type { TransferOptions } from '../transfer.js';
import { checkAborted, COMPACTED_SO_FAR } from '../transfer.js';
import { isZero } from '../io/zeros.js';
import type { BlockBitmaps } from './block-bitmaps.js';
import type { DynamicHeader } from './dynamic-header.js';
import { DYNAMIC_HEADER_SIZE } from './dynamic-header.js';
import type { VhdFooter } from './footer.js';
import { encodeFooter, FOOTER_SIZE } from './footer.js';
import type { SparseTable } from './sparse-table.js';

const SECTOR = 512;
/** Bytes copied before a sync and the table's entries that point to the copies. */
const MOVED_PER_SYNC = 64 * MIB;

/** A disk on which nothing is being read or written. */
export interface VhdCompaction {
  readonly file: RandomAccessFile;
  readonly footer: VhdFooter;
  readonly header: DynamicHeader;
  readonly table: SparseTable;
  readonly bitmaps: BlockBitmaps;
  readonly bitmapSize: number;
  /** Where the footer stands. */
  readonly end: number;
  readonly options: TransferOptions;
}

interface Extent {
  readonly offset: number;
  readonly end: number;
}

/**
 * Makes the file of a dynamic or differencing VHD as short as it can be: blocks that hold nothing but zeros (or, over a
 * parent, nothing at all) are given up, blocks at the end move into holes, the rest is cut off. The format has no log:
 * a block is copied to where nothing is and is stable there before the table's entry, four bytes, points to it; the
 * new footer is written into unused space before the file is cut behind it.
 * @returns where the footer stands now.
 */
export async function compactSparse(compaction: VhdCompaction): Promise<number> {
  const { file, footer } = compaction;
  await giveUpBlocks(compaction);
  await file.sync();
  const layout = readLayout(compaction);
  await moveDown(compaction, layout);
  const end = roundUp(Math.max(...endsOf(compaction)), SECTOR);
  if (end >= compaction.end) return compaction.end;
  await file.write(encodeFooter(footer), end);
  await file.sync();
  await file.truncate(end + FOOTER_SIZE);
  await file.sync();
  return end;
}

async function giveUpBlocks(compaction: VhdCompaction): Promise<void> {
  const { table, bitmaps, bitmapSize, header, footer, file, options } = compaction;
  const sectors = header.blockSize / SECTOR;
  const piece = Buffer.allocUnsafe(Math.min(header.blockSize, MIB));
  const holdsZeros = async (offset: number, length: number): Promise<boolean> => {
    for (let done = 0; done < length; done += piece.length) {
      const part = piece.subarray(0, Math.min(piece.length, length - done));
      if ((await file.read(part, offset + done)) !== part.length)
        throw corrupt(file.path, offset + done, 'the file ends inside a block');
      if (!isZero(part)) return false;
    }
    return true;
  };
  for (let block = 0; block < table.blocks; block += 1) {
    checkAborted(options.signal, COMPACTED_SO_FAR);
    const place = table.place(block, compaction.end);
    if (place === undefined) continue;
    const length = Math.min(sectors, (footer.currentSize - block * header.blockSize) / SECTOR);
    let isNeeded = false;
    for (const run of await bitmaps.runs(block, place, 0, length)) {
      if (isNeeded || !run.present) continue;
      const start = place + bitmapSize + run.first * SECTOR;
      isNeeded = footer.type === 'differencing' || !(await holdsZeros(start, run.count * SECTOR));
    }
    if (!isNeeded) {
      await table.clear(block);
      bitmaps.forget(block);
    }
    options.onProgress?.({ done: Math.floor((block * header.blockSize) / 2), total: footer.currentSize });
  }
}

function sectorsOf(offset: number, length: number): Extent {
  return { offset, end: roundUp(offset + length, SECTOR) };
}

/** What is not a block: header, table, parent's paths. */
function structures({ header, footer }: VhdCompaction): readonly Extent[] {
  const headerOffset = footer.dataOffset ?? FOOTER_SIZE;
  return [
    sectorsOf(0, FOOTER_SIZE),
    sectorsOf(headerOffset, DYNAMIC_HEADER_SIZE),
    sectorsOf(header.tableOffset, header.tableEntries * 4),
    // Virtual PC counted the space in sectors; the length is in bytes always.
    ...header.parent.locators.map(({ offset, space, length }) => sectorsOf(offset, Math.max(space, length))),
  ];
}

/** The blocks that are there, by their place. */
interface Layout {
  readonly blocks: Uint32Array;
  /** Their places, in sectors. */
  readonly sectors: Uint32Array;
}

/** @throws VhdError `VHD_CORRUPT` when two things lie in one place: nothing of such a file may be moved. */
function readLayout(compaction: VhdCompaction): Layout {
  const { table, file } = compaction;
  const placeOf = (block: number): number => table.place(block, compaction.end) ?? 0;
  const present: number[] = [];
  for (let block = 0; block < table.blocks; block += 1) {
    if (table.place(block, compaction.end) !== undefined) present.push(block);
  }
  const blocks = Uint32Array.from(present).toSorted((a, b) => placeOf(a) - placeOf(b));
  const layout = { blocks, sectors: blocks.map((block) => placeOf(block) / SECTOR) };
  let end = 0;
  for (const extent of usedExtents(compaction, layout)) {
    if (extent.offset < end)
      throw corrupt(file.path, extent.offset, 'two structures or blocks lie in one place');
    end = extent.end;
  }
  return layout;
}

/** Everything in the file, from its start. */
function* usedExtents(compaction: VhdCompaction, { sectors }: Layout): Generator<Extent> {
  const size = compaction.bitmapSize + compaction.header.blockSize;
  const others = structures(compaction).toSorted((a, b) => a.offset - b.offset);
  for (const sector of sectors) {
    const offset = sector * SECTOR;
    for (let other = others[0]; other !== undefined && other.offset < offset; other = others[0]) {
      others.shift();
      yield other;
    }
    yield { offset, end: offset + size };
  }
  yield* others;
}

function* holes(compaction: VhdCompaction, layout: Layout): Generator<Extent> {
  let end = 0;
  for (const extent of usedExtents(compaction, layout)) {
    if (extent.offset > end) yield { offset: end, end: extent.offset };
    end = extent.end;
  }
}

function endsOf(compaction: VhdCompaction): readonly number[] {
  const { table, bitmapSize, header } = compaction;
  const last = table.lastPlace();
  return [
    ...structures(compaction).map((extent) => extent.end),
    ...(last === undefined ? [] : [last + bitmapSize + header.blockSize]),
  ];
}

/** The places in the holes that a block fits into, from the lowest. Data at a multiple of 4 KiB where it can be. */
function* freePlaces(compaction: VhdCompaction, layout: Layout): Generator<number> {
  const { bitmapSize } = compaction;
  const size = bitmapSize + compaction.header.blockSize;
  for (const hole of holes(compaction, layout)) {
    for (let offset = hole.offset; ;) {
      const aligned = roundUp(offset + bitmapSize, 4096) - bitmapSize;
      const place = aligned + size <= hole.end ? aligned : roundUp(offset, SECTOR);
      if (place + size > hole.end) break;
      yield place;
      offset = place + size;
    }
  }
}

async function moveDown(compaction: VhdCompaction, layout: Layout): Promise<void> {
  const { file, table, bitmaps, bitmapSize, header, footer, options } = compaction;
  const size = bitmapSize + header.blockSize;
  const places = freePlaces(compaction, layout);
  const piece = Buffer.allocUnsafe(Math.min(size, MIB));
  let moved: { readonly block: number; readonly place: number }[] = [];
  const publish = async (): Promise<void> => {
    await file.sync();
    for (const { block, place } of moved) await table.set(block, place);
    moved = [];
  };
  for (const [index, block] of layout.blocks.toReversed().entries()) {
    checkAborted(options.signal, COMPACTED_SO_FAR);
    const from = table.place(block, compaction.end);
    const to = places.next();
    if (from === undefined || to.done === true || to.value >= from) break;
    for (let done = 0; done < size; done += piece.length) {
      const part = piece.subarray(0, Math.min(piece.length, size - done));
      if ((await file.read(part, from + done)) !== part.length)
        throw corrupt(file.path, from + done, 'the file ends inside a block');
      await file.write(part, to.value + done);
    }
    bitmaps.forget(block);
    moved.push({ block, place: to.value });
    if (moved.length * size >= MOVED_PER_SYNC) await publish();
    const done = Math.floor((footer.currentSize * (1 + index / layout.blocks.length)) / 2);
    options.onProgress?.({ done, total: footer.currentSize });
  }
  await publish();
  await file.sync();
}
