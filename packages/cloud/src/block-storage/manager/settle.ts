import { nowIso } from '../deps.js';
import type { VolumeRow, VolumeStatus } from '../tables.js';
import type { ManagerDeps } from './deps.js';

/**
 * Ends a piece of work: the changes are written and the work is gone from the row, unless other work has taken its place (the volume is being
 * deleted by force). A status that changed meanwhile (it was reserved while its image came) stays. Whether it was still this work.
 */
export async function settle(
  deps: ManagerDeps,
  volume: VolumeRow,
  to: VolumeStatus,
  from: readonly VolumeStatus[],
  changes: Partial<VolumeRow> = {},
): Promise<boolean> {
  return deps.db.transaction().execute(async (trx) => {
    const now = await trx
      .selectFrom('block_storage_volume')
      .select('status')
      .where('id', '=', volume.id)
      .where('work', '=', volume.work)
      .executeTakeFirst();
    if (now === undefined) return false;
    const status = from.includes(now.status) ? to : now.status;
    await trx
      .updateTable('block_storage_volume')
      .set({ ...changes, status, work: null, updated_at: nowIso() })
      .where('id', '=', volume.id)
      .execute();
    return true;
  });
}

/** `in-use` while it has attachments. */
export async function restingStatus(deps: Pick<ManagerDeps, 'db'>, volumeId: string): Promise<VolumeStatus> {
  const attachment = await deps.db
    .selectFrom('block_storage_attachment')
    .select('id')
    .where('volume_id', '=', volumeId)
    .executeTakeFirst();
  return attachment === undefined ? 'available' : 'in-use';
}

/** Whether a volume still has the work that was begun: false when other work has taken its place. */
export async function isStillWork(deps: Pick<ManagerDeps, 'db'>, volume: VolumeRow): Promise<boolean> {
  const row = await deps.db
    .selectFrom('block_storage_volume')
    .select('id')
    .where('id', '=', volume.id)
    .where('work', '=', volume.work)
    .executeTakeFirst();
  return row !== undefined;
}
