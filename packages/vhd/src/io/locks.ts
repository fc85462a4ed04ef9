/**
 * Waits for the end of all, also when one fails: whoever closes a file after a failure may not leave writes under way,
 * which would go to whatever the system opens next under the number of the closed file.
 */
export async function allDone(tasks: readonly Promise<unknown>[]): Promise<void> {
  const results = await Promise.allSettled(tasks);
  const failure = results.find((result) => result.status === 'rejected');
  if (failure !== undefined) throw failure.reason;
}

/** Runs tasks one after the other. A task that fails does not stop the next. */
export class Mutex {
  #tail: Promise<unknown> = Promise.resolve();

  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(task, task);
    this.#tail = result.catch(() => undefined);
    return result;
  }
}

interface Waiter {
  readonly exclusive: boolean;
  readonly wake: () => void;
}

interface LockState {
  /** Number of shared holders; -1 = one exclusive holder. */
  holders: number;
  readonly waiters: Waiter[];
}

/**
 * Shared/exclusive locks by number (block index), first come first served, so that nobody starves. Numbers that
 * nobody holds take no memory.
 */
export class KeyedLocks {
  readonly #states = new Map<number, LockState>();

  /** Takes the lock, shared, if that needs no waiting. Who gets `true` must {@link release} it. */
  tryShared(key: number): boolean {
    const state = this.#states.get(key);
    if (state === undefined) this.#states.set(key, { holders: 1, waiters: [] });
    else if (state.holders > 0 && state.waiters.length === 0) state.holders += 1;
    else return false;
    return true;
  }

  async shared<T>(key: number, task: () => Promise<T>): Promise<T> {
    const wait = this.#acquire(key, false);
    if (wait !== undefined) await wait;
    try {
      return await task();
    } finally {
      this.release(key);
    }
  }

  async exclusive<T>(key: number, task: () => Promise<T>): Promise<T> {
    const wait = this.#acquire(key, true);
    if (wait !== undefined) await wait;
    try {
      return await task();
    } finally {
      this.release(key);
    }
  }

  #acquire(key: number, exclusive: boolean): Promise<void> | undefined {
    if (!exclusive && this.tryShared(key)) return undefined;
    const state = this.#states.get(key);
    if (state === undefined) {
      this.#states.set(key, { holders: -1, waiters: [] });
      return undefined;
    }
    return new Promise((resolve) => {
      state.waiters.push({ exclusive, wake: resolve });
    });
  }

  release(key: number): void {
    const state = this.#states.get(key);
    if (state === undefined) return;
    state.holders = state.holders === -1 ? 0 : state.holders - 1;
    for (;;) {
      const [next] = state.waiters;
      if (next === undefined) break;
      if (state.holders === -1 || (next.exclusive && state.holders > 0)) return;
      state.waiters.shift();
      state.holders = next.exclusive ? -1 : state.holders + 1;
      next.wake();
    }
    if (state.holders === 0) this.#states.delete(key);
  }
}
