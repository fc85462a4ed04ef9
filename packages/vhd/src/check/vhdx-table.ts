import { MIB } from '../bytes/integers.js';
import type { RandomAccessFile } from '../io/random-access-file.js';
import { readExact } from '../io/random-access-file.js';
import type { TransferOptions } from '../transfer.js';
import { checkAborted } from '../transfer.js';
import {
  BAT_ENTRY_SIZE,
  batEntryCount,
  BITMAP_BLOCK_SIZE,
  chunkRatio,
  payloadBlockCount,
} from '../vhdx/block-geometry.js';
import { BITMAP_PRESENT, decodeBatEntry, PAYLOAD } from '../vhdx/block-table.js';
import type { VhdxMetadata } from '../vhdx/metadata.js';
import type { Region } from '../vhdx/region-table.js';
import type { Findings } from './report.js';
import { MAX_FINDINGS } from './report.js';
import type { SpaceMap } from './space-map.js';

/** Bytes of the table that are read at once. */
const PIECE = MIB;
const ENTRIES_PER_PIECE = PIECE / BAT_ENTRY_SIZE;

/** A part of the file that is no block. Bytes. */
export interface Structure {
  readonly name: string;
  readonly offset: number;
  readonly length: number;
}

export interface VhdxTable {
  /** The file as it is once its log is replayed. */
  readonly view: RandomAccessFile;
  readonly fileSize: number;
  readonly bat: Region;
  readonly metadata: VhdxMetadata;
  /** Holds what the structures own already. */
  readonly space: SpaceMap;
  readonly structures: readonly Structure[];
  readonly findings: Findings;
}

/** An entry of the table and what it stands for. One is enough for a walk: who keeps it takes a copy. */
class Entry {
  /** Where the entry itself stands. */
  place = 0;
  isBitmap = false;
  /** Payload: the block. Bitmap: the chunk. */
  number = 0;
  state = 0;
  fileOffset = 0;

  copy(): Entry {
    return Object.assign(new Entry(), this);
  }
}

interface Collision {
  /** The first mebibyte of the file that was taken before. */
  readonly unit: number;
  readonly entry: Entry;
}

/**
 * Checks every entry of a VHDX's table of blocks, a mebibyte of the table at a time: 64 TiB in blocks of 1 MiB are
 * 512 MiB of table, and seconds.
 */
export async function checkVhdxTable(
  table: VhdxTable,
  options: TransferOptions,
): Promise<{ readonly allocatedBlocks: number; readonly leakedBytes: number }> {
  const walk = new TableCheck(table);
  const total = batEntryCount(table.metadata) * BAT_ENTRY_SIZE;
  await eachEntry(table, options, (entry) => walk.entry(entry));
  walk.finish();
  await walk.tellCollisions({ ...options, onProgress: () => undefined });
  options.onProgress?.({ done: total, total });
  const owned = table.space.owned * MIB;
  return { allocatedBlocks: walk.allocated, leakedBytes: Math.max(0, table.fileSize - owned) };
}

async function eachEntry(
  { view, bat, metadata }: VhdxTable,
  options: TransferOptions,
  visit: (entry: Entry) => void,
): Promise<void> {
  const ratio = chunkRatio(metadata);
  const entries = batEntryCount(metadata);
  const entry = new Entry();
  for (let first = 0; first < entries; first += ENTRIES_PER_PIECE) {
    checkAborted(options.signal);
    const count = Math.min(ENTRIES_PER_PIECE, entries - first);
    const offset = bat.offset + first * BAT_ENTRY_SIZE;
    const piece = await readExact(view, offset, count * BAT_ENTRY_SIZE, 'the block allocation table');
    for (let at = 0; at < count; at += 1) {
      // Nearly all entries of a sparse disk are zero: no state, no place, nothing to say.
      if (!metadata.leaveBlocksAllocated && isZero(piece, at * BAT_ENTRY_SIZE)) continue;
      const chunk = Math.floor((first + at) / (ratio + 1));
      entry.place = offset + at * BAT_ENTRY_SIZE;
      entry.isBitmap = (first + at) % (ratio + 1) === ratio;
      entry.number = entry.isBitmap ? chunk : first + at - chunk;
      ({ state: entry.state, fileOffset: entry.fileOffset } = decodeBatEntry(piece, at * BAT_ENTRY_SIZE));
      visit(entry);
    }
    options.onProgress?.({ done: first * BAT_ENTRY_SIZE, total: entries * BAT_ENTRY_SIZE });
  }
}

