import { sleep } from '@nova-hyperv/hyperv';
import type { HyperVHost, MachineSummary } from '@nova-hyperv/hyperv';
import type { Logger } from 'pino';
import { isUuid, powerStateOf } from './lookup.js';
import { POWER_STATE } from './types.js';
import type { LifecycleEvent, PowerState } from './types.js';

export interface WatcherOptions {
  readonly host: HyperVHost;
  readonly intervalMs: number;
  readonly log: Logger;
  readonly onEvent: (event: LifecycleEvent) => void;
}

const SLOWEST_RETRY_MS = 60_000;

/** Tells of machines that change their state: one call each interval for all of them. */
export class StateWatcher {
  readonly #options: WatcherOptions;
  readonly #stop = new AbortController();
  #known: ReadonlyMap<string, { readonly name: string; readonly state: PowerState }> | undefined;
  #done: Promise<void> = Promise.resolve();

  constructor(options: WatcherOptions) {
    this.#options = options;
  }

  start(first: readonly MachineSummary[]): void {
    this.#known = statesOf(first);
    this.#done = this.#run();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  async #run(): Promise<void> {
    const { host, intervalMs, log } = this.#options;
    let wait = intervalMs;
    for (;;) {
      try {
        await sleep(wait, this.#stop.signal);
      } catch {
        return;
      }
      try {
        const summaries = await host.summaries();
        if (this.#stop.signal.aborted) return;
        this.#compare(summaries);
        wait = intervalMs;
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        if (wait === intervalMs)
          log.warn({ err: error }, 'the states of the machines cannot be read; trying again');
        wait = Math.min(wait * 2, SLOWEST_RETRY_MS);
      }
    }
  }

  #compare(summaries: readonly MachineSummary[]): void {
    const now = statesOf(summaries);
    for (const [uuid, { name, state }] of now) {
      const before = this.#known?.get(uuid)?.state;
      const transition = transitionOf(before, state);
      if (transition === undefined) continue;
      try {
        this.#options.onEvent({ uuid, name, transition });
      } catch (error) {
        this.#options.log.error({ err: error, instance: uuid }, 'a lifecycle listener failed');
      }
    }
    this.#known = now;
  }
}

function statesOf(
  summaries: readonly MachineSummary[],
): ReadonlyMap<string, { name: string; state: PowerState }> {
  const ours = summaries.filter(({ note }) => isUuid(note));
  return new Map(ours.map(({ note, name, state }) => [note, { name, state: powerStateOf(state) }]));
}

/** A machine that is new to us and off has not changed its state: it has just been made. */
export function transitionOf(
  before: PowerState | undefined,
  now: PowerState,
): LifecycleEvent['transition'] | undefined {
  if (before === now) return undefined;
  switch (now) {
    case POWER_STATE.RUNNING:
      return before === POWER_STATE.PAUSED || before === POWER_STATE.SUSPENDED ? 'resumed' : 'started';
    case POWER_STATE.SHUTDOWN:
      return before === undefined ? undefined : 'stopped';
    case POWER_STATE.PAUSED:
      return 'paused';
    case POWER_STATE.SUSPENDED:
      return 'suspended';
    default:
      return undefined;
  }
}
