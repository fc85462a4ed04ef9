/** Which units (mebibytes) of a file something owns: one bit each, so 10 MiB of memory for a file of 80 TiB. */
export class SpaceMap {
  readonly #bits: Uint8Array;
  #owned = 0;

  constructor(units: number) {
    this.#bits = new Uint8Array(Math.ceil(units / 8));
  }

  /** Units that are owned. */
  get owned(): number {
    return this.#owned;
  }

  /**
   * Takes units that lie inside the map.
   * @returns the first unit that was taken before, undefined when all were free.
   */
  claim(first: number, count: number): number | undefined {
    let taken: number | undefined;
    for (let unit = first; unit < first + count; unit += 1) {
      const byte = this.#bits[unit >>> 3] ?? 0;
      const bit = 1 << (unit & 7);
      if ((byte & bit) === 0) {
        this.#bits[unit >>> 3] = byte | bit;
        this.#owned += 1;
      } else taken ??= unit;
    }
    return taken;
  }
}
