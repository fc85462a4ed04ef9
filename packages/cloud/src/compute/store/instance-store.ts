import {
  InstanceNotFoundError,
  UnexpectedTaskStateError,
  type InstanceChanges,
  type InstanceFault,
  type InstanceRecord,
  type InstanceStore,
  type TaskState,
} from '@nova-hyperv/compute';
import type { Transaction, Updateable } from 'kysely';
import type { AnyDatabase } from '../../kernel/database.js';
import { finishEvent, startEvent } from './actions.js';
import { flag, readTaskState, time } from './columns.js';
import { toServer, type InstanceRow } from './records.js';
import type { ComputeDatabase, ComputeTables } from './tables.js';

type InstanceUpdate = Updateable<ComputeTables['compute_instance']>;

const toText = (value: object | null): string | null => (value === null ? null : JSON.stringify(value));

function toUpdate(changes: InstanceChanges): InstanceUpdate {
  const update: InstanceUpdate = { updated_at: new Date().toISOString() };
  if (changes.vmState !== undefined) update.vm_state = changes.vmState;
  if (changes.taskState !== undefined) update.task_state = changes.taskState;
  if (changes.powerState !== undefined) update.power_state = changes.powerState;
  if (changes.host !== undefined) update.host = changes.host;
  if (changes.node !== undefined) update.node = changes.node;
  if (changes.availabilityZone !== undefined) update.availability_zone = changes.availabilityZone;
  if (changes.flavor !== undefined) {
    update.flavor = JSON.stringify(changes.flavor);
    update.vcpus = changes.flavor.vcpus;
    update.memory_mb = changes.flavor.memoryMb;
  }
  if (changes.oldFlavor !== undefined) update.old_flavor = toText(changes.oldFlavor);
  if (changes.newFlavor !== undefined) update.new_flavor = toText(changes.newFlavor);
  if (changes.configDrive !== undefined) update.config_drive = flag(changes.configDrive);
  if (changes.networkInfo !== undefined) update.network_info = JSON.stringify(changes.networkInfo);
  if (changes.deviceMetadata !== undefined) update.device_metadata = JSON.stringify(changes.deviceMetadata);
  if (changes.pciDevices !== undefined) update.pci_devices = JSON.stringify(changes.pciDevices);
  if (changes.systemMetadata !== undefined) update.system_metadata = JSON.stringify(changes.systemMetadata);
  if (changes.launchedAt !== undefined) update.launched_at = time(changes.launchedAt);
  if (changes.terminatedAt !== undefined) update.terminated_at = time(changes.terminatedAt);
  return update;
}

/** The row of an instance that is not deleted. @throws InstanceNotFoundError */
export async function liveRow(
  db: ComputeDatabase | Transaction<ComputeTables>,
  uuid: string,
): Promise<InstanceRow> {
  const row = await db
    .selectFrom('compute_instance')
    .selectAll()
    .where('uuid', '=', uuid)
    .where('deleted', '=', 0)
    .executeTakeFirst();
  if (row === undefined) throw new InstanceNotFoundError(uuid);
  return row;
}

/**
 * Changes an instance inside the caller's transaction, if its task state is one of the expected.
 * @throws UnexpectedTaskStateError, InstanceNotFoundError
 */
export async function saveIn(
  trx: Transaction<ComputeTables>,
  uuid: string,
  changes: InstanceChanges,
  expectedTaskState?: readonly TaskState[],
): Promise<InstanceRow> {
  const actual = readTaskState((await liveRow(trx, uuid)).task_state);
  if (expectedTaskState !== undefined && !expectedTaskState.includes(actual)) {
    throw new UnexpectedTaskStateError(uuid, expectedTaskState, actual);
  }
  return trx
    .updateTable('compute_instance')
    .set(toUpdate(changes))
    .where('uuid', '=', uuid)
    .returningAll()
    .executeTakeFirstOrThrow();
}

/**
 * The compute manager's instances in the cloud's database. Every call is one transaction: after a crash the database
 * has it whole or not at all.
 */
export function createSqliteInstanceStore(database: AnyDatabase): InstanceStore {
  const db: ComputeDatabase = database.withTables<ComputeTables>();
  return {
    // Deleted ones too: a compute service that finds a leftover asks what became of it.
    async get(uuid): Promise<InstanceRecord> {
      const row = await db
        .selectFrom('compute_instance')
        .selectAll()
        .where('uuid', '=', uuid)
        .executeTakeFirst();
      if (row === undefined) throw new InstanceNotFoundError(uuid);
      return toServer(row);
    },
    async listByHost(host) {
      const rows = await db
        .selectFrom('compute_instance')
        .selectAll()
        .where('host', '=', host)
        .where('deleted', '=', 0)
        .orderBy('id')
        .execute();
      return rows.map(toServer);
    },
    async save(uuid, changes, options) {
      const row = await db
        .transaction()
        .execute((trx) => saveIn(trx, uuid, changes, options?.expectedTaskState));
      return toServer(row);
    },
    async destroy(uuid) {
      await db.transaction().execute((trx) => destroyIn(trx, uuid));
    },
    async addFault(uuid, fault) {
      await db.transaction().execute((trx) => addFaultIn(trx, uuid, fault));
    },
    eventStarted: (uuid, requestId, event, host) => startEvent(db, uuid, requestId, event, host),
    eventFinished: (uuid, requestId, event, error) => finishEvent(db, uuid, requestId, event, error),
  };
}

/** Soft delete; harmless when it is deleted already. Its faults and actions stay. */
export async function destroyIn(trx: Transaction<ComputeTables>, uuid: string): Promise<void> {
  const now = new Date().toISOString();
  const row = await trx
    .selectFrom('compute_instance')
    .select('terminated_at')
    .where('uuid', '=', uuid)
    .where('deleted', '=', 0)
    .executeTakeFirst();
  if (row === undefined) return;
  await trx
    .updateTable('compute_instance')
    .set({
      deleted: 1,
      vm_state: 'deleted',
      task_state: null,
      power_state: 0,
      updated_at: now,
      terminated_at: row.terminated_at ?? now,
    })
    .where('uuid', '=', uuid)
    .execute();
  await trx.deleteFrom('compute_request_spec').where('instance_uuid', '=', uuid).execute();
}

/** Longest texts that are kept, characters. Nova cuts messages at 255; ours say what to do and may be longer. */
const MAX_FAULT_MESSAGE = 2048;
const MAX_FAULT_DETAILS = 65_535;

export async function addFaultIn(
  trx: Transaction<ComputeTables>,
  uuid: string,
  fault: InstanceFault,
): Promise<void> {
  await trx
    .insertInto('compute_fault')
    .values({
      instance_uuid: uuid,
      code: fault.code,
      message: fault.message.slice(0, MAX_FAULT_MESSAGE),
      details: fault.details.slice(0, MAX_FAULT_DETAILS),
      created_at: new Date().toISOString(),
    })
    .execute();
}
