import type { RandomAccessFile } from '../io/random-access-file.js';
import { readExact } from '../io/random-access-file.js';
import { LOG_SECTOR } from './log-entry.js';

/** Sectors in one generation; two generations, so at most 16 MiB of metadata are held, whatever the disk's size. */
const GENERATION = 2048;

/** Where metadata is read from: 4 KiB sectors by their offset in the file. Sectors are not to be changed. */
export interface SectorSource {
  /** The sector when it is in memory. */
  peek(sectorOffset: number): Buffer | undefined;
  load(sectorOffset: number): Promise<Buffer>;
}

/**
 * Metadata of an open file in sectors of 4 KiB, the log's unit. Sectors are never changed in place: a change puts a
 * new array, so whoever holds one sees a consistent state.
 */
export class SectorCache implements SectorSource {
  readonly #file: RandomAccessFile;
  #young = new Map<number, Buffer>();
  #old = new Map<number, Buffer>();
  /** Rises with every change, so that a read that was under way during one is not trusted. */
  #version = 0;

  constructor(file: RandomAccessFile) {
    this.#file = file;
  }

  /** The sector at a multiple of 4 KiB, at once when it is held. */
  peek(offset: number): Buffer | undefined {
    const held = this.#young.get(offset);
    if (held !== undefined) return held;
    const older = this.#old.get(offset);
    if (older !== undefined) this.put(offset, older);
    return older;
  }

  /** Reads the sector unless something newer was put meanwhile. */
  async load(offset: number): Promise<Buffer> {
    for (;;) {
      const version = this.#version;
      const sector = await readExact(this.#file, offset, LOG_SECTOR, 'the metadata');
      const newer = this.peek(offset);
      if (newer !== undefined) return newer;
      if (version !== this.#version) continue;
      this.put(offset, sector);
      return sector;
    }
  }

  put(offset: number, sector: Buffer): void {
    if (this.#young.size >= GENERATION) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(offset, sector);
  }

  /** Like {@link put} for a sector whose content is not what the file holds. */
  replace(offset: number, sector: Buffer): void {
    this.#version += 1;
    this.#old.delete(offset);
    this.put(offset, sector);
  }

  /** Holds nothing any more. */
  clear(): void {
    this.#version += 1;
    this.#young = new Map();
    this.#old = new Map();
  }

  /** Content of the file changed under the cache's feet (sectors were written in place). */
  touched(): void {
    this.#version += 1;
  }
}
