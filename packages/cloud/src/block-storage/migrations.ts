import { sql, type Kysely, type Migration } from 'kysely';

const OWNED =
  'id text primary key, project_id text not null, user_id text not null, name text, description text';

const TABLES = [
  `create table block_storage_qos (
    id text primary key, name text not null unique, consumer text not null, specs text not null,
    created_at text not null) strict`,
  `create table block_storage_type (
    id text primary key, name text not null unique, description text, is_public integer not null,
    extra_specs text not null, qos_specs_id text references block_storage_qos (id), created_at text not null) strict`,
  `create table block_storage_type_access (
    type_id text not null references block_storage_type (id) on delete cascade, project_id text not null,
    primary key (type_id, project_id)) strict`,
  `create table block_storage_encryption (
    type_id text primary key references block_storage_type (id) on delete cascade, encryption_id text not null,
    provider text not null, control_location text not null, cipher text, key_size integer,
    created_at text not null) strict`,
  `create table block_storage_default_type (
    project_id text primary key,
    type_id text not null references block_storage_type (id) on delete cascade) strict`,
  `create table block_storage_volume (
    ${OWNED}, size integer not null, status text not null, attach_status text not null,
    availability_zone text not null, host text, volume_type_id text not null references block_storage_type (id),
    snapshot_id text, source_volid text, image_id text, bootable integer not null, readonly integer,
    attached_mode text, metadata text not null, image_metadata text, work text, legacy_connector text,
    created_at text not null, updated_at text) strict`,
  'create index block_storage_volume_project on block_storage_volume (project_id)',
  `create table block_storage_snapshot (
    ${OWNED}, volume_id text not null references block_storage_volume (id), status text not null,
    volume_size integer not null, volume_type_id text not null references block_storage_type (id),
    metadata text not null, created_at text not null, updated_at text) strict`,
  'create index block_storage_snapshot_volume on block_storage_snapshot (volume_id)',
  `create table block_storage_attachment (
    id text primary key, volume_id text not null references block_storage_volume (id), project_id text not null,
    instance_uuid text, attach_status text not null, attach_mode text not null, attached_host text,
    mountpoint text, connector text, connection_info text, attached_at text, created_at text not null) strict`,
  'create index block_storage_attachment_volume on block_storage_attachment (volume_id)',
  `create table block_storage_quota (
    project_id text not null, resource text not null, hard_limit integer not null,
    primary key (project_id, resource)) strict`,
  `create table block_storage_quota_class (
    class_name text not null, resource text not null, hard_limit integer not null,
    primary key (class_name, resource)) strict`,
  `create table block_storage_message (
    id text primary key, project_id text not null, event_id text not null, user_message text not null,
    resource_type text not null, resource_uuid text not null, request_id text not null,
    created_at text not null) strict`,
  `create table block_storage_service (
    binary text not null, host text not null, disabled integer not null, disabled_reason text,
    updated_at text not null, primary key (binary, host)) strict`,
];

export const blockStorageMigrations: Readonly<Record<string, Migration>> = {
  'volumev3-0001-tables': {
    async up(db: Kysely<unknown>): Promise<void> {
      for (const table of TABLES) await sql.raw(table).execute(db);
    },
  },
};
