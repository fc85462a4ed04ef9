import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { parseBoolean, single } from '../../kernel/collection.js';
import { badRequest, notFound } from '../../kernel/errors.js';
import { parse } from '../../kernel/validate.js';
import { cinderTime, requireAdmin, type Call, type Route } from '../api/call.js';
import { allTenants, paged, sorted, type SortFields } from '../api/list.js';
import { boolean, description, metadata, name } from '../api/values.js';
import { nowIso, type Cinder } from '../deps.js';
import { invalidSnapshot, invalidVolume, snapshotNotFound } from '../errors.js';
import { readTexts } from '../json.js';
import { checkQuota } from '../quotas/store.js';
import { SNAPSHOT_STATUSES, type SnapshotRow, type SnapshotStatus, type VolumeStatus } from '../tables.js';
import { typeOf } from '../types/store.js';
import { findVolume } from '../volumes/store.js';
import { findSnapshot } from './store.js';

/** From 3.66 on volumes in use need no `force`. */
const FORCE_GONE = 66;

const NAMES = {
  name: name.optional(),
  display_name: name.optional(),
  description: description.optional(),
  display_description: description.optional(),
};
const CREATE = z.object({
  snapshot: z.object({
    ...NAMES,
    volume_id: z.string(),
    force: boolean.nullish(),
    metadata: metadata.nullish(),
  }),
});
const UPDATE = z.object({ snapshot: z.object(NAMES) });

const body = (call: Call, row: SnapshotRow): Readonly<Record<string, unknown>> => ({
  id: row.id,
  created_at: cinderTime(row.created_at),
  updated_at: cinderTime(row.updated_at),
  name: row.name,
  description: row.description,
  volume_id: row.volume_id,
  status: row.status,
  size: row.volume_size,
  metadata: readTexts(row.metadata),
  'os-extended-snapshot-attributes:project_id': row.project_id,
  'os-extended-snapshot-attributes:progress': row.status === 'available' ? '100%' : '0%',
  ...(call.version >= 14 ? { group_snapshot_id: null } : {}),
  ...(call.version >= 41 ? { user_id: row.user_id } : {}),
  ...(call.version >= 65 ? { consumes_quota: true } : {}),
});

async function create(cinder: Cinder, call: Call): Promise<object> {
  const { snapshot: wanted } = parse(CREATE, call.body);
  const volume = await findVolume(cinder.db, call.context, wanted.volume_id);
  if (call.version >= FORCE_GONE && wanted.force === false) {
    throw badRequest(
      "Since microversion 3.66 the 'force' flag is invalid for this request. For backward compatability, however, " +
        "when the 'force' flag is passed with a value evaluating to True, it is silently ignored.",
    );
  }
  const inUse = wanted.force === true || call.version >= FORCE_GONE;
  const allowed: readonly VolumeStatus[] = inUse ? ['available', 'in-use'] : ['available'];
  const type = await typeOf(cinder.db, volume.volume_type_id);
  const row: SnapshotRow = {
    id: randomUUID(),
    volume_id: volume.id,
    project_id: call.context.projectId,
    user_id: call.context.userId,
    name: wanted.name ?? wanted.display_name ?? null,
    description: wanted.description ?? wanted.display_description ?? null,
    status: 'creating',
    volume_size: volume.size,
    volume_type_id: volume.volume_type_id,
    metadata: JSON.stringify(wanted.metadata ?? {}),
    created_at: nowIso(),
    updated_at: null,
  };
  await cinder.db.transaction().execute(async (trx) => {
    const now = await findVolume(trx, call.context, volume.id);
    if (!allowed.includes(now.status)) {
      throw invalidVolume(
        `Volume ${volume.id} status must be ${allowed.join(', ')}, but current status is: ${now.status}.`,
      );
    }
    const { project_id: projectId, volume_size: sizeGb } = row;
    await checkQuota(trx, { projectId, typeName: type.name, one: 'snapshots', sizeGb });
    await trx.insertInto('block_storage_snapshot').values(row).execute();
  });
  cinder.manager.workOnSnapshot(row.id);
  return { snapshot: body(call, row) };
}

const SORT: SortFields<SnapshotRow> = {
  id: (row) => row.id,
  name: (row) => row.name,
  display_name: (row) => row.name,
  status: (row) => row.status,
  volume_id: (row) => row.volume_id,
  created_at: (row) => row.created_at,
  updated_at: (row) => row.updated_at,
};

async function list(cinder: Cinder, call: Call, collection: string): Promise<object> {
  const rows = await cinder.db.selectFrom('block_storage_snapshot').selectAll().execute();
  const fields: Readonly<Record<string, (row: SnapshotRow) => string>> = {
    name: (row) => row.name ?? '',
    status: (row) => row.status,
    volume_id: (row) => row.volume_id,
    ...(call.context.isAdmin ? { project_id: (row) => row.project_id } : {}),
  };
  const everybody = allTenants(call);
  const found = rows.filter(
    (row) =>
      (everybody || row.project_id === call.context.projectId) &&
      Object.entries(fields).every(([key, field]) => {
        const exact = single(call.query, key);
        const like = single(call.query, `${key}~`);
        return (
          (exact === undefined || field(row) === exact) && (like === undefined || field(row).includes(like))
        );
      }),
  );
  const { items, links } = paged(call, sorted(call, found, SORT), collection, snapshotNotFound);
  const counted =
    call.version >= 45 && parseBoolean(single(call.query, 'with_count') ?? 'false', 'with_count');
  return {
    snapshots: items.map((row) => body(call, row)),
    ...(links === undefined ? {} : { snapshots_links: links }),
    ...(counted ? { count: found.length } : {}),
  };
}

