import { z } from 'zod';
import { badRequest, conflict, notFound } from '../../kernel/errors.js';
import { parse } from '../../kernel/validate.js';
import type { Call, Route } from '../api/call.js';
import { metadata } from '../api/values.js';
import type { Cinder } from '../deps.js';
import { readTexts } from '../json.js';
import { findType } from './store.js';

const EXTRA = 'volume_extension:types_extra_specs';
const ACCESS = 'volume_extension:volume_type_access';

type Specs = Readonly<Record<string, string>>;

async function change(cinder: Cinder, call: Call, to: (specs: Specs) => Specs): Promise<void> {
  const { id } = await findType(cinder.db, call.context, call.param('type'));
  await cinder.db.transaction().execute(async (trx) => {
    const row = await findType(trx, call.context, id);
    await trx
      .updateTable('block_storage_type')
      .set({ extra_specs: JSON.stringify(to(readTexts(row.extra_specs))) })
      .where('id', '=', id)
      .execute();
  });
}

const missing = (call: Call): Error =>
  notFound(`Volume Type ${call.param('type')} has no extra specs with key ${call.param('key')}.`);

/** `/types/{id}/extra_specs` */
export function registerExtraSpecs(route: Route, cinder: Cinder): void {
  const path = '/types/:type/extra_specs';
  const specsOf = async (call: Call): Promise<Specs> =>
    readTexts((await findType(cinder.db, call.context, call.param('type'))).extra_specs);
  route('GET', path, async (call) => ({ extra_specs: await specsOf(call) }), { admin: `${EXTRA}:index` });
  route(
    'GET',
    `${path}/:key`,
    async (call) => {
      const value = (await specsOf(call))[call.param('key')];
      if (value === undefined) throw missing(call);
      return { [call.param('key')]: value };
    },
    { admin: `${EXTRA}:show` },
  );
  route(
    'POST',
    path,
    async (call) => {
      const { extra_specs: specs } = parse(z.object({ extra_specs: metadata }), call.body);
      await change(cinder, call, (old) => ({ ...old, ...specs }));
      return { extra_specs: specs };
    },
    { admin: `${EXTRA}:create` },
  );
  route(
    'PUT',
    `${path}/:key`,
    async (call) => {
      const specs = parse(metadata, call.body);
      if (!(call.param('key') in specs)) throw badRequest('Request body and URI mismatch');
      await change(cinder, call, (old) => ({ ...old, ...specs }));
      return specs;
    },
    { admin: `${EXTRA}:update` },
  );
  route(
    'DELETE',
    `${path}/:key`,
    async (call) => {
      await change(cinder, call, (old) => {
        const { [call.param('key')]: gone, ...rest } = old;
        if (gone === undefined) throw missing(call);
        return rest;
      });
    },
    { admin: `${EXTRA}:delete`, status: 202 },
  );
}

const project = z.strictObject({ project: z.string().min(1).max(255) });
const ADD = z.strictObject({ addProjectAccess: project });
const REMOVE = z.strictObject({ removeProjectAccess: project });

async function addAccess(cinder: Cinder, call: Call): Promise<void> {
  const type = await findType(cinder.db, call.context, call.param('type'));
  const { project: projectId } = parse(ADD, call.body).addProjectAccess;
  if (type.is_public === 1)
    throw conflict('Type access modification is not applicable to public volume type.');
  const { numInsertedOrUpdatedRows: added } = await cinder.db
    .insertInto('block_storage_type_access')
    .values({ type_id: type.id, project_id: projectId })
    .onConflict((on) => on.doNothing())
    .executeTakeFirst();
  if (added === 0n)
    throw conflict(`Volume type access for ${type.id} / ${projectId} combination already exists.`);
}

async function removeAccess(cinder: Cinder, call: Call): Promise<void> {
  const type = await findType(cinder.db, call.context, call.param('type'));
  const { project: projectId } = parse(REMOVE, call.body).removeProjectAccess;
  if (type.is_public === 1)
    throw conflict('Type access modification is not applicable to public volume type.');
  const { numDeletedRows } = await cinder.db
    .deleteFrom('block_storage_type_access')
    .where('type_id', '=', type.id)
    .where('project_id', '=', projectId)
    .executeTakeFirst();
  if (numDeletedRows === 0n)
    throw notFound(`Volume type access not found for ${type.id} / ${projectId} combination.`);
}

/** Who may use a private type: `os-volume-type-access` and two actions. */
export function registerTypeAccess(route: Route, cinder: Cinder): void {
  route(
    'GET',
    '/types/:type/os-volume-type-access',
    async (call) => {
      const type = await findType(cinder.db, call.context, call.param('type'));
      if (type.is_public === 1) throw notFound('Access list not available for public volume types.');
      const rows = await cinder.db
        .selectFrom('block_storage_type_access')
        .selectAll()
        .where('type_id', '=', type.id)
        .execute();
      return {
        volume_type_access: rows.map((row) => ({ volume_type_id: row.type_id, project_id: row.project_id })),
      };
    },
    { admin: ACCESS },
  );
  route(
    'POST',
    '/types/:type/action',
    async (call) => {
      const action = Object.keys(z.record(z.string(), z.unknown()).catch({}).parse(call.body))[0];
      if (action === 'addProjectAccess') return addAccess(cinder, call);
      if (action === 'removeProjectAccess') return removeAccess(cinder, call);
      throw badRequest(`There is no such action: ${action ?? 'none'}`);
    },
    { admin: `${ACCESS}:update`, status: 202 },
  );
}
