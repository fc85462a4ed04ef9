import { readFile } from 'node:fs/promises';
import type { RandomAccessFile } from '../io/random-access-file.js';

/** What a disk did to its file, in order. */
export type FileOperation =
  | { readonly kind: 'write'; readonly offset: number; readonly bytes: Buffer }
  | { readonly kind: 'truncate'; readonly size: number }
  | { readonly kind: 'sync' };

const PAGE = 64 * 1024;

/** A sparse file in memory that remembers every change, so that a test can replay them up to any point. */
export class MemoryFile implements RandomAccessFile {
  readonly path: string;
  readonly operations: FileOperation[] = [];
  readonly #pages: Map<number, Buffer>;
  #size: number;
  isClosed = false;

  constructor(path = 'memory.vhdx', from?: MemoryFile) {
    this.path = path;
    this.#size = from === undefined ? 0 : from.#size;
    const pages = from === undefined ? [] : [...from.#pages];
    this.#pages = new Map(pages.map(([index, page]) => [index, Buffer.from(page)]));
  }

  /** A copy of a small real file, with nothing to remember yet. */
  static async load(path: string): Promise<MemoryFile> {
    const bytes = await readFile(path);
    const file = new MemoryFile(path);
    for (let at = 0; at < bytes.length; at += PAGE) {
      const page = bytes.subarray(at, at + PAGE);
      if (page.some((byte) => byte !== 0)) file.#put(page, at);
    }
    file.#size = bytes.length;
    return file;
  }

  read(target: Uint8Array, offset: number): Promise<number> {
    const length = Math.max(0, Math.min(target.length, this.#size - offset));
    for (let done = 0; done < length;) {
      const at = (offset + done) % PAGE;
      const count = Math.min(length - done, PAGE - at);
      const page = this.#pages.get((offset + done - at) / PAGE);
      if (page === undefined) target.fill(0, done, done + count);
      else target.set(page.subarray(at, at + count), done);
      done += count;
    }
    return later(length);
  }

  write(source: Uint8Array, offset: number): Promise<void> {
    this.apply({ kind: 'write', offset, bytes: Buffer.from(source) });
    return later(undefined);
  }

  size(): Promise<number> {
    return later(this.#size);
  }

  truncate(size: number): Promise<void> {
    this.apply({ kind: 'truncate', size });
    return later(undefined);
  }

  sync(): Promise<void> {
    this.apply({ kind: 'sync' });
    return later(undefined);
  }

  close(): Promise<void> {
    this.isClosed = true;
    return later(undefined);
  }

  apply(operation: FileOperation): void {
    this.operations.push(operation);
    if (operation.kind === 'truncate') {
      if (operation.size < this.#size) this.#zero(operation.size, this.#size);
      this.#size = operation.size;
    } else if (operation.kind === 'write') {
      this.#put(operation.bytes, operation.offset);
      this.#size = Math.max(this.#size, operation.offset + operation.bytes.length);
    }
  }

  #zero(from: number, to: number): void {
    for (let at = from; at < to;) {
      const end = Math.min(to, (Math.floor(at / PAGE) + 1) * PAGE);
      this.#pages.get(Math.floor(at / PAGE))?.fill(0, at % PAGE, (at % PAGE) + end - at);
      at = end;
    }
  }

  #put(bytes: Buffer, offset: number): void {
    for (let done = 0; done < bytes.length;) {
      const at = (offset + done) % PAGE;
      const count = Math.min(bytes.length - done, PAGE - at);
      const index = (offset + done - at) / PAGE;
      const page = this.#pages.get(index) ?? Buffer.alloc(PAGE);
      bytes.copy(page, at, done, done + count);
      this.#pages.set(index, page);
      done += count;
    }
  }
}

/** Settles in a later turn, as a real file's calls do, so that calls that overlap really do. */
function later<T>(value: T): Promise<T> {
  return new Promise((resolve) => {
    setImmediate(() => resolve(value));
  });
}
