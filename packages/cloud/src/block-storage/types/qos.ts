import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { parseBoolean, single } from '../../kernel/collection.js';
import { badRequest, conflict, notFound } from '../../kernel/errors.js';
import { isConstraintViolation } from '../../kernel/sqlite.js';
import { parse } from '../../kernel/validate.js';
import { links, type Call, type Route } from '../api/call.js';
import { paged } from '../api/list.js';
import { metadata } from '../api/values.js';
import { nowIso, type Cinder } from '../deps.js';
import { qosNotFound, typeNotFound } from '../errors.js';
import { readTexts } from '../json.js';
import type { QosRow, TypeRow } from '../tables.js';

const POLICY = 'volume_extension:qos_specs_manage';
const consumer = z.enum(['front-end', 'back-end', 'both']);
const specText = z.union([z.string().max(255), z.number().transform(String)]);
const CREATE = z.object({
  qos_specs: z
    .object({
      name: z
        .string()
        .max(255)
        .transform((text) => text.trim())
        .refine((text) => text !== '', 'may not be empty'),
      consumer: consumer.default('back-end'),
    })
    .catchall(specText),
});
const SET = z.object({ qos_specs: z.object({ consumer: consumer.optional() }).catchall(specText) });
const UNSET = z.object({ keys: z.array(z.string().min(1).max(255)) });

const qosFields = (row: QosRow): object => ({
  id: row.id,
  name: row.name,
  consumer: row.consumer,
  specs: readTexts(row.specs),
});
const qosBody = (call: Call, row: QosRow): object => ({
  qos_specs: qosFields(row),
  links: links(call, 'qos-specs', row.id),
});

/**
 * By id; by name when no id is so: `cinder qos-associate NAME TYPE` sends what was typed, which Cinder itself does not look for among names.
 * @throws ApiError 404
 */
async function findQos(cinder: Cinder, text: string): Promise<QosRow> {
  const rows = await cinder.db
    .selectFrom('block_storage_qos')
    .selectAll()
    .where((where) => where.or([where('id', '=', text), where('name', '=', text)]))
    .execute();
  const row = rows.find(({ id }) => id === text) ?? rows[0];
  if (row === undefined) throw qosNotFound(text);
  return row;
}

async function typeAsked(cinder: Cinder, call: Call): Promise<TypeRow> {
  const text = single(call.query, 'vol_type_id') ?? '';
  if (text === '') throw badRequest('Volume Type id must not be None.');
  const rows = await cinder.db
    .selectFrom('block_storage_type')
    .selectAll()
    .where((where) => where.or([where('id', '=', text), where('name', '=', text)]))
    .execute();
  const row = rows.find(({ id }) => id === text) ?? rows[0];
  if (row === undefined) throw typeNotFound(text);
  return row;
}

async function create(cinder: Cinder, call: Call): Promise<object> {
  const { name, consumer: by, ...specs } = parse(CREATE, call.body).qos_specs;
  const row: QosRow = {
    id: randomUUID(),
    name,
    consumer: by,
    specs: JSON.stringify(parse(metadata, specs)),
    created_at: nowIso(),
  };
  try {
    await cinder.db.insertInto('block_storage_qos').values(row).execute();
  } catch (error) {
    if (isConstraintViolation(error)) throw conflict(`QoS Specs ${name} already exists.`);
    throw error;
  }
  return qosBody(call, row);
}

async function setKeys(cinder: Cinder, call: Call): Promise<object> {
  const { consumer: by, ...specs } = parse(SET, call.body).qos_specs;
  const row = await findQos(cinder, call.param('qos'));
  await cinder.db
    .updateTable('block_storage_qos')
    .set({
      specs: JSON.stringify({ ...readTexts(row.specs), ...parse(metadata, specs) }),
      ...(by === undefined ? {} : { consumer: by }),
    })
    .where('id', '=', row.id)
    .execute();
  return { qos_specs: { ...specs, ...(by === undefined ? {} : { consumer: by }) } };
}

async function unsetKeys(cinder: Cinder, call: Call): Promise<void> {
  const { keys } = parse(UNSET, call.body);
  const row = await findQos(cinder, call.param('qos'));
  const specs = { ...readTexts(row.specs) };
  for (const key of keys) {
    if (!Object.hasOwn(specs, key)) throw notFound(`QoS spec ${row.id} has no spec with key ${key}.`);
    delete specs[key];
  }
  await cinder.db
    .updateTable('block_storage_qos')
    .set({ specs: JSON.stringify(specs) })
    .where('id', '=', row.id)
    .execute();
}

