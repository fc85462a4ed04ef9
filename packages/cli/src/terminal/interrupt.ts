import { constants } from 'node:os';
import { CliError } from '../errors.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
type StopSignal = (typeof SIGNALS)[number];

/** While it lives, the signals that end a process ask the work to stop instead; a second one ends it at once. */
export class Interrupt {
  readonly #controller = new AbortController();
  readonly #listeners = new Map<StopSignal, () => void>();
  #received: StopSignal | undefined;

  constructor() {
    for (const name of SIGNALS) {
      const listener = (): void => this.#take(name);
      this.#listeners.set(name, listener);
      process.on(name, listener);
    }
  }

  /** Aborted by the first signal. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get received(): StopSignal | undefined {
    return this.#received;
  }

  /** Settles with the first signal. */
  async wait(): Promise<StopSignal> {
    if (!this.signal.aborted) {
      await new Promise<void>((resolve) => {
        this.signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    return this.#received ?? 'SIGTERM';
  }

  #take(name: StopSignal): void {
    // Files of this process that stay behind are told from those of the living by whoever comes next.
    if (this.#received !== undefined) process.exit(128 + constants.signals[name]);
    this.#received = name;
    this.#controller.abort(new CliError(`stopped by ${name}`, 128 + constants.signals[name]));
  }

  /** What the work failed with, or that it was stopped when it was. */
  explain(error: unknown): unknown {
    if (this.#received === undefined || !isAbort(error)) return error;
    return new CliError(
      `stopped by ${this.#received}; nothing half-made was left`,
      128 + constants.signals[this.#received],
      { cause: error },
    );
  }

  dispose(): void {
    for (const [name, listener] of this.#listeners) process.off(name, listener);
  }
}

function isAbort(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (
    error.name === 'AbortError' ||
    error instanceof CliError ||
    ('code' in error && error.code === 'VHD_ABORTED')
  );
}
