import { roundDown, roundUp } from '../bytes/integers.js';
import type { Disk } from '../disk.js';
import { VhdError } from '../errors.js';
import { FreeList } from '../io/free-list.js';
import { KeyedLocks, Mutex } from '../io/locks.js';
import type { RandomAccessFile } from '../io/random-access-file.js';
import { ReadTracker } from '../io/read-tracker.js';
import { writeZeros } from '../io/zeros.js';
import type { Segment } from '../segments.js';
import { SegmentList } from '../segments.js';
import type { TransferOptions } from '../transfer.js';
import { BlockBitmaps, setBits } from './block-bitmaps.js';
import { compactSparse } from './compact.js';
import type { DynamicHeader } from './dynamic-header.js';
import { encodeDynamicHeader } from './dynamic-header.js';
import type { VhdFooter } from './footer.js';
import { encodeFooter, FOOTER_SIZE } from './footer.js';
import { SparseTable } from './sparse-table.js';
import { VhdDisk } from './vhd-disk.js';
import type { VhdContents } from './vhd-file.js';

const SECTOR = 512;
const WHOLE_DISK = -1;

/** Bytes of the bitmap in front of each block: whole sectors. */
export function blockBitmapSize(blockSize: number): number {
  return roundUp(blockSize / SECTOR / 8, SECTOR);
}

/** Reads the block allocation table. */
export function readTable(
  file: RandomAccessFile,
  header: DynamicHeader,
  blocks: number,
): Promise<SparseTable> {
  return SparseTable.read(file, header, blocks, blockBitmapSize(header.blockSize) + header.blockSize);
}

/**
 * A dynamic or differencing VHD. The format has no log; writes are ordered so that ending the process between any two
 * leaves a whole disk: room and the footer behind it first, then bitmap and data, then the table's entry.
 */
export class SparseVhdDisk extends VhdDisk {
  readonly blockSize: number;
  readonly #bitmapSize: number;
  readonly #bitmaps: BlockBitmaps;
  readonly #locks = new KeyedLocks();
  readonly #allocating = new Mutex();
  #header: DynamicHeader;
  #table: SparseTable;
  readonly #reads = new ReadTracker();
  /** Places of blocks that were given up: at once, and those that may be used again. */
  readonly #released = new FreeList();
  readonly #free = new FreeList();
  /** Where the footer stands, and the next block goes. */
  #end: number;
  #footerIsDamaged: boolean;

  /** `table` as {@link readTable} gives it. */
  constructor(
    file: RandomAccessFile,
    contents: VhdContents & { readonly header: DynamicHeader },
    table: SparseTable,
    readOnly: boolean,
    parent?: Disk,
  ) {
    super(file, contents.footer, readOnly, parent);
    this.#header = contents.header;
    this.#table = table;
    this.blockSize = contents.header.blockSize;
    this.#bitmapSize = blockBitmapSize(this.blockSize);
    this.#bitmaps = new BlockBitmaps(file, this.#bitmapSize, this.blockSize / SECTOR);
    this.#end = contents.footerOffset;
    this.#footerIsDamaged = contents.footerIsDamaged;
  }

