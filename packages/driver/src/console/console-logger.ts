import type { Duplex } from 'node:stream';
import { sleep } from '@nova-hyperv/hyperv';
import type { HostReach } from '@nova-hyperv/hyperv';
import type { Logger } from 'pino';
import { consolePipeNames } from '../plan/serial.js';
import { ConsoleLogWriter } from './console-log.js';

/** A machine that has just been started opens its pipe any moment now, and its first lines are the interesting ones. */
const EAGER_MS = 15_000;
const EAGER_INTERVAL_MS = 25;
const PATIENT_INTERVAL_MS = 1000;
/** What a pipe still holds after its machine has stopped is read for so long. */
const DRAIN_MS = 2000;

/** Copies one machine's serial pipe into its console log for as long as the machine runs; connects again when the pipe breaks. */
export class ConsoleLogger {
  readonly #reach: HostReach;
  readonly #uuid: string;
  readonly #folder: string;
  readonly #log: Logger;
  readonly #stop = new AbortController();
  #finishing = false;
  #pipe: Duplex | undefined;
  #eagerUntil = 0;
  #troubled = false;
  #done: Promise<void> = Promise.resolve();

  constructor(options: { reach: HostReach; uuid: string; folder: string; log: Logger }) {
    this.#reach = options.reach;
    this.#uuid = options.uuid;
    this.#folder = options.folder;
    this.#log = options.log;
  }

  /** Settles when nothing is read or written any more. */
  get done(): Promise<void> {
    return this.#done;
  }

  /** `after`: the end of the machine's earlier logger, which writes to the same file. */
  start(after: Promise<void> = Promise.resolve()): void {
    this.#eagerUntil = Date.now() + EAGER_MS;
    this.#done = after.then(() => this.#run());
  }

  /** The machine is being started again: its pipe will be there soon. */
  expectSoon(): void {
    this.#eagerUntil = Date.now() + EAGER_MS;
  }

  /** Reads what is still in the pipe, then ends. */
  async finish(): Promise<void> {
    this.#finishing = true;
    const drain = setTimeout(() => this.#pipe?.destroy(), DRAIN_MS);
    if (this.#pipe === undefined) this.#stop.abort();
    await this.#done;
    clearTimeout(drain);
  }

  /** Ends at once. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#pipe?.destroy();
    await this.#done;
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        const pipe = await this.#open();
        if (pipe !== undefined) await this.#copy(pipe);
        if (this.#finishing) return;
        const wait = Date.now() < this.#eagerUntil ? EAGER_INTERVAL_MS : PATIENT_INTERVAL_MS;
        await sleep(wait, this.#stop.signal);
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        this.#tell(error);
        await sleep(PATIENT_INTERVAL_MS, this.#stop.signal).catch(() => undefined);
      }
    }
  }

  /** Once until it works again: a full disk would otherwise be told of each second by each machine. */
  #tell(error: unknown): void {
    if (this.#troubled) return;
    this.#troubled = true;
    this.#log.warn(
      { err: error, instance: this.#uuid },
      `The console log in ${this.#folder} cannot be written; it is tried again. Check the room on that volume and the rights on the folder`,
    );
  }

  /** Logging comes from the read-only pipe, or from the read-write one where there is no read-only one. */
  async #open(): Promise<Duplex | undefined> {
    for (const name of consolePipeNames(this.#uuid)) {
      const pipe = await this.#reach.openPipe(name);
      if (pipe !== undefined) return pipe;
    }
    return undefined;
  }

  async #copy(pipe: Duplex): Promise<void> {
    const writer = new ConsoleLogWriter(this.#folder);
    this.#pipe = pipe;
    try {
      if (this.#stop.signal.aborted) return;
      for await (const chunk of pipe) {
        if (!(chunk instanceof Uint8Array)) continue;
        await writer.append(chunk);
        this.#troubled = false;
      }
    } catch (error) {
      // A pipe whose machine is gone breaks instead of ending.
      if (!isBroken(error)) throw error;
    } finally {
      this.#pipe = undefined;
      pipe.destroy();
      await writer.close();
    }
  }
}

const BROKEN = new Set(['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE']);

function isBroken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && BROKEN.has(String(error.code));
}
