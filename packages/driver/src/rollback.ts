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

  /** Goes on after a step that fails: the rest is undone. False when something may be left. */
  async undoAll(): Promise<boolean> {
    let complete = true;
    for (const { what, undo } of this.#steps.toReversed()) {
      try {
        await undo();
      } catch (error) {
        complete = false;
        this.#log.warn(
          { err: error, what },
          `Could not take back ${what} of a failed spawn; it is tried again until the host answers, and at the next start`,
        );
      }
    }
    this.#steps.length = 0;
    return complete;
  }
}
