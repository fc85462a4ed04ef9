import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { parseBoolean, single } from '../../kernel/collection.js';
import { badRequest, conflict } from '../../kernel/errors.js';
import { isConstraintViolation } from '../../kernel/sqlite.js';
import { parse } from '../../kernel/validate.js';
import type { Call, Route } from '../api/call.js';
import { paged } from '../api/list.js';
import { boolean, description, metadata } from '../api/values.js';
import { nowIso, type Cinder } from '../deps.js';
import { typeNotFound } from '../errors.js';
import { readTexts } from '../json.js';
import type { TypeRow } from '../tables.js';
import { DEFAULT_TYPE, defaultType, findType, listTypes } from './store.js';

const MANAGE = 'volume_extension:types_manage';
/** cinder/policies/type_extra_specs.py, USER_VISIBLE_EXTRA_SPECS. */
const USER_VISIBLE = ['RESKEY:availability_zones', 'multiattach', 'replication_enabled'];

const typeName = z
  .string()
  .max(255)
  .transform((text) => text.trim())
  .refine((text) => text !== '', 'Name can not be empty or contain only white spaces');
const CREATE = z.object({
  volume_type: z.strictObject({
    name: typeName,
    description: description.optional(),
    extra_specs: metadata.nullish(),
    'os-volume-type-access:is_public': boolean.default(true),
  }),
});
const UPDATE = z.object({
  volume_type: z.strictObject({
    name: z.string().max(255).nullish(),
    description: description.optional(),
    is_public: boolean.optional(),
  }),
});

export function typeBody(call: Call, row: TypeRow): Readonly<Record<string, unknown>> {
  const specs = Object.entries(readTexts(row.extra_specs));
  return {
    id: row.id,
    name: row.name,
    is_public: row.is_public === 1,
    'os-volume-type-access:is_public': row.is_public === 1,
    description: row.description,
    extra_specs: Object.fromEntries(
      call.context.isAdmin ? specs : specs.filter(([key]) => USER_VISIBLE.includes(key)),
    ),
    ...(call.context.isAdmin ? { qos_specs_id: row.qos_specs_id } : {}),
  };
}

/** The id of the path, or the word `default`. */
async function typeInPath(cinder: Cinder, call: Call): Promise<TypeRow> {
  const id = call.param('type');
  return id === 'default'
    ? defaultType(cinder.db, call.context.projectId)
    : findType(cinder.db, call.context, id);
}

/** The newest first. */
const newestFirst = (a: TypeRow, b: TypeRow): number =>
  a.created_at === b.created_at ? (a.id < b.id ? 1 : -1) : a.created_at < b.created_at ? 1 : -1;

async function list(cinder: Cinder, call: Call): Promise<object> {
  const isPublic = single(call.query, 'is_public');
  let rows = await listTypes(cinder.db, call.context);
  // `None` asks for both, which only administrators may (cinder/api/v3/types.py, _get_volume_types).
  if (call.context.isAdmin && isPublic?.toLowerCase() !== 'none') {
    const wanted = isPublic === undefined ? true : parseBoolean(isPublic, 'is_public');
    rows = rows.filter((row) => (row.is_public === 1) === wanted);
  }
  const { items, links } = paged(call, rows.toSorted(newestFirst), 'types', typeNotFound);
  return {
    volume_types: items.map((row) => typeBody(call, row)),
    ...(links === undefined ? {} : { volume_type_links: links }),
  };
}

async function create(cinder: Cinder, call: Call): Promise<object> {
  const { volume_type: wanted } = parse(CREATE, call.body);
  const row: TypeRow = {
    id: randomUUID(),
    name: wanted.name,
    description: wanted.description ?? null,
    is_public: Number(wanted['os-volume-type-access:is_public']),
    extra_specs: JSON.stringify(wanted.extra_specs ?? {}),
    qos_specs_id: null,
    created_at: nowIso(),
  };
  await named(row.name, () => cinder.db.insertInto('block_storage_type').values(row).execute());
  return { volume_type: typeBody(call, row) };
}

/** @throws ApiError 409 when another type has the name */
async function named<T>(name: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (isConstraintViolation(error)) throw conflict(`Volume Type ${name} already exists.`);
    throw error;
  }
}

async function update(cinder: Cinder, call: Call): Promise<object> {
  const { volume_type: wanted } = parse(UPDATE, call.body);
  const { id } = await findType(cinder.db, call.context, call.param('type'));
  const name = wanted.name?.trim();
  if (name === '') throw badRequest('Volume type name can not be empty.');
  if (name === undefined && wanted.description === undefined && wanted.is_public === undefined) {
    throw badRequest('Specify volume type name, description, is_public or a combination thereof.');
  }
  const changes = {
    ...(name === undefined ? {} : { name }),
    ...(wanted.description === undefined ? {} : { description: wanted.description }),
    ...(wanted.is_public === undefined ? {} : { is_public: Number(wanted.is_public) }),
  };
  await named(name ?? '', () =>
    cinder.db.updateTable('block_storage_type').set(changes).where('id', '=', id).execute(),
  );
  return { volume_type: typeBody(call, await findType(cinder.db, call.context, id)) };
}

async function remove(cinder: Cinder, call: Call): Promise<void> {
  const type = await findType(cinder.db, call.context, call.param('type'));
  if (type.name === DEFAULT_TYPE)
    throw badRequest(`The volume type ${type.id} is a default volume type and cannot be deleted.`);
  await cinder.db.transaction().execute(async (trx) => {
    for (const table of ['block_storage_volume', 'block_storage_snapshot'] as const) {
      const used = await trx
        .selectFrom(table)
        .select('id')
        .where('volume_type_id', '=', type.id)
        .executeTakeFirst();
      if (used !== undefined) throw badRequest('Target volume type is still in use.');
    }
    const isDefault = await trx
      .selectFrom('block_storage_default_type')
      .select('project_id')
      .where('type_id', '=', type.id)
      .executeTakeFirst();
    if (isDefault !== undefined)
      throw badRequest(`The volume type ${type.id} is a default volume type and cannot be deleted.`);
    await trx.deleteFrom('block_storage_type').where('id', '=', type.id).execute();
  });
}

/** `/types`. Only administrators make and change them. */
export function registerTypes(route: Route, cinder: Cinder): void {
  route('GET', '/types', (call) => list(cinder, call));
  route('GET', '/types/:type', async (call) => ({
    volume_type: typeBody(call, await typeInPath(cinder, call)),
  }));
  route('POST', '/types', (call) => create(cinder, call), { admin: `${MANAGE}:create` });
  route('PUT', '/types/:type', (call) => update(cinder, call), { admin: `${MANAGE}:update` });
  route('DELETE', '/types/:type', (call) => remove(cinder, call), {
    admin: `${MANAGE}:delete`,
    status: 202,
  });
}
