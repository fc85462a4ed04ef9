import type { Disk, DiskFormat, DiskType, Extent, ResizeOptions } from './disk.js';
import { VhdError } from './errors.js';
import { splitByData } from './io/holes.js';
import { Mutex } from './io/locks.js';
import type { RandomAccessFile } from './io/random-access-file.js';
import { corrupt } from './io/random-access-file.js';
import { ZEROS } from './io/zeros.js';
import { minimumSize } from './minimum-size.js';
import type { Segment } from './segments.js';
import { readSegments, SegmentList } from './segments.js';
import { piecesOf } from './transfer.js';

/**
 * What all disks that live in a file share: checks of range and state, reading by segments, zeroing. A format says
 * where bytes are (`segments`) and how they get there (`writeRange`).
 */
export abstract class FileDisk implements Disk {
  abstract readonly format: DiskFormat | 'raw';
  abstract readonly type: DiskType;
  abstract readonly virtualSize: number;
  abstract readonly logicalSectorSize: number;
  abstract readonly physicalSectorSize: number;
  abstract readonly blockSize: number;
  readonly readOnly: boolean;
  readonly parent?: Disk;
  protected readonly file: RandomAccessFile;
  readonly #resizing = new Mutex();
  #closing: Promise<void> | undefined;

  protected constructor(file: RandomAccessFile, readOnly: boolean, parent: Disk | undefined) {
    this.file = file;
    this.readOnly = readOnly;
    if (parent !== undefined) this.parent = parent;
  }

  /** The file that the disk is in. */
  get path(): string {
    return this.file.path;
  }

  /** Covers the range in order; it lies inside the disk and is not empty. */
  protected abstract segments(offset: number, length: number): Promise<readonly Segment[]>;
  /**
   * Where in the file the range lies when all of it is there, in one piece, and that can be told at once; the short
   * way for nearly all reads and writes of a disk in use.
   */
  protected abstract contiguous(offset: number, length: number): number | undefined;
  /** Writes inside the disk; not empty. */
  protected abstract writeRange(source: Uint8Array, offset: number): Promise<void>;
  protected abstract flushFile(): Promise<void>;
  protected abstract grow(virtualSize: number): Promise<void>;
  /** Leaves the file clean; the file itself is closed by the caller. */
  protected abstract finish(): Promise<void>;

  async read(target: Uint8Array, offset: number): Promise<void> {
    this.checkRange(offset, target.length);
    if (target.length === 0) return;
    const place = this.contiguous(offset, target.length);
    if (place !== undefined) {
      const got = await this.file.read(target, place);
      if (got !== target.length) throw corrupt(this.file.path, place + got, 'the file ends inside a block');
      return;
    }
    await readSegments(this.file, this.parent, await this.segments(offset, target.length), target, offset);
  }

  async write(source: Uint8Array, offset: number): Promise<void> {
    this.checkWritable();
    this.checkRange(offset, source.length);
    if (source.length > 0) await this.writeRange(source, offset);
  }

  async writeZeroes(offset: number, length: number): Promise<void> {
    this.checkWritable();
    this.checkRange(offset, length);
    if (length > 0) await this.zeroRange(offset, length);
  }

  /** Makes a range that is not empty read as zeros. */
  protected async zeroRange(offset: number, length: number): Promise<void> {
    for (const segment of await this.segments(offset, length)) {
      if (segment.kind === 'zero') continue;
      for (const piece of piecesOf(segment.offset, segment.length)) {
        await this.writeRange(ZEROS.subarray(0, piece.length), piece.offset);
      }
    }
  }

  async discard(offset: number, length: number): Promise<void> {
    this.checkWritable();
    this.checkRange(offset, length);
    if (length > 0) await this.discardRange(offset, length);
  }

  /** A form that cannot give space back keeps the bytes. */
  protected discardRange(_offset: number, _length: number): Promise<void> {
    return Promise.resolve();
  }

  async extents(offset: number, length: number): Promise<readonly Extent[]> {
    this.checkRange(offset, length);
    if (length === 0) return [];
    const list = new SegmentList();
    // The virtual offset stands for the place, so that neighbours join wherever their bytes are.
    for (const { kind, offset: at, length: size, fileOffset } of await this.segments(offset, length)) {
      const ranges = kind === 'data' ? this.file.dataRanges : undefined;
      if (ranges === undefined) list.add(kind, at, size, at);
      else {
        for (const { start, end, isData } of splitByData(ranges, fileOffset, size)) {
          const virtual = at + start - fileOffset;
          list.add(isData ? 'data' : 'zero', virtual, end - start, virtual);
        }
      }
    }
    return list.segments.map(({ kind, offset: at, length: size }) => ({
      offset: at,
      length: size,
      state: kind,
    }));
  }

  async flush(): Promise<void> {
    this.#checkOpen();
    if (!this.readOnly) await this.flushFile();
  }

  resize(virtualSize: number, options: ResizeOptions = {}): Promise<void> {
    return this.#resizing.run(() => this.#resizeAlone(virtualSize, options.force ?? false));
  }

  async #resizeAlone(virtualSize: number, force: boolean): Promise<void> {
    this.checkWritable();
    if (!Number.isSafeInteger(virtualSize) || virtualSize <= 0) {
      throw this.refusal(`${virtualSize} is not a size in bytes.`);
    }
    if (virtualSize > this.virtualSize) await this.grow(virtualSize);
    if (virtualSize >= this.virtualSize) return;
    const least = await minimumSize(this);
    if (virtualSize < least && !(force && this.format === 'vhdx')) {
      throw this.refusal(
        `${this.file.path} holds ${this.virtualSize} bytes and cannot be made smaller than ${least} (${virtualSize}).`,
      );
    }
    await this.shrink(virtualSize);
  }

  /** Only a VHDX can; the others know no smaller size. */
  protected shrink(virtualSize: number): Promise<void> {
    return Promise.reject(this.refusal(`${this.file.path} cannot be made smaller (${virtualSize}).`));
  }

  protected refusal(why: string): VhdError {
    return new VhdError('VHD_INVALID_ARGUMENT', why, { path: this.file.path });
  }

  /** Closes the parents too. Safe to call twice. */
  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    try {
      if (!this.readOnly) await this.finish();
    } finally {
      await this.file.close();
      await this.parent?.close();
    }
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) {
      throw new VhdError('VHD_INVALID_ARGUMENT', `${this.file.path} was closed.`, { path: this.file.path });
    }
  }

  protected checkWritable(): void {
    this.#checkOpen();
    if (this.readOnly) {
      throw new VhdError('VHD_READ_ONLY', `${this.file.path} was opened read-only.`, {
        path: this.file.path,
      });
    }
  }

  protected checkRange(offset: number, length: number): void {
    this.#checkOpen();
    const fits =
      Number.isSafeInteger(offset) &&
      Number.isSafeInteger(length) &&
      offset >= 0 &&
      length >= 0 &&
      offset + length <= this.virtualSize;
    if (!fits) {
      throw new VhdError(
        'VHD_OUT_OF_RANGE',
        `Bytes ${offset} to ${offset + length} are not inside ${this.file.path}, which holds ${this.virtualSize}.`,
        { path: this.file.path },
      );
    }
  }
}
