import type { VolumeRow } from '../tables.js';
import type { ManagerDeps } from './deps.js';
import { reasonFor, report } from './messages.js';
import { restingStatus, settle } from './settle.js';

/** Tells Nova of the servers that the volume is attached to. What Nova does not take is told to the user; the volume has grown. */
async function notify(deps: ManagerDeps, volume: VolumeRow): Promise<void> {
  const rows = await deps.db
    .selectFrom('block_storage_attachment')
    .select('instance_uuid')
    .where('volume_id', '=', volume.id)
    .where('instance_uuid', 'is not', null)
    .execute();
  const servers = rows.flatMap(({ instance_uuid: server }) => (server === null ? [] : [server]));
  if (servers.length === 0) return;
  const taken = await deps.compute.volumeExtended(volume.id, servers).catch((error: unknown) => {
    deps.log.error({ err: error, volume: volume.id }, 'Nova was not told of the new size of a volume');
    return false;
  });
  const { id, project_id: projectId } = volume;
  if (!taken)
    await report(deps, {
      action: 'extend',
      detail: 'computeFailed',
      reason: '',
      resource: 'VOLUME',
      id,
      projectId,
    });
}

/** Makes a volume larger at its back end, then tells the compute service of the servers that have it. */
export async function extendVolume(deps: ManagerDeps, volume: VolumeRow, newSizeGb: number): Promise<void> {
  const { id, project_id: projectId } = volume;
  try {
    await deps.backends.of(volume).extendVolume({ id, sizeGb: volume.size }, newSizeGb);
  } catch (error) {
    deps.log.error({ err: error, volume: id }, 'a volume could not be extended');
    if (await settle(deps, volume, 'error_extending', ['extending']))
      await report(deps, {
        action: 'extend',
        detail: 'extendFailed',
        reason: reasonFor(error),
        resource: 'VOLUME',
        id,
        projectId,
      });
    return;
  }
  const resting = await restingStatus(deps, id);
  if (await settle(deps, volume, resting, ['extending'], { size: newSizeGb })) await notify(deps, volume);
}
