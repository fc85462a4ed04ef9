import { MIB } from '../bytes/integers.js';
import { corrupt } from '../io/random-access-file.js';

/** Which mebibytes of a VHDX are in use: one bit each, 8 MiB of memory for a file of 64 TiB. */
export class UsageMap {
  readonly #path: string;
  readonly #units: number;
  readonly #bits: Uint8Array;
  /** Below it there is no hole of the length. */
  readonly #cursors = new Map<number, number>();
  #used = 0;

  constructor(path: string, fileSize: number) {
    this.#path = path;
    this.#units = Math.ceil(fileSize / MIB);
    this.#bits = new Uint8Array(Math.ceil(this.#units / 8));
  }

  /** Bytes in use. */
  get used(): number {
    return this.#used * MIB;
  }

  /** The end of the last mebibyte in use. */
  get end(): number {
    let unit = this.#units;
    while (unit > 0 && !this.#isUsed(unit - 1)) unit -= 1;
    return unit * MIB;
  }

  /** @throws VhdError `VHD_CORRUPT` when something else lies there. */
  mark(offset: number, length: number): void {
    for (let unit = Math.floor(offset / MIB); unit * MIB < offset + length; unit += 1) {
      if (this.#isUsed(unit)) throw corrupt(this.#path, offset, 'two structures or blocks lie in one place');
      this.#bits[unit >> 3] = (this.#bits[unit >> 3] ?? 0) | (1 << (unit & 7));
      this.#used += 1;
    }
  }

  /** Takes the lowest hole of the length that ends below `limit`; undefined = there is none. Lengths are whole MiB. */
  take(length: number, limit: number): number | undefined {
    const wanted = length / MIB;
    let start = this.#cursors.get(length) ?? 0;
    let unit = start;
    while (unit - start < wanted && (unit + 1) * MIB <= limit) {
      if (this.#isUsed(unit)) start = unit + 1;
      unit += 1;
    }
    this.#cursors.set(length, start);
    if (unit - start < wanted) return undefined;
    this.mark(start * MIB, length);
    return start * MIB;
  }

  #isUsed(unit: number): boolean {
    return ((this.#bits[unit >> 3] ?? 0) & (1 << (unit & 7))) !== 0;
  }
}
