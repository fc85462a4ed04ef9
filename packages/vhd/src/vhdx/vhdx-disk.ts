import { newGuid } from '../bytes/guid.js';
import { MIB, roundUp } from '../bytes/integers.js';
import type { Disk, DiskType } from '../disk.js';
import { VhdError } from '../errors.js';
import { FileDisk } from '../file-disk.js';
import { KeyedLocks, Mutex } from '../io/locks.js';
import type { RandomAccessFile } from '../io/random-access-file.js';
import type { Segment } from '../segments.js';
import { SegmentList } from '../segments.js';
import { BITMAP_BLOCK_SIZE, chunkRatio } from './block-geometry.js';
import type { BatEntry } from './block-table.js';
import { BlockTable, PAYLOAD } from './block-table.js';
import { planGrowth } from './grow.js';
import { MAX_VHDX_SIZE } from './metadata.js';
import type { SectorEdit } from './metadata-writer.js';
import { MetadataWriter } from './metadata-writer.js';
import { SectorBitmaps } from './sector-bitmap.js';
import type { VhdxContents } from './vhdx-file.js';

/** Key of the lock that resizing holds alone and every write shares. Block numbers are not negative. */
const WHOLE_DISK = -1;

/** The part of a write that falls into one block. `within` is the offset from the block's start. */
interface BlockWrite {
  readonly block: number;
  readonly within: number;
  readonly bytes: Uint8Array;
}

/**
 * An open VHDX, fixed, dynamic or differencing. Data goes to its place first, then the metadata that makes it visible
 * goes through the log, then the write settles: killing the process at any moment loses nothing that settled.
 */
export class VhdxDisk extends FileDisk {
  readonly format = 'vhdx';
  readonly type: DiskType;
  readonly logicalSectorSize: number;
  readonly physicalSectorSize: number;
  readonly blockSize: number;
  readonly #ratio: number;
  /** Metadata that hides a parent's content waits until the data that replaces it is stable. */
  readonly #syncsFirst: boolean;
  readonly #writer: MetadataWriter;
  readonly #table: BlockTable;
  readonly #bitmaps: SectorBitmaps;
  readonly #locks = new KeyedLocks();
  readonly #extending = new Mutex();
  #contents: VhdxContents;
  #virtualSize: number;
  /** Length of the file as it is. */
  #fileSize: number;
  /** Where the next block goes; at most `#extend` away from the file's length. */
  #nextFree: number;
  #marked: Promise<void> | undefined;
  #isMarked = false;

