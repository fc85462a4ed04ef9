import { POWER_STATE, type PowerState } from '@nova-hyperv/driver';
import type { InstanceChanges, InstanceRecord, InstanceRequest, TaskState } from '../ports.js';
import { connectedVolumes } from './block-devices.js';
import type { ComputeContext } from './context.js';
import { isOvertaken, recordFault } from './faults.js';
import { shutdownTimeoutSeconds } from './image-facts.js';
import { withInstanceEvent } from './instance-event.js';
import { findInstance, powerStateOf, refOf } from './instance-view.js';

export type RebootType = 'SOFT' | 'HARD';

interface RebootTasks {
  readonly asked: TaskState;
  readonly pending: TaskState;
  readonly started: TaskState;
}

/** nova/compute/task_states.py */
const REBOOT_TASKS: Readonly<Record<RebootType, RebootTasks>> = {
  SOFT: { asked: 'rebooting', pending: 'reboot_pending', started: 'reboot_started' },
  HARD: { asked: 'rebooting_hard', pending: 'reboot_pending_hard', started: 'reboot_started_hard' },
};

export function rebootTasks(type: RebootType): readonly TaskState[] {
  const { asked, pending, started } = REBOOT_TASKS[type];
  return [asked, pending, started];
}

/** Stop, start and reboot: the task is the API's, the states before and after are Nova's. */
export class PowerOperations {
  readonly #ctx: ComputeContext;

  constructor(ctx: ComputeContext) {
    this.#ctx = ctx;
  }

  stop(request: InstanceRequest): Promise<void> {
    return this.#operation(request, 'compute_stop_instance', ['powering-off'], (record) =>
      this.stopNow(record, shutdownTimeoutSeconds(this.#ctx, record)),
    );
  }

  start(request: InstanceRequest): Promise<void> {
    return this.#operation(request, 'compute_start_instance', ['powering-on'], (record) =>
      this.startNow(record),
    );
  }

  reboot(request: InstanceRequest, type: RebootType): Promise<void> {
    return this.#operation(request, 'compute_reboot_instance', rebootTasks(type), (record) =>
      this.rebootNow(record, type),
    );
  }

  /** @param timeoutSeconds for the guest to shut down; 0 = off at once */
  async stopNow(record: InstanceRecord, timeoutSeconds: number): Promise<void> {
    const { driver, config } = this.#ctx;
    const retryIntervalSeconds = config.shutdownRetryIntervalSeconds;
    await driver.powerOff(refOf(record), { timeoutSeconds, retryIntervalSeconds });
    await this.#settle(record, { vmState: 'stopped' }, ['powering-off']);
  }

  async startNow(record: InstanceRecord): Promise<void> {
    const volumes = await connectedVolumes(this.#ctx, record.uuid);
    await this.#ctx.driver.powerOn(refOf(record), { volumes });
    await this.#settle(record, { vmState: 'active' }, ['powering-on']);
  }

  /** @param expected the tasks from which the reboot may begin */
  async rebootNow(
    record: InstanceRecord,
    type: RebootType,
    expected: readonly TaskState[] = rebootTasks(type),
  ): Promise<void> {
    const { instances, driver } = this.#ctx;
    const { pending, started } = REBOOT_TASKS[type];
    const powerState = await powerStateOf(this.#ctx, record);
    await instances.save(record.uuid, { taskState: pending, powerState }, { expectedTaskState: expected });
    await instances.save(record.uuid, { taskState: started }, { expectedTaskState: [pending] });
    try {
      await driver.reboot(refOf(record), type, { volumes: await connectedVolumes(this.#ctx, record.uuid) });
    } catch (error) {
      await this.#rebootFailed(record, error, started);
      return;
    }
    await this.#settle(record, { vmState: 'active' }, [started]);
  }

  /** Nova: an instance that runs although its reboot failed stays active; otherwise it is in ERROR. */
  async #rebootFailed(record: InstanceRecord, error: unknown, started: TaskState): Promise<void> {
    const state = await this.#stateOrUnknown(record);
    if (state !== POWER_STATE.RUNNING) {
      const changes: InstanceChanges = { vmState: 'error', powerState: state, taskState: null };
      await this.#ctx.instances.save(record.uuid, changes, { expectedTaskState: [started] });
      throw error;
    }
    this.#ctx.log.warn({ err: error, instance: record.uuid }, 'reboot failed but the instance is running');
    await recordFault(this.#ctx, record.uuid, error);
    await this.#settle(record, { vmState: 'active' }, [started]);
  }

  async #stateOrUnknown(record: InstanceRecord): Promise<PowerState> {
    try {
      return await powerStateOf(this.#ctx, record);
    } catch (error) {
      this.#ctx.log.warn(
        { err: error, instance: record.uuid },
        'the power state of an instance is not known',
      );
      return POWER_STATE.NOSTATE;
    }
  }

  async #settle(
    record: InstanceRecord,
    changes: InstanceChanges,
    expected: readonly TaskState[],
  ): Promise<void> {
    const powerState = await powerStateOf(this.#ctx, record);
    await this.#ctx.instances.save(
      record.uuid,
      { ...changes, powerState, taskState: null },
      { expectedTaskState: expected },
    );
  }

  /** Nova's wrap_instance_event, wrap_instance_fault and reverts_task_state around one operation. */
  async #operation(
    request: InstanceRequest,
    event: string,
    tasks: readonly TaskState[],
    work: (record: InstanceRecord) => Promise<void>,
  ): Promise<void> {
    const record = await findInstance(this.#ctx, request.instanceUuid);
    // The task is another one by now: the instance is being deleted, or this request was dealt with at a restart.
    if (record === null || !tasks.includes(record.taskState)) {
      this.#ctx.log.info({ instance: request.instanceUuid, event }, 'request is outdated and was left alone');
      return;
    }
    await withInstanceEvent(this.#ctx, request, event, () =>
      this.recordingFailure(record.uuid, tasks, () => work(record)),
    );
  }

  /** Does the work; a failure becomes a fault and the task is taken back, unless somebody else has set another. */
  async recordingFailure(
    uuid: string,
    tasks: readonly TaskState[],
    work: () => Promise<void>,
  ): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!isOvertaken(error)) {
        await recordFault(this.#ctx, uuid, error);
        await this.#revertTask(uuid, tasks);
      }
      throw error;
    }
  }

  async #revertTask(uuid: string, tasks: readonly TaskState[]): Promise<void> {
    try {
      await this.#ctx.instances.save(uuid, { taskState: null }, { expectedTaskState: tasks });
    } catch (error) {
      if (!isOvertaken(error)) throw error;
    }
  }
}
