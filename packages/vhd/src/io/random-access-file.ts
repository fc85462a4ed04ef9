import fs from 'node:fs';
import { VhdError } from '../errors.js';

/**
 * What the formats need of a file: positional access, nothing else. Tests put a recorder in its place to cut the
 * stream of writes anywhere.
 */
export interface RandomAccessFile {
  readonly path: string;
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

const FLAGS = { read: 'r', write: 'r+', create: 'wx+' } as const;

class NodeFile implements RandomAccessFile {
  readonly path: string;
  readonly #fd: number;
  #closed = false;

  constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
  }

  read(target: Uint8Array, offset: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const step = (done: number): void => {
        fs.read(this.#fd, target, done, target.length - done, offset + done, (error, count) => {
          if (error !== null) reject(error);
          else if (count === 0 || done + count === target.length) resolve(done + count);
          else step(done + count);
        });
      };
      step(0);
    });
  }

  write(source: Uint8Array, offset: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const step = (done: number): void => {
        fs.write(this.#fd, source, done, source.length - done, offset + done, (error, count) => {
          if (error !== null) reject(error);
          else if (done + count === source.length) resolve();
          else step(done + count);
        });
      };
      step(0);
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
export async function openFile(path: string, mode: FileMode): Promise<RandomAccessFile> {
  const fd = await new Promise<number>((resolve, reject) => {
    fs.open(path, FLAGS[mode], 0o644, (error, opened) => {
      if (error === null) resolve(opened);
      else if (mode === 'create' && hasErrnoCode(error, 'EEXIST')) {
        reject(new VhdError('VHD_EXISTS', `${path} exists already; nothing was overwritten.`, { path }));
      } else reject(error);
    });
  });
  return new NodeFile(path, fd);
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
  return new VhdError('VHD_CORRUPT', `${path} is damaged at byte ${offset}: ${why}.`, { path, offset });
}
