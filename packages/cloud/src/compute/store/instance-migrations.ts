import { randomUUID } from 'node:crypto';
import {
  MIGRATION_IN_PROGRESS,
  type MigrationRecord,
  type MigrationStatus,
  type MigrationStore,
} from '@nova-hyperv/compute';
import type { Flavor } from '@nova-hyperv/driver';
import type { Selectable, Transaction, Updateable } from 'kysely';
import type { AnyDatabase } from '../../kernel/database.js';
import { readFlavor, readMigrationStatus, readTime } from './columns.js';
import type { ServerRecord } from './records.js';
import type { ComputeDatabase, ComputeTables } from './tables.js';

type Executor = ComputeDatabase | Transaction<ComputeTables>;
type MigrationRow = Selectable<ComputeTables['compute_migration']>;

/** A migration with what only the API shows of it. */
export interface MigrationView extends MigrationRecord {
  /** The flavors' numbers in the database. */
  readonly oldFlavorNumber: number;
  readonly newFlavorNumber: number;
}

/** @throws StoredDataError */
function toMigration(row: MigrationRow): MigrationView {
  return {
    id: row.id,
    uuid: row.uuid,
    instanceUuid: row.instance_uuid,
    migrationType: row.migration_type,
    status: readMigrationStatus(row.status),
    sourceCompute: row.source_compute,
    sourceNode: row.source_node,
    destCompute: row.dest_compute,
    destNode: row.dest_node,
    destHost: row.dest_host,
    oldFlavor: readFlavor(row.old_flavor),
    newFlavor: readFlavor(row.new_flavor),
    oldFlavorNumber: row.old_flavor_number,
    newFlavorNumber: row.new_flavor_number,
    userId: row.user_id,
    projectId: row.project_id,
    createdAt: new Date(row.created_at),
    updatedAt: readTime(row.updated_at),
  };
}

/** Flavors may be gone: then they have no number. */
async function flavorNumber(db: Executor, { flavorId }: Flavor): Promise<number> {
  const row = await db
    .selectFrom('compute_flavor')
    .select('id')
    .where('flavor_id', '=', flavorId)
    .executeTakeFirst();
  return row?.id ?? 0;
}

export interface NewMigration {
  /** On its host and node. */
  readonly server: ServerRecord;
  readonly newFlavor: Flavor;
  readonly userId: string;
  readonly projectId: string;
}

export async function insertMigration(
  db: Executor,
  { server, newFlavor, userId, projectId }: NewMigration,
): Promise<MigrationView> {
  const row = await db
    .insertInto('compute_migration')
    .values({
      uuid: randomUUID(),
      instance_uuid: server.uuid,
      migration_type: 'resize',
      status: 'pre-migrating',
      source_compute: server.host ?? '',
      source_node: server.node ?? '',
      dest_compute: null,
      dest_node: null,
      dest_host: null,
      old_flavor: JSON.stringify(server.flavor),
      new_flavor: JSON.stringify(newFlavor),
      old_flavor_number: await flavorNumber(db, server.flavor),
      new_flavor_number: await flavorNumber(db, newFlavor),
      user_id: userId,
      project_id: projectId,
      created_at: new Date().toISOString(),
      updated_at: null,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  return toMigration(row);
}

/** Newest first. */
export async function listMigrations(db: Executor): Promise<readonly MigrationView[]> {
  return (await db.selectFrom('compute_migration').selectAll().orderBy('id', 'desc').execute()).map(
    toMigration,
  );
}

/** The instance's newest with this status. */
export async function migrationWithStatus(
  db: Executor,
  instanceUuid: string,
  statuses: readonly MigrationStatus[],
): Promise<MigrationView | null> {
  const row = await db
    .selectFrom('compute_migration')
    .selectAll()
    .where('instance_uuid', '=', instanceUuid)
    .where('status', 'in', [...statuses])
    .orderBy('id', 'desc')
    .executeTakeFirst();
  return row === undefined ? null : toMigration(row);
}

export async function saveMigration(
  db: Executor,
  uuid: string,
  changes: Parameters<MigrationStore['save']>[1],
): Promise<MigrationView> {
  const update: Updateable<ComputeTables['compute_migration']> = { updated_at: new Date().toISOString() };
  if (changes.status !== undefined) update.status = changes.status;
  if (changes.destCompute !== undefined) update.dest_compute = changes.destCompute;
  if (changes.destNode !== undefined) update.dest_node = changes.destNode;
  if (changes.destHost !== undefined) update.dest_host = changes.destHost;
  const row = await db
    .updateTable('compute_migration')
    .set(update)
    .where('uuid', '=', uuid)
    .returningAll()
    .executeTakeFirstOrThrow();
  return toMigration(row);
}

/** The compute manager's migrations in the cloud's database. */
export function createSqliteMigrationStore(database: AnyDatabase): MigrationStore {
  const db: ComputeDatabase = database.withTables<ComputeTables>();
  return {
    async get(uuid) {
      const row = await db
        .selectFrom('compute_migration')
        .selectAll()
        .where('uuid', '=', uuid)
        .executeTakeFirst();
      return row === undefined ? null : toMigration(row);
    },
    inProgress: (instanceUuid) => migrationWithStatus(db, instanceUuid, MIGRATION_IN_PROGRESS),
    async unconfirmed(destCompute, before) {
      const rows = await db
        .selectFrom('compute_migration')
        .selectAll()
        .where('status', '=', 'finished')
        .where('dest_compute', '=', destCompute)
        .where('updated_at', '<=', before.toISOString())
        .execute();
      return rows.map(toMigration);
    },
    save: (uuid, changes) => saveMigration(db, uuid, changes),
  };
}
