import type {
  AttachState,
  BlockDeviceChanges,
  BlockDeviceRecord,
  BlockDeviceStore,
  SourceType,
} from '@nova-hyperv/compute';
import type { ConnectionInfo } from '@nova-hyperv/driver';
import type { Insertable, Selectable, Transaction, Updateable } from 'kysely';
import { z } from 'zod';
import type { AnyDatabase } from '../../kernel/database.js';
import { flag, oneOf, readJson } from './columns.js';
import type { ComputeDatabase, ComputeTables } from './tables.js';

type Executor = ComputeDatabase | Transaction<ComputeTables>;
type Row = Selectable<ComputeTables['compute_block_device']>;

const CONNECTION: z.ZodType<ConnectionInfo> = z.object({
  driverVolumeType: z.string(),
  data: z.record(z.string(), z.unknown()),
});
const SOURCES: readonly SourceType[] = ['volume', 'image', 'snapshot', 'blank'];
const STATES: readonly AttachState[] = ['reserved', 'attaching', 'attached', 'detaching'];

/** @throws StoredDataError */
function toDevice(row: Row): BlockDeviceRecord {
  return {
    uuid: row.uuid,
    instanceUuid: row.instance_uuid,
    sourceType: oneOf(SOURCES, row.source_type, 'source of a block device'),
    volumeId: row.volume_id,
    snapshotId: row.snapshot_id,
    imageId: row.image_id,
    volumeSizeGb: row.volume_size,
    volumeType: row.volume_type,
    bootIndex: row.boot_index,
    deviceName: row.device_name,
    diskBus: row.disk_bus,
    deviceType: row.device_type,
    guestFormat: row.guest_format,
    deleteOnTermination: row.delete_on_termination !== 0,
    attachmentId: row.attachment_id,
    connectionInfo:
      row.connection_info === null
        ? null
        : readJson(CONNECTION, row.connection_info, 'connection of a volume'),
    tag: row.tag,
    state: oneOf(STATES, row.state, 'state of a block device'),
  };
}

const connectionText = (info: ConnectionInfo | null): string | null =>
  info === null ? null : JSON.stringify(info);

function toRow(device: BlockDeviceRecord): Insertable<ComputeTables['compute_block_device']> {
  return {
    uuid: device.uuid,
    instance_uuid: device.instanceUuid,
    source_type: device.sourceType,
    volume_id: device.volumeId,
    snapshot_id: device.snapshotId,
    image_id: device.imageId,
    volume_size: device.volumeSizeGb,
    volume_type: device.volumeType,
    boot_index: device.bootIndex,
    device_name: device.deviceName,
    disk_bus: device.diskBus,
    device_type: device.deviceType,
    guest_format: device.guestFormat,
    delete_on_termination: flag(device.deleteOnTermination),
    attachment_id: device.attachmentId,
    connection_info: connectionText(device.connectionInfo),
    tag: device.tag,
    state: device.state,
  };
}

function toUpdate(changes: BlockDeviceChanges): Updateable<ComputeTables['compute_block_device']> {
  return {
    ...(changes.volumeId === undefined ? {} : { volume_id: changes.volumeId }),
    ...(changes.volumeSizeGb === undefined ? {} : { volume_size: changes.volumeSizeGb }),
    ...(changes.deviceName === undefined ? {} : { device_name: changes.deviceName }),
    ...(changes.deleteOnTermination === undefined
      ? {}
      : { delete_on_termination: flag(changes.deleteOnTermination) }),
    ...(changes.attachmentId === undefined ? {} : { attachment_id: changes.attachmentId }),
    ...(changes.connectionInfo === undefined
      ? {}
      : { connection_info: connectionText(changes.connectionInfo) }),
    ...(changes.state === undefined ? {} : { state: changes.state }),
  };
}

export async function insertBlockDevices(db: Executor, devices: readonly BlockDeviceRecord[]): Promise<void> {
  for (const device of devices) await db.insertInto('compute_block_device').values(toRow(device)).execute();
}

/** In the order in which they were asked for. */
export async function blockDevicesOf(
  db: Executor,
  instanceUuid: string,
): Promise<readonly BlockDeviceRecord[]> {
  const rows = await db
    .selectFrom('compute_block_device')
    .selectAll()
    .where('instance_uuid', '=', instanceUuid)
    .orderBy('id')
    .execute();
  return rows.map(toDevice);
}

/** Of a volume, whoever has it. */
export async function blockDevicesWith(
  db: Executor,
  volumeId: string,
): Promise<readonly BlockDeviceRecord[]> {
  const rows = await db
    .selectFrom('compute_block_device')
    .selectAll()
    .where('volume_id', '=', volumeId)
    .orderBy('id')
    .execute();
  return rows.map(toDevice);
}

/** Variables of one SQLite statement that are safe with every build. */
const CHUNK = 500;

/** Those of several instances at once, for lists. */
export async function blockDevicesOfAll(
  db: Executor,
  uuids: readonly string[],
): Promise<ReadonlyMap<string, readonly BlockDeviceRecord[]>> {
  const found = new Map<string, BlockDeviceRecord[]>();
  for (let start = 0; start < uuids.length; start += CHUNK) {
    const rows = await db
      .selectFrom('compute_block_device')
      .selectAll()
      .where('instance_uuid', 'in', uuids.slice(start, start + CHUNK))
      .orderBy('id')
      .execute();
    for (const row of rows)
      found.set(row.instance_uuid, [...(found.get(row.instance_uuid) ?? []), toDevice(row)]);
  }
  return found;
}

/** Changes one; null when it is gone. */
export async function saveBlockDevice(
  db: Executor,
  uuid: string,
  changes: BlockDeviceChanges,
): Promise<BlockDeviceRecord | null> {
  const row = await db
    .updateTable('compute_block_device')
    .set(toUpdate(changes))
    .where('uuid', '=', uuid)
    .returningAll()
    .executeTakeFirst();
  return row === undefined ? null : toDevice(row);
}

/** Harmless when it is gone. */
export async function removeBlockDevice(db: Executor, uuid: string): Promise<void> {
  await db.deleteFrom('compute_block_device').where('uuid', '=', uuid).execute();
}

/** The volumes of instances in the cloud's database; their connections, which hold secrets, are nowhere else. */
export function createSqliteBlockDeviceStore(database: AnyDatabase): BlockDeviceStore {
  const db: ComputeDatabase = database.withTables<ComputeTables>();
  return {
    list: (instanceUuid) => blockDevicesOf(db, instanceUuid),
    add: (device) => insertBlockDevices(db, [device]),
    save: (uuid, changes) => saveBlockDevice(db, uuid, changes),
    remove: (uuid) => removeBlockDevice(db, uuid),
  };
}
