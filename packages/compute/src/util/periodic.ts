import type { Logger } from 'pino';
import type { Clock } from './clock.js';

export interface PeriodicTask {
  readonly name: string;
  /** Between the end of one run and the start of the next; 0 or less = never. */
  readonly intervalSeconds: number;
  /** Seconds until the first run; default: the interval. */
  readonly firstAfterSeconds?: number;
  readonly run: () => Promise<void>;
}

/** Part of the interval that the next run may come earlier, so that hosts do not act in step. */
const JITTER = 0.1;
/** First pause after a failure, s; doubles until it is the interval. */
const RETRY_SECONDS = 5;

/** Runs tasks again and again, each never beside itself; a failure is logged and tried again sooner than the interval. */
export class PeriodicRunner {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #cancels = new Map<string, () => void>();
  readonly #running = new Set<Promise<void>>();
  #stopped = false;

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
  }

  add(task: PeriodicTask): void {
    if (task.intervalSeconds <= 0) return;
    this.#schedule(task, task.firstAfterSeconds ?? task.intervalSeconds, 0);
  }

  /** No further runs; settles when those under way have ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const cancel of this.#cancels.values()) cancel();
    this.#cancels.clear();
    await Promise.all(this.#running);
  }

  #schedule(task: PeriodicTask, seconds: number, failures: number): void {
    if (this.#stopped) return;
    const ms = seconds * 1000 * (1 - JITTER * this.#clock.random());
    const cancel = this.#clock.after(ms, () => {
      const run = this.#runOnce(task, failures);
      this.#running.add(run);
      void run.finally(() => this.#running.delete(run));
    });
    this.#cancels.set(task.name, cancel);
  }

  async #runOnce(task: PeriodicTask, failures: number): Promise<void> {
    try {
      await task.run();
      this.#schedule(task, task.intervalSeconds, 0);
    } catch (error) {
      this.#log.error({ err: error, task: task.name }, 'periodic task failed');
      const pause = Math.min(RETRY_SECONDS * 2 ** failures, task.intervalSeconds);
      this.#schedule(task, pause, Math.min(failures + 1, 16));
    }
  }
}
