import { roundUp } from './bytes/integers.js';
import { VhdError } from './errors.js';
import { FileDisk } from './file-disk.js';
import type { RandomAccessFile } from './io/random-access-file.js';
import { openFile } from './io/random-access-file.js';
import type { Segment } from './segments.js';

/** A plain image (raw disk, ISO 9660): the file is the disk, in sectors of 512 bytes. */
class RawDisk extends FileDisk {
  readonly format = 'raw';
  readonly type = 'fixed';
  readonly logicalSectorSize = 512;
  readonly physicalSectorSize = 512;
  readonly blockSize = 0;
  #size: number;
  readonly #fileSize: number;

  constructor(file: RandomAccessFile, fileSize: number, readOnly: boolean) {
    super(file, readOnly, undefined);
    this.#fileSize = fileSize;
    this.#size = roundUp(fileSize, 512);
  }

  get virtualSize(): number {
    return this.#size;
  }

  protected segments(offset: number, length: number): Promise<readonly Segment[]> {
    // A file that ends inside a sector has zeros up to the sector's end.
    const end = this.readOnly ? this.#fileSize : this.#size;
    const inFile = Math.max(0, Math.min(length, end - offset));
    const segments: Segment[] = [];
    if (inFile > 0) segments.push({ kind: 'data', offset, length: inFile, fileOffset: offset });
    if (inFile < length)
      segments.push({ kind: 'zero', offset: offset + inFile, length: length - inFile, fileOffset: 0 });
    return Promise.resolve(segments);
  }

  protected contiguous(offset: number, length: number): number | undefined {
    return offset + length <= this.#fileSize ? offset : undefined;
  }

  protected writeRange(source: Uint8Array, offset: number): Promise<void> {
    return this.file.write(source, offset);
  }

  protected flushFile(): Promise<void> {
    return this.file.sync();
  }

  protected finish(): Promise<void> {
    return this.file.sync();
  }

  protected async grow(virtualSize: number): Promise<void> {
    if (virtualSize % 512 !== 0) {
      throw new VhdError('VHD_INVALID_ARGUMENT', `${virtualSize} is not a multiple of 512.`, {
        path: this.file.path,
      });
    }
    await this.file.truncate(virtualSize);
    this.#size = virtualSize;
  }
}

/** Opens any file as a plain disk, whatever is in it. A writable one is filled up to whole sectors first. */
export async function openRaw(
  path: string,
  options: { readonly readOnly?: boolean } = {},
): Promise<FileDisk> {
  const readOnly = options.readOnly ?? false;
  return openRawFile(await openFile(path, readOnly ? 'read' : 'write'), readOnly);
}

/** {@link openRaw} for a file that is open already, which the disk then owns; on failure it is closed. */
export async function openRawFile(file: RandomAccessFile, readOnly: boolean): Promise<FileDisk> {
  try {
    const size = await file.size();
    if (!readOnly && size % 512 !== 0) await file.truncate(roundUp(size, 512));
    return new RawDisk(file, size, readOnly);
  } catch (error) {
    await file.close();
    throw error;
  }
}
