import type { InstanceRecord, SnapshotInstanceRequest, TaskState } from '../ports.js';
import type { CallOptions } from '../rest/rest-client.js';
import type { ComputeContext } from './context.js';
import { isOvertaken } from './faults.js';
import { withInstanceEvent } from './instance-event.js';
import { findInstance, refOf } from './instance-view.js';

/** nova/compute/task_states.py, in their order. */
export const IMAGE_TASKS = [
  'image_snapshot_pending',
  'image_snapshot',
  'image_pending_upload',
  'image_uploading',
] as const satisfies readonly TaskState[];

/** Images that are made of instances: Nova's snapshot_instance. */
export class SnapshotOperations {
  readonly #ctx: ComputeContext;

  constructor(ctx: ComputeContext) {
    this.#ctx = ctx;
  }

  async snapshot(request: SnapshotInstanceRequest): Promise<void> {
    const { requestId, imageId } = request;
    const record = await findInstance(this.#ctx, request.instanceUuid);
    if (record === null) {
      await this.#ctx.images.delete(imageId, { requestId });
      return;
    }
    await withInstanceEvent(this.#ctx, request, 'compute_snapshot_instance', () =>
      this.#make(record, request),
    );
  }

  async #make(record: InstanceRecord, { requestId, imageId }: SnapshotInstanceRequest): Promise<void> {
    const { driver, images } = this.#ctx;
    try {
      await this.#task(record, 'image_snapshot', ['image_snapshot_pending']);
      await driver.snapshot({
        instance: refOf(record),
        imageId,
        upload: async ({ localPath, diskFormat }) => {
          await this.#task(record, 'image_pending_upload', ['image_snapshot']);
          await this.#task(record, 'image_uploading', ['image_pending_upload']);
          await images.upload(imageId, { path: localPath, diskFormat }, { requestId });
        },
      });
    } catch (error) {
      await this.#takeBack(record, [imageId], { requestId });
      throw error;
    }
    await this.#task(record, null, ['image_uploading']);
  }

  async #task(
    record: InstanceRecord,
    taskState: TaskState,
    expectedTaskState: readonly TaskState[],
  ): Promise<void> {
    await this.#ctx.instances.save(record.uuid, { taskState }, { expectedTaskState });
  }

  /** An image without data is of use to nobody. The instance is as it was. */
  async #takeBack(record: InstanceRecord, imageIds: readonly string[], call: CallOptions): Promise<void> {
    const { images, log } = this.#ctx;
    for (const imageId of imageIds) {
      try {
        await images.delete(imageId, call);
      } catch (error) {
        log.warn(
          { err: error, instance: record.uuid, image: imageId },
          'an image without data could not be deleted',
        );
      }
    }
    try {
      await this.#task(record, null, IMAGE_TASKS);
    } catch (error) {
      if (!isOvertaken(error)) throw error;
    }
  }

  /** What a killed service left: the host's checkpoint, the image that never got its data, the task. */
  async settle(record: InstanceRecord, call: CallOptions): Promise<void> {
    const { driver, images } = this.#ctx;
    await driver.cleanUpSnapshot(refOf(record));
    await this.#takeBack(record, await images.unfinishedSnapshots(record.uuid, call), call);
  }
}
