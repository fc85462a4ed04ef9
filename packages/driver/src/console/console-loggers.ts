import type { HostReach } from '@nova-hyperv/hyperv';
import type { Logger } from 'pino';
import type { InstanceRef } from '../types.js';
import { ConsoleLogger } from './console-logger.js';

/** One logger for each running machine. */
export class ConsoleLoggers {
  readonly #reach: HostReach;
  readonly #folderOf: (instance: InstanceRef) => string;
  readonly #log: Logger;
  readonly #loggers = new Map<string, ConsoleLogger>();

  constructor(options: { reach: HostReach; folderOf: (instance: InstanceRef) => string; log: Logger }) {
    this.#reach = options.reach;
    this.#folderOf = options.folderOf;
    this.#log = options.log;
  }

  /** The machine runs, or will in a moment. */
  start(instance: InstanceRef): void {
    if (!this.#reach.pipesReachable) return;
    const running = this.#loggers.get(instance.uuid);
    if (running !== undefined) {
      running.expectSoon();
      return;
    }
    const folder = this.#folderOf(instance);
    const logger = new ConsoleLogger({ reach: this.#reach, uuid: instance.uuid, folder, log: this.#log });
    this.#loggers.set(instance.uuid, logger);
    logger.start();
  }

  /** The machine has stopped by itself or was turned off: its last words are kept. */
  async finish(uuid: string): Promise<void> {
    await this.#take(uuid)?.finish();
  }

  /** The machine goes away with its folder. */
  async stop(uuid: string): Promise<void> {
    await this.#take(uuid)?.stop();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#loggers.keys()].map((uuid) => this.stop(uuid)));
  }

  #take(uuid: string): ConsoleLogger | undefined {
    const logger = this.#loggers.get(uuid);
    this.#loggers.delete(uuid);
    return logger;
  }
}
