import { MIB, roundUp } from '../bytes/integers.js';
import type { Space } from '../io/free-list.js';
import { FreeList } from '../io/free-list.js';
import { Mutex } from '../io/locks.js';
import type { RandomAccessFile } from '../io/random-access-file.js';

/** A place for a block. What is not reused reads as zeros. */
export interface Allocation {
  readonly offset: number;
  readonly isReused: boolean;
}

/**
 * The space of an open VHDX: blocks go where others were given up, or to the end. What is given up is used again only
 * after the metadata that gave it up is stable; where there is more than one use for it, the log decides.
 */
export class FileSpace {
  readonly #file: RandomAccessFile;
  readonly #extending = new Mutex();
  readonly #free = new FreeList();
  readonly #released = new FreeList();
  #size: number;
  /** Where the next new block goes. */
  #end: number;

  constructor(file: RandomAccessFile, size: number) {
    this.#file = file;
    this.#size = size;
    this.#end = roundUp(size, MIB);
  }

  /** Length of the file as it is. */
  get size(): number {
    return this.#size;
  }

  async allocate(length: number): Promise<Allocation> {
    const reused = this.#free.take(length);
    return reused === undefined
      ? { offset: await this.append(length), isReused: false }
      : { offset: reused, isReused: true };
  }

  /** Takes space at the end of the file, which reads as zeros. */
  async append(length: number): Promise<number> {
    const offset = this.#end;
    this.#end += length;
    await this.#extending.run(async () => {
      const wanted = offset + length;
      if (wanted <= this.#size) return;
      await this.#file.truncate(wanted);
      this.#size = wanted;
    });
    return offset;
  }

  /** Nothing in the file refers to the space any more, as soon as what was logged is stable. */
  release(space: Space): void {
    this.#released.add(space);
  }

  /** What was released since the last call. Once it may be used again, it goes to {@link free}. */
  takeReleased(): readonly Space[] {
    return this.#released.takeAll();
  }

  free(spaces: readonly Space[]): void {
    for (const space of spaces) this.#free.add(space);
  }

  /** Cuts the free space at the end off the file. The log must be empty: its entries tell how long the file is. */
  async cutTail(): Promise<void> {
    const tail = this.#free.takeTail(this.#end);
    if (tail < this.#end) await this.#cut(tail);
  }

  /** Everything from `end` on is free and cut off; below it, nothing is known to be. The log must be empty. */
  async reset(end: number): Promise<void> {
    this.#free.takeAll();
    this.#released.takeAll();
    if (end < this.#end) await this.#cut(end);
  }

  async #cut(end: number): Promise<void> {
    await this.#file.truncate(end);
    this.#size = end;
    this.#end = end;
  }
}
