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
  /** Those that still read the last words of a machine that has stopped. */
  readonly #ending = new Map<string, ConsoleLogger>();

  constructor(options: { reach: HostReach; folderOf: (instance: InstanceRef) => string; log: Logger }) {
    this.#reach = options.reach;
    this.#folderOf = options.folderOf;
    this.#log = options.log;
  }

  /** The machine runs, or will in a moment. */
  start(instance: InstanceRef): void {
    if (!this.#reach.pipesReachable) return;
    const { uuid } = instance;
    const running = this.#loggers.get(uuid);
    if (running !== undefined) {
      running.expectSoon();
      return;
    }
    const folder = this.#folderOf(instance);
    const logger = new ConsoleLogger({ reach: this.#reach, uuid, folder, log: this.#log });
    this.#loggers.set(uuid, logger);
    logger.start(this.#ending.get(uuid)?.done);
  }

  /** The machine has stopped by itself or was turned off: its last words are kept. */
  async finish(uuid: string): Promise<void> {
    const logger = this.#loggers.get(uuid);
    this.#loggers.delete(uuid);
    if (logger === undefined) return;
    this.#ending.set(uuid, logger);
    try {
      await logger.finish();
    } finally {
      if (this.#ending.get(uuid) === logger) this.#ending.delete(uuid);
    }
  }

  /** The machine goes away with its folder: when this settles, no file in it is open. */
  async stop(uuid: string): Promise<void> {
    const all = [this.#ending.get(uuid), this.#loggers.get(uuid)].filter((logger) => logger !== undefined);
    this.#loggers.delete(uuid);
    await Promise.all(all.map((logger) => logger.stop()));
  }

  async close(): Promise<void> {
    const uuids = new Set([...this.#loggers.keys(), ...this.#ending.keys()]);
    await Promise.all([...uuids].map((uuid) => this.stop(uuid)));
  }
}
