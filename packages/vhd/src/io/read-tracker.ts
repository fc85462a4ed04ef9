/** Reads that began in the same time. */
export interface ReadEpoch {
  count: number;
  wake: (() => void) | undefined;
}

/**
 * Tells when all reads that are under way have ended, while new ones go on: a place of the file that was given up may
 * be written to again only when nobody who looked it up before still reads it.
 */
export class ReadTracker {
  #current: ReadEpoch = { count: 0, wake: undefined };
  #past: Promise<unknown> = Promise.resolve();

  /** A read begins; what it gets it gives to {@link leave} at its end. */
  enter(): ReadEpoch {
    this.#current.count += 1;
    return this.#current;
  }

  leave(epoch: ReadEpoch): void {
    epoch.count -= 1;
    if (epoch.count === 0) epoch.wake?.();
  }

  /** Settles when the reads that began before this call have ended. */
  async drained(): Promise<void> {
    const epoch = this.#current;
    if (epoch.count > 0) {
      this.#current = { count: 0, wake: undefined };
      const ended = new Promise<void>((resolve) => {
        epoch.wake = resolve;
      });
      this.#past = Promise.all([this.#past, ended]);
    }
    await this.#past;
  }
}
