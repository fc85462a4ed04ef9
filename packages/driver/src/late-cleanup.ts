import { sleep } from '@nova-hyperv/hyperv';
import type { Logger } from 'pino';
import type { InstanceRef } from './types.js';

/** Seconds from one look to the next: what a host was asked for when it stopped answering may come to be minutes later. */
const LOOKS_SECONDS = [2, 15, 60, 300] as const;
/** How often a host that does not answer is tried. */
const RETRY_SECONDS = 5;
const SLOWEST_RETRY_SECONDS = 60;

export interface LateCleanupOptions {
  /** Removes what there is of the instance; not called any more once the entry has been dropped. */
  readonly remove: (instance: InstanceRef, isDropped: () => boolean) => Promise<void>;
  readonly log: Logger;
}

/**
 * Removes what a failed spawn may have left on a host that could not be asked, or that may still be at it: again and again until the
 * host has shown several times that nothing is there.
 */
export class LateCleanup {
  readonly #options: LateCleanupOptions;
  readonly #entries = new Map<string, { readonly stop: AbortController; readonly done: Promise<void> }>();

  constructor(options: LateCleanupOptions) {
    this.#options = options;
  }

  add(instance: InstanceRef): void {
    this.drop(instance.uuid);
    const stop = new AbortController();
    const done = this.#watch({ uuid: instance.uuid, name: instance.name }, stop.signal);
    const entry = { stop, done };
    this.#entries.set(instance.uuid, entry);
    void done.finally(() => {
      if (this.#entries.get(instance.uuid) === entry) this.#entries.delete(instance.uuid);
    });
  }

  /** The instance is to live here after all. True when there was an entry. */
  drop(uuid: string): boolean {
    this.#entries.get(uuid)?.stop.abort();
    return this.#entries.delete(uuid);
  }

  /** Does not wait for a removal that is under way: the host may not answer. The next start finds what is left. */
  close(): void {
    for (const uuid of this.#entries.keys()) this.drop(uuid);
  }

  async #watch(instance: InstanceRef, signal: AbortSignal): Promise<void> {
    for (const seconds of LOOKS_SECONDS) {
      let wait: number = seconds;
      let retry: number = RETRY_SECONDS;
      for (;;) {
        try {
          await sleep(wait * 1000, signal);
        } catch {
          return;
        }
        if (await this.#look(instance, signal)) break;
        wait = retry;
        retry = Math.min(retry * 2, SLOWEST_RETRY_SECONDS);
      }
    }
  }

  async #look(instance: InstanceRef, signal: AbortSignal): Promise<boolean> {
    const { log, remove } = this.#options;
    try {
      await remove(instance, () => signal.aborted);
      return true;
    } catch (error) {
      log.debug({ err: error, instance: instance.uuid }, 'What a failed spawn left cannot be removed yet');
      return signal.aborted;
    }
  }
}
