import { roundUp } from '../bytes/integers.js';
import type { RandomAccessFile } from '../io/random-access-file.js';
import { corrupt, readExact } from '../io/random-access-file.js';
import type { DynamicHeader } from './dynamic-header.js';

const SECTOR = 512;
const ENTRY_SIZE = 4;
export const UNUSED_BLOCK = 0xffffffff;

/**
 * The block allocation table of an open VHD: big-endian sector numbers, as in the file. All of it is in memory, 16 MiB
 * for 2 TiB in the smallest usual blocks.
 */
export class SparseTable {
  readonly #file: RandomAccessFile;
  readonly #offset: number;
  readonly #entries: Buffer;
  /** Bytes of a block with its bitmap. */
  readonly #blockLength: number;

  constructor(file: RandomAccessFile, offset: number, entries: Buffer, blockLength: number) {
    this.#file = file;
    this.#offset = offset;
    this.#entries = entries;
    this.#blockLength = blockLength;
  }

  static async read(
    file: RandomAccessFile,
    header: DynamicHeader,
    blocks: number,
    blockLength: number,
  ): Promise<SparseTable> {
    const entries = await readExact(
      file,
      header.tableOffset,
      blocks * ENTRY_SIZE,
      'the block allocation table',
    );
    return new SparseTable(file, header.tableOffset, entries, blockLength);
  }

  get blocks(): number {
    return this.#entries.length / ENTRY_SIZE;
  }

  /**
   * The block's place in the file (of its bitmap; the data follow); undefined when it is not there.
   * @param end where the footer stands.
   * @throws VhdError `VHD_CORRUPT` when it reaches past the end.
   */
  place(block: number, end: number): number | undefined {
    const sector = this.#entries.readUInt32BE(block * ENTRY_SIZE);
    if (sector === UNUSED_BLOCK) return undefined;
    const offset = sector * SECTOR;
    if (offset + this.#blockLength > roundUp(end, SECTOR)) {
      const where = this.#offset + block * ENTRY_SIZE;
      throw corrupt(this.#file.path, where, `block ${block} is said to lie at ${offset}`);
    }
    return offset;
  }

  /** The place of the block that lies last. */
  lastPlace(): number | undefined {
    let last = -1;
    for (let at = 0; at < this.#entries.length; at += ENTRY_SIZE) {
      const sector = this.#entries.readUInt32BE(at);
      if (sector !== UNUSED_BLOCK) last = Math.max(last, sector);
    }
    return last === -1 ? undefined : last * SECTOR;
  }

  set(block: number, place: number): Promise<void> {
    return this.#put(block, place / SECTOR);
  }

  clear(block: number): Promise<void> {
    return this.#put(block, UNUSED_BLOCK);
  }

  /** In the file first: what a reader finds here is there. */
  async #put(block: number, sector: number): Promise<void> {
    const entry = Buffer.alloc(ENTRY_SIZE);
    entry.writeUInt32BE(sector);
    await this.#file.write(entry, this.#offset + block * ENTRY_SIZE);
    entry.copy(this.#entries, block * ENTRY_SIZE);
  }

  /** A table for more blocks, none of which is there. Nothing is written. */
  grown(blocks: number, offset = this.#offset): { readonly table: SparseTable; readonly bytes: Buffer } {
    const bytes = Buffer.alloc(blocks * ENTRY_SIZE, 0xff);
    this.#entries.copy(bytes);
    return { table: new SparseTable(this.#file, offset, bytes, this.#blockLength), bytes };
  }
}
