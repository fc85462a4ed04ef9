import { POWER_STATE, type InstanceState, type LifecycleEvent, type PowerState } from '@nova-hyperv/driver';
import type { InstanceRecord } from '../ports.js';
import type { ComputeContext } from './context.js';
import { isOvertaken } from './faults.js';
import { findInstance, powerStateOf } from './instance-view.js';
import type { PowerOperations } from './power.js';

/** nova/compute/manager.py handle_lifecycle_event */
const STATE_AFTER: Readonly<Record<LifecycleEvent['transition'], PowerState>> = {
  started: POWER_STATE.RUNNING,
  resumed: POWER_STATE.RUNNING,
  stopped: POWER_STATE.SHUTDOWN,
  paused: POWER_STATE.PAUSED,
  suspended: POWER_STATE.SUSPENDED,
};

const OFF: ReadonlySet<PowerState> = new Set([POWER_STATE.SHUTDOWN, POWER_STATE.CRASHED]);

/** Runs work in the instance's queue. */
export type InQueue = (uuid: string, work: () => Promise<void>) => Promise<void>;

/** Brings the store's power states and the host's together, as Nova's _sync_instance_power_state. */
export class PowerSync {
  readonly #ctx: ComputeContext;
  readonly #power: PowerOperations;
  readonly #inQueue: InQueue;
  /** Instances with an event not yet looked at: further events of theirs are covered by that look. */
  readonly #pending = new Set<string>();

  constructor(ctx: ComputeContext, power: PowerOperations, inQueue: InQueue) {
    this.#ctx = ctx;
    this.#power = power;
    this.#inQueue = inQueue;
  }

  /** An event from the host; whether it still holds is seen when the instance's other work is done. */
  async onEvent(event: LifecycleEvent): Promise<void> {
    if (this.#pending.has(event.uuid)) return;
    this.#pending.add(event.uuid);
    try {
      await this.#inQueue(event.uuid, async () => {
        this.#pending.delete(event.uuid);
        const record = await findInstance(this.#ctx, event.uuid);
        if (record === null) return;
        const state = await powerStateOf(this.#ctx, record);
        if (state !== STATE_AFTER[event.transition]) {
          this.#ctx.log.debug({ instance: event.uuid, event, state }, 'lifecycle event has been overtaken');
        }
        await this.#syncOne(record, state);
      });
    } finally {
      this.#pending.delete(event.uuid);
    }
  }

  /** Looks at all instances of the host with one question to it. */
  async syncAll(): Promise<void> {
    const records = await this.#ctx.instances.listByHost(this.#ctx.host);
    const machines = new Map<string, InstanceState>(
      (await this.#ctx.driver.listInstances()).map((machine) => [machine.uuid, machine]),
    );
    for (const { uuid, taskState, powerState, vmState } of records) {
      const seen = machines.get(uuid)?.powerState ?? POWER_STATE.NOSTATE;
      const agrees = seen === powerState && this.#isSettled(vmState, seen);
      if (taskState !== null || agrees) continue;
      await this.#inQueue(uuid, async () => {
        const record = await findInstance(this.#ctx, uuid);
        if (record !== null) await this.#syncOne(record, await powerStateOf(this.#ctx, record));
      });
    }
  }

  /** False where the state calls for something to be done. */
  #isSettled(vmState: InstanceRecord['vmState'], state: PowerState): boolean {
    if (vmState === 'active') return !OFF.has(state);
    if (vmState === 'stopped') return state === POWER_STATE.NOSTATE || OFF.has(state);
    return true;
  }

  async #syncOne(record: InstanceRecord, state: PowerState): Promise<void> {
    const { instances, host, log } = this.#ctx;
    // A task in progress will save what it finds.
    if (record.host !== host || record.taskState !== null) return;
    try {
      const changes = state === record.powerState ? {} : { powerState: state };
      const fresh = await instances.save(record.uuid, changes, { expectedTaskState: [null] });
      if (this.#isSettled(fresh.vmState, state)) return;
      log.warn(
        { instance: fresh.uuid, vmState: fresh.vmState, powerState: state },
        fresh.vmState === 'active'
          ? 'the instance shut itself down: marking it stopped'
          : 'the instance runs although it is stopped: turning it off',
      );
      const taken = await instances.save(
        fresh.uuid,
        { taskState: 'powering-off' },
        { expectedTaskState: [null] },
      );
      await this.#power.recordingFailure(taken.uuid, ['powering-off'], () => this.#power.stopNow(taken, 0));
    } catch (error) {
      if (!isOvertaken(error)) throw error;
    }
  }
}