  #place(block: number): number | undefined {
    return this.#table.place(block, this.#end);
  }

  protected async segments(offset: number, length: number): Promise<readonly Segment[]> {
    const list = new SegmentList();
    const hole = this.type === 'differencing' ? 'parent' : 'zero';
    const end = offset + length;
    for (let at = offset; at < end;) {
      const block = Math.floor(at / this.blockSize);
      const start = block * this.blockSize;
      const count = Math.min(end - at, start + this.blockSize - at);
      const place = this.#place(block);
      if (place === undefined) list.add(hole, at, count);
      else {
        const first = Math.floor((at - start) / SECTOR);
        const last = Math.ceil((at - start + count) / SECTOR);
        for (const run of await this.#bitmaps.runs(block, place, first, last - first)) {
          const from = Math.max(at, start + run.first * SECTOR);
          const to = Math.min(at + count, start + (run.first + run.count) * SECTOR);
          list.add(run.present ? 'data' : hole, from, to - from, place + this.#bitmapSize + from - start);
        }
      }
      at += count;
    }
    return list.segments;
  }

  protected contiguous(offset: number, length: number): number | undefined {
    const block = Math.floor(offset / this.blockSize);
    const within = offset - block * this.blockSize;
    if (within + length > this.blockSize || !this.#bitmaps.isFull(block)) return undefined;
    const place = this.#place(block);
    return place === undefined ? undefined : place + this.#bitmapSize + within;
  }

  protected async writeRange(source: Uint8Array, offset: number): Promise<void> {
    await this.#locks.shared(WHOLE_DISK, async () => {
      for (let done = 0; done < source.length;) {
        const block = Math.floor((offset + done) / this.blockSize);
        const within = offset + done - block * this.blockSize;
        const count = Math.min(source.length - done, this.blockSize - within);
        await this.#writeBlock(block, within, source.subarray(done, done + count));
        done += count;
      }
    });
  }

  async #writeBlock(block: number, within: number, bytes: Uint8Array): Promise<void> {
    const done = await this.#locks.shared(block, () => this.#writePresent(block, within, bytes));
    if (!done) await this.#locks.exclusive(block, () => this.#writeNew(block, within, bytes));
  }

  /** Writes where all sectors are there already; false = they are not. */
  async #writePresent(block: number, within: number, bytes: Uint8Array): Promise<boolean> {
    const place = this.#place(block);
    if (place === undefined) return false;
    if (!this.#bitmaps.isFull(block)) {
      const first = Math.floor(within / SECTOR);
      const last = Math.ceil((within + bytes.length) / SECTOR);
      const runs = await this.#bitmaps.runs(block, place, first, last - first);
      if (runs.some((run) => !run.present)) return false;
    }
    await this.file.write(bytes, place + this.#bitmapSize + within);
    return true;
  }

  /** The block's lock is held alone. */
  async #writeNew(block: number, within: number, bytes: Uint8Array): Promise<void> {
    const from = roundDown(within, SECTOR);
    const to = roundUp(within + bytes.length, SECTOR);
    let whole = bytes;
    if (from !== within || to !== within + bytes.length) {
      whole = Buffer.alloc(to - from);
      await this.read(whole, block * this.blockSize + from);
      whole.set(bytes, within - from);
    }
    const place = this.#place(block);
    if (place === undefined) {
      await this.#allocating.run(() => this.#allocate(block, from, whole));
      return;
    }
    await this.file.write(whole, place + this.#bitmapSize + from);
    await this.#bitmaps.set(block, place, from / SECTOR, whole.length / SECTOR);
  }

  async #allocate(block: number, from: number, bytes: Uint8Array): Promise<void> {
    const reused = this.#free.take(this.#bitmapSize + this.blockSize);
    const place = reused ?? (await this.#append());
    const data = place + this.#bitmapSize;
    const to = from + bytes.length;
    const bits = Buffer.alloc(this.#bitmapSize);
    // The rest of a dynamic disk's new block reads as zeros, so all of it may count as there.
    if (this.type === 'dynamic') bits.fill(0xff);
    else setBits(bits, from / SECTOR, bytes.length / SECTOR);
    if (reused !== undefined) {
      await writeZeros(this.file, data, from);
      await writeZeros(this.file, data + to, this.blockSize - to);
    }
    await this.file.write(bits, place);
    await this.file.write(bytes, data + from);
    await this.#table.set(block, place);
    this.#bitmaps.hold(block, bits);
  }

  /** Room behind the last block, with the footer behind that. */
  async #append(): Promise<number> {
    // Data at a multiple of 4 KiB costs nothing and spares the host's disk half-written sectors.
    const place = roundUp(roundUp(this.#end, SECTOR) + this.#bitmapSize, 4096) - this.#bitmapSize;
    const end = place + this.#bitmapSize + this.blockSize;
    await this.file.write(this.footerBytes(), end);
    this.#footerIsDamaged = false;
    this.#end = end;
    return place;
  }

  /** Whole blocks of a dynamic disk are given up; over a parent there is no way to say that they are zeros. */
  protected override async zeroRange(offset: number, length: number): Promise<void> {
    if (this.type === 'differencing') return super.zeroRange(offset, length);
    await this.#overBlocks(offset, length, (at, count) => super.zeroRange(at, count));
  }

  protected override async discardRange(offset: number, length: number): Promise<void> {
    if (this.type === 'differencing') return;
    await this.#overBlocks(offset, length, () => Promise.resolve());
  }

  async #overBlocks(
    offset: number,
    length: number,
    part: (offset: number, length: number) => Promise<void>,
  ): Promise<void> {
    const end = offset + length;
    for (let at = offset; at < end;) {
      const block = Math.floor(at / this.blockSize);
      const next = Math.min(end, (block + 1) * this.blockSize);
      const isWhole = next - at === Math.min(this.blockSize, this.virtualSize - block * this.blockSize);
      if (!isWhole) await part(at, next - at);
      else if (this.#place(block) !== undefined) await this.#giveUp(block);
      at = next;
    }
  }

  async #giveUp(block: number): Promise<void> {
    await this.#locks.shared(WHOLE_DISK, () =>
      this.#locks.exclusive(block, async () => {
        const place = this.#place(block);
        if (place === undefined) return;
        await this.#table.clear(block);
        this.#bitmaps.forget(block);
        this.#released.add({ offset: place, length: this.#bitmapSize + this.blockSize });
      }),
    );
  }

  override async read(target: Uint8Array, offset: number): Promise<void> {
    const epoch = this.#reads.enter();
    try {
      await super.read(target, offset);
    } finally {
      this.#reads.leave(epoch);
    }
  }

  protected override async flushFile(): Promise<void> {
    const released = this.#released.takeAll();
    await super.flushFile();
    if (released.length > 0) await this.#reads.drained();
    for (const space of released) this.#free.add(space);
  }

  /** {@link compactSparse}. */
  async compact(options: TransferOptions): Promise<void> {
    this.checkWritable();
    await this.#locks.exclusive(WHOLE_DISK, async () => {
      await this.#reads.drained();
      if (this.#footerIsDamaged) await this.writeFooters(this.footer);
      this.#released.takeAll();
      this.#free.takeAll();
      this.#end = await compactSparse({
        file: this.file,
        footer: this.footer,
        header: this.#header,
        table: this.#table,
        bitmaps: this.#bitmaps,
        bitmapSize: this.#bitmapSize,
        end: this.#end,
        options,
      });
    });
  }

  protected override async finish(): Promise<void> {
    if (this.#footerIsDamaged) await this.file.write(this.footerBytes(), this.#end);
    await super.finish();
  }

  protected async writeFooters(footer: VhdFooter): Promise<void> {
    const bytes = encodeFooter(footer);
    await this.file.write(bytes, this.#end);
    this.#footerIsDamaged = false;
    await this.file.write(bytes, 0);
  }

  protected async grow(virtualSize: number): Promise<void> {
    if (this.type === 'differencing') {
      throw new VhdError('VHD_INVALID_ARGUMENT', `${this.file.path}: a differencing VHD cannot be resized.`, {
        path: this.file.path,
      });
    }
    const footer = this.resizedFooter(virtualSize);
    await this.#locks.exclusive(WHOLE_DISK, async () => {
      const blocks = Math.ceil(virtualSize / this.blockSize);
      if (blocks > this.#header.tableEntries) await this.#moveTable(blocks);
      else {
        const { table, bytes } = this.#table.grown(blocks);
        const old = this.#table.blocks * 4;
        await this.file.write(bytes.subarray(old), this.#header.tableOffset + old);
        this.#table = table;
      }
      await this.writeFooters(footer);
      await this.file.sync();
      this.footer = footer;
    });
  }

  /** Writes a larger table behind the last block, the footer behind that, then points the header to it. */
  async #moveTable(blocks: number): Promise<void> {
    const tableOffset = roundUp(this.#end, SECTOR);
    const { table, bytes } = this.#table.grown(blocks, tableOffset);
    const end = tableOffset + roundUp(bytes.length, SECTOR);
    await this.file.write(this.footerBytes(), end);
    await this.file.write(Buffer.alloc(end - tableOffset, 0xff), tableOffset);
    await this.file.write(bytes, tableOffset);
    await this.file.sync();
    this.#end = end;
    const header = { ...this.#header, tableOffset, tableEntries: blocks };
    await this.file.write(encodeDynamicHeader(header), this.footer.dataOffset ?? FOOTER_SIZE);
    await this.file.sync();
    this.#header = header;
    this.#table = table;
  }
}
