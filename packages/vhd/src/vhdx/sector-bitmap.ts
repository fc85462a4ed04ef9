import { corrupt } from '../io/random-access-file.js';
import type { BlockTable } from './block-table.js';
import { LOG_SECTOR } from './log-entry.js';
import type { SectorEdit } from './metadata-writer.js';
import type { SectorSource } from './sector-cache.js';

const BITS_PER_LOG_SECTOR = LOG_SECTOR * 8;

/** A run of sectors of one block: held by this file, or by the parent. In sectors from the block's start. */
export interface BitmapRun {
  readonly present: boolean;
  readonly first: number;
  readonly count: number;
}

/**
 * The sector bitmaps of a differencing VHDX (MS-VHDX 2.4): one bit a logical sector, least significant first, 1 = this
 * file has it.
 */
export class SectorBitmaps {
  readonly #source: SectorSource;
  readonly #table: BlockTable;
  readonly #path: string;
  readonly #ratio: number;
  readonly #sectorsPerBlock: number;

  constructor(source: SectorSource, table: BlockTable, path: string, ratio: number, sectorsPerBlock: number) {
    this.#source = source;
    this.#table = table;
    this.#path = path;
    this.#ratio = ratio;
    this.#sectorsPerBlock = sectorsPerBlock;
  }

  chunkOf(block: number): number {
    return Math.floor(block / this.#ratio);
  }

  /** First bit of the block in its chunk's bitmap. */
  #firstBit(block: number): number {
    return (block % this.#ratio) * this.#sectorsPerBlock;
  }

  /** Runs of equal bits over `count` sectors of the block, from `first`. */
  async runs(block: number, first: number, count: number, fileSize: number): Promise<readonly BitmapRun[]> {
    const bitmapOffset = await this.#table.bitmapBlock(this.chunkOf(block), fileSize);
    if (bitmapOffset === undefined) {
      throw corrupt(
        this.#path,
        this.#table.regionOffset,
        `block ${block} is partially present and has no sector bitmap`,
      );
    }
    const base = this.#firstBit(block);
    const runs: BitmapRun[] = [];
    let start = first;
    let present: boolean | undefined;
    let at = first;
    while (at < first + count) {
      const bit = base + at;
      const sectorOffset = bitmapOffset + Math.floor(bit / BITS_PER_LOG_SECTOR) * LOG_SECTOR;
      const sector = this.#source.peek(sectorOffset) ?? (await this.#source.load(sectorOffset));
      const inSector = bit % BITS_PER_LOG_SECTOR;
      const byte = sector.readUInt8(inSector >> 3);
      const isWholeByte = (inSector & 7) === 0 && at + 8 <= first + count && (byte === 0 || byte === 0xff);
      const value = ((byte >> (inSector & 7)) & 1) === 1;
      if (present !== undefined && value !== present) {
        runs.push({ present, first: start, count: at - start });
        start = at;
      }
      present = value;
      at += isWholeByte ? 8 : 1;
    }
    if (present !== undefined) runs.push({ present, first: start, count: at - start });
    return runs;
  }

  /** Edits that set the bits of `count` sectors of the block. */
  setEdits(bitmapOffset: number, block: number, first: number, count: number): readonly SectorEdit[] {
    return this.#edits(bitmapOffset, this.#firstBit(block) + first, count, true);
  }

  /** Edits that clear all the block's bits, which may hold anything while the block is not partially present. */
  clearEdits(bitmapOffset: number, block: number): readonly SectorEdit[] {
    return this.#edits(bitmapOffset, this.#firstBit(block), this.#sectorsPerBlock, false);
  }

  #edits(bitmapOffset: number, firstBit: number, count: number, value: boolean): readonly SectorEdit[] {
    const edits: SectorEdit[] = [];
    for (let bit = firstBit; bit < firstBit + count;) {
      const index = Math.floor(bit / BITS_PER_LOG_SECTOR);
      const end = Math.min(firstBit + count, (index + 1) * BITS_PER_LOG_SECTOR);
      const [from, to] = [bit % BITS_PER_LOG_SECTOR, (bit % BITS_PER_LOG_SECTOR) + (end - bit)];
      edits.push({
        sectorOffset: bitmapOffset + index * LOG_SECTOR,
        apply: (sector) => fillBits(sector, from, to, value),
      });
      bit = end;
    }
    return edits;
  }
}

function fillBits(sector: Buffer, from: number, to: number, value: boolean): void {
  for (let bit = from; bit < to;) {
    if ((bit & 7) === 0 && bit + 8 <= to) {
      const bytes = (to - bit) >> 3;
      sector.fill(value ? 0xff : 0, bit >> 3, (bit >> 3) + bytes);
      bit += bytes * 8;
      continue;
    }
    const mask = 1 << (bit & 7);
    const byte = sector.readUInt8(bit >> 3);
    sector[bit >> 3] = value ? byte | mask : byte & ~mask;
    bit += 1;
  }
}
