import type { VolumeBackend } from '../backends/backend.js';
import { readMembers } from '../json.js';
import type { VolumeRow } from '../tables.js';
import type { ManagerDeps } from './deps.js';
import { settle } from './settle.js';

/** Ends the exports that a volume deleted by force still has. */
async function disconnect(deps: ManagerDeps, backend: VolumeBackend, volume: VolumeRow): Promise<void> {
  const attachments = await deps.db
    .selectFrom('block_storage_attachment')
    .select('connector')
    .where('volume_id', '=', volume.id)
    .execute();
  for (const connector of [...attachments.map((row) => row.connector), volume.legacy_connector]) {
    if (connector !== null)
      await backend.terminateConnection({ id: volume.id, sizeGb: volume.size }, readMembers(connector));
  }
}

async function deleteSnapshots(deps: ManagerDeps, backend: VolumeBackend, volume: VolumeRow): Promise<void> {
  const rows = await deps.db
    .selectFrom('block_storage_snapshot')
    .select(['id', 'volume_size'])
    .where('volume_id', '=', volume.id)
    .execute();
  for (const { id, volume_size: sizeGb } of rows) {
    await backend.deleteSnapshot({ id, volumeId: volume.id, sizeGb });
    await deps.db.deleteFrom('block_storage_snapshot').where('id', '=', id).execute();
  }
}

/** Deletes a volume at its back end, with its snapshots when that was asked for, then its row. */
export async function deleteVolume(deps: ManagerDeps, volume: VolumeRow, cascade: boolean): Promise<void> {
  try {
    if (volume.host !== null) {
      const backend = deps.backends.of(volume);
      await disconnect(deps, backend, volume);
      if (cascade) await deleteSnapshots(deps, backend, volume);
      await backend.deleteVolume(volume.id);
    }
    await deps.db.transaction().execute(async (trx) => {
      await trx.deleteFrom('block_storage_attachment').where('volume_id', '=', volume.id).execute();
      await trx.deleteFrom('block_storage_volume').where('id', '=', volume.id).execute();
    });
  } catch (error) {
    deps.log.error({ err: error, volume: volume.id }, 'a volume could not be deleted');
    await settle(deps, volume, 'error_deleting', ['deleting']);
  }
}
