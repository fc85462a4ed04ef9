import { randomUUID } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { RequestContext } from '../../kernel/service.js';
import { nowIso, type BlockStorageDb } from '../deps.js';
import { typeNotFound, typeNotFoundByName } from '../errors.js';
import { readTexts } from '../json.js';
import type { BlockStorageTables, QosRow, TypeRow } from '../tables.js';

/** cinder.conf `default_volume_type`. */
export const DEFAULT_TYPE = '__DEFAULT__';

/** A type is there for a caller that may use it: public, of its project, or an administrator's. */
async function visible(
  db: BlockStorageDb,
  context: RequestContext,
  row: TypeRow | undefined,
): Promise<TypeRow | undefined> {
  if (row === undefined || row.is_public === 1 || context.isAdmin) return row;
  const access = await db
    .selectFrom('block_storage_type_access')
    .select('project_id')
    .where('type_id', '=', row.id)
    .where('project_id', '=', context.projectId)
    .executeTakeFirst();
  return access === undefined ? undefined : row;
}

const byId = (db: BlockStorageDb, id: string): Promise<TypeRow | undefined> =>
  db.selectFrom('block_storage_type').selectAll().where('id', '=', id).executeTakeFirst();

const byName = (db: BlockStorageDb, name: string): Promise<TypeRow | undefined> =>
  db.selectFrom('block_storage_type').selectAll().where('name', '=', name).executeTakeFirst();

/** @throws ApiError 404 */
export async function findType(db: BlockStorageDb, context: RequestContext, id: string): Promise<TypeRow> {
  const row = await visible(db, context, await byId(db, id));
  if (row === undefined) throw typeNotFound(id);
  return row;
}

/** @throws ApiError 404 */
export async function findTypeByNameOrId(
  db: BlockStorageDb,
  context: RequestContext,
  text: string,
): Promise<TypeRow> {
  const row = await visible(db, context, (await byId(db, text)) ?? (await byName(db, text)));
  if (row === undefined) throw typeNotFoundByName(text);
  return row;
}

/** Of volumes and snapshots that are there, so that it is too. */
export async function typeOf(db: BlockStorageDb, id: string): Promise<TypeRow> {
  const row = await byId(db, id);
  if (row === undefined) throw typeNotFound(id);
  return row;
}

export async function listTypes(db: BlockStorageDb, context: RequestContext): Promise<readonly TypeRow[]> {
  const rows = await db.selectFrom('block_storage_type').selectAll().execute();
  if (context.isAdmin) return rows;
  const own = await db
    .selectFrom('block_storage_type_access')
    .select('type_id')
    .where('project_id', '=', context.projectId)
    .execute();
  const granted = new Set(own.map((row) => row.type_id));
  return rows.filter((row) => row.is_public === 1 || granted.has(row.id));
}

/** What a volume without a type gets: the project's default, else the cloud's. */
export async function defaultType(db: BlockStorageDb, projectId: string): Promise<TypeRow> {
  const own = await db
    .selectFrom('block_storage_default_type')
    .select('type_id')
    .where('project_id', '=', projectId)
    .executeTakeFirst();
  const row =
    (own === undefined ? undefined : await byId(db, own.type_id)) ?? (await byName(db, DEFAULT_TYPE));
  if (row === undefined) throw typeNotFoundByName(DEFAULT_TYPE);
  return row;
}

export async function qosOf(db: BlockStorageDb, type: TypeRow): Promise<QosRow | undefined> {
  if (type.qos_specs_id === null) return undefined;
  return db
    .selectFrom('block_storage_qos')
    .selectAll()
    .where('id', '=', type.qos_specs_id)
    .executeTakeFirst();
}

/** cinder/volume/api.py, _is_multiattach. */
export const isMultiattach = (type: TypeRow): boolean =>
  readTexts(type.extra_specs)['multiattach'] === '<is> True';

export const isEncrypted = async (db: BlockStorageDb, type: TypeRow): Promise<boolean> =>
  (await db
    .selectFrom('block_storage_encryption')
    .select('type_id')
    .where('type_id', '=', type.id)
    .executeTakeFirst()) !== undefined;

/** First start: the default type, and one for each back end, called like it. Types that somebody made or deleted stay so. */
export async function seedTypes(
  db: Kysely<BlockStorageTables>,
  backendNames: readonly string[],
): Promise<void> {
  await db.transaction().execute(async (trx) => {
    const some = await byName(trx, DEFAULT_TYPE);
    const wanted =
      some === undefined
        ? [{ name: DEFAULT_TYPE, description: 'Default Volume Type', extra_specs: '{}' }]
        : [];
    const known = await trx
      .selectFrom('block_storage_service')
      .select('host')
      .where('binary', '=', 'cinder-volume')
      .execute();
    const met = new Set(known.map(({ host }) => host.split('@')[1]));
    const fresh = backendNames
      .filter((name) => !met.has(name))
      .map((name) => ({
        name,
        description: `Volumes of the back end ${name}`,
        extra_specs: JSON.stringify({ volume_backend_name: name }),
      }));
    for (const each of [...wanted, ...fresh]) {
      await trx
        .insertInto('block_storage_type')
        .values({ ...each, id: randomUUID(), is_public: 1, qos_specs_id: null, created_at: nowIso() })
        .onConflict((conflict) => conflict.column('name').doNothing())
        .execute();
    }
  });
}
