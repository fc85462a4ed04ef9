import type { RequestContext } from '../../kernel/service.js';
import { mayTouch, nowIso, type BlockStorageDb } from '../deps.js';
import { invalidVolume, volumeNotFound } from '../errors.js';
import type { AttachmentRow, VolumeRow, VolumeStatus } from '../tables.js';

/** @throws ApiError 404: a stranger learns nothing */
export async function findVolume(
  db: BlockStorageDb,
  context: RequestContext,
  id: string,
): Promise<VolumeRow> {
  const row = await db.selectFrom('block_storage_volume').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined || !mayTouch(context, row.project_id)) throw volumeNotFound(id);
  return row;
}

export const attachmentsOf = (db: BlockStorageDb, volumeId: string): Promise<AttachmentRow[]> =>
  db
    .selectFrom('block_storage_attachment')
    .selectAll()
    .where('volume_id', '=', volumeId)
    .orderBy('created_at')
    .execute();

/** Changes a volume if it still has one of these statuses; false when not. Cinder's conditional_update. */
export async function changeVolume(
  db: BlockStorageDb,
  id: string,
  from: readonly VolumeStatus[],
  changes: Partial<VolumeRow>,
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('block_storage_volume')
    .set({ ...changes, updated_at: nowIso() })
    .where('id', '=', id)
    .where('status', 'in', from)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** @throws ApiError 400 */
export function refuseMaintenance(volume: VolumeRow, message: string): void {
  if (volume.status === 'maintenance') throw invalidVolume(message);
}

/** Cinder's _get_statuses_from_attachments: what a volume is by the attachments that it has, the furthest first. */
export function statusByAttachments(
  attachments: readonly Pick<AttachmentRow, 'attach_status'>[],
): Pick<VolumeRow, 'status' | 'attach_status'> {
  const order = ['attached', 'attaching', 'detaching', 'reserved'] as const;
  const found = order.find((status) => attachments.some((each) => each.attach_status === status));
  if (found === undefined) return { status: 'available', attach_status: 'detached' };
  return { status: found === 'attached' ? 'in-use' : found, attach_status: found };
}
