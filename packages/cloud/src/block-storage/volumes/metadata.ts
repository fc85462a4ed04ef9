import { z } from 'zod';
import { badRequest } from '../../kernel/errors.js';
import { parse } from '../../kernel/validate.js';
import type { Call, Route } from '../api/call.js';
import { metadata } from '../api/values.js';
import { nowIso, type Cinder } from '../deps.js';
import { invalidVolume, metadataNotFound } from '../errors.js';
import { readTexts } from '../json.js';
import { findVolume } from './store.js';

type Texts = Readonly<Record<string, string>>;

async function change(cinder: Cinder, call: Call, to: (old: Texts) => Texts): Promise<Texts> {
  return cinder.db.transaction().execute(async (trx) => {
    const volume = await findVolume(trx, call.context, call.param('volume'));
    if (volume.status === 'maintenance' || volume.status === 'uploading')
      throw invalidVolume(`Updating volume metadata is not allowed for volumes in ${volume.status} status.`);
    const changed = to(readTexts(volume.metadata));
    await trx
      .updateTable('block_storage_volume')
      .set({ metadata: JSON.stringify(changed), updated_at: nowIso() })
      .where('id', '=', volume.id)
      .execute();
    return changed;
  });
}

const MANY = z.object({ metadata });
const ONE = z.object({ meta: metadata });

const missing = (call: Call): Error => metadataNotFound(call.param('volume'), call.param('key'));

/** `/volumes/{id}/metadata` */
export function registerVolumeMetadata(route: Route, cinder: Cinder): void {
  const path = '/volumes/:volume/metadata';
  const read = async (call: Call): Promise<Texts> =>
    readTexts((await findVolume(cinder.db, call.context, call.param('volume'))).metadata);
  route('GET', path, async (call) => ({ metadata: await read(call) }));
  route('POST', path, async (call) => {
    const given = parse(MANY, call.body).metadata;
    return { metadata: await change(cinder, call, (old) => ({ ...old, ...given })) };
  });
  route('PUT', path, async (call) => {
    const given = parse(MANY, call.body).metadata;
    return { metadata: await change(cinder, call, () => given) };
  });
  route('GET', `${path}/:key`, async (call) => {
    const value = (await read(call))[call.param('key')];
    if (value === undefined) throw missing(call);
    return { meta: { [call.param('key')]: value } };
  });
  route('PUT', `${path}/:key`, async (call) => {
    const given = parse(ONE, call.body).meta;
    const names = Object.keys(given);
    if (!names.includes(call.param('key'))) throw badRequest('Request body and URI mismatch');
    if (names.length > 1) throw badRequest('Request body contains too many items');
    await change(cinder, call, (old) => ({ ...old, ...given }));
    return { meta: given };
  });
  route('DELETE', `${path}/:key`, async (call) => {
    await change(cinder, call, (old) => {
      const { [call.param('key')]: gone, ...rest } = old;
      if (gone === undefined) throw missing(call);
      return rest;
    });
  });
}
