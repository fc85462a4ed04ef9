import { sleep } from '@nova-hyperv/hyperv';
import type { HyperVHost, MachineSummary } from '@nova-hyperv/hyperv';
import type { Logger } from 'pino';
import { isUuid, powerStateOf } from './lookup.js';
import { POWER_STATE } from './types.js';
import type { LifecycleEvent, PowerState } from './types.js';

export interface WatcherOptions {
  readonly host: Pick<HyperVHost, 'name' | 'summaries'>;
  readonly intervalMs: number;
  readonly log: Logger;
  readonly onEvent: (event: LifecycleEvent) => void;
  /** A machine that was there is not any more. */
  readonly onGone: (uuid: string) => void;
  /** The host answers after it did not: it may have been started again. */
  readonly onBack: () => void;
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
    const { host, intervalMs, log, onBack } = this.#options;
    const stopped = new Promise<undefined>((resolve) => {
      this.#stop.signal.addEventListener('abort', () => resolve(undefined), { once: true });
    });
    let wait = intervalMs;
    let failing = false;
    for (;;) {
      try {
        await sleep(wait, this.#stop.signal);
      } catch {
        return;
      }
      try {
        // A host that does not answer does not hold up the end of the service.
        const summaries = await Promise.race([host.summaries(), stopped]);
        if (summaries === undefined) return;
        if (failing) {
          failing = false;
          log.info(`Host ${host.name} answers again`);
          onBack();
        }
        this.#compare(summaries);
        wait = intervalMs;
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        if (!failing) {
          log.warn(
            { err: error },
            `Host ${host.name} does not tell the states of its machines; it is asked again until it does. Check that it is up and that WinRM runs`,
          );
        }
        failing = true;
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
        this.#options.log.error({ err: error, instance: uuid }, 'A lifecycle listener failed');
      }
    }
    for (const uuid of this.#known?.keys() ?? []) if (!now.has(uuid)) this.#options.onGone(uuid);
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
function transitionOf(
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
