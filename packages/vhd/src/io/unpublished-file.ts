import { MIB } from '../bytes/integers.js';
import type { RandomAccessFile } from './random-access-file.js';

/** After so many bytes the device is set to work on them. */
const SYNC_EVERY = 32 * MIB;

/**
 * A new file that nobody can see before it is whole: the order in which its parts become stable is of no interest, so
 * `sync` costs nothing. Instead, what is written is sent to the device meanwhile, so that little is left for the one
 * sync at the end, which whoever owns the file below makes, as he closes it.
 */
export class UnpublishedFile implements RandomAccessFile {
  readonly path: string;
  readonly #file: RandomAccessFile;
  #unsynced = 0;
  #syncing: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(file: RandomAccessFile) {
    this.path = file.path;
    this.#file = file;
  }

  read(target: Uint8Array, offset: number): Promise<number> {
    return this.#file.read(target, offset);
  }

  async write(source: Uint8Array, offset: number): Promise<void> {
    await this.#file.write(source, offset);
    this.#unsynced += source.length;
    if (this.#unsynced < SYNC_EVERY || this.#syncing !== undefined) return;
    this.#unsynced = 0;
    this.#syncing = this.#file
      .sync()
      .catch((error: unknown) => {
        // A system tells of a failed write once only: it must not be forgotten.
        this.#failure = { error };
      })
      .finally(() => {
        this.#syncing = undefined;
      });
  }

  size(): Promise<number> {
    return this.#file.size();
  }

  truncate(size: number): Promise<void> {
    return this.#file.truncate(size);
  }

  sync(): Promise<void> {
    return Promise.resolve();
  }

  /** Ends what runs, and leaves the file below open. @throws what sending to the device met. */
  async close(): Promise<void> {
    await this.#syncing;
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
