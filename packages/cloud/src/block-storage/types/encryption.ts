import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { badRequest, notFound } from '../../kernel/errors.js';
import { parse } from '../../kernel/validate.js';
import { cinderTime, type Call, type Route } from '../api/call.js';
import { integer } from '../api/values.js';
import { nowIso, type Cinder } from '../deps.js';
import { findType } from './store.js';
import type { EncryptionRow } from '../tables.js';

const POLICY = 'volume_extension:volume_type_encryption';
const FIELDS = z.object({
  provider: z.string().min(1).max(255),
  control_location: z.enum(['front-end', 'back-end']).default('front-end'),
  cipher: z.string().max(255).nullish(),
  key_size: integer(0).nullish(),
});

const body = (row: EncryptionRow): object => ({
  volume_type_id: row.type_id,
  encryption_id: row.encryption_id,
  provider: row.provider,
  control_location: row.control_location,
  cipher: row.cipher,
  key_size: row.key_size,
  created_at: cinderTime(row.created_at),
  updated_at: null,
  deleted_at: null,
  deleted: false,
});

async function find(cinder: Cinder, call: Call): Promise<EncryptionRow | undefined> {
  const { id } = await findType(cinder.db, call.context, call.param('type'));
  return cinder.db
    .selectFrom('block_storage_encryption')
    .selectAll()
    .where('type_id', '=', id)
    .executeTakeFirst();
}

const missing = (call: Call): Error =>
  notFound(`Volume type encryption for type ${call.param('type')} does not exist.`);

async function refuseUsed(cinder: Cinder, typeId: string): Promise<void> {
  const used = await cinder.db
    .selectFrom('block_storage_volume')
    .select('id')
    .where('volume_type_id', '=', typeId)
    .executeTakeFirst();
  if (used !== undefined) throw badRequest('Cannot create encryption specs. Volume type in use.');
}

async function create(cinder: Cinder, call: Call): Promise<object> {
  const { encryption: wanted } = parse(z.object({ encryption: FIELDS }), call.body);
  const { id } = await findType(cinder.db, call.context, call.param('type'));
  if ((await find(cinder, call)) !== undefined)
    throw badRequest(`Volume type encryption for type ${id} already exists.`);
  await refuseUsed(cinder, id);
  const row: EncryptionRow = {
    type_id: id,
    encryption_id: randomUUID(),
    provider: wanted.provider,
    control_location: wanted.control_location,
    cipher: wanted.cipher ?? null,
    key_size: wanted.key_size ?? null,
    created_at: nowIso(),
  };
  await cinder.db.insertInto('block_storage_encryption').values(row).execute();
  return { encryption: body(row) };
}

async function update(cinder: Cinder, call: Call): Promise<object> {
  const { encryption: wanted } = parse(z.object({ encryption: FIELDS.partial() }), call.body);
  const row = await find(cinder, call);
  if (row === undefined || row.encryption_id !== call.param('encryption')) throw missing(call);
  // What is left out stays: the schema's default must not come in its place.
  const given: unknown = Object(call.body).encryption;
  const changes = Object.fromEntries(Object.entries(wanted).filter(([key]) => key in Object(given)));
  await cinder.db
    .updateTable('block_storage_encryption')
    .set(changes)
    .where('type_id', '=', row.type_id)
    .execute();
  return { encryption: changes };
}

/**
 * `/types/{id}/encryption`: kept and shown. Volumes of such a type are refused (volumes/create.ts): nothing here encrypts, and Hyper-V's
 * driver cannot attach encrypted volumes.
 */
export function registerEncryption(route: Route, cinder: Cinder): void {
  const path = '/types/:type/encryption';
  route(
    'GET',
    path,
    async (call) => {
      const row = await find(cinder, call);
      return row === undefined ? {} : body(row);
    },
    { admin: `${POLICY}:get` },
  );
  route(
    'GET',
    `${path}/:key`,
    async (call) => {
      const row = await find(cinder, call);
      const fields: Readonly<Record<string, unknown>> = { ...row };
      const key = call.param('key');
      if (row === undefined || !Object.hasOwn(fields, key)) throw missing(call);
      return { [key]: fields[key] };
    },
    { admin: `${POLICY}:get` },
  );
  route('POST', path, (call) => create(cinder, call), { admin: `${POLICY}:create` });
  route('PUT', `${path}/:encryption`, (call) => update(cinder, call), { admin: `${POLICY}:update` });
  route(
    'DELETE',
    `${path}/:encryption`,
    async (call) => {
      const row = await find(cinder, call);
      if (row === undefined) throw missing(call);
      await cinder.db.deleteFrom('block_storage_encryption').where('type_id', '=', row.type_id).execute();
    },
    { admin: `${POLICY}:delete`, status: 202 },
  );
}