function isZero(piece: Buffer, at: number): boolean {
  return piece.readUInt32LE(at) === 0 && piece.readUInt32LE(at + 4) === 0;
}

/** What is found on the way through the table. */
class TableCheck {
  readonly #table: VhdxTable;
  readonly #blocks: number;
  readonly #isDifferencing: boolean;
  readonly #collisions: Collision[] = [];
  /** The block that first needed its chunk's bitmap; chunks end with their bitmap's entry. */
  #needsBitmap: Entry | undefined;
  #missing = 0;
  #placedWithoutData = 0;
  #unexpected = 0;
  allocated = 0;

  constructor(table: VhdxTable) {
    this.#table = table;
    this.#blocks = payloadBlockCount(table.metadata);
    this.#isDifferencing = table.metadata.hasParent;
  }

  entry(entry: Entry): void {
    if (entry.isBitmap) this.#bitmap(entry);
    else if (entry.number < this.#blocks) this.#payload(entry);
  }

  #payload(entry: Entry): void {
    const { findings, metadata } = this.#table;
    const { state, number: block, place } = entry;
    if (state === PAYLOAD.fullyPresent || state === PAYLOAD.partiallyPresent) {
      this.allocated += 1;
      if (state === PAYLOAD.partiallyPresent) this.#partial(entry);
      this.#claim(entry, metadata.blockSize);
    } else if (state > PAYLOAD.unmapped) {
      findings.error('block-state', `the block has the state ${state}, which does not exist`, {
        offset: place,
        block,
      });
    } else {
      if (entry.fileOffset !== 0) this.#placedWithoutData += 1;
      if (metadata.leaveBlocksAllocated && !metadata.hasParent) this.#missing += 1;
    }
  }

