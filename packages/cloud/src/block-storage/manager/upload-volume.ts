import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BackendError } from '../backends/backend.js';
import type { VolumeRow } from '../tables.js';
import type { ManagerDeps, Task } from './deps.js';
import { reasonFor, report } from './messages.js';
import { isStillWork, settle } from './settle.js';
import type { VolumeWork } from './work.js';

const FORMATS = ['raw', 'vhd', 'vhdx', 'qcow2'] as const;
export type UploadFormat = (typeof FORMATS)[number];

/** Cinder's `vpc` is `vhd` by Glance's name. */
export const uploadFormat = (name: string): UploadFormat | undefined =>
  FORMATS.find((format) => format === (name === 'vpc' ? 'vhd' : name));

/** Gives a queued image a volume's content; an image that cannot get it is removed. */
export async function uploadVolume(
  deps: ManagerDeps,
  volume: VolumeRow,
  work: Extract<VolumeWork, { kind: 'upload' }>,
  task: Task,
): Promise<void> {
  const token = await deps.serviceToken();
  const path = join(deps.conversionDir, `${work.imageId}.upload`);
  try {
    const image = await deps.images.get(work.imageId, token);
    if (image === null) throw new BackendError('NOT_FOUND', `The image ${work.imageId} is gone.`);
    // Already there: this process was killed right after.
    if (image.status !== 'active') {
      const format = uploadFormat(work.diskFormat) ?? 'raw';
      await deps.backends
        .of(volume)
        .copyVolumeToFile({ id: volume.id, sizeGb: volume.size }, path, format, { signal: task.signal });
      await deps.images.upload(work.imageId, path, token, task.signal);
    }
    await settle(deps, volume, work.previous, ['uploading']);
  } catch (error) {
    // Stopping: it goes on at the next start. When the volume is being deleted instead, the image goes too.
    if (task.signal.aborted && (await isStillWork(deps, volume))) throw error;
    deps.log.error({ err: error, volume: volume.id, image: work.imageId }, 'a volume could not be uploaded');
    await deps.images
      .remove(work.imageId, token)
      .catch((failure: unknown) =>
        deps.log.warn({ err: failure, image: work.imageId }, 'an image without data was not removed'),
      );
    const { id, project_id: projectId } = volume;
    if (await settle(deps, volume, work.previous, ['uploading']))
      await report(deps, {
        action: 'upload',
        detail: 'uploadFailed',
        reason: reasonFor(error),
        resource: 'VOLUME',
        id,
        projectId,
      });
  } finally {
    await rm(path, { force: true });
  }
}
