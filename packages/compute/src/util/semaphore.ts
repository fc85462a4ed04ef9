import { abortReason } from './errors.js';

/** Lets a bounded number of holders in at a time, in the order they came. */
export class Semaphore {
  readonly #limit: number;
  #held = 0;
  readonly #waiting: (() => void)[] = [];

  /** @param limit 0 = no bound, as Nova's `max_concurrent_builds`. */
  constructor(limit: number) {
    this.#limit = limit === 0 ? Number.POSITIVE_INFINITY : limit;
  }

  /** Settles with the function that gives the place back; rejects with the signal's reason when that aborts first. */
  acquire(signal?: AbortSignal): Promise<() => void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(abortReason(signal));
        return;
      }
      const enter = (): void => {
        signal?.removeEventListener('abort', onAbort);
        this.#held += 1;
        resolve(this.#releaser());
      };
      const onAbort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(enter), 1);
        reject(abortReason(signal));
      };
      if (this.#held < this.#limit) {
        enter();
        return;
      }
      this.#waiting.push(enter);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  #releaser(): () => void {
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#held -= 1;
      this.#waiting.shift()?.();
    };
  }
}
