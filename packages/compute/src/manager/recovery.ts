import { POWER_STATE, type InstanceState, type PowerState, type VolumeDevice } from '@nova-hyperv/driver';
import { ComputeError } from '../errors.js';
import type { InstanceRecord, MigrationRecord, MigrationStatus, TaskState } from '../ports.js';
import { forEachLimited } from '../util/for-each-limited.js';
import { newRequestId } from '../util/request-id.js';
import { Semaphore } from '../util/semaphore.js';
import { connectedVolumes, volumeDevices } from './block-devices.js';
import type { ComputeContext } from './context.js';
import { isOvertaken, recordFault } from './faults.js';
import { shutdownTimeoutSeconds } from './image-facts.js';
import { refOf } from './instance-view.js';
import { rebootTasks, type PowerOperations, type RebootType } from './power.js';
import { interruptedError, RESIZE_TASKS, type ResizeOperations } from './resize.js';
import { IMAGE_TASKS, type SnapshotOperations } from './snapshots.js';
import type { Terminator } from './terminate.js';
import type { VolumeOperations } from './volumes.js';
import { takeBack } from './undo.js';

/** Instances looked after at a time: the host's management service is slow when asked for much at once. */
const PARALLEL = 4;

/** What has to be done about an instance that a killed service left. */
export type Recovery =
  | { readonly action: 'none' | 'delete' | 'fail-build' | 'stop' | 'start' | 'clear-task' | 'resume' }
  | { readonly action: 'settle-snapshot' }
  | { readonly action: 'roll-back-resize' | 'revert-resize' | 'confirm-resize' }
  | { readonly action: 'reboot'; readonly type: RebootType };

const SOFT_TASKS: ReadonlySet<TaskState> = new Set(rebootTasks('SOFT'));
const HARD_TASKS: ReadonlySet<TaskState> = new Set(rebootTasks('HARD'));
const SNAPSHOT_TASKS: ReadonlySet<TaskState> = new Set(IMAGE_TASKS);
const STARTED_TASKS: ReadonlySet<TaskState> = new Set(['reboot_started', 'reboot_started_hard']);
const BUILD_TASKS: ReadonlySet<TaskState> = new Set([
  'scheduling',
  'networking',
  'block_device_mapping',
  'spawning',
]);

/**
 * Nova's _init_instance as a table: what the store says, what the host has, what is to be done.
 * @param machine the machine's power state, null when the host has none
 * @param migration the status of a resize that is in progress
 */
export function planRecovery(
  record: Pick<InstanceRecord, 'vmState' | 'taskState' | 'powerState'>,
  machine: PowerState | null,
  resumeGuests: boolean,
  migration: MigrationStatus | null,
): Recovery {
  const { vmState, taskState } = record;
  if (vmState === 'deleted' || taskState === 'deleting') return { action: 'delete' };
  if (vmState === 'building' || BUILD_TASKS.has(taskState)) return { action: 'fail-build' };
  if (vmState === 'error') return { action: taskState === null ? 'none' : 'clear-task' };
  if (RESIZE_TASKS.includes(taskState)) return { action: 'roll-back-resize' };
  if (taskState === 'resize_reverting') return { action: 'revert-resize' };
  // Confirmed on the host, and nobody told the store.
  if (vmState === 'resized' && (migration === 'confirming' || migration === null))
    return { action: 'confirm-resize' };
  if (SNAPSHOT_TASKS.has(taskState)) return { action: 'settle-snapshot' };
  if (taskState === 'powering-off') return { action: 'stop' };
  if (taskState === 'powering-on') return { action: 'start' };
  if (SOFT_TASKS.has(taskState) || HARD_TASKS.has(taskState)) {
    const runs = machine === POWER_STATE.RUNNING;
    if (STARTED_TASKS.has(taskState) && runs) return { action: 'clear-task' };
    return { action: 'reboot', type: runs && SOFT_TASKS.has(taskState) ? 'SOFT' : 'HARD' };
  }
  const wasRunning =
    (vmState === 'active' || vmState === 'resized') && record.powerState === POWER_STATE.RUNNING;
  if (resumeGuests && wasRunning && machine !== null && machine !== POWER_STATE.RUNNING)
    return { action: 'resume' };
  return { action: 'none' };
}