async function update(cinder: Cinder, call: Call): Promise<object> {
  const { snapshot: wanted } = parse(UPDATE, call.body);
  const row = await findSnapshot(cinder.db, call.context, call.param('snapshot'));
  const newName = wanted.name ?? wanted.display_name;
  const newDescription = wanted.description ?? wanted.display_description;
  await cinder.db
    .updateTable('block_storage_snapshot')
    .set({
      ...(newName === undefined ? {} : { name: newName }),
      ...(newDescription === undefined ? {} : { description: newDescription }),
      updated_at: nowIso(),
    })
    .where('id', '=', row.id)
    .execute();
  return { snapshot: body(call, await findSnapshot(cinder.db, call.context, row.id)) };
}

async function remove(cinder: Cinder, call: Call, from: readonly SnapshotStatus[]): Promise<void> {
  const row = await findSnapshot(cinder.db, call.context, call.param('snapshot'));
  const { numUpdatedRows } = await cinder.db
    .updateTable('block_storage_snapshot')
    .set({ status: 'deleting', updated_at: nowIso() })
    .where('id', '=', row.id)
    .where('status', 'in', from)
    .executeTakeFirst();
  if (numUpdatedRows === 0n)
    throw invalidSnapshot('Snapshot status must be available or error, and must not be part of a group.');
  cinder.manager.workOnSnapshot(row.id);
}

const RESET = z.object({ 'os-reset_status': z.object({ status: z.enum(SNAPSHOT_STATUSES) }) });

async function act(cinder: Cinder, call: Call): Promise<void> {
  const action = Object.keys(z.record(z.string(), z.unknown()).catch({}).parse(call.body))[0];
  const policy = 'volume_extension:snapshot_admin_actions';
  if (action === 'os-force_delete') {
    requireAdmin(call.context, `${policy}:force_delete`);
    return remove(cinder, call, SNAPSHOT_STATUSES);
  }
  if (action !== 'os-reset_status') throw badRequest(`There is no such action: ${action ?? 'none'}`);
  requireAdmin(call.context, `${policy}:reset_status`);
  const { status } = parse(RESET, call.body)['os-reset_status'];
  const { id } = await findSnapshot(cinder.db, call.context, call.param('snapshot'));
  await cinder.db
    .updateTable('block_storage_snapshot')
    .set({ status, updated_at: nowIso() })
    .where('id', '=', id)
    .execute();
}

type Texts = Readonly<Record<string, string>>;

async function changeMetadata(cinder: Cinder, call: Call, to: (old: Texts) => Texts): Promise<Texts> {
  return cinder.db.transaction().execute(async (trx) => {
    const row = await findSnapshot(trx, call.context, call.param('snapshot'));
    const changed = to(readTexts(row.metadata));
    await trx
      .updateTable('block_storage_snapshot')
      .set({ metadata: JSON.stringify(changed), updated_at: nowIso() })
      .where('id', '=', row.id)
      .execute();
    return changed;
  });
}

const MANY = z.object({ metadata });

const missing = (call: Call): Error =>
  notFound(`Snapshot ${call.param('snapshot')} has no metadata with key ${call.param('key')}.`);

function registerMetadata(route: Route, cinder: Cinder): void {
  const path = '/snapshots/:snapshot/metadata';
  const read = async (call: Call): Promise<Texts> =>
    readTexts((await findSnapshot(cinder.db, call.context, call.param('snapshot'))).metadata);
  route('GET', path, async (call) => ({ metadata: await read(call) }));
  route('POST', path, async (call) => {
    const given = parse(MANY, call.body).metadata;
    return { metadata: await changeMetadata(cinder, call, (old) => ({ ...old, ...given })) };
  });
  route('PUT', path, async (call) => {
    const given = parse(MANY, call.body).metadata;
    return { metadata: await changeMetadata(cinder, call, () => given) };
  });
  route('GET', `${path}/:key`, async (call) => {
    const value = (await read(call))[call.param('key')];
    if (value === undefined) throw missing(call);
    return { meta: { [call.param('key')]: value } };
  });
  route('DELETE', `${path}/:key`, async (call) => {
    await changeMetadata(cinder, call, (old) => {
      const { [call.param('key')]: gone, ...rest } = old;
      if (gone === undefined) throw missing(call);
      return rest;
    });
  });
}

/** `/snapshots` */
export function registerSnapshots(route: Route, cinder: Cinder): void {
  route('POST', '/snapshots', (call) => create(cinder, call), { status: 202 });
  route('GET', '/snapshots', (call) => list(cinder, call, 'snapshots'));
  route('GET', '/snapshots/detail', (call) => list(cinder, call, 'snapshots/detail'));
  route('GET', '/snapshots/:snapshot', async (call) => ({
    snapshot: body(call, await findSnapshot(cinder.db, call.context, call.param('snapshot'))),
  }));
  route('PUT', '/snapshots/:snapshot', (call) => update(cinder, call));
  route(
    'DELETE',
    '/snapshots/:snapshot',
    (call) => remove(cinder, call, ['available', 'error', 'error_deleting']),
    {
      status: 202,
    },
  );
  route('POST', '/snapshots/:snapshot/action', (call) => act(cinder, call), { status: 202 });
  registerMetadata(route, cinder);
}
