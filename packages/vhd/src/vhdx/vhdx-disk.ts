import { newGuid } from '../bytes/guid.js';
import { roundUp } from '../bytes/integers.js';
import type { Disk, DiskType } from '../disk.js';
import { FileDisk } from '../file-disk.js';
import { allDone, KeyedLocks } from '../io/locks.js';
import type { RandomAccessFile } from '../io/random-access-file.js';
import { ReadTracker } from '../io/read-tracker.js';
import { writeZeros, zeroWhereNeeded, ZEROS } from '../io/zeros.js';
import type { Segment } from '../segments.js';
import { SegmentList } from '../segments.js';
import type { TransferOptions } from '../transfer.js';
import { piecesOf } from '../transfer.js';
import { BITMAP_BLOCK_SIZE, chunkRatio } from './block-geometry.js';
import type { BatEntry } from './block-table.js';
import { BlockTable, hasSpace, PAYLOAD } from './block-table.js';
import type { VhdxParts } from './compact.js';
import { compactFile } from './compact.js';
import { FileSpace } from './file-space.js';
import { planGrowth } from './grow.js';
import { MAX_VHDX_SIZE } from './metadata.js';
import type { SectorEdit } from './metadata-writer.js';
import { MetadataWriter } from './metadata-writer.js';
import { SectorBitmaps } from './sector-bitmap.js';
import { shrinkTable } from './shrink.js';
import type { VhdxContents } from './vhdx-file.js';

/** Key of the lock that resizing holds alone and every write shares. Block numbers are not negative. */
const WHOLE_DISK = -1;

