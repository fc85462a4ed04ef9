import { InstanceNotFoundError, MIGRATION_IN_PROGRESS, type InstanceRecord } from '../ports.js';
import { isStatus } from '../rest/rest-error.js';
import type { ComputeContext } from './context.js';
import { holdsResources, refOf } from './instance-view.js';
import type { InQueue } from './power-sync.js';
import { preservedPorts } from './preserved-ports.js';

/** How the store knows an instance: `unknown` may be another cloud's, or one that is not stored yet. */
type Standing = 'living' | 'elsewhere' | 'gone' | 'unknown';

/**
 * Removes what instances left that are no more: allocations, machines, ports. What the store never knew is left alone
 * (and named in the log): it may belong to somebody else.
 */
export class CleanUp {
  readonly #ctx: ComputeContext;
  readonly #inQueue: InQueue;
  readonly #isBusy: (uuid: string) => boolean;
  readonly #named = new Set<string>();

  constructor(ctx: ComputeContext, inQueue: InQueue, isBusy: (uuid: string) => boolean) {
    this.#ctx = ctx;
    this.#inQueue = inQueue;
    this.#isBusy = isBusy;
  }

  /** For the driver's removal of leftovers, at start. */
  async keepOrRemove(uuid: string): Promise<'keep' | 'remove'> {
    const { standing } = await this.#standingOf(uuid);
    if (standing === 'unknown') this.#nameUnknown(uuid, 'a machine');
    return standing === 'gone' ? 'remove' : 'keep';
  }

  /** Removes allocations against our node of instances that are not here (nova/compute/resource_tracker.py). */
  async removeAllocations(nodeUuid: string): Promise<void> {
    const { placement, config, log } = this.#ctx;
    for (const consumer of Object.keys(await placement.providerAllocations(nodeUuid))) {
      const { standing } = await this.#standingOfConsumer(consumer);
      const unknownGoes = standing === 'unknown' && config.unknownConsumers === 'remove';
      if (standing !== 'gone' && !unknownGoes) continue;
      log.warn({ instance: consumer }, 'removing the allocation of an instance that is no more');
      await placement.deleteAllocations(consumer);
    }
  }

  /** Nova's _cleanup_running_deleted_instances with the action `reap`. */
  async removeMachines(): Promise<void> {
    for (const machine of await this.#ctx.driver.listInstances()) {
      const { standing } = await this.#standingOf(machine.uuid);
      if (standing === 'unknown') this.#nameUnknown(machine.uuid, 'a machine');
      if (standing !== 'gone') continue;
      await this.#inQueue(machine.uuid, async () => {
        const again = await this.#standingOf(machine.uuid);
        if (again.standing !== 'gone') return;
        this.#ctx.log.warn({ instance: machine.uuid }, 'removing the machine of an instance that is no more');
        await this.#ctx.driver.destroy(again.record === null ? machine : refOf(again.record));
      });
    }
  }

  /** Ports bound to this host for instances that are no more: requests that Neutron carried out after we had given them up. */
  async removePorts(): Promise<void> {
    const { network, host, log } = this.#ctx;
    const ports = await network.ports({ bindingHostId: host });
    for (const port of ports) {
      const isComputePort = port.bindingHostId === host && port.deviceOwner.startsWith('compute:');
      if (!isComputePort || this.#isBusy(port.deviceId)) continue;
      const { standing, record } = await this.#standingOf(port.deviceId);
      if (standing !== 'gone' || record === null || preservedPorts(record).has(port.id)) continue;
      log.warn(
        { instance: port.deviceId, port: port.id },
        'removing the port of an instance that is no more',
      );
      try {
        await network.deletePort(port.id);
      } catch (error) {
        if (!isStatus(error, 404)) throw error;
      }
    }
  }

  /** A consumer may be a migration as well: it holds what its instance had, as long as it is in progress. */
  async #standingOfConsumer(uuid: string): Promise<{ readonly standing: Standing }> {
    const migration = await this.#ctx.migrations.get(uuid);
    if (migration === null) return this.#standingOf(uuid);
    return { standing: MIGRATION_IN_PROGRESS.includes(migration.status) ? 'living' : 'gone' };
  }

  async #standingOf(
    uuid: string,
  ): Promise<{ readonly standing: Standing; readonly record: InstanceRecord | null }> {
    try {
      const record = await this.#ctx.instances.get(uuid);
      if (!holdsResources(record)) return { standing: 'gone', record };
      // Between hosts: being scheduled, or another host's.
      return { standing: record.host === this.#ctx.host ? 'living' : 'elsewhere', record };
    } catch (error) {
      if (error instanceof InstanceNotFoundError) return { standing: 'unknown', record: null };
      throw error;
    }
  }

  #nameUnknown(uuid: string, what: string): void {
    if (this.#named.has(uuid)) return;
    this.#named.add(uuid);
    this.#ctx.log.warn(
      { instance: uuid },
      `the host has ${what} of an instance that this cloud does not know; it is left alone`,
    );
  }
}
