import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { single } from '../../kernel/collection.js';
import { parse } from '../../kernel/validate.js';
import { cinderTime, type Call, type Route } from '../api/call.js';
import { allTenants, paged, sorted } from '../api/list.js';
import type { Connector } from '../backends/backend.js';
import { mayTouch, nowIso, type BlockStorageDb, type Cinder } from '../deps.js';
import { attachmentNotFound, invalidVolume, orList, resourceConflict } from '../errors.js';
import { readMembers } from '../json.js';
import type { AttachmentRow, VolumeRow } from '../tables.js';
import { attachmentsOf, changeVolume, findVolume, statusByAttachments } from '../volumes/store.js';
import { connect, disconnect } from './connect.js';
import { refuseUsed } from './guard.js';

const connectorBody = z.record(z.string(), z.unknown());
const CREATE = z.object({
  attachment: z.object({
    volume_uuid: z.uuid(),
    instance_uuid: z.uuid().nullish(),
    connector: connectorBody.nullish(),
    mode: z.enum(['rw', 'ro', 'null']).nullish(),
  }),
});
const UPDATE = z.object({ attachment: z.object({ connector: connectorBody }) });

const summary = (row: AttachmentRow): object => ({
  id: row.id,
  status: row.attach_status,
  instance: row.instance_uuid,
  volume_id: row.volume_id,
});
const detail = (row: AttachmentRow): object => ({
  ...summary(row),
  attached_at: cinderTime(row.attached_at) ?? '',
  detached_at: '',
  attach_mode: row.attach_mode,
  connection_info: row.connection_info === null ? {} : readMembers(row.connection_info),
});

async function find(db: BlockStorageDb, call: Call, id: string): Promise<AttachmentRow> {
  const row = await db
    .selectFrom('block_storage_attachment')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst();
  if (row === undefined || !mayTouch(call.context, row.project_id)) throw attachmentNotFound(id);
  return row;
}

/** Reserves the volume: nobody else can. The same server may, again: it is being moved to another host. @throws ApiError 400 */
async function reserve(
  cinder: Cinder,
  volume: VolumeRow,
  instanceUuid: string | null,
  mode: string,
): Promise<AttachmentRow> {
  return cinder.db.transaction().execute(async (trx) => {
    const free = ['available', 'downloading'] as const;
    const reserved = { status: 'reserved', attach_status: 'reserved' } as const;
    if (!(await changeVolume(trx, volume.id, free, reserved))) {
      const others = await attachmentsOf(trx, volume.id);
      const isBusy = volume.status === 'in-use' || volume.status === 'reserved';
      const same =
        isBusy && instanceUuid !== null && others.some((row) => row.instance_uuid === instanceUuid);
      if (!same) {
        throw invalidVolume(
          `Volume ${volume.id} status must be ${orList(free)} to reserve, but the current status is ${volume.status}.`,
        );
      }
    }
    const row: AttachmentRow = {
      id: randomUUID(),
      volume_id: volume.id,
      project_id: volume.project_id,
      instance_uuid: instanceUuid,
      attach_status: 'reserved',
      attach_mode: volume.readonly === 1 ? 'ro' : mode,
      attached_host: null,
      mountpoint: null,
      connector: null,
      connection_info: null,
      attached_at: null,
      created_at: nowIso(),
    };
    await trx.insertInto('block_storage_attachment').values(row).execute();
    return row;
  });
}

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/** Connects a reserved attachment to a host. Nothing of it is left when that fails, but the reservation. */
async function connectTo(
  cinder: Cinder,
  call: Call,
  attachment: AttachmentRow,
  connector: Connector,
): Promise<AttachmentRow> {
  return cinder.manager.lock(attachment.volume_id, async () => {
    // Looked for again: it may be gone since.
    await find(cinder.db, call, attachment.id);
    const volume = await findVolume(cinder.db, call.context, attachment.volume_id);
    const asked = attachment.attach_mode === 'null' ? connector['mode'] : attachment.attach_mode;
    const mode = asked === 'ro' ? 'ro' : 'rw';
    const { driver_volume_type: type, data } = await connect(cinder, volume, connector, mode);
    const info = {
      ...data,
      driver_volume_type: type,
      attachment_id: attachment.id,
      enforce_multipath: connector['enforce_multipath'] === true,
    };
    const changes = {
      attach_status: 'attaching',
      attach_mode: mode,
      attached_host: text(connector['host']) ?? '',
      mountpoint: text(connector['mountpoint']) ?? 'na',
      connector: JSON.stringify(connector),
      connection_info: JSON.stringify(info),
      attached_at: nowIso(),
    } as const;
    await cinder.db.transaction().execute(async (trx) => {
      await trx
        .updateTable('block_storage_attachment')
        .set(changes)
        .where('id', '=', attachment.id)
        .execute();
      await changeVolume(trx, volume.id, ['reserved'], { status: 'attaching', attach_status: 'attaching' });
    });
    return { ...attachment, ...changes };
  });
}

async function create(cinder: Cinder, call: Call): Promise<object> {
  const { attachment: wanted } = parse(CREATE, call.body);
  const volume = await findVolume(cinder.db, call.context, wanted.volume_uuid);
  if (volume.status.includes('error')) {
    throw invalidVolume(
      'Volume attachments can not be created if the volume is in an error state. ' +
        `The Volume ${volume.id} currently has a status of: ${volume.status} `,
    );
  }
  const mode = call.version >= 54 ? (wanted.mode ?? 'null') : 'null';
  const reserved = await reserve(cinder, volume, wanted.instance_uuid ?? null, mode);
  if (!wanted.connector) return { attachment: detail(reserved) };
  try {
    return { attachment: detail(await connectTo(cinder, call, reserved, wanted.connector)) };
  } catch (error) {
    await drop(cinder, reserved);
    throw error;
  }
}

