import { DriverError, POWER_STATE } from '@nova-hyperv/driver';
import type { Flavor, MigrationRequest, PowerOffOptions } from '@nova-hyperv/driver';
import { ComputeError } from '../errors.js';
import type {
  InstanceChanges,
  InstanceRecord,
  InstanceRequest,
  MigrationInstanceRequest,
  MigrationRecord,
  MigrationStatus,
  PrepResizeRequest,
  TaskState,
} from '../ports.js';
import { connectedVolumes, hostedFlavor } from './block-devices.js';
import type { ComputeContext } from './context.js';
import { isOvertaken, recordFault } from './faults.js';
import { imageOf, shutdownTimeoutSeconds } from './image-facts.js';
import { withInstanceEvent } from './instance-event.js';
import { driverInstance, findInstance, powerStateOf, refOf } from './instance-view.js';
import { settledDevices } from '../pci/assign.js';
import type { ResourceTracker } from './resource-tracker.js';

/** nova/compute/task_states.py, in order. */
export const RESIZE_TASKS: readonly TaskState[] = [
  'resize_prep',
  'resize_migrating',
  'resize_migrated',
  'resize_finish',
];

/** Nova's key for what the instance was before: `active` or `stopped`. */
const OLD_VM_STATE = 'old_vm_state';

/** What the next of the compute services in a resize is asked for: the same service while source and destination are one host. */
export interface NextCasts {
  resizeInstance(request: MigrationInstanceRequest): Promise<void>;
  finishResize(request: MigrationInstanceRequest): Promise<void>;
  finishRevertResize(request: MigrationInstanceRequest): Promise<void>;
}

/** Resize, confirm and revert, by Nova's names and states (a recorded resize). Each step may be done again. */
export class ResizeOperations {
  readonly #ctx: ComputeContext;
  readonly #tracker: ResourceTracker;
  readonly #casts: NextCasts;

  constructor(ctx: ComputeContext, tracker: ResourceTracker, casts: NextCasts) {
    this.#ctx = ctx;
    this.#tracker = tracker;
    this.#casts = casts;
  }

