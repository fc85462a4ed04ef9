/** Time since its making. */
export class Stopwatch {
  readonly #begin = performance.now();

  milliseconds(): number {
    return performance.now() - this.#begin;
  }

  /** Seconds with two decimals, for log lines. */
  seconds(): string {
    return (this.milliseconds() / 1000).toFixed(2);
  }
}
