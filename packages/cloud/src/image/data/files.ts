import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ApiError } from '../../kernel/errors.js';
import { isUuid } from '../../kernel/ids.js';

export interface StoredData {
  /** bytes */
  readonly size: number;
  /** hexadecimal */
  readonly md5: string;
  /** hexadecimal */
  readonly sha512: string;
}

/** An upload that sends nothing for so long is given up, ms. */
const STALL_MS = 120_000;

/** Hashes and counts what passes, and ends an upload that grows too large or stalls. */
class Meter extends Transform {
  readonly #md5: Hash = createHash('md5');
  readonly #sha512: Hash = createHash('sha512');
  readonly #limit: number;
  readonly #timer: NodeJS.Timeout;
  #size = 0;

  constructor(limit: number) {
    super();
    this.#limit = limit;
    this.#timer = setTimeout(() => {
      this.destroy(
        new ApiError(408, `No image data came for ${STALL_MS / 1000} seconds; the upload is given up.`),
      );
    }, STALL_MS);
  }

  override _transform(
    chunk: Buffer,
    _encoding: string,
    done: (error?: Error | null, data?: Buffer) => void,
  ): void {
    this.#timer.refresh();
    this.#size += chunk.length;
    if (this.#size > this.#limit) {
      done(new ApiError(413, `Denying attempt to upload image larger than ${this.#limit} bytes.`));
      return;
    }
    this.#md5.update(chunk);
    this.#sha512.update(chunk);
    done(null, chunk);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#timer);
    done(error);
  }

  /** Once, after the end. */
  result(): StoredData {
    return { size: this.#size, md5: this.#md5.digest('hex'), sha512: this.#sha512.digest('hex') };
  }
}

const isFull = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');

const PART = '.part';

/** The images' data: one file each, named by the image's UUID; an unfinished one ends in `.part`. */
export class ImageFiles {
  readonly #dir: string;
  readonly #limit: number;

  /** @param limit largest image, bytes */
  constructor(dir: string, limit: number) {
    this.#dir = dir;
    this.#limit = limit;
  }

  /** Where an image's data is. @throws RangeError for what is no UUID, so that no path leaves the folder. */
  path(id: string): string {
    if (!isUuid(id)) throw new RangeError(`Not an image's identifier: ${id}`);
    return join(this.#dir, id);
  }

  /**
   * Takes the data to the disk; after that it is there whole, or (the promise rejects) not at all.
   * @throws ApiError 408 stalled, 413 too large or no room on the disk
   */
  async write(id: string, data: Readable): Promise<StoredData> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    const part = this.path(id) + PART;
    const meter = new Meter(this.#limit);
    const file = await open(part, 'w', 0o600);
    try {
      await pipeline(data, meter, (source: AsyncIterable<Buffer>) => writeFile(file, source));
      await file.sync();
      await file.close();
      await rename(part, this.path(id));
      return meter.result();
    } catch (error) {
      await file.close();
      await rm(part, { force: true });
      if (isFull(error))
        throw new ApiError(413, 'Image storage media is full: there is not enough disk space.');
      throw error;
    }
  }

  /** Bytes `start` to `end` (both included). */
  read(id: string, start: number, end: number): Readable {
    return createReadStream(this.path(id), { start, end });
  }

  /** Size of the file in bytes, undefined when there is none. */
  async size(id: string): Promise<number | undefined> {
    try {
      return (await stat(this.path(id))).size;
    } catch {
      return undefined;
    }
  }

  async remove(id: string): Promise<void> {
    await rm(this.path(id), { force: true });
  }

  /** Removes what belongs to none of these images: left by a process that was killed. Gives the names removed. */
  async removeStrays(keep: ReadonlySet<string>): Promise<readonly string[]> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    const strays = (await readdir(this.#dir)).filter((name) => !keep.has(name));
    // Only names that this class makes: whatever else somebody put here is not ours to delete.
    const ours = strays.filter((name) => isUuid(name.endsWith(PART) ? name.slice(0, -PART.length) : name));
    for (const name of ours) await rm(join(this.#dir, name), { force: true });
    return ours;
  }
}
