import { z } from 'zod';
import { notFound } from '../../kernel/errors.js';
import { parse } from '../../kernel/validate.js';
import { metadata } from '../api/values.js';
import { nowIso, type Cinder } from '../deps.js';
import { invalidVolume } from '../errors.js';
import { readTexts } from '../json.js';
import type { VolumeRow } from '../tables.js';
import type { Action } from './actions.js';

type Texts = Readonly<Record<string, string>>;

async function write(cinder: Cinder, volume: VolumeRow, texts: Texts): Promise<void> {
  if (['maintenance', 'uploading'].includes(volume.status))
    throw invalidVolume(
      `Updating volume image metadata is not allowed for volumes in ${volume.status} status.`,
    );
  await cinder.db
    .updateTable('block_storage_volume')
    .set({
      image_metadata: Object.keys(texts).length === 0 ? null : JSON.stringify(texts),
      updated_at: nowIso(),
    })
    .where('id', '=', volume.id)
    .execute();
}

const set: Action = async (cinder, _call, volume, value) => {
  const { metadata: given } = parse(z.object({ metadata }), value);
  const texts = { ...readTexts(volume.image_metadata), ...given };
  await write(cinder, volume, texts);
  return { metadata: texts };
};

const unset: Action = async (cinder, _call, volume, value) => {
  const { key } = parse(z.object({ key: z.string().min(1).max(255) }), value);
  const { [key]: gone, ...rest } = readTexts(volume.image_metadata);
  if (gone === undefined) throw notFound('Metadata item was not found.');
  await write(cinder, volume, rest);
};

const show: Action = async (_cinder, _call, volume) => ({ metadata: readTexts(volume.image_metadata) });

/** cinder/api/contrib/volume_image_metadata.py */
export const imageMetadataActions: Readonly<Record<string, Action>> = {
  'os-set_image_metadata': set,
  'os-unset_image_metadata': unset,
  'os-show_image_metadata': show,
};