  /** The log must be empty. `parent` is there for differencing disks. */
  constructor(
    file: RandomAccessFile,
    contents: VhdxContents,
    fileSize: number,
    options: { readonly readOnly: boolean; readonly durability: 'power' | 'process' },
    parent?: Disk,
  ) {
    super(file, options.readOnly, parent);
    const { metadata } = contents;
    this.#contents = contents;
    this.type = diskTypeOf(metadata);
    this.blockSize = metadata.blockSize;
    this.logicalSectorSize = metadata.logicalSectorSize;
    this.physicalSectorSize = metadata.physicalSectorSize;
    this.#virtualSize = metadata.virtualSize;
    this.#ratio = chunkRatio(metadata);
    this.#syncsFirst = metadata.hasParent && options.durability === 'power';
    this.#fileSize = fileSize;
    this.#nextFree = roundUp(fileSize, MIB);
    this.#writer = new MetadataWriter(file, contents.current, () => this.#fileSize);
    const { path } = file;
    this.#table = new BlockTable(
      this.#writer,
      path,
      contents.regions.bat.offset,
      metadata.blockSize,
      this.#ratio,
    );
    const sectorsPerBlock = metadata.blockSize / metadata.logicalSectorSize;
    this.#bitmaps = new SectorBitmaps(this.#writer, this.#table, path, this.#ratio, sectorsPerBlock);
  }

  get virtualSize(): number {
    return this.#virtualSize;
  }

  protected async segments(offset: number, length: number): Promise<readonly Segment[]> {
    const list = new SegmentList();
    const end = offset + length;
    for (let at = offset; at < end;) {
      const block = Math.floor(at / this.blockSize);
      const within = at - block * this.blockSize;
      const count = Math.min(end - at, this.blockSize - within);
      const found = this.#table.payload(block, this.#fileSize);
      const entry = found instanceof Promise ? await found : found;
      if (entry.state === PAYLOAD.fullyPresent) list.add('data', at, count, entry.fileOffset + within);
      else if (entry.state === PAYLOAD.partiallyPresent)
        await this.#partialSegments(list, block, entry, at, count);
      else if (entry.state === PAYLOAD.notPresent && this.type === 'differencing')
        list.add('parent', at, count);
      else list.add('zero', at, count);
      at += count;
    }
    return list.segments;
  }

  async #partialSegments(
    list: SegmentList,
    block: number,
    entry: BatEntry,
    at: number,
    count: number,
  ): Promise<void> {
    const start = block * this.blockSize;
    const sector = this.logicalSectorSize;
    const first = Math.floor((at - start) / sector);
    const last = Math.ceil((at - start + count) / sector);
    for (const run of await this.#bitmaps.runs(block, first, last - first, this.#fileSize)) {
      const from = Math.max(at, start + run.first * sector);
      const to = Math.min(at + count, start + (run.first + run.count) * sector);
      list.add(run.present ? 'data' : 'parent', from, to - from, entry.fileOffset + from - start);
    }
  }

  protected contiguous(offset: number, length: number): number | undefined {
    const block = Math.floor(offset / this.blockSize);
    const within = offset - block * this.blockSize;
    if (within + length > this.blockSize) return undefined;
    const entry = this.#table.payload(block, this.#fileSize);
    if (entry instanceof Promise) {
      // The longer way meets the failure again, if it is one.
      entry.catch(() => undefined);
      return undefined;
    }
    return entry.state === PAYLOAD.fullyPresent ? entry.fileOffset + within : undefined;
  }

  protected async writeRange(source: Uint8Array, offset: number): Promise<void> {
    if (!this.#isMarked) await this.#markWritten();
    const block = Math.floor(offset / this.blockSize);
    const place = this.contiguous(offset, source.length);
    if (place !== undefined && this.#locks.tryShared(WHOLE_DISK)) {
      try {
        if (this.#locks.tryShared(block)) {
          try {
            return await this.file.write(source, place);
          } finally {
            this.#locks.release(block);
          }
        }
      } finally {
        this.#locks.release(WHOLE_DISK);
      }
    }
    await this.#writeBlocks(source, offset);
  }

  async #writeBlocks(source: Uint8Array, offset: number): Promise<void> {
    await this.#locks.shared(WHOLE_DISK, async () => {
      for (let done = 0; done < source.length;) {
        const block = Math.floor((offset + done) / this.blockSize);
        const within = offset + done - block * this.blockSize;
        const count = Math.min(source.length - done, this.blockSize - within);
        await this.#writeBlock({ block, within, bytes: source.subarray(done, done + count) });
        done += count;
      }
    });
  }

  /** MS-VHDX 2.2.2: both identifiers change before the first change of the file, so that children and copies tell. */
  #markWritten(dataWriteGuid = newGuid()): Promise<void> {
    this.#marked ??= this.#writer.updateHeader({ fileWriteGuid: newGuid(), dataWriteGuid }).then(() => {
      this.#isMarked = true;
    });
    return this.#marked;
  }

  async #writeBlock(write: BlockWrite): Promise<void> {
    const done = await this.#locks.shared(write.block, () => this.#writePresent(write));
    if (done) return;
    await this.#locks.exclusive(write.block, async () => {
      // Another write may have brought the block in while this one waited.
      if (!(await this.#writePresent(write))) await this.#writeNew(write);
    });
  }

  /** Writes where no block must be allocated and no sector completed from the parent; false = it must. */
  async #writePresent({ block, within, bytes }: BlockWrite): Promise<boolean> {
    const entry = await this.#table.payload(block, this.#fileSize);
    if (entry.state === PAYLOAD.fullyPresent) {
      await this.file.write(bytes, entry.fileOffset + within);
      return true;
    }
    if (entry.state !== PAYLOAD.partiallyPresent || !this.#isAligned(within, bytes.length)) return false;
    await this.file.write(bytes, entry.fileOffset + within);
    const first = within / this.logicalSectorSize;
    const count = bytes.length / this.logicalSectorSize;
    const runs = await this.#bitmaps.runs(block, first, count, this.#fileSize);
    if (runs.some((run) => !run.present)) {
      const bitmapOffset = await this.#table.bitmapBlock(this.#bitmaps.chunkOf(block), this.#fileSize);
      if (bitmapOffset === undefined) return false;
      await this.#writer.commit(this.#bitmaps.setEdits(bitmapOffset, block, first, count), this.#syncsFirst);
    }
    return true;
  }

  #isAligned(within: number, length: number): boolean {
    return within % this.logicalSectorSize === 0 && length % this.logicalSectorSize === 0;
  }

  /** The block's lock is held alone. */
  async #writeNew(write: BlockWrite): Promise<void> {
    const { block } = write;
    const entry = await this.#table.payload(block, this.#fileSize);
    if (entry.state === PAYLOAD.partiallyPresent) {
      await this.#writePresent(await this.#completeSectors(write));
      return;
    }
    if (this.type === 'differencing' && entry.state === PAYLOAD.notPresent && !this.#isWholeBlock(write)) {
      await this.#writeFirstSectors(await this.#completeSectors(write));
      return;
    }
    const fileOffset = await this.#allocate(this.blockSize);
    await this.file.write(write.bytes, fileOffset + write.within);
    const edit = this.#table.payloadEdit(block, { state: PAYLOAD.fullyPresent, fileOffset });
    await this.#writer.commit([edit], this.#syncsFirst && entry.state === PAYLOAD.notPresent);
  }

  #isWholeBlock({ block, within, bytes }: BlockWrite): boolean {
    const size = Math.min(this.blockSize, this.#virtualSize - block * this.blockSize);
    return within === 0 && bytes.length === size;
  }

  /** A differencing disk's block that was the parent's alone gets its first sectors. */
  async #writeFirstSectors({ block, within, bytes }: BlockWrite): Promise<void> {
    const fileOffset = await this.#allocate(this.blockSize);
    await this.file.write(bytes, fileOffset + within);
    const chunk = this.#bitmaps.chunkOf(block);
    const first = within / this.logicalSectorSize;
    const count = bytes.length / this.logicalSectorSize;
    await this.#locks.exclusive(this.#bitmapLock(chunk), async () => {
      const existing = await this.#table.bitmapBlock(chunk, this.#fileSize);
      const bitmapOffset = existing ?? (await this.#allocate(BITMAP_BLOCK_SIZE));
      const edits: SectorEdit[] = [
        ...this.#bitmaps.clearEdits(bitmapOffset, block),
        ...this.#bitmaps.setEdits(bitmapOffset, block, first, count),
        this.#table.payloadEdit(block, { state: PAYLOAD.partiallyPresent, fileOffset }),
      ];
      if (existing === undefined) edits.push(this.#table.bitmapEdit(chunk, bitmapOffset));
      await this.#writer.commit(edits, this.#syncsFirst);
    });
  }

  /** Locks of chunks lie below those of the blocks and of the disk. */
  #bitmapLock(chunk: number): number {
    return WHOLE_DISK - 1 - chunk;
  }

  /** Widens a write to whole sectors with the bytes that are there now. */
  async #completeSectors(write: BlockWrite): Promise<BlockWrite> {
    const { block, within, bytes } = write;
    if (this.#isAligned(within, bytes.length)) return write;
    const sector = this.logicalSectorSize;
    const from = Math.floor(within / sector) * sector;
    const to = roundUp(within + bytes.length, sector);
    const whole = Buffer.alloc(to - from);
    await this.read(whole, block * this.blockSize + from);
    whole.set(bytes, within - from);
    return { block, within: from, bytes: whole };
  }

  /** Takes space at the end of the file, which reads as zeros. */
  async #allocate(length: number): Promise<number> {
    const offset = this.#nextFree;
    this.#nextFree += length;
    await this.#extending.run(async () => {
      const wanted = offset + length;
      if (wanted <= this.#fileSize) return;
      await this.file.truncate(wanted);
      this.#fileSize = wanted;
    });
    return offset;
  }

  /** Whole blocks that only the parent has become zero without taking space; the rest is written. */
  protected override async zeroSegment(segment: Segment): Promise<void> {
    if (segment.kind !== 'parent') return super.zeroSegment(segment);
    const end = segment.offset + segment.length;
    for (let at = segment.offset; at < end;) {
      const block = Math.floor(at / this.blockSize);
      const count = Math.min(end, (block + 1) * this.blockSize) - at;
      const isWhole = count === Math.min(this.blockSize, this.#virtualSize - block * this.blockSize);
      if (!isWhole || !(await this.#zeroBlock(block))) await this.writeZeroBytes(at, count);
      at += count;
    }
  }

  async #zeroBlock(block: number): Promise<boolean> {
    await this.#markWritten();
    return this.#locks.shared(WHOLE_DISK, () =>
      this.#locks.exclusive(block, async () => {
        const entry = await this.#table.payload(block, this.#fileSize);
        if (entry.state !== PAYLOAD.notPresent) return false;
        await this.#writer.commit([this.#table.payloadEdit(block, { state: PAYLOAD.zero, fileOffset: 0 })]);
        return true;
      }),
    );
  }

  protected flushFile(): Promise<void> {
    return this.#marked === undefined ? Promise.resolve() : this.#writer.flush();
  }

  protected finish(): Promise<void> {
    return this.#marked === undefined ? Promise.resolve() : this.#writer.close();
  }

  protected async grow(virtualSize: number): Promise<void> {
    if (virtualSize > MAX_VHDX_SIZE || virtualSize % this.logicalSectorSize !== 0) {
      throw new VhdError(
        'VHD_INVALID_ARGUMENT',
        `${virtualSize} bytes: a VHDX holds whole sectors of ${this.logicalSectorSize} bytes and 64 TiB at most.`,
        { path: this.file.path },
      );
    }
    await this.#markWritten();
    await this.#locks.exclusive(WHOLE_DISK, async () => {
      this.#contents = await planGrowth({
        file: this.file,
        writer: this.#writer,
        table: this.#table,
        contents: {
          ...this.#contents,
          metadata: { ...this.#contents.metadata, virtualSize: this.#virtualSize },
        },
        virtualSize,
        allocate: (length) => this.#allocate(length),
      });
      this.#virtualSize = virtualSize;
    });
  }

  /** Changes what children must name as their parent, before anything else is changed. */
  identify(dataWriteGuid: string): Promise<void> {
    return this.#markWritten(dataWriteGuid);
  }

  /** What a child of this disk must name as its parent (MS-VHDX 2.2.2, DataWriteGuid). */
  get dataWriteGuid(): string {
    return this.#writer.header.header.dataWriteGuid;
  }
}

export function diskTypeOf(metadata: { hasParent: boolean; leaveBlocksAllocated: boolean }): DiskType {
  if (metadata.hasParent) return 'differencing';
  return metadata.leaveBlocksAllocated ? 'fixed' : 'dynamic';
}