/** Not being built, nor being deleted: those take their volumes back by themselves. */
function isSettled({ vmState, taskState }: InstanceRecord): boolean {
  return (
    vmState !== 'building' && vmState !== 'deleted' && taskState !== 'deleting' && !BUILD_TASKS.has(taskState)
  );
}

function isResized({ vmState, taskState }: InstanceRecord): boolean {
  return vmState === 'resized' || RESIZE_TASKS.includes(taskState) || taskState === 'resize_reverting';
}

/** A power operation to be done again; guests may take a minute over it, so nobody waits for it at start. */
export interface DeferredRecovery {
  readonly uuid: string;
  readonly run: () => Promise<void>;
}

/**
 * Brings every instance of the host to a rest after the service was killed: Nova's init_host. May itself be killed at any moment
 * and be done again: the store is told last.
 */
export class HostRecovery {
  readonly #ctx: ComputeContext;
  readonly #terminator: Terminator;
  readonly #power: PowerOperations;
  readonly #resize: ResizeOperations;
  readonly #volumes: VolumeOperations;
  readonly #snapshots: SnapshotOperations;
  readonly #places = new Semaphore(PARALLEL);

  constructor(
    ctx: ComputeContext,
    operations: {
      readonly terminator: Terminator;
      readonly power: PowerOperations;
      readonly resize: ResizeOperations;
      readonly volumes: VolumeOperations;
      readonly snapshots: SnapshotOperations;
    },
  ) {
    this.#ctx = ctx;
    this.#resize = operations.resize;
    this.#terminator = operations.terminator;
    this.#power = operations.power;
    this.#volumes = operations.volumes;
    this.#snapshots = operations.snapshots;
  }