async function remove(cinder: Cinder, call: Call): Promise<void> {
  const row = await findQos(cinder, call.param('qos'));
  const force = parseBoolean(single(call.query, 'force') ?? 'false', 'force');
  await cinder.db.transaction().execute(async (trx) => {
    if (force) {
      await trx
        .updateTable('block_storage_type')
        .set({ qos_specs_id: null })
        .where('qos_specs_id', '=', row.id)
        .execute();
    }
    const used = await trx
      .selectFrom('block_storage_type')
      .select('id')
      .where('qos_specs_id', '=', row.id)
      .executeTakeFirst();
    if (used !== undefined) throw badRequest('Qos specs still in use.');
    await trx.deleteFrom('block_storage_qos').where('id', '=', row.id).execute();
  });
}

async function associate(cinder: Cinder, call: Call): Promise<void> {
  const qos = await findQos(cinder, call.param('qos'));
  const type = await typeAsked(cinder, call);
  if (type.qos_specs_id !== null && type.qos_specs_id !== qos.id) {
    throw badRequest(
      `Invalid volume type: Type ${type.id} is already associated with another qos specs: ${type.qos_specs_id}`,
    );
  }
  await cinder.db
    .updateTable('block_storage_type')
    .set({ qos_specs_id: qos.id })
    .where('id', '=', type.id)
    .execute();
}

async function disassociate(cinder: Cinder, call: Call): Promise<void> {
  const qos = await findQos(cinder, call.param('qos'));
  const type = await typeAsked(cinder, call);
  await cinder.db
    .updateTable('block_storage_type')
    .set({ qos_specs_id: null })
    .where('id', '=', type.id)
    .where('qos_specs_id', '=', qos.id)
    .execute();
}

async function associations(cinder: Cinder, call: Call): Promise<object> {
  const qos = await findQos(cinder, call.param('qos'));
  const types = await cinder.db
    .selectFrom('block_storage_type')
    .select(['id', 'name'])
    .where('qos_specs_id', '=', qos.id)
    .execute();
  return { qos_associations: types.map((type) => ({ ...type, association_type: 'volume_type' })) };
}

/** `/qos-specs`. That GET associates is Cinder's. */
export function registerQos(route: Route, cinder: Cinder): void {
  const path = '/qos-specs/:qos';
  route(
    'GET',
    '/qos-specs',
    async (call) => {
      const rows = await cinder.db
        .selectFrom('block_storage_qos')
        .selectAll()
        .orderBy('created_at', 'desc')
        .orderBy('id')
        .execute();
      const { items, links: next } = paged(call, rows, 'qos-specs', qosNotFound);
      return { qos_specs: items.map(qosFields), ...(next === undefined ? {} : { qos_specs_links: next }) };
    },
    { admin: `${POLICY}:get_all` },
  );
  route('POST', '/qos-specs', (call) => create(cinder, call), { admin: `${POLICY}:create` });
  route('GET', path, async (call) => qosBody(call, await findQos(cinder, call.param('qos'))), {
    admin: `${POLICY}:get`,
  });
  route('PUT', path, (call) => setKeys(cinder, call), { admin: `${POLICY}:update` });
  route('DELETE', path, (call) => remove(cinder, call), { admin: `${POLICY}:delete`, status: 202 });
  route('PUT', `${path}/delete_keys`, (call) => unsetKeys(cinder, call), {
    admin: `${POLICY}:update`,
    status: 202,
  });
  const updates = { admin: `${POLICY}:update`, status: 202 };
  route('GET', `${path}/associations`, (call) => associations(cinder, call), { admin: `${POLICY}:get_all` });
  route('GET', `${path}/associate`, (call) => associate(cinder, call), updates);
  route('GET', `${path}/disassociate`, (call) => disassociate(cinder, call), updates);
  route(
    'GET',
    `${path}/disassociate_all`,
    async (call) => {
      const { id } = await findQos(cinder, call.param('qos'));
      await cinder.db
        .updateTable('block_storage_type')
        .set({ qos_specs_id: null })
        .where('qos_specs_id', '=', id)
        .execute();
    },
    updates,
  );
}
