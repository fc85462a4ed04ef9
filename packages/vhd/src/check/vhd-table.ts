import type { RandomAccessFile } from '../io/random-access-file.js';
import { readExact } from '../io/random-access-file.js';
import type { TransferOptions } from '../transfer.js';
import { checkAborted } from '../transfer.js';
import { roundUp } from '../bytes/integers.js';
import type { DynamicHeader } from '../vhd/dynamic-header.js';
import { DYNAMIC_HEADER_SIZE } from '../vhd/dynamic-header.js';
import { FOOTER_SIZE } from '../vhd/footer.js';
import { blockBitmapSize } from '../vhd/sparse-disk.js';
import { UNUSED_BLOCK } from '../vhd/sparse-table.js';
import type { VhdContents } from '../vhd/vhd-file.js';
import type { Findings } from './report.js';
import { MAX_FINDINGS } from './report.js';

const SECTOR = 512;
/** Room up to here between two blocks is there for alignment, not lost. */
const ALIGNMENT = 4096;
/** Entries between two looks at the signal. */
const STRIDE = 2 ** 20;

type SparseContents = VhdContents & { readonly header: DynamicHeader };

export interface VhdBlocks {
  readonly allocatedBlocks: number;
  readonly leakedBytes: number;
  /** Where the last thing that is owned ends. */
  readonly end: number;
}

/** A range of the file that something owns. Bytes. */
interface Owned {
  readonly offset: number;
  readonly end: number;
  /** undefined = a block. */
  readonly name: string | undefined;
}

/** Two that lie in one place; the later begins inside the earlier. */
interface Collision {
  readonly earlier: Owned;
  readonly later: Owned;
}

/**
 * Checks a VHD's table of blocks. The places of the blocks are sorted: 8 bytes of memory a block, 8 MiB for 2 TiB in
 * blocks of 2 MiB, and 256 MiB at the very most.
 */
export async function checkVhdTable(
  file: RandomAccessFile,
  contents: SparseContents,
  findings: Findings,
  options: TransferOptions,
): Promise<VhdBlocks> {
  const { header, footer, footerOffset } = contents;
  const blocks = Math.ceil(footer.currentSize / header.blockSize);
  const table = await readExact(file, header.tableOffset, blocks * 4, 'the block allocation table');
  const length = blockBitmapSize(header.blockSize) + header.blockSize;
  const places = placesInside(
    table,
    { header, length, fileEnd: roundUp(footerOffset, SECTOR) },
    findings,
    options,
  );
  const { leakedBytes, end, collisions } = findCollisions(
    merged(structuresOf(contents), places, length),
    footerOffset,
    findings,
  );
  tellCollisions(table, header.tableOffset, collisions, findings);
  options.onProgress?.({ done: table.length, total: table.length });
  return { allocatedBlocks: places.length, leakedBytes, end };
}

/** The places of the blocks that lie inside the file, in sectors, rising. The others are told. */
function placesInside(
  table: Buffer,
  limits: { readonly header: DynamicHeader; readonly length: number; readonly fileEnd: number },
  findings: Findings,
  options: TransferOptions,
): Uint32Array {
  const places = new Uint32Array(table.length / 4);
  let count = 0;
  for (let block = 0; block < places.length; block += 1) {
    if (block % STRIDE === 0) {
      checkAborted(options.signal);
      options.onProgress?.({ done: block * 4, total: table.length });
    }
    const sector = table.readUInt32BE(block * 4);
    if (sector === UNUSED_BLOCK) continue;
    if (sector * SECTOR + limits.length <= limits.fileEnd) {
      places[count] = sector;
      count += 1;
      continue;
    }
    findings.error(
      'block-outside-file',
      `the block is said to lie at ${sector * SECTOR}, length ${limits.length}, in a file whose blocks end at ${limits.fileEnd}`,
      { offset: limits.header.tableOffset + block * 4, block },
    );
  }
  return places.subarray(0, count).toSorted();
}

function range(name: string, offset: number, length: number): Owned {
  return { name, offset, end: offset + length };
}

function structuresOf({ header, footer }: SparseContents): readonly Owned[] {
  return [
    range('the copy of the footer', 0, FOOTER_SIZE),
    range('the dynamic disk header', footer.dataOffset ?? 0, DYNAMIC_HEADER_SIZE),
    range('the block allocation table', header.tableOffset, roundUp(header.tableEntries * 4, SECTOR)),
    ...header.parent.locators
      .filter(({ length }) => length > 0)
      .map(({ offset, length }) => range('a parent locator', offset, roundUp(length, SECTOR))),
  ].toSorted((a, b) => a.offset - b.offset);
}

/** Structures and blocks in the order in which they lie in the file. */
function* merged(structures: readonly Owned[], places: Uint32Array, length: number): Generator<Owned> {
  let next = 0;
  for (const sector of places) {
    const offset = sector * SECTOR;
    for (let one = structures[next]; one !== undefined && one.offset <= offset; one = structures[next]) {
      yield one;
      next += 1;
    }
    yield { name: undefined, offset, end: offset + length };
  }
  yield* structures.slice(next);
}

function findCollisions(
  owned: Iterable<Owned>,
  fileEnd: number,
  findings: Findings,
): { readonly leakedBytes: number; readonly end: number; readonly collisions: readonly Collision[] } {
  const collisions: Collision[] = [];
  let [leakedBytes, end] = [0, 0];
  let last: Owned | undefined;
  const skip = (gap: number): void => {
    if (gap >= ALIGNMENT) leakedBytes += gap;
  };
  for (const one of owned) {
    if (last !== undefined && one.offset < end) {
      if (collisions.length < MAX_FINDINGS) collisions.push({ earlier: last, later: one });
      else findings.leaveOut();
    } else skip(one.offset - end);
    if (one.end > end) {
      end = one.end;
      last = one;
    }
  }
  skip(fileEnd - end);
  return { leakedBytes, end, collisions };
}

function tellCollisions(
  table: Buffer,
  tableOffset: number,
  collisions: readonly Collision[],
  findings: Findings,
): void {
  if (collisions.length === 0) return;
  const blocks = blocksAt(table, collisions);
  // Blocks in the very same place stand next to one another, each time once more.
  const told = new Map<number, number>();
  for (const { earlier, later } of collisions) {
    const seen = later.offset === earlier.offset ? (told.get(later.offset) ?? 0) + 1 : 0;
    told.set(later.offset, seen);
    const block = later.name === undefined ? blocks.get(later.offset)?.[seen] : undefined;
    const other = earlier.name ?? `block ${blocks.get(earlier.offset)?.[0]}`;
    findings.error(
      'block-overlap',
      `${later.name ?? 'the block'} lies at ${later.offset}, where ${other} lies already`,
      block === undefined ? { offset: later.offset } : { offset: tableOffset + block * 4, block },
    );
  }
}

/** Which blocks the table puts at the places of the collisions. */
function blocksAt(table: Buffer, collisions: readonly Collision[]): ReadonlyMap<number, readonly number[]> {
  const found = new Map<number, number[]>();
  for (const { earlier, later } of collisions) {
    if (earlier.name === undefined) found.set(earlier.offset, []);
    if (later.name === undefined) found.set(later.offset, []);
  }
  for (let at = 0; at < table.length; at += 4) {
    const blocks = found.get(table.readUInt32BE(at) * SECTOR);
    if (blocks !== undefined && blocks.length <= MAX_FINDINGS) blocks.push(at / 4);
  }
  return found;
}
