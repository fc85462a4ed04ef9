import type { RandomAccessFile } from '../io/random-access-file.js';
import { readExact } from '../io/random-access-file.js';

/** Bitmaps held in memory at once (512 bytes each for blocks of 2 MiB). */
const MAX_HELD = 8192;

/** A run of sectors that the block holds, or does not. */
export interface VhdBitmapRun {
  readonly present: boolean;
  readonly first: number;
  readonly count: number;
}

/** The sector bitmaps in front of a VHD's blocks: one bit a sector, most significant first, 1 = held here. */
export class BlockBitmaps {
  readonly #file: RandomAccessFile;
  readonly #bitmapSize: number;
  readonly #sectorsPerBlock: number;
  readonly #held = new Map<number, Buffer>();
  /** Blocks whose bits are all set need no bitmap in memory. */
  readonly #full = new Set<number>();

  constructor(file: RandomAccessFile, bitmapSize: number, sectorsPerBlock: number) {
    this.#file = file;
    this.#bitmapSize = bitmapSize;
    this.#sectorsPerBlock = sectorsPerBlock;
  }

  isFull(block: number): boolean {
    return this.#full.has(block);
  }

  markFull(block: number): void {
    this.#held.delete(block);
    this.#full.add(block);
  }

  /** The block is no more, or elsewhere. */
  forget(block: number): void {
    this.#held.delete(block);
    this.#full.delete(block);
  }

  /** Reads the bitmap and notes whether it is full. `offset` is the block's place in the file. */
  async load(block: number, offset: number): Promise<Buffer> {
    const held = this.#held.get(block);
    if (held !== undefined) return held;
    const bits = await readExact(this.#file, offset, this.#bitmapSize, 'a sector bitmap');
    const newer = this.#held.get(block);
    if (newer !== undefined) return newer;
    if (this.#hasAll(bits)) this.#full.add(block);
    else this.#hold(block, bits);
    return bits;
  }

  /** Runs of equal bits over `count` sectors from `first`. */
  async runs(block: number, offset: number, first: number, count: number): Promise<readonly VhdBitmapRun[]> {
    if (this.#full.has(block)) return [{ present: true, first, count }];
    return bitRuns(await this.load(block, offset), first, count);
  }

  /**
   * Sets bits in the file, then in memory. The block's lock must be held alone. The sectors' data must be written.
   */
  async set(block: number, offset: number, first: number, count: number): Promise<void> {
    const bits = Buffer.from(await this.load(block, offset));
    setBits(bits, first, count);
    const from = (first >> 12) * 512;
    const to = Math.min(this.#bitmapSize, (((first + count - 1) >> 12) + 1) * 512);
    await this.#file.write(bits.subarray(from, to), offset + from);
    if (this.#hasAll(bits)) this.markFull(block);
    else this.#hold(block, bits);
  }

  /** Puts the bitmap of a block that was just allocated. */
  hold(block: number, bits: Buffer): void {
    if (this.#hasAll(bits)) this.markFull(block);
    else this.#hold(block, bits);
  }

  #hasAll(bits: Buffer): boolean {
    return bitRuns(bits, 0, this.#sectorsPerBlock).every((run) => run.present);
  }

  #hold(block: number, bits: Buffer): void {
    this.#held.delete(block);
    this.#held.set(block, bits);
    if (this.#held.size <= MAX_HELD) return;
    const [oldest] = this.#held.keys();
    if (oldest !== undefined) this.#held.delete(oldest);
  }
}

/** Sets the bits of `count` sectors, most significant bit first. */
export function setBits(bits: Uint8Array, first: number, count: number): void {
  for (let sector = first; sector < first + count; sector += 1) {
    bits[sector >> 3] = (bits[sector >> 3] ?? 0) | (0x80 >> (sector & 7));
  }
}

/** Runs of equal bits, most significant bit first. */
function bitRuns(bits: Uint8Array, first: number, count: number): readonly VhdBitmapRun[] {
  const runs: VhdBitmapRun[] = [];
  let start = first;
  let present: boolean | undefined;
  let at = first;
  while (at < first + count) {
    const byte = bits[at >> 3] ?? 0;
    const isWholeByte = (at & 7) === 0 && at + 8 <= first + count && (byte === 0 || byte === 0xff);
    const value = (byte & (0x80 >> (at & 7))) !== 0;
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
