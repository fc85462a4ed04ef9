/**
 * Runs tasks by key: at most `limit` at a time, and never two of the same key at once. A key that is added while it waits is
 * not added twice.
 */
export class WorkQueue {
  readonly #limit: number;
  readonly #run: (key: string) => Promise<void>;
  readonly #waiting = new Set<string>();
  readonly #running = new Set<string>();
  #stopped = false;
  #idle: (() => void)[] = [];

  /** `run` must not reject: it has nobody to tell. */
  constructor(limit: number, run: (key: string) => Promise<void>) {
    this.#limit = limit;
    this.#run = run;
  }

  add(key: string): void {
    if (this.#stopped) return;
    this.#waiting.add(key);
    this.#next();
  }

  /** Settles when nothing runs or waits. */
  async idle(): Promise<void> {
    if (this.#running.size === 0 && this.#waiting.size === 0) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Drops what waits; settles when what runs has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#waiting.clear();
    await this.idle();
  }

  #next(): void {
    for (const key of this.#waiting) {
      if (this.#running.size >= this.#limit) return;
      if (this.#running.has(key)) continue;
      this.#waiting.delete(key);
      this.#running.add(key);
      void this.#run(key).finally(() => this.#done(key));
    }
  }

  #done(key: string): void {
    this.#running.delete(key);
    this.#next();
    if (this.#running.size > 0 || this.#waiting.size > 0) return;
    const waiters = this.#idle;
    this.#idle = [];
    for (const resolve of waiters) resolve();
  }
}
