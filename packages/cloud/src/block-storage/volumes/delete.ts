import { parseBoolean, single } from '../../kernel/collection.js';
import { requireAdmin, type Call } from '../api/call.js';
import { nowIso, type Cinder } from '../deps.js';
import { invalidVolume } from '../errors.js';
import { writeWork } from '../manager/work.js';
import type { VolumeRow, VolumeStatus } from '../tables.js';
import { findVolume } from './store.js';

const DELETABLE: readonly VolumeStatus[] = ['available', 'error', 'error_restoring', 'error_extending'];

interface Way {
  readonly cascade: boolean;
  readonly force: boolean;
}

/** Marks a volume for deletion, if nothing speaks against it. @throws ApiError 400 */
async function markDeleting(cinder: Cinder, volume: VolumeRow, { cascade, force }: Way): Promise<void> {
  await cinder.db.transaction().execute(async (trx) => {
    const now = await trx
      .selectFrom('block_storage_volume')
      .select(['status', 'attach_status'])
      .where('id', '=', volume.id)
      .executeTakeFirst();
    const snapshots = await trx
      .selectFrom('block_storage_snapshot')
      .select('status')
      .where('volume_id', '=', volume.id)
      .execute();
    const statuses = force ? '' : ` status must be ${[...DELETABLE, 'error_managing'].join(' or ')} and`;
    const snapshotsStay = cascade
      ? !force && snapshots.some(({ status }) => !['available', 'error', 'deleting'].includes(status))
      : snapshots.length > 0;
    const deletable = force || (now !== undefined && DELETABLE.includes(now.status));
    if (now === undefined || !deletable || now.attach_status === 'attached' || snapshotsStay) {
      throw invalidVolume(
        `Volume${statuses} must not be migrating, attached, belong to a group, have snapshots, awaiting a transfer, ` +
          'or be disassociated from snapshots after volume transfer.',
      );
    }
    if (cascade) {
      await trx
        .updateTable('block_storage_snapshot')
        .set({ status: 'deleting', updated_at: nowIso() })
        .where('volume_id', '=', volume.id)
        .execute();
    }
    await trx
      .updateTable('block_storage_volume')
      .set({ status: 'deleting', work: writeWork({ kind: 'delete', cascade }), updated_at: nowIso() })
      .where('id', '=', volume.id)
      .execute();
  });
}

async function startDeleting(cinder: Cinder, volume: VolumeRow, way: Way): Promise<void> {
  await markDeleting(cinder, volume, way);
  cinder.manager.interrupt(volume.id);
  cinder.manager.workOn(volume.id);
}

/** `DELETE /volumes/{id}?cascade=…&force=…` (force from 3.23 on, administrators only). */
export async function removeVolume(cinder: Cinder, call: Call): Promise<void> {
  const flag = (name: string): boolean => parseBoolean(single(call.query, name) ?? 'false', name);
  const force = call.version >= 23 && flag('force');
  const volume = await findVolume(cinder.db, call.context, call.param('volume'));
  if (force) requireAdmin(call.context, 'volume:force_delete');
  await startDeleting(cinder, volume, { cascade: flag('cascade'), force });
}

/** Action `os-force_delete`: whatever the volume's status is. */
export const forceDelete = (cinder: Cinder, volume: VolumeRow): Promise<void> =>
  startDeleting(cinder, volume, { cascade: false, force: true });
