/** A promise that is settled from outside. */
class Gate {
  open!: () => void;
  readonly opened = new Promise<void>((resolve) => {
    this.open = resolve;
  });
}

/** One at a time for each key, in the order of asking. */
export class KeyedLock {
  readonly #tails = new Map<string, Promise<void>>();

  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key) ?? Promise.resolve();
    const gate = new Gate();
    const tail = before.then(() => gate.opened);
    this.#tails.set(key, tail);
    await before;
    try {
      return await work();
    } finally {
      gate.open();
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    }
  }
}