  #partial(entry: Entry): void {
    this.#leaveChunkOf(entry.number);
    this.#needsBitmap ??= entry.copy();
    if (this.#isDifferencing) return;
    this.#table.findings.error('block-state', 'the block is partially present, and the disk has no parent', {
      offset: entry.place,
      block: entry.number,
    });
  }

  /** A chunk whose bitmap entry is zero was passed by without a visit. */
  #leaveChunkOf(block: number): void {
    const ratio = chunkRatio(this.#table.metadata);
    const needs = this.#needsBitmap;
    if (needs === undefined || Math.floor(needs.number / ratio) === Math.floor(block / ratio)) return;
    this.#bitmapMissing(needs);
  }

  #bitmapMissing({ place, number: block }: Entry): void {
    this.#needsBitmap = undefined;
    if (!this.#isDifferencing) return;
    this.#table.findings.error('bitmap-missing', 'the block is partially present and has no sector bitmap', {
      offset: place,
      block,
    });
  }

  #bitmap(entry: Entry): void {
    const { findings, metadata } = this.#table;
    this.#leaveChunkOf(entry.number * chunkRatio(metadata));
    const { state, place } = entry;
    if (state === 0) return;
    this.#needsBitmap = undefined;
    if (state !== BITMAP_PRESENT) {
      findings.error('block-state', `a sector bitmap has the state ${state}, which does not exist`, {
        offset: place,
      });
      return;
    }
    if (!this.#isDifferencing) this.#unexpected += 1;
    this.#claim(entry, BITMAP_BLOCK_SIZE);
  }

  #claim(entry: Entry, length: number): void {
    const { fileSize, findings, space } = this.#table;
    const { fileOffset } = entry;
    if (fileOffset < MIB || fileOffset + length > fileSize) {
      const what = entry.isBitmap ? 'a sector bitmap' : 'the block';
      const message = `${what} is said to lie at ${fileOffset}, length ${length}, in a file of ${fileSize} bytes`;
      findings.error('block-outside-file', message, placeOf(entry));
      return;
    }
    const unit = space.claim(fileOffset / MIB, length / MIB);
    if (unit === undefined) return;
    if (this.#collisions.length < MAX_FINDINGS) this.#collisions.push({ unit, entry: entry.copy() });
    else findings.leaveOut();
  }

  /** After the last entry. */
  finish(): void {
    const { findings, bat } = this.#table;
    if (this.#needsBitmap !== undefined) this.#bitmapMissing(this.#needsBitmap);
    if (this.#unexpected > 0) {
      const message = `${this.#unexpected} sector bitmaps are there, and the disk has no parent`;
      findings.warning('bitmap-unexpected', message, { offset: bat.offset });
    }
    if (this.#placedWithoutData > 0) {
      const message = `${this.#placedWithoutData} blocks without data name a place, which must be zero (Hyper-V may refuse the disk)`;
      findings.warning('block-state', message, { offset: bat.offset });
    }
    if (this.#missing > 0) {
      findings.warning('block-missing', `${this.#missing} blocks of a fixed disk have no place in the file`, {
        offset: bat.offset,
      });
    }
  }

  /** Another walk finds who was first at the places where two met. */
  async tellCollisions(options: TransferOptions): Promise<void> {
    if (this.#collisions.length === 0) return;
    const owners = new Owners(
      this.#collisions.map(({ unit }) => unit),
      this.#table,
    );
    await eachEntry(this.#table, options, (entry) => owners.look(entry));
    for (const { unit, entry } of this.#collisions) {
      const what = entry.isBitmap ? nameOf(entry) : 'the block';
      const message = `${what} lies at ${entry.fileOffset}, where ${owners.nameAt(unit)} lies already`;
      this.#table.findings.error('block-overlap', message, placeOf(entry));
    }
  }
}

/** Who was first at some places of the file (mebibytes). */
class Owners {
  readonly #units: readonly number[];
  readonly #names = new Map<number, string>();
  readonly #blockSize: number;
  readonly #fileSize: number;

  constructor(units: readonly number[], { structures, metadata, fileSize }: VhdxTable) {
    this.#units = [...new Set(units)].toSorted((a, b) => a - b);
    this.#blockSize = metadata.blockSize;
    this.#fileSize = fileSize;
    for (const { name, offset, length } of structures) this.#note(offset, length, () => name);
  }

  look(entry: Entry): void {
    if (this.#names.size === this.#units.length || !isPresent(entry)) return;
    const length = entry.isBitmap ? BITMAP_BLOCK_SIZE : this.#blockSize;
    if (entry.fileOffset + length <= this.#fileSize)
      this.#note(entry.fileOffset, length, () => nameOf(entry));
  }

  #note(offset: number, length: number, name: () => string): void {
    const end = (offset + length) / MIB;
    for (let at = firstNotBelow(this.#units, offset / MIB); at < this.#units.length; at += 1) {
      const unit = this.#units[at] ?? 0;
      if (unit >= end) return;
      if (!this.#names.has(unit)) this.#names.set(unit, name());
    }
  }

  nameAt(unit: number): string {
    return this.#names.get(unit) ?? 'something';
  }
}

function isPresent({ state, isBitmap }: Entry): boolean {
  return state === PAYLOAD.fullyPresent || (!isBitmap && state === PAYLOAD.partiallyPresent);
}

function nameOf({ isBitmap, number }: Entry): string {
  return isBitmap ? `the sector bitmap of chunk ${number}` : `block ${number}`;
}

function placeOf({ place, number, isBitmap }: Entry): { offset: number; block?: number } {
  return isBitmap ? { offset: place } : { offset: place, block: number };
}

/** Index of the first of the rising numbers that is not below `value`. */
function firstNotBelow(numbers: readonly number[], value: number): number {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((numbers[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
