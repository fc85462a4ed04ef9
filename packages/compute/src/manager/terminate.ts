import { POWER_STATE } from '@nova-hyperv/driver';
import type { InstanceRecord, InstanceRequest } from '../ports.js';
import type { CallOptions } from '../rest/rest-client.js';
import type { ComputeContext } from './context.js';
import { recordFault } from './faults.js';
import { withInstanceEvent } from './instance-event.js';
import { findInstance } from './instance-view.js';
import type { ResourceTracker } from './resource-tracker.js';
import { takeBack } from './undo.js';

/** Deletes instances; nothing of what it does minds being done again. */
export class Terminator {
  readonly #ctx: ComputeContext;
  readonly #tracker: ResourceTracker;

  constructor(ctx: ComputeContext, tracker: ResourceTracker) {
    this.#ctx = ctx;
    this.#tracker = tracker;
  }

  /** A failure is recorded: the instance is in ERROR then and can be deleted again. */
  async terminate(request: InstanceRequest): Promise<void> {
    const record = await findInstance(this.#ctx, request.instanceUuid);
    if (record === null) return;
    await withInstanceEvent(this.#ctx, request, 'compute_terminate_instance', () =>
      this.remove(record, { requestId: request.requestId }),
    );
  }

  /** A resize that waits to be confirmed ends with its instance, as in Nova's _confirm_resize_on_deleting. */
  async #endMigration(record: InstanceRecord, call: CallOptions): Promise<readonly Error[]> {
    const { migrations, placement } = this.#ctx;
    try {
      const migration = await migrations.inProgress(record.uuid);
      if (migration === null) return [];
      await placement.deleteAllocations(migration.uuid, call);
      const settled = migration.status === 'finished' || migration.status === 'confirming';
      await migrations.save(migration.uuid, { status: settled ? 'confirmed' : 'error' });
      return [];
    } catch (error) {
      return [error instanceof Error ? error : new Error(String(error))];
    }
  }

  /** Removes the instance and all it has. @throws the first of the reasons why something is left; the instance is in ERROR then */
  async remove(record: InstanceRecord, call: CallOptions): Promise<void> {
    const { instances, clock } = this.#ctx;
    const [failure] = [
      ...(await takeBack(this.#ctx, record, { machine: true, volumes: 'release' }, call)),
      ...(await this.#endMigration(record, call)),
    ];
    if (failure !== undefined) {
      await recordFault(this.#ctx, record.uuid, failure);
      await instances.save(record.uuid, { vmState: 'error', taskState: null });
      throw failure;
    }
    await instances.save(record.uuid, {
      vmState: 'deleted',
      taskState: null,
      powerState: POWER_STATE.NOSTATE,
      terminatedAt: record.terminatedAt ?? clock.now(),
      networkInfo: [],
      deviceMetadata: [],
      pciDevices: [],
    });
    await instances.destroy(record.uuid);
    this.#tracker.release(record.uuid);
  }
}
