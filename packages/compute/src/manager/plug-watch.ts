import type { Vif } from '@nova-hyperv/driver';
import { ComputeError } from '../errors.js';
import type { Clock } from '../util/clock.js';
import { abortReason } from '../util/errors.js';

type PlugStatus = 'completed' | 'failed';

/** The plug events of one instance, kept from before its ports are bound: Neutron may be faster than we are. */
class PlugWatch {
  readonly #seen = new Map<string, PlugStatus>();
  #onEvent: () => void = () => undefined;

  record(portId: string, status: PlugStatus): void {
    this.#seen.set(portId, status);
    this.#onEvent();
  }

  /** Settles with `timeout`, `failed` or `plugged`; rejects with the signal's reason. */
  wait(
    portIds: readonly string[],
    ms: number,
    clock: Clock,
    signal: AbortSignal,
  ): Promise<'plugged' | 'failed' | 'timeout'> {
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        cancel();
        signal.removeEventListener('abort', onAbort);
        this.#onEvent = () => undefined;
        settle();
      };
      const onAbort = (): void => finish(() => reject(abortReason(signal)));
      const cancel = clock.after(ms, () => finish(() => resolve('timeout')));
      this.#onEvent = () => {
        if (portIds.some((id) => this.#seen.get(id) === 'failed')) finish(() => resolve('failed'));
        else if (portIds.every((id) => this.#seen.has(id))) finish(() => resolve('plugged'));
      };
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) onAbort();
      else this.#onEvent();
    });
  }
}

/** Waiting for Neutron's `network-vif-plugged`: a VIF is waited for when its `active` is false. */
export class PlugWatches {
  readonly #watches = new Map<string, PlugWatch>();

  /** Begins to keep the instance's events; the returned function ends it. */
  open(uuid: string): () => void {
    this.#watches.set(uuid, new PlugWatch());
    return () => {
      this.#watches.delete(uuid);
    };
  }

  record(uuid: string, portId: string, status: string): void {
    this.#watches.get(uuid)?.record(portId, status === 'failed' ? 'failed' : 'completed');
  }

  /**
   * @throws ComputeError VirtualInterfaceCreateException when not all ports were plugged in time and that is fatal
   */
  async waitForPlugged(
    uuid: string,
    vifs: readonly Vif[],
    options: {
      readonly timeoutSeconds: number;
      readonly isFatal: boolean;
      readonly clock: Clock;
      readonly signal: AbortSignal;
      readonly onTrouble: (message: string) => void;
    },
  ): Promise<void> {
    const watch = this.#watches.get(uuid);
    const ports = vifs.filter((vif) => !vif.active).map((vif) => vif.portId);
    if (watch === undefined || ports.length === 0 || options.timeoutSeconds === 0) return;
    const outcome = await watch.wait(ports, options.timeoutSeconds * 1000, options.clock, options.signal);
    if (outcome === 'plugged') return;
    const why =
      outcome === 'failed'
        ? 'Neutron reported that plugging failed'
        : `Neutron did not report them plugged within ${options.timeoutSeconds} s`;
    const message = `Virtual Interface creation failed: ports ${ports.join(', ')}: ${why}. Check the network agent of this host.`;
    if (options.isFatal) throw new ComputeError('VirtualInterfaceCreateException', message);
    options.onTrouble(message);
  }
}
