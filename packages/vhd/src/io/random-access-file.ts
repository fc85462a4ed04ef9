import fs from 'node:fs';
import { VhdError } from '../errors.js';
import { AtOnce } from './at-once.js';
import type { DataRange } from './holes.js';
import { dataRanges } from './holes.js';

/**
 * What the formats need of a file: positional access, nothing else. Tests put a recorder in its place to cut the
 * stream of writes anywhere.
 */
export interface RandomAccessFile {
  readonly path: string;
  /** Where there is something else than zeros, for files of which that is known; see {@link OpenFileOptions}. */
  readonly dataRanges?: readonly DataRange[];
  /** Fills `target` from `offset`; returns the bytes read, fewer than asked only at the end of the file. */
  read(target: Uint8Array, offset: number): Promise<number>;
  /** Writes all of `source` at `offset`, growing the file when needed. */
  write(source: Uint8Array, offset: number): Promise<void>;
  size(): Promise<number>;
  /** Sets the file's length; what is added reads as zeros and takes no space. */
  truncate(size: number): Promise<void>;
  /** Everything written before is on stable storage when this settles. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** `read`: existing file, read-only. `write`: existing file, both. `create`: new file, both; fails when it exists. */
export type FileMode = 'read' | 'write' | 'create';

export interface OpenFileOptions {
  /** Find out where the file has holes, once: for a file that nobody writes to while it is open. */
  readonly findHoles?: boolean;
}

const FLAGS = { read: 'r', write: 'r+', create: 'wx+' } as const;

/** Reads and writes up to these sizes are made at once where that is quick; larger ones gain by using both processors. */
const MAX_READ_AT_ONCE = 64 * 1024;
const MAX_WRITE_AT_ONCE = 16 * 1024;

class NodeFile implements RandomAccessFile {
  readonly path: string;
  readonly dataRanges?: readonly DataRange[];
  readonly #fd: number;
  // A read that was slow on a busy machine mostly lost the processor; a write waited for a commit of the file system.
  readonly #reads = new AtOnce(16);
  readonly #writes = new AtOnce(256);
  #closed = false;

  constructor(path: string, fd: number, ranges: readonly DataRange[] | undefined) {
    this.path = path;
    this.#fd = fd;
    if (ranges !== undefined) this.dataRanges = ranges;
  }

  async read(target: Uint8Array, offset: number): Promise<number> {
    if (target.length <= MAX_READ_AT_ONCE && this.#reads.isAdvised) {
      if (this.#reads.isSpent) await this.#nextTurn(this.#reads);
      const count = this.#reads.run(() => fs.readSync(this.#fd, target, 0, target.length, offset));
      return count === target.length || count === 0 ? count : this.#readRest(target, offset, count);
    }
    return this.#readRest(target, offset, 0);
  }

  async #nextTurn(calls: AtOnce): Promise<void> {
    await calls.nextTurn();
    // The number may stand for another file by now.
    if (this.#closed)
      throw new VhdError('VHD_INVALID_ARGUMENT', `${this.path} was closed.`, { path: this.path });
  }

  #readRest(target: Uint8Array, offset: number, from: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const step = (done: number): void => {
        fs.read(this.#fd, target, done, target.length - done, offset + done, (error, count) => {
          if (error !== null) reject(error);
          else if (count === 0 || done + count === target.length) resolve(done + count);
          else step(done + count);
        });
      };
      step(from);
    });
  }

  async write(source: Uint8Array, offset: number): Promise<void> {
    if (source.length <= MAX_WRITE_AT_ONCE && this.#writes.isAdvised) {
      if (this.#writes.isSpent) await this.#nextTurn(this.#writes);
      const count = this.#writes.run(() => fs.writeSync(this.#fd, source, 0, source.length, offset));
      if (count < source.length) await this.#writeRest(source, offset, count);
      return;
    }
    await this.#writeRest(source, offset, 0);
  }

  #writeRest(source: Uint8Array, offset: number, from: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const step = (done: number): void => {
        fs.write(this.#fd, source, done, source.length - done, offset + done, (error, count) => {
          if (error !== null) reject(error);
          else if (done + count === source.length) resolve();
          else step(done + count);
        });
      };
      step(from);
    });
  }

  size(): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.fstat(this.#fd, (error, stats) => {
        if (error === null) resolve(stats.size);
        else reject(error);
      });
    });
  }

  truncate(size: number): Promise<void> {
    return this.#call((done) => fs.ftruncate(this.#fd, size, done));
  }

  sync(): Promise<void> {
    return this.#call((done) => fs.fdatasync(this.#fd, done));
  }

  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#closed = true;
    return this.#call((done) => fs.close(this.#fd, done));
  }

  #call(run: (done: (error: Error | null | undefined) => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      run((error) => {
        if (error === null || error === undefined) resolve();
        else reject(error);
      });
    });
  }
}

function hasErrnoCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/**
 * Opens a regular file of this machine.
 * @throws VhdError `VHD_EXISTS` when it was to be created and is there; other failures as Node's own errors.
 */
export async function openFile(
  path: string,
  mode: FileMode,
  options: OpenFileOptions = {},
): Promise<RandomAccessFile> {
  const fd = await new Promise<number>((resolve, reject) => {
    fs.open(path, FLAGS[mode], 0o644, (error, opened) => {
      if (error === null) resolve(opened);
      else if (mode === 'create' && hasErrnoCode(error, 'EEXIST')) {
        reject(new VhdError('VHD_EXISTS', `${path} exists already; nothing was overwritten.`, { path }));
      } else reject(error);
    });
  });
  const ranges = options.findHoles === true ? await dataRanges(fd) : undefined;
  return new NodeFile(path, fd, ranges);
}

/**
 * Reads exactly `length` bytes.
 * @param what names the structure in the message of the error.
 * @throws VhdError `VHD_CORRUPT` when the file ends before.
 */
export async function readExact(
  file: RandomAccessFile,
  offset: number,
  length: number,
  what: string,
): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  const got = await file.read(bytes, offset);
  if (got !== length)
    throw corrupt(file.path, offset, `the file ends inside ${what} (${got} of ${length} bytes)`);
  return bytes;
}

/** A `VHD_CORRUPT` error with where and why. */
export function corrupt(path: string, offset: number, why: string): VhdError {
  return new VhdError('VHD_CORRUPT', `${path} is damaged at byte ${offset}: ${why}.`, {
    path,
    offset,
    reason: why,
  });
}