  /**
   * Finishes deletions and takes interrupted builds back. One instance that cannot be brought to rest does not keep the
   * others from it.
   * @returns the power operations still to be done, each in its instance's queue
   * @throws when host or store do not answer
   */
  async recoverInstances(): Promise<readonly DeferredRecovery[]> {
    const { instances, driver, host, log } = this.#ctx;
    const records = await instances.listByHost(host);
    const machines = new Map<string, InstanceState>(
      (await driver.listInstances()).map((machine) => [machine.uuid, machine]),
    );
    const deferred: DeferredRecovery[] = [];
    await forEachLimited(records, PARALLEL, async (record) => {
      const machine = machines.get(record.uuid)?.powerState ?? null;
      try {
        if (isSettled(record)) await this.#volumes.settle(record, { requestId: newRequestId() });
        const run = await this.#recover(record, machine);
        if (run !== null) deferred.push({ uuid: record.uuid, run: () => this.#bounded(run) });
      } catch (error) {
        const level = isOvertaken(error) ? 'info' : 'error';
        log[level]({ err: error, instance: record.uuid }, 'an instance could not be recovered');
      }
    });
    return deferred;
  }

  /** After {@link recoverInstances}: the host has no volume that the store does not know of. */
  async removeGhostVolumes(): Promise<readonly string[]> {
    const { blockDevices, driver, instances, host } = this.#ctx;
    const known = new Map<string, readonly VolumeDevice[]>();
    for (const { uuid } of await instances.listByHost(host)) {
      known.set(uuid, volumeDevices(await blockDevices.list(uuid)));
    }
    return driver.removeGhostVolumes(known);
  }

  async #bounded(run: () => Promise<void>): Promise<void> {
    const leave = await this.#places.acquire();
    try {
      await run();
    } finally {
      leave();
    }
  }

  async #recover(record: InstanceRecord, machine: PowerState | null): Promise<(() => Promise<void>) | null> {
    const resuming = this.#ctx.config.resumeGuestsStateOnHostBoot;
    const migration = isResized(record) ? await this.#ctx.migrations.inProgress(record.uuid) : null;
    const recovery = planRecovery(record, machine, resuming, migration?.status ?? null);
    if (recovery.action === 'none') return null;
    const { vmState, taskState, uuid } = record;
    this.#ctx.log.info(
      { instance: uuid, vmState, taskState, machine, ...recovery },
      'recovering an instance',
    );
    switch (recovery.action) {
      case 'delete':
        await this.#terminator.remove(record, { requestId: newRequestId() });
        return null;
      case 'fail-build':
        await this.#failBuild(record);
        return null;
      case 'clear-task': {
        const powerState = machine ?? POWER_STATE.NOSTATE;
        await this.#ctx.instances.save(
          uuid,
          { taskState: null, powerState },
          { expectedTaskState: [taskState] },
        );
        return null;
      }
      case 'settle-snapshot':
        // Merging what was written meanwhile may take long.
        return () => this.#snapshots.settle(record, { requestId: newRequestId() });
      case 'roll-back-resize':
      case 'revert-resize':
      case 'confirm-resize':
        return () => this.#settleResize(record, migration, recovery.action);
      case 'stop':
        return () =>
          this.#retry(record, () => this.#power.stopNow(record, shutdownTimeoutSeconds(this.#ctx, record)));
      case 'start':
        return () => this.#retry(record, () => this.#power.startNow(record));
      case 'reboot':
        return () => this.#retry(record, () => this.#power.rebootNow(record, recovery.type, [taskState]));
      case 'resume':
        break;
    }
    return () => this.#resume(record);
  }

  async #settleResize(
    record: InstanceRecord,
    migration: MigrationRecord | null,
    action: 'roll-back-resize' | 'revert-resize' | 'confirm-resize',
  ): Promise<void> {
    try {
      if (action === 'roll-back-resize') {
        await this.#resize.rollBack(record, migration, interruptedError(record, this.#ctx.host));
      } else if (action === 'confirm-resize') await this.#resize.confirmNow(record, migration);
      else await this.#resize.revertNow(record, migration);
    } catch (error) {
      if (isOvertaken(error)) throw error;
      if (action === 'revert-resize' && migration !== null) {
        await this.#resize.revertFailed(record, migration, error);
        return;
      }
      // What keeps the old size is still there: the next start tries again.
      await recordFault(this.#ctx, record.uuid, error);
      throw error;
    }
  }

  async #retry(record: InstanceRecord, work: () => Promise<void>): Promise<void> {
    const tasks: readonly TaskState[] =
      SOFT_TASKS.has(record.taskState) || HARD_TASKS.has(record.taskState)
        ? [...SOFT_TASKS, ...HARD_TASKS]
        : [record.taskState];
    await this.#power.recordingFailure(record.uuid, tasks, work);
  }

  async #failBuild(record: InstanceRecord): Promise<void> {
    const { uuid } = record;
    const left = await takeBack(
      this.#ctx,
      record,
      { machine: true, volumes: 'release' },
      { requestId: newRequestId() },
    );
    const again =
      left.length === 0 ? '' : ' Not everything it had could be removed yet; deleting it removes the rest.';
    await recordFault(
      this.#ctx,
      uuid,
      new ComputeError(
        'BuildAbortException',
        `Build of instance ${uuid} aborted: the build was interrupted by a restart of the compute service on ${this.#ctx.host}. Delete the instance and create it again.${again}`,
        left[0] === undefined ? {} : { cause: left[0] },
      ),
    );
    await this.#ctx.instances.save(
      uuid,
      {
        vmState: 'error',
        taskState: null,
        powerState: POWER_STATE.NOSTATE,
        ...(left.length === 0 ? { host: null, node: null, networkInfo: [], pciDevices: [] } : {}),
      },
      { expectedTaskState: [record.taskState] },
    );
  }

  /** The host was restarted, too: its machines run again if they ran before. */
  async #resume(record: InstanceRecord): Promise<void> {
    const { driver, instances } = this.#ctx;
    try {
      await driver.powerOn(refOf(record), { volumes: await connectedVolumes(this.#ctx, record.uuid) });
      const { powerState } = await driver.getInfo(refOf(record));
      await instances.save(record.uuid, { powerState }, { expectedTaskState: [null] });
    } catch (error) {
      if (isOvertaken(error)) throw error;
      await recordFault(this.#ctx, record.uuid, error);
      await instances.save(record.uuid, { vmState: 'error' }, { expectedTaskState: [null] });
    }
  }
}
