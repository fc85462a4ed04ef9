/** A range of a file. Bytes. */
export interface Space {
  readonly offset: number;
  readonly length: number;
}

/** Free ranges of a file. Neighbours are joined, so that what was given up piece by piece is found in one. */
export class FreeList {
  /** By offset; they do not touch one another. */
  readonly #ranges: Space[] = [];

  get ranges(): readonly Space[] {
    return this.#ranges;
  }

  /** The range must not be in the list, not in part either. */
  add({ offset, length }: Space): void {
    const at = this.#firstFrom(offset);
    const [before, after] = [this.#ranges[at - 1], this.#ranges[at]];
    const joinsBefore = before !== undefined && before.offset + before.length === offset;
    const joinsAfter = after !== undefined && offset + length === after.offset;
    const start = joinsBefore ? before.offset : offset;
    const end = joinsAfter ? after.offset + after.length : offset + length;
    const from = joinsBefore ? at - 1 : at;
    this.#ranges.splice(from, (joinsBefore ? 1 : 0) + (joinsAfter ? 1 : 0), {
      offset: start,
      length: end - start,
    });
  }

  /** Takes the lowest place that has room; undefined = there is none. */
  take(length: number): number | undefined {
    const at = this.#ranges.findIndex((range) => range.length >= length);
    const range = this.#ranges[at];
    if (range === undefined) return undefined;
    const rest = { offset: range.offset + length, length: range.length - length };
    this.#ranges.splice(at, 1, ...(rest.length > 0 ? [rest] : []));
    return range.offset;
  }

  /** Takes the range that ends at `end` off the list. @returns where it began; `end` when there is none. */
  takeTail(end: number): number {
    const last = this.#ranges.at(-1);
    if (last === undefined || last.offset + last.length !== end) return end;
    this.#ranges.pop();
    return last.offset;
  }

  /** Empties the list. */
  takeAll(): readonly Space[] {
    return this.#ranges.splice(0);
  }

  #firstFrom(offset: number): number {
    let [low, high] = [0, this.#ranges.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ranges[middle]?.offset ?? 0) < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
