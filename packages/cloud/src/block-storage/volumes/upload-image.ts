import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { badRequest, forbidden } from '../../kernel/errors.js';
import { parse } from '../../kernel/validate.js';
import { cinderTime } from '../api/call.js';
import { boolean } from '../api/values.js';
import { invalidVolume } from '../errors.js';
import { readTexts } from '../json.js';
import { uploadFormat } from '../manager/upload-volume.js';
import { writeWork } from '../manager/work.js';
import { typeOf } from '../types/store.js';
import type { Action } from './actions.js';
import { changeVolume } from './store.js';

const BODY = z.object({
  image_name: z.string().min(1).max(255),
  force: boolean.optional(),
  disk_format: z.string().nullish(),
  container_format: z.string().nullish(),
  visibility: z.enum(['community', 'public', 'private', 'shared']).nullish(),
  protected: boolean.optional(),
});

/** Of a volume's image metadata: what the new image has of its own. */
const NOT_COPIED = new Set([
  'image_id',
  'image_name',
  'checksum',
  'container_format',
  'disk_format',
  'min_disk',
  'min_ram',
  'size',
  'block_device_mapping',
  'bdm_v2',
  'root_device_name',
]);

/** `os-volume_upload_image`: a queued image at once, its data in the background. `force` is ignored, as with Cinder's default `enable_force_upload`. */
export const uploadImage: Action = async (cinder, call, volume, value) => {
  const wanted = parse(BODY, value);
  const diskFormat = wanted.disk_format ?? 'raw';
  if (uploadFormat(diskFormat) === undefined)
    throw badRequest(`Invalid input for disk_format: ${diskFormat} is not one of raw, vhd, vhdx, vpc, qcow2`);
  const containerFormat = wanted.container_format ?? 'bare';
  if (containerFormat === 'compressed')
    throw badRequest('Image compression upload disallowed, but container_format is compressed');
  const visibility = call.version >= 1 ? (wanted.visibility ?? 'private') : 'private';
  if (visibility === 'public' && !call.context.isAdmin)
    throw forbidden("Policy doesn't allow volume_extension:volume_actions:upload_public to be performed.");
  const properties = Object.entries(readTexts(volume.image_metadata)).filter(([key]) => !NOT_COPIED.has(key));
  if (volume.status !== 'available') throw invalidVolume(`Volume ${volume.id} status must be available`);
  // Written down before there is an image: whatever ends this process, none without data is left.
  const imageId = randomUUID();
  const work = writeWork({ kind: 'upload', imageId, diskFormat, previous: 'available' });
  if (!(await changeVolume(cinder.db, volume.id, ['available'], { status: 'uploading', work })))
    throw invalidVolume(`Volume ${volume.id} status must be available`);
  try {
    await cinder.images.create(
      {
        id: imageId,
        name: wanted.image_name,
        diskFormat: diskFormat === 'vpc' ? 'vhd' : diskFormat,
        containerFormat,
        visibility,
        protected: call.version >= 1 && wanted.protected === true,
        properties: Object.fromEntries(properties),
      },
      call.token,
    );
  } catch (error) {
    await changeVolume(cinder.db, volume.id, ['uploading'], { status: 'available', work: null });
    throw error;
  }
  cinder.manager.workOn(volume.id);
  const type = await typeOf(cinder.db, volume.volume_type_id);
  return {
    'os-volume_upload_image': {
      id: volume.id,
      updated_at: cinderTime(volume.updated_at),
      status: 'uploading',
      display_description: volume.description,
      size: volume.size,
      volume_type: {
        id: type.id,
        name: type.name,
        description: type.description,
        is_public: type.is_public === 1,
      },
      image_id: imageId,
      container_format: containerFormat,
      disk_format: diskFormat,
      image_name: wanted.image_name,
      ...(call.version >= 1 ? { visibility, protected: wanted.protected === true } : {}),
    },
  };
};