  prepResize(request: PrepResizeRequest): Promise<void> {
    return this.#step(request, 'compute_prep_resize', ['resize_prep'], async (record) => {
      const { instances, migrations, driver, config, host } = this.#ctx;
      await instances.save(
        record.uuid,
        {
          newFlavor: request.flavor,
          systemMetadata: { ...record.systemMetadata, [OLD_VM_STATE]: record.vmState },
        },
        { expectedTaskState: ['resize_prep'] },
      );
      this.#tracker.resizeClaim(
        record.uuid,
        hostedFlavor(record, record.flavor),
        hostedFlavor(record, request.flavor),
      );
      const pciDevices = this.#tracker.pci.claimResize(record.uuid, request.flavor);
      await instances.save(record.uuid, { pciDevices }, { expectedTaskState: ['resize_prep'] });
      await migrations.save(request.migrationUuid, {
        status: 'pre-migrating',
        destCompute: host,
        destNode: driver.nodeName,
        destHost: config.myIp,
      });
      await this.#casts.resizeInstance(next(request));
    });
  }

  resizeInstance(request: MigrationInstanceRequest): Promise<void> {
    return this.#step(request, 'compute_resize_instance', ['resize_prep'], async (before, migration) => {
      await this.#saveStatus(migration, 'migrating');
      const record = await this.#save(before, { taskState: 'resize_migrating' }, ['resize_prep']);
      const driverWork = await this.#driverRequest(record, migration);
      await this.#ctx.driver.migrateDiskAndPowerOff(driverWork, this.#powerOff(record));
      await this.#saveStatus(migration, 'post-migrating');
      await this.#save(
        record,
        {
          taskState: 'resize_migrated',
          oldFlavor: migration.oldFlavor,
          host: migration.destCompute ?? record.host,
          node: migration.destNode ?? record.node,
        },
        ['resize_migrating'],
      );
      await this.#casts.finishResize(next(request));
    });
  }

  finishResize(request: MigrationInstanceRequest): Promise<void> {
    return this.#step(request, 'compute_finish_resize', ['resize_migrated'], async (before, migration) => {
      const { driver, clock } = this.#ctx;
      const record = await this.#save(before, { taskState: 'resize_finish', flavor: migration.newFlavor }, [
        'resize_migrated',
      ]);
      const powerOn = wasActive(record);
      const driverWork = await this.#driverRequest(record, migration);
      await driver.finishMigration({ ...driverWork, powerOn }, this.#powerOff(record));
      await this.#saveStatus(migration, 'finished');
      const powerState = await powerStateOf(this.#ctx, record);
      await this.#save(record, { vmState: 'resized', taskState: null, powerState, launchedAt: clock.now() }, [
        'resize_finish',
      ]);
    });
  }

  async confirmResize(request: MigrationInstanceRequest): Promise<void> {
    const found = await this.#find(request, [null]);
    if (found === null || found.record.vmState !== 'resized') return this.#outdated(request);
    await withInstanceEvent(this.#ctx, request, 'compute_confirm_resize', async () => {
      try {
        await this.confirmNow(found.record, found.migration);
      } catch (error) {
        if (!isOvertaken(error)) {
          await recordFault(this.#ctx, found.record.uuid, error);
          // It can be confirmed again: nothing of the new size is touched.
          await this.#saveStatus(found.migration, 'finished');
        }
        throw error;
      }
    });
  }

  /** @param migration null when an earlier try ended it, and then was cut short */
  async confirmNow(record: InstanceRecord, migration: MigrationRecord | null): Promise<void> {
    const { driver, placement } = this.#ctx;
    await driver.confirmMigration(refOf(record));
    if (migration !== null) {
      await placement.deleteAllocations(migration.uuid);
      await this.#saveStatus(migration, 'confirmed');
    }
    const powerState = await powerStateOf(this.#ctx, record);
    const vmState = powerState === POWER_STATE.SHUTDOWN ? 'stopped' : 'active';
    const pciDevices = settledDevices(record.pciDevices, 'new');
    await this.#save(record, { ...withoutResize(record), vmState, powerState, pciDevices }, [null]);
    this.#tracker.settle(record.uuid, hostedFlavor(record, record.flavor));
    this.#tracker.pci.remember({ uuid: record.uuid, pciDevices });
  }

  revertResize(request: MigrationInstanceRequest): Promise<void> {
    return this.#reverting(request, 'compute_revert_resize', () =>
      this.#casts.finishRevertResize(next(request)),
    );
  }

  finishRevertResize(request: MigrationInstanceRequest): Promise<void> {
    return this.#reverting(request, 'compute_finish_revert_resize', (record, migration) =>
      this.revertNow(record, migration),
    );
  }

  /** @param migration as for {@link confirmNow} */
  async revertNow(record: InstanceRecord, migration: MigrationRecord | null): Promise<void> {
    const { clock, driver, placement } = this.#ctx;
    const powerOn = wasActive(record);
    const volumes = await connectedVolumes(this.#ctx, record.uuid);
    await driver.finishRevertMigration(refOf(record), { ...this.#powerOff(record), powerOn, volumes });
    if (migration !== null) {
      await placement.moveAllocations(migration.uuid, record.uuid);
      await this.#saveStatus(migration, 'reverted');
    }
    await this.#settleBack(record, migration, ['resize_reverting'], { launchedAt: clock.now() });
  }

  /** What failed or was interrupted before the new size was there: all as it was. */
  async rollBack(record: InstanceRecord, migration: MigrationRecord | null, error: unknown): Promise<void> {
    if (record.taskState !== 'resize_prep') {
      // Running again, if it ran: whatever the guest had not written then is as after a power cut.
      await this.#ctx.driver.finishRevertMigration(refOf(record), {
        ...this.#powerOff(record),
        powerOn: wasActive(record),
        volumes: await connectedVolumes(this.#ctx, record.uuid),
      });
    }
    if (migration !== null) {
      await this.#ctx.placement.moveAllocations(migration.uuid, record.uuid);
      await this.#saveStatus(migration, 'error');
    }
    await recordFault(this.#ctx, record.uuid, error);
    await this.#settleBack(record, migration, RESIZE_TASKS, {});
  }

  async #settleBack(
    record: InstanceRecord,
    migration: MigrationRecord | null,
    expected: readonly TaskState[],
    changes: InstanceChanges,
  ): Promise<void> {
    const flavor: Flavor = migration?.oldFlavor ?? record.oldFlavor ?? record.flavor;
    const powerState = await powerStateOf(this.#ctx, record);
    const vmState = wasActive(record) ? 'active' : 'stopped';
    const { pciDevices: claimed } = await this.#ctx.instances.get(record.uuid);
    const pciDevices = settledDevices(claimed, 'old');
    await this.#save(
      record,
      { ...withoutResize(record), ...changes, flavor, vmState, powerState, pciDevices, taskState: null },
      expected,
    );
    this.#tracker.settle(record.uuid, hostedFlavor(record, flavor));
    this.#tracker.pci.remember({ uuid: record.uuid, pciDevices });
  }

  /** One step on the way to the new size. A failure leads back to the old one; what cannot be led back is in ERROR. */
  async #step(
    request: MigrationInstanceRequest,
    event: string,
    tasks: readonly TaskState[],
    work: (record: InstanceRecord, migration: MigrationRecord) => Promise<void>,
  ): Promise<void> {
    const found = await this.#find(request, tasks);
    if (found === null) return this.#outdated(request);
    const { migration } = found;
    await withInstanceEvent(this.#ctx, request, event, async () => {
      try {
        await work(found.record, migration);
      } catch (error) {
        if (!isOvertaken(error)) await this.#failed(request, migration, error);
        throw error;
      }
    });
  }

  async #failed(request: InstanceRequest, migration: MigrationRecord, error: unknown): Promise<void> {
    const record = await findInstance(this.#ctx, request.instanceUuid);
    if (record === null || !RESIZE_TASKS.includes(record.taskState)) return;
    try {
      await this.rollBack(record, migration, error);
    } catch (second) {
      if (isOvertaken(second)) return;
      await this.#giveUp(record, migration, error, second, RESIZE_TASKS);
    }
  }

  /** Neither forward nor back. What the host keeps of the old size stays until the instance is deleted. */
  async #giveUp(
    record: InstanceRecord,
    migration: MigrationRecord,
    error: unknown,
    second: unknown,
    expected: readonly TaskState[],
  ): Promise<void> {
    this.#ctx.log.error({ err: second, instance: record.uuid }, 'a resize could not be led back');
    await recordFault(this.#ctx, record.uuid, error);
    await this.#saveStatus(migration, 'error');
    await this.#save(record, { vmState: 'error', taskState: null }, expected);
  }

  async #reverting(
    request: MigrationInstanceRequest,
    event: string,
    work: (record: InstanceRecord, migration: MigrationRecord) => Promise<void>,
  ): Promise<void> {
    const found = await this.#find(request, ['resize_reverting']);
    if (found === null) return this.#outdated(request);
    const { record, migration } = found;
    await withInstanceEvent(this.#ctx, request, event, async () => {
      try {
        await work(record, migration);
      } catch (error) {
        if (!isOvertaken(error)) await this.revertFailed(record, migration, error);
        throw error;
      }
    });
  }

  /** A disk that grew live and cannot become smaller stays as it is, to be confirmed. */
  async revertFailed(record: InstanceRecord, migration: MigrationRecord, error: unknown): Promise<void> {
    const refused = error instanceof DriverError && error.novaName === 'CannotResizeDisk';
    if (!refused) {
      await this.#giveUp(record, migration, error, error, ['resize_reverting']);
      return;
    }
    await recordFault(this.#ctx, record.uuid, error);
    await this.#saveStatus(migration, 'finished');
    await this.#save(record, { taskState: null }, ['resize_reverting']);
  }

  async #find(
    request: MigrationInstanceRequest,
    tasks: readonly TaskState[],
  ): Promise<{ readonly record: InstanceRecord; readonly migration: MigrationRecord } | null> {
    const record = await findInstance(this.#ctx, request.instanceUuid);
    const migration = await this.#ctx.migrations.get(request.migrationUuid);
    if (record === null || migration === null || !tasks.includes(record.taskState)) return null;
    return { record, migration };
  }

  #outdated({ instanceUuid }: InstanceRequest): void {
    this.#ctx.log.info({ instance: instanceUuid }, 'request is outdated and was left alone');
  }

  #save(
    record: InstanceRecord,
    changes: InstanceChanges,
    expectedTaskState: readonly TaskState[],
  ): Promise<InstanceRecord> {
    return this.#ctx.instances.save(record.uuid, changes, { expectedTaskState });
  }

  async #saveStatus(migration: MigrationRecord, status: MigrationStatus): Promise<void> {
    await this.#ctx.migrations.save(migration.uuid, { status });
  }

  async #driverRequest(
    record: InstanceRecord,
    { oldFlavor, newFlavor }: MigrationRecord,
  ): Promise<MigrationRequest> {
    return {
      instance: { ...driverInstance(record), flavor: newFlavor },
      oldFlavor,
      image: imageOf(record),
      vifs: record.networkInfo,
      volumes: await connectedVolumes(this.#ctx, record.uuid),
    };
  }

  #powerOff(record: InstanceRecord): PowerOffOptions {
    return {
      timeoutSeconds: shutdownTimeoutSeconds(this.#ctx, record),
      retryIntervalSeconds: this.#ctx.config.shutdownRetryIntervalSeconds,
    };
  }
}

function next({
  instanceUuid,
  requestId,
  migrationUuid,
}: MigrationInstanceRequest): MigrationInstanceRequest {
  return { instanceUuid, requestId, migrationUuid };
}

function wasActive(record: InstanceRecord): boolean {
  return (record.systemMetadata[OLD_VM_STATE] ?? record.vmState) !== 'stopped';
}

/** What only a resize needs of the record. */
function withoutResize(record: InstanceRecord): InstanceChanges {
  const { [OLD_VM_STATE]: _old, ...systemMetadata } = record.systemMetadata;
  return { oldFlavor: null, newFlavor: null, systemMetadata };
}

/** The fault of a resize that a restart of the service cut short. */
export function interruptedError(record: InstanceRecord, host: string): ComputeError {
  return new ComputeError(
    'InstanceFaultRollback',
    `Instance rollback performed due to: the resize of instance ${record.uuid} was interrupted by a restart of the compute service on ${host}. Resize it again.`,
  );
}
