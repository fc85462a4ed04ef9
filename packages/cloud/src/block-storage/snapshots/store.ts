import type { RequestContext } from '../../kernel/service.js';
import { mayTouch, type BlockStorageDb } from '../deps.js';
import { snapshotNotFound } from '../errors.js';
import type { SnapshotRow } from '../tables.js';

/** @throws ApiError 404: a stranger learns nothing */
export async function findSnapshot(
  db: BlockStorageDb,
  context: RequestContext,
  id: string,
): Promise<SnapshotRow> {
  const row = await db
    .selectFrom('block_storage_snapshot')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst();
  if (row === undefined || !mayTouch(context, row.project_id)) throw snapshotNotFound(id);
  return row;
}
