import type { Clock } from '../clock.js';

/** A clock that stands until it is told. */
export class SteppedClock implements Clock {
  #now = Date.parse('2026-01-01T00:00:00Z');

  now(): Date {
    return new Date(this.#now);
  }

  async sleep(milliseconds: number): Promise<void> {
    this.advance(milliseconds);
    await Promise.resolve();
  }

  advance(milliseconds: number): void {
    this.#now += milliseconds;
  }
}

/** Holds jobs before each state; `step` lets one go on, `release` all of them for good. */
export class SteppedPace {
  readonly #waiting: (() => void)[] = [];
  #isOpen = false;

  readonly wait = async (): Promise<void> => {
    if (this.#isOpen) return;
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  };

  async step(): Promise<void> {
    this.#waiting.shift()?.();
    await this.settled();
  }

  release(): void {
    this.#isOpen = true;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Lets everything run that can. */
  async settled(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}