/** Blocks that are given up at the same time. */
const BLOCKS_AT_ONCE = 64;

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
  readonly #space: FileSpace;
  readonly #reads = new ReadTracker();
  #contents: VhdxContents;
  #virtualSize: number;
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
    this.#space = new FileSpace(file, fileSize);
    this.#writer = new MetadataWriter(file, contents.current, () => this.#space.size);
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
      const found = this.#table.payload(block, this.#space.size);
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
    for (const run of await this.#bitmaps.runs(block, first, last - first, this.#space.size)) {
      const from = Math.max(at, start + run.first * sector);
      const to = Math.min(at + count, start + (run.first + run.count) * sector);
      list.add(run.present ? 'data' : 'parent', from, to - from, entry.fileOffset + from - start);
    }
  }

  protected contiguous(offset: number, length: number): number | undefined {
    const block = Math.floor(offset / this.blockSize);
    const within = offset - block * this.blockSize;
    if (within + length > this.blockSize) return undefined;
    const entry = this.#table.payload(block, this.#space.size);
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
    const entry = await this.#table.payload(block, this.#space.size);
    if (entry.state === PAYLOAD.fullyPresent) {
      await this.file.write(bytes, entry.fileOffset + within);
      return true;
    }
    if (entry.state !== PAYLOAD.partiallyPresent || !this.#isAligned(within, bytes.length)) return false;
    await this.file.write(bytes, entry.fileOffset + within);
    const first = within / this.logicalSectorSize;
    const count = bytes.length / this.logicalSectorSize;
    const runs = await this.#bitmaps.runs(block, first, count, this.#space.size);
    if (runs.some((run) => !run.present)) {
      const bitmapOffset = await this.#table.bitmapBlock(this.#bitmaps.chunkOf(block), this.#space.size);
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
    const entry = await this.#table.payload(block, this.#space.size);
    if (entry.state === PAYLOAD.partiallyPresent) {
      await this.#writePresent(await this.#completeSectors(write));
      return;
    }
    if (this.type === 'differencing' && entry.state === PAYLOAD.notPresent && !this.#isWholeBlock(write)) {
      await this.#writeFirstSectors(await this.#completeSectors(write));
      return;
    }
    const { offset: fileOffset, isReused } = await this.#space.allocate(this.blockSize);
    if (isReused) await this.#zeroAround(fileOffset, write);
    await this.file.write(write.bytes, fileOffset + write.within);
    const edit = this.#table.payloadEdit(block, { state: PAYLOAD.fullyPresent, fileOffset });
    const hidesParent = this.#syncsFirst && entry.state === PAYLOAD.notPresent;
    await this.#writer.commit([edit], hidesParent || isReused);
  }

  /** What another block left is nobody's to see. */
  async #zeroAround(fileOffset: number, { within, bytes }: BlockWrite): Promise<void> {
    const end = within + bytes.length;
    await writeZeros(this.file, fileOffset, within);
    await writeZeros(this.file, fileOffset + end, this.blockSize - end);
  }

  #isWholeBlock({ block, within, bytes }: BlockWrite): boolean {
    const size = Math.min(this.blockSize, this.#virtualSize - block * this.blockSize);
    return within === 0 && bytes.length === size;
  }

  /** A differencing disk's block that was the parent's alone gets its first sectors. */
  async #writeFirstSectors({ block, within, bytes }: BlockWrite): Promise<void> {
    const { offset: fileOffset, isReused } = await this.#space.allocate(this.blockSize);
    await this.file.write(bytes, fileOffset + within);
    const chunk = this.#bitmaps.chunkOf(block);
    const first = within / this.logicalSectorSize;
    const count = bytes.length / this.logicalSectorSize;
    await this.#locks.exclusive(this.#bitmapLock(chunk), async () => {
      const existing = await this.#table.bitmapBlock(chunk, this.#space.size);
      const bitmapOffset = existing ?? (await this.#space.append(BITMAP_BLOCK_SIZE));
      const edits: SectorEdit[] = [
        ...this.#bitmaps.clearEdits(bitmapOffset, block),
        ...this.#bitmaps.setEdits(bitmapOffset, block, first, count),
        this.#table.payloadEdit(block, { state: PAYLOAD.partiallyPresent, fileOffset }),
      ];
      if (existing === undefined) edits.push(this.#table.bitmapEdit(chunk, bitmapOffset));
      await this.#writer.commit(edits, this.#syncsFirst || isReused);
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

  protected override async zeroRange(offset: number, length: number): Promise<void> {
    // The blocks of a fixed disk stay.
    if (this.type === 'fixed') return super.zeroRange(offset, length);
    await this.#overBlocks(offset, length, PAYLOAD.zero, (at, count) => super.zeroRange(at, count));
  }

  /** Whole blocks give their space up and read as zeros from now on, whatever a parent holds. The rest stays. */
  protected override async discardRange(offset: number, length: number): Promise<void> {
    if (this.type === 'fixed') return;
    await this.#overBlocks(offset, length, PAYLOAD.unmapped, () => Promise.resolve());
  }

  /** Brings the whole blocks of a range into a state without space, and gives the parts of others to `part`. */
  async #overBlocks(
    offset: number,
    length: number,
    state: number,
    part: (offset: number, length: number) => Promise<void>,
  ): Promise<void> {
    const end = offset + length;
    const running: Promise<void>[] = [];
    try {
      for (let at = offset; at < end;) {
        const block = Math.floor(at / this.blockSize);
        const next = Math.min(end, (block + 1) * this.blockSize);
        const isWhole = next - at === Math.min(this.blockSize, this.#virtualSize - block * this.blockSize);
        if (!isWhole) await part(at, next - at);
        else if (await this.#differs(block, state)) running.push(this.#giveUpBlock(block, state));
        // Many share a log entry.
        if (running.length === BLOCKS_AT_ONCE) await allDone(running.splice(0));
        at = next;
      }
    } finally {
      await allDone(running);
    }
  }

  async #differs(block: number, state: number): Promise<boolean> {
    const found = this.#table.payload(block, this.#space.size);
    const entry = found instanceof Promise ? await found : found;
    if (hasSpace(entry)) return true;
    // What only the parent has may stay when it is discarded; a dynamic disk's block that was never there is zeros.
    if (state === PAYLOAD.unmapped || entry.state === PAYLOAD.zero) return false;
    return entry.state !== PAYLOAD.notPresent || this.type === 'differencing';
  }

  async #giveUpBlock(block: number, state: number): Promise<void> {
    await this.#markWritten();
    await this.#locks.shared(WHOLE_DISK, () =>
      this.#locks.exclusive(block, async () => {
        const entry = await this.#table.payload(block, this.#space.size);
        await this.#writer.commit([this.#table.payloadEdit(block, { state, fileOffset: 0 })]);
        if (hasSpace(entry)) this.#space.release({ offset: entry.fileOffset, length: this.blockSize });
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

  protected async flushFile(): Promise<void> {
    if (this.#marked === undefined) return;
    const released = this.#space.takeReleased();
    await this.#writer.flush();
    if (released.length > 0) await this.#reads.drained();
    this.#space.free(released);
  }

  protected async finish(): Promise<void> {
    if (this.#marked === undefined) return;
    await this.#emptyLog();
  }

  /** Marks the log empty; then the space that was given up is free for anything, and at the file's end cut off. */
  async #emptyLog(): Promise<void> {
    await this.#writer.restart();
    await this.#reads.drained();
    this.#space.free(this.#space.takeReleased());
    await this.#space.cutTail();
  }

  protected async grow(virtualSize: number): Promise<void> {
    if (virtualSize > MAX_VHDX_SIZE) {
      throw this.refusal(`${virtualSize} bytes: a VHDX holds 64 TiB at most.`);
    }
    this.#checkSectors(virtualSize);
    await this.#markWritten();
    await this.#locks.exclusive(WHOLE_DISK, async () => {
      await this.#zeroTail(virtualSize);
      this.#contents = await planGrowth({
        ...this.#parts(),
        virtualSize,
        parentSize: this.parent?.virtualSize ?? 0,
      });
      this.#virtualSize = virtualSize;
    });
  }

  protected override async shrink(virtualSize: number): Promise<void> {
    this.#checkSectors(virtualSize);
    await this.#markWritten();
    await this.#locks.exclusive(WHOLE_DISK, async () => {
      const before = this.#parts();
      this.#virtualSize = virtualSize;
      this.#contents = await shrinkTable({ ...before, virtualSize });
      await this.#emptyLog();
      // From now on the log tells the new length of the file.
      await this.#writer.flush();
    });
  }

  /** {@link compactFile}. What the disk holds stays the same, and so its children fit as before. */
  async compact(options: TransferOptions): Promise<void> {
    this.checkWritable();
    await this.#markWritten(this.dataWriteGuid);
    await this.#locks.exclusive(WHOLE_DISK, async () => {
      await this.#reads.drained();
      this.#contents = await compactFile({ ...this.#parts(), bitmaps: this.#bitmaps, options });
    });
  }

  #parts(): VhdxParts {
    const metadata = { ...this.#contents.metadata, virtualSize: this.#virtualSize };
    return {
      file: this.file,
      writer: this.#writer,
      table: this.#table,
      space: this.#space,
      contents: { ...this.#contents, metadata },
    };
  }

  #checkSectors(virtualSize: number): void {
    if (virtualSize % this.logicalSectorSize === 0) return;
    throw this.refusal(
      `${virtualSize} bytes: a VHDX holds whole sectors of ${this.logicalSectorSize} bytes.`,
    );
  }

  /** The part of the last block that growing adds may hold what was there before a shrinking. */
  async #zeroTail(virtualSize: number): Promise<void> {
    const from = this.#virtualSize;
    const to = Math.min(virtualSize, roundUp(from, this.blockSize));
    if (from === to) return;
    for (const { kind, offset, length, fileOffset } of await this.segments(from, to - from)) {
      if (kind === 'data') await zeroWhereNeeded(this.file, fileOffset, length);
      else if (kind === 'parent' && (this.parent?.virtualSize ?? 0) > offset) {
        for (const piece of piecesOf(offset, length)) {
          const block = Math.floor(piece.offset / this.blockSize);
          const within = piece.offset - block * this.blockSize;
          await this.#writeBlock({ block, within, bytes: ZEROS.subarray(0, piece.length) });
        }
      }
    }
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
