import type { Logger } from 'pino';

/** Undoes in reverse what has been started, each part once, also when another part fails to stop. */
export class Teardown {
  readonly #steps: { readonly name: string; readonly stop: () => Promise<void> }[] = [];
  readonly #log: Logger;
  constructor(log: Logger) {
    this.#log = log;
  }
  add(name: string, stop: () => Promise<void>): void {
    this.#steps.push({ name, stop });
  }
  async run(): Promise<void> {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step.stop();
      } catch (error) {
        this.#log.error({ err: error }, `stopping ${step.name} failed`);
      }
    }
  }
}
