import { performance } from 'node:perf_hooks';

/** Calls that one turn of the event loop may make at once, so that nothing else of the process waits long. */
const CALLS_PER_TURN = 64;
/** A call that took longer met a slow device, a full write-back queue or a commit of the file system. Milliseconds. */
const SLOW_MS = 0.3;
/** Calls that go the long way after a slow one at most. */
const MAX_REST = 4096;

/**
 * Decides when a small read or write is made at once, blocking, instead of by the thread pool. What the page cache
 * serves takes a few microseconds; handing it to a thread and back takes ten times that. A call that was slow is
 * followed by many that do not block.
 */
export class AtOnce {
  readonly #minRest: number;
  readonly #now: () => number;
  /** Calls that are still to go the long way. */
  #rest = 0;
  #nextRest: number;
  #calls = 0;
  #turn: Promise<void> | undefined;

  /**
   * @param minRest calls that go the long way after a slow one; doubled each time the next try is slow again.
   * @param now a clock in milliseconds.
   */
  constructor(minRest: number, now = () => performance.now()) {
    this.#minRest = minRest;
    this.#now = now;
    this.#nextRest = minRest;
  }

  /** Whether the next call should be tried at once. `false` counts as a call that goes the long way. */
  get isAdvised(): boolean {
    if (this.#rest === 0) return true;
    this.#rest -= 1;
    return false;
  }

  /** This turn of the event loop has seen enough calls: {@link nextTurn} first. */
  get isSpent(): boolean {
    return this.#calls >= CALLS_PER_TURN;
  }

  /** Settles in a turn of the event loop that has time for a call. */
  async nextTurn(): Promise<void> {
    while (this.isSpent) {
      this.#turn ??= new Promise((resolve) => {
        setImmediate(() => {
          this.#turn = undefined;
          this.#calls = 0;
          resolve();
        });
      });
      await this.#turn;
    }
  }

  /** Makes a blocking call and remembers how long it took. */
  run<T>(call: () => T): T {
    this.#calls += 1;
    const start = this.#now();
    const result = call();
    if (this.#now() - start < SLOW_MS) this.#nextRest = this.#minRest;
    else {
      this.#rest = this.#nextRest;
      this.#nextRest = Math.min(MAX_REST, this.#nextRest * 2);
    }
    return result;
  }
}
