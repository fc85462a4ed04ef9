import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BackendError, type VolumeBackend } from '../backends/backend.js';
import { nowIso } from '../deps.js';
import { readTexts } from '../json.js';
import type { VolumeRow } from '../tables.js';
import { typeOf } from '../types/store.js';
import type { ManagerDeps, Task } from './deps.js';
import { reasonFor, report } from './messages.js';
import { chooseBackend } from './schedule.js';
import { settle } from './settle.js';

const OWN = ['creating', 'downloading'] as const;

/** Host that has what the volume is made from; undefined when it is made from nothing there. */
async function sourceHost(deps: ManagerDeps, volume: VolumeRow): Promise<string | null | undefined> {
  const { snapshot_id: snapshotId, source_volid: sourceId } = volume;
  if (snapshotId === null && sourceId === null) return undefined;
  const snapshot = await deps.db
    .selectFrom('block_storage_snapshot')
    .select('volume_id')
    .where('id', '=', snapshotId ?? '')
    .executeTakeFirst();
  const source = await deps.db
    .selectFrom('block_storage_volume')
    .select('host')
    .where('id', '=', snapshot?.volume_id ?? sourceId ?? '')
    .executeTakeFirst();
  return source?.host ?? null;
}

/** What the scheduler knows of the back ends that serve and are not disabled. */
export async function candidates(deps: ManagerDeps) {
  const rows = await deps.db.selectFrom('block_storage_volume').select(['host', 'size']).execute();
  const disabled = await deps.db
    .selectFrom('block_storage_service')
    .select('host')
    .where('disabled', '=', 1)
    .execute();
  const away = new Set(disabled.map(({ host }) => host));
  return (await deps.backends.stats())
    .filter(({ serviceHost }) => !away.has(serviceHost))
    .map(({ backend, host, stats }) => ({
      name: backend.name,
      host,
      protocol: backend.storageProtocol,
      stats,
      provisionedGb: rows.filter((row) => row.host === host).reduce((sum, { size }) => sum + size, 0),
    }));
}

/** Gives the volume its back end. Undefined when there is none: then it is in error. */
async function place(deps: ManagerDeps, volume: VolumeRow): Promise<VolumeRow | undefined> {
  const type = await typeOf(deps.db, volume.volume_type_id);
  const onlyHost = await sourceHost(deps, volume);
  const choice = chooseBackend(await candidates(deps), {
    sizeGb: volume.size,
    extraSpecs: readTexts(type.extra_specs),
    ...(onlyHost === undefined ? {} : { onlyHost }),
  });
  if (choice.host === null) {
    deps.log.warn({ volume: volume.id }, `No valid backend was found. ${choice.reason}`);
    const { id, project_id: projectId } = volume;
    const { reason } = choice;
    if (await settle(deps, volume, 'error', OWN))
      await report(deps, {
        action: 'schedule',
        detail: 'noBackend',
        reason,
        resource: 'VOLUME',
        id,
        projectId,
      });
    return undefined;
  }
  const { numUpdatedRows } = await deps.db
    .updateTable('block_storage_volume')
    .set({ host: choice.host, updated_at: nowIso() })
    .where('id', '=', volume.id)
    .where('work', '=', volume.work)
    .executeTakeFirst();
  return numUpdatedRows === 1n ? { ...volume, host: choice.host } : undefined;
}

async function fromImage(
  deps: ManagerDeps,
  backend: VolumeBackend,
  volume: VolumeRow,
  task: Task,
): Promise<void> {
  const imageId = volume.image_id ?? '';
  const token = await deps.serviceToken();
  const image = await deps.images.get(imageId, token);
  if (image === null) throw new BackendError('NOT_FOUND', `The image ${imageId} is gone.`);
  await deps.db
    .updateTable('block_storage_volume')
    .set({ status: 'downloading', updated_at: nowIso() })
    .where('id', '=', volume.id)
    .where('status', '=', 'creating')
    .where('work', '=', volume.work)
    .execute();
  const path = join(deps.conversionDir, `${volume.id}.image`);
  try {
    await deps.images.download(imageId, path, token, task.signal);
    await backend.createVolumeFromImage(
      { id: volume.id, sizeGb: volume.size },
      { path, diskFormat: image.diskFormat },
      { signal: task.signal },
    );
  } finally {
    await rm(path, { force: true });
  }
}

async function fill(deps: ManagerDeps, backend: VolumeBackend, volume: VolumeRow, task: Task): Promise<void> {
  const wanted = { id: volume.id, sizeGb: volume.size };
  const { snapshot_id: snapshotId, source_volid: sourceId } = volume;
  if (snapshotId !== null) {
    const snapshot = await deps.db
      .selectFrom('block_storage_snapshot')
      .selectAll()
      .where('id', '=', snapshotId)
      .executeTakeFirst();
    if (snapshot === undefined) throw new BackendError('NOT_FOUND', `The snapshot ${snapshotId} is gone.`);
    const { id, volume_id: volumeId, volume_size: sizeGb } = snapshot;
    return task.lock(volumeId, () => backend.createVolumeFromSnapshot(wanted, { id, volumeId, sizeGb }));
  }
  if (sourceId !== null) {
    return task.lock(sourceId, async () => {
      const source = await deps.db
        .selectFrom('block_storage_volume')
        .select(['id', 'size'])
        .where('id', '=', sourceId)
        .executeTakeFirst();
      if (source === undefined) throw new BackendError('NOT_FOUND', `The volume ${sourceId} is gone.`);
      await backend.cloneVolume(wanted, { id: source.id, sizeGb: source.size });
    });
  }
  return volume.image_id === null ? backend.createVolume(wanted) : fromImage(deps, backend, volume, task);
}

async function failed(deps: ManagerDeps, volume: VolumeRow, error: unknown): Promise<void> {
  deps.log.error({ err: error, volume: volume.id }, 'a volume could not be created');
  const { id, project_id: projectId } = volume;
  if (!(await settle(deps, volume, 'error', OWN))) return;
  const ofImage = volume.image_id !== null;
  const tooLarge =
    error instanceof BackendError && (error.code === 'NO_SPACE' || error.code === 'IMAGE_TOO_LARGE');
  await report(deps, {
    action: ofImage ? 'image' : 'create',
    detail: ofImage && tooLarge ? 'noSpace' : 'createFailed',
    reason: reasonFor(error),
    resource: 'VOLUME',
    id,
    projectId,
  });
}

/** Schedules a volume and makes it, from whatever it is to be made. What a killed attempt left is removed first. */
export async function createVolume(deps: ManagerDeps, volume: VolumeRow, task: Task): Promise<void> {
  let placed: VolumeRow | undefined = volume;
  try {
    placed = volume.host === null ? await place(deps, volume) : volume;
    if (placed === undefined) return;
    const backend = deps.backends.of(placed);
    await backend.deleteVolume(volume.id);
    try {
      await fill(deps, backend, placed, task);
    } catch (error) {
      await backend.deleteVolume(volume.id);
      throw error;
    }
    await settle(deps, placed, 'available', OWN);
  } catch (error) {
    if (task.signal.aborted) throw error;
    await failed(deps, placed ?? volume, error);
  }
}
