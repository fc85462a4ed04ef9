import { z } from 'zod';
import { badRequest } from '../../kernel/errors.js';
import { parse } from '../../kernel/validate.js';
import { requireAdmin, type Call, type Route } from '../api/call.js';
import { boolean } from '../api/values.js';
import { nowIso, type Cinder } from '../deps.js';
import { invalidVolume } from '../errors.js';
import { VOLUME_STATUSES, type VolumeRow } from '../tables.js';
import { attachmentActions } from './attach-actions.js';
import { forceDelete } from './delete.js';
import { extend } from './extend.js';
import { imageMetadataActions } from './image-metadata.js';
import { retype } from './retype.js';
import { findVolume } from './store.js';
import { uploadImage } from './upload-image.js';

/** What an action does with what stands in its member of the body. */
export type Action = (
  cinder: Cinder,
  call: Call,
  volume: VolumeRow,
  value: unknown,
) => Promise<object | void>;

const RESET = z.object({
  status: z.enum(VOLUME_STATUSES).optional(),
  attach_status: z.enum(['attached', 'detached']).optional(),
  migration_status: z.string().nullish(),
});

/** Actions of administrators: cinder/api/contrib/admin_actions.py. */
const resetStatus: Action = async (cinder, call, volume, value) => {
  requireAdmin(call.context, 'volume_extension:volume_admin_actions:reset_status');
  const { status, attach_status: attachStatus, migration_status: migration } = parse(RESET, value);
  if (status === undefined && attachStatus === undefined && migration === undefined)
    throw badRequest("Must specify 'status', 'attach_status' or 'migration_status' for update.");
  await cinder.db
    .updateTable('block_storage_volume')
    .set({
      ...(status === undefined ? {} : { status }),
      ...(attachStatus === undefined ? {} : { attach_status: attachStatus }),
      updated_at: nowIso(),
    })
    .where('id', '=', volume.id)
    .execute();
};

const setBootable: Action = async (cinder, _call, volume, value) => {
  const { bootable } = parse(z.object({ bootable: boolean }), value);
  await cinder.db
    .updateTable('block_storage_volume')
    .set({ bootable: Number(bootable), updated_at: nowIso() })
    .where('id', '=', volume.id)
    .execute();
};

const setReadonly: Action = async (cinder, _call, volume, value) => {
  const { readonly } = parse(z.object({ readonly: boolean }), value);
  if (volume.status !== 'available') {
    throw invalidVolume(
      `Volume ${volume.id} status must be available to update readonly flag, but current status is: ${volume.status}.`,
    );
  }
  await cinder.db
    .updateTable('block_storage_volume')
    .set({ readonly: Number(readonly), updated_at: nowIso() })
    .where('id', '=', volume.id)
    .execute();
};

/** What Cinder has, and this cloud says why it does not do. */
const refuse =
  (reason: string): Action =>
  async () => {
    throw badRequest(reason);
  };

const ACTIONS: Readonly<Record<string, Action>> = {
  'os-reset_status': resetStatus,
  'os-force_delete': (cinder, call, volume) => {
    requireAdmin(call.context, 'volume_extension:volume_admin_actions:force_delete');
    return forceDelete(cinder, volume);
  },
  'os-set_bootable': setBootable,
  'os-update_readonly_flag': setReadonly,
  'os-extend': extend,
  'os-retype': retype,
  'os-volume_upload_image': uploadImage,
  'os-migrate_volume': refuse(
    'Volumes are not migrated here: a volume moves to another back end by os-retype with migration_policy on-demand.',
  ),
  'os-reimage': refuse('Volumes are not made anew from images here: create another volume from the image.'),
  revert: refuse('Volumes are not reverted here: create another volume from the snapshot.'),
  ...imageMetadataActions,
  ...attachmentActions,
};

const ANSWERS_200 = new Set([
  'os-set_bootable',
  'os-set_image_metadata',
  'os-unset_image_metadata',
  'os-show_image_metadata',
  'os-initialize_connection',
]);

/** `POST /volumes/{id}/action` */
export function registerVolumeActions(route: Route, cinder: Cinder): void {
  route('POST', '/volumes/:volume/action', async (call) => {
    const members = Object.entries(z.record(z.string(), z.unknown()).catch({}).parse(call.body));
    const [name, value] = members[0] ?? [];
    const action = name !== undefined && Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
    if (name === undefined || action === undefined)
      throw badRequest(`There is no such action: ${name ?? 'none'}`);
    const volume = await findVolume(cinder.db, call.context, call.param('volume'));
    call.reply.code(ANSWERS_200.has(name) ? 200 : 202);
    return (await action(cinder, call, volume, value)) ?? undefined;
  });
}
