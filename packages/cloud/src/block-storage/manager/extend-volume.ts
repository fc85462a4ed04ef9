import { nowIso } from '../deps.js';
import type { VolumeRow } from '../tables.js';
import type { ManagerDeps } from './deps.js';
import { reasonFor, report } from './messages.js';
import { restingStatus, settle } from './settle.js';

async function serversOf(deps: ManagerDeps, volumeId: string): Promise<readonly string[]> {
  const rows = await deps.db
    .selectFrom('block_storage_attachment')
    .select('instance_uuid')
    .where('volume_id', '=', volumeId)
    .where('instance_uuid', 'is not', null)
    .execute();
  return rows.flatMap(({ instance_uuid: server }) => (server === null ? [] : [server]));
}

/** Tells Nova of the servers that the volume is attached to. What Nova does not take is told to the user; the volume has grown. */
async function notify(deps: ManagerDeps, volume: VolumeRow, servers: readonly string[]): Promise<void> {
  const { id, project_id: projectId } = volume;
  const taken = await deps.compute.volumeExtended(id, servers).catch((error: unknown) => {
    deps.log.error({ err: error, volume: id }, 'Nova was not told of the new size of a volume');
    return false;
  });
  const about = { reason: '', resource: 'VOLUME', id, projectId } as const;
  if (!taken) await report(deps, { action: 'extend', detail: 'computeFailed', ...about });
  await settle(deps, volume, 'in-use', []);
}

async function failed(deps: ManagerDeps, volume: VolumeRow, error: unknown): Promise<void> {
  const { id, project_id: projectId } = volume;
  deps.log.error({ err: error, volume: id }, 'a volume could not be extended');
  if (!(await settle(deps, volume, 'error_extending', ['extending']))) return;
  const about = { reason: reasonFor(error), resource: 'VOLUME', id, projectId } as const;
  await report(deps, { action: 'extend', detail: 'extendFailed', ...about });
}

/** The new size is written down; the work stays until Nova is told, whatever ends this process before. False when there is other work. */
async function grown(deps: ManagerDeps, volume: VolumeRow, newSizeGb: number): Promise<boolean> {
  const { numUpdatedRows } = await deps.db
    .updateTable('block_storage_volume')
    .set({ size: newSizeGb, status: 'in-use', updated_at: nowIso() })
    .where('id', '=', volume.id)
    .where('work', '=', volume.work)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/**
 * Makes a volume larger at its back end. Of an attached one it gives what is to be done when others may work on it again: Nova is told,
 * whose compute service may ask for the volume's attachments.
 */
export async function extendVolume(
  deps: ManagerDeps,
  volume: VolumeRow,
  newSizeGb: number,
): Promise<(() => Promise<void>) | undefined> {
  const { id, size: sizeGb } = volume;
  try {
    if (sizeGb < newSizeGb) await deps.backends.of(volume).extendVolume({ id, sizeGb }, newSizeGb);
  } catch (error) {
    await failed(deps, volume, error);
    return undefined;
  }
  const servers = await serversOf(deps, id);
  if (servers.length > 0)
    return (await grown(deps, volume, newSizeGb)) ? () => notify(deps, volume, servers) : undefined;
  await settle(deps, volume, await restingStatus(deps, id), ['extending'], { size: newSizeGb });
  return undefined;
}