async function update(cinder: Cinder, call: Call): Promise<object> {
  const { connector } = parse(UPDATE, call.body).attachment;
  const attachment = await find(cinder.db, call, call.param('attachment'));
  const volume = await findVolume(cinder.db, call.context, attachment.volume_id);
  if (volume.status.includes('error')) {
    throw resourceConflict(
      'Volume attachments can not be updated if the volume is in an error state. ' +
        `The Volume ${volume.id} currently has a status of: ${volume.status} `,
    );
  }
  const hosts = (await attachmentsOf(cinder.db, volume.id))
    .filter((row) => row.id !== attachment.id && row.connection_info !== null)
    .map((row) => row.attached_host);
  if (hosts.includes(text(connector['host']) ?? ''))
    throw resourceConflict(`duplicate connectors detected on volume ${volume.id}`);
  return { attachment: detail(await connectTo(cinder, call, attachment, connector)) };
}

/** Takes an attachment away, and gives the volume the status that the others leave it. */
async function drop(cinder: Cinder, attachment: AttachmentRow): Promise<readonly AttachmentRow[]> {
  return cinder.db.transaction().execute(async (trx) => {
    await trx.deleteFrom('block_storage_attachment').where('id', '=', attachment.id).execute();
    const others = await attachmentsOf(trx, attachment.volume_id);
    const { status, attach_status: attachStatus } = statusByAttachments(others);
    const from = ['reserved', 'attaching', 'in-use', 'detaching', 'available'] as const;
    await trx
      .updateTable('block_storage_volume')
      .set({ attach_status: attachStatus, attached_mode: null, updated_at: nowIso() })
      .where('id', '=', attachment.volume_id)
      .execute();
    await changeVolume(trx, attachment.volume_id, from, { status });
    return others;
  });
}

/** Ends an attachment: its export first. Also of the older API (os-detach). */
export async function endAttachment(
  cinder: Cinder,
  volume: VolumeRow,
  attachment: AttachmentRow,
): Promise<readonly AttachmentRow[]> {
  return cinder.manager.lock(volume.id, async () => {
    await disconnect(cinder, volume, attachment, await attachmentsOf(cinder.db, volume.id));
    return drop(cinder, attachment);
  });
}

async function remove(cinder: Cinder, call: Call): Promise<object> {
  const attachment = await find(cinder.db, call, call.param('attachment'));
  await refuseUsed(cinder, call, [attachment]);
  const volume = await findVolume(cinder.db, call.context, attachment.volume_id);
  return { attachments: (await endAttachment(cinder, volume, attachment)).map(summary) };
}

async function complete(cinder: Cinder, call: Call): Promise<void> {
  parse(z.object({ 'os-complete': z.unknown() }), call.body);
  const attachment = await find(cinder.db, call, call.param('attachment'));
  await cinder.db.transaction().execute(async (trx) => {
    await trx
      .updateTable('block_storage_attachment')
      .set({ attach_status: 'attached' })
      .where('id', '=', attachment.id)
      .execute();
    await trx
      .updateTable('block_storage_volume')
      .set({ status: 'in-use', attach_status: 'attached', updated_at: nowIso() })
      .where('id', '=', attachment.volume_id)
      .execute();
  });
}

async function list(cinder: Cinder, call: Call, body: (row: AttachmentRow) => object): Promise<object> {
  let query = cinder.db.selectFrom('block_storage_attachment').selectAll();
  if (!allTenants(call)) query = query.where('project_id', '=', call.context.projectId);
  const filters = {
    volume_id: (row: AttachmentRow) => row.volume_id,
    status: (row: AttachmentRow) => row.attach_status,
    attach_status: (row: AttachmentRow) => row.attach_status,
    instance_id: (row: AttachmentRow) => row.instance_uuid ?? '',
    id: (row: AttachmentRow) => row.id,
  };
  const asked = Object.entries(filters).flatMap(([name, field]) => {
    const value = single(call.query, name);
    return value === undefined ? [] : [(row: AttachmentRow) => field(row) === value];
  });
  const rows = (await query.execute()).filter((row) => asked.every((test) => test(row)));
  const order = sorted(call, rows, { id: (row) => row.id, created_at: (row) => row.created_at });
  const { items } = paged(call, order, 'attachments', attachmentNotFound);
  return { attachments: items.map(body) };
}

/** `/attachments`, from 3.27 on; completion from 3.44 on. */
export function registerAttachments(route: Route, cinder: Cinder): void {
  const since = 27;
  const path = '/attachments/:attachment';
  route('GET', '/attachments', (call) => list(cinder, call, summary), { since });
  route('GET', '/attachments/summary', (call) => list(cinder, call, summary), { since });
  route('GET', '/attachments/detail', (call) => list(cinder, call, detail), { since });
  route('POST', '/attachments', (call) => create(cinder, call), { since });
  route(
    'GET',
    path,
    async (call) => ({
      attachment: detail(await find(cinder.db, call, call.param('attachment'))),
    }),
    { since },
  );
  route('PUT', path, (call) => update(cinder, call), { since });
  route('DELETE', path, (call) => remove(cinder, call), { since });
  route('POST', `${path}/action`, (call) => complete(cinder, call), { since: 44, status: 204 });
}
