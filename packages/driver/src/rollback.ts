import type { Logger } from 'pino';

/** What to undo when an operation fails midway: last made, first undone. */
export class Rollback {
  readonly #steps: { readonly what: string; readonly undo: () => Promise<void> }[] = [];
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Named before the thing is made: a call that fails may still have made it. */
  add(what: string, undo: () => Promise<void>): void {
    this.#steps.push({ what, undo });
  }

  /** Goes on after a step that fails: the rest is undone, and the next start finds what is left. */
  async undoAll(): Promise<void> {
    for (const { what, undo } of this.#steps.toReversed()) {
      try {
        await undo();
      } catch (error) {
        this.#log.error({ err: error, what }, 'an undo failed; the next start will try again');
      }
    }
    this.#steps.length = 0;
  }
}
