/** Runs jobs of one key one after the other, in the order they came; jobs of different keys at the same time. */
export class KeyedQueue {
  readonly #tails = new Map<string, Promise<void>>();

  /** Settles as the job does. A job that fails does not stop those behind it. */
  run<T>(key: string, job: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key) ?? Promise.resolve();
    const result = before.then(job);
    const tail = result.then(
      () => undefined,
      () => undefined,
    );
    this.#tails.set(key, tail);
    void tail.then(() => {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    });
    return result;
  }

  isBusy(key: string): boolean {
    return this.#tails.has(key);
  }

  /** Settles when nothing runs or waits, jobs that are added meanwhile included. */
  async idle(): Promise<void> {
    while (this.#tails.size > 0) await Promise.all(this.#tails.values());
  }
}
