import { nowIso } from '../deps.js';
import type { SnapshotRow, SnapshotStatus } from '../tables.js';
import type { ManagerDeps } from './deps.js';
import { reasonFor, report } from './messages.js';

const stored = (row: SnapshotRow) => ({ id: row.id, volumeId: row.volume_id, sizeGb: row.volume_size });

async function set(deps: ManagerDeps, row: SnapshotRow, status: SnapshotStatus): Promise<boolean> {
  const { numUpdatedRows } = await deps.db
    .updateTable('block_storage_snapshot')
    .set({ status, updated_at: nowIso() })
    .where('id', '=', row.id)
    .where('status', '=', row.status)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

async function hostOf(deps: ManagerDeps, row: SnapshotRow): Promise<{ readonly host: string | null }> {
  const volume = await deps.db
    .selectFrom('block_storage_volume')
    .select('host')
    .where('id', '=', row.volume_id)
    .executeTakeFirst();
  return { host: volume?.host ?? null };
}

async function create(deps: ManagerDeps, row: SnapshotRow): Promise<void> {
  try {
    const backend = deps.backends.of(await hostOf(deps, row));
    // What a killed attempt left.
    await backend.deleteSnapshot(stored(row));
    await backend.createSnapshot(stored(row));
    await set(deps, row, 'available');
  } catch (error) {
    deps.log.error({ err: error, snapshot: row.id }, 'a snapshot could not be created');
    if (await set(deps, row, 'error')) await tell(deps, row, 'snapshot', 'snapshotFailed', error);
  }
}

async function remove(deps: ManagerDeps, row: SnapshotRow): Promise<void> {
  try {
    await deps.backends.of(await hostOf(deps, row)).deleteSnapshot(stored(row));
    await deps.db.deleteFrom('block_storage_snapshot').where('id', '=', row.id).execute();
  } catch (error) {
    deps.log.error({ err: error, snapshot: row.id }, 'a snapshot could not be deleted');
    if (await set(deps, row, 'error_deleting'))
      await tell(deps, row, 'deleteSnapshot', 'snapshotNotDeleted', error);
  }
}

const tell = (
  deps: ManagerDeps,
  row: SnapshotRow,
  action: 'snapshot' | 'deleteSnapshot',
  detail: 'snapshotFailed' | 'snapshotNotDeleted',
  error: unknown,
): Promise<void> =>
  report(deps, {
    action,
    detail,
    reason: reasonFor(error),
    resource: 'VOLUME_SNAPSHOT',
    id: row.id,
    projectId: row.project_id,
  });

/** Does with a snapshot what its status says is to be done: its row is the record of the work. */
export async function workOnSnapshot(deps: ManagerDeps, row: SnapshotRow): Promise<void> {
  if (row.status === 'creating') await create(deps, row);
  if (row.status === 'deleting') await remove(deps, row);
}
