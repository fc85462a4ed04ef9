import { sql, type Kysely, type Migration } from 'kysely';

type Db = Kysely<unknown>;
const run = async (db: Db, statements: readonly string[]): Promise<void> => {
  for (const statement of statements) await sql.raw(statement).execute(db);
};

const INSTANCES = [
  `create table compute_instance (
    id integer primary key autoincrement, uuid text not null unique, project_id text not null, user_id text not null,
    display_name text not null, display_description text, hostname text not null,
    vm_state text not null, task_state text, power_state integer not null, host text, node text,
    image_ref text not null, flavor text not null, vcpus integer not null, memory_mb integer not null,
    key_name text, key_data text, user_data text, config_drive integer not null, availability_zone text,
    metadata text not null, system_metadata text not null, network_info text not null,
    reservation_id text not null, launch_index integer not null, locked_by text, locked_reason text,
    tags text not null, disk_config text not null, created_at text not null, updated_at text,
    launched_at text, terminated_at text, deleted integer not null default 0) strict`,
  'create index compute_instance_project on compute_instance (project_id, deleted)',
  'create index compute_instance_host on compute_instance (host, deleted)',
  `create table compute_fault (
    id integer primary key autoincrement, instance_uuid text not null, code integer not null,
    message text not null, details text not null, created_at text not null) strict`,
  'create index compute_fault_instance on compute_fault (instance_uuid, id)',
  `create table compute_action (
    id integer primary key autoincrement, instance_uuid text not null, request_id text not null, action text not null,
    user_id text not null, project_id text not null, start_time text not null, updated_at text not null, message text) strict`,
  'create index compute_action_instance on compute_action (instance_uuid, request_id)',
  `create table compute_action_event (
    id integer primary key autoincrement, action_id integer not null references compute_action (id) on delete cascade,
    event text not null, host text not null, start_time text not null, finish_time text, result text, details text) strict`,
  'create index compute_action_event_action on compute_action_event (action_id)',
  `create table compute_request_spec (
    instance_uuid text primary key, request_id text not null, spec text not null, pending integer not null) strict`,
  'create index compute_request_spec_pending on compute_request_spec (pending)',
];

const CATALOGUE = [
  `create table compute_flavor (
    id integer primary key autoincrement, flavor_id text not null unique, name text not null unique,
    vcpus integer not null, memory_mb integer not null, root_gb integer not null, ephemeral_gb integer not null,
    swap_mb integer not null, rxtx_factor real not null, is_public integer not null, description text,
    extra_specs text not null, created_at text not null) strict`,
  `create table compute_flavor_project (
    flavor_id text not null references compute_flavor (flavor_id) on delete cascade, project_id text not null,
    primary key (flavor_id, project_id)) strict`,
  'create table compute_flavor_seed (done integer primary key) strict',
  `create table compute_keypair (
    id integer primary key autoincrement, user_id text not null, name text not null, type text not null,
    public_key text not null, fingerprint text not null, created_at text not null, unique (user_id, name)) strict`,
  `create table compute_quota (
    project_id text not null, resource text not null, hard_limit integer not null, primary key (project_id, resource)) strict`,
];

const HOSTS = [
  `create table compute_service (
    id integer primary key autoincrement, uuid text not null unique, host text not null, binary text not null,
    topic text not null, node_uuid text, disabled integer not null default 0, disabled_reason text,
    forced_down integer not null default 0, started_at text not null, last_seen_up text, created_at text not null,
    unique (host, binary)) strict`,
  `create table compute_node (
    id integer primary key autoincrement, uuid text not null unique, host text not null unique,
    hypervisor_hostname text not null, report text not null, updated_at text not null) strict`,
];

const RESIZES = [
  'alter table compute_instance add column old_flavor text',
  'alter table compute_instance add column new_flavor text',
  "alter table compute_instance add column ephemerals text not null default '[]'",
  `create table compute_migration (
    id integer primary key autoincrement, uuid text not null unique, instance_uuid text not null,
    migration_type text not null, status text not null, source_compute text not null, source_node text not null,
    dest_compute text, dest_node text, dest_host text, old_flavor text not null, new_flavor text not null,
    old_flavor_number integer not null, new_flavor_number integer not null, user_id text not null,
    project_id text not null, created_at text not null, updated_at text) strict`,
  'create index compute_migration_instance on compute_migration (instance_uuid, id)',
  'create index compute_migration_status on compute_migration (status, dest_compute)',
];

const PCI_DEVICES = ["alter table compute_instance add column pci_devices text not null default '[]'"];

const BLOCK_DEVICES = [
  "alter table compute_instance add column device_metadata text not null default '[]'",
  `create table compute_block_device (
    id integer primary key autoincrement, uuid text not null unique, instance_uuid text not null, source_type text not null,
    volume_id text, snapshot_id text, image_id text, volume_size integer, volume_type text, boot_index integer, device_name text,
    disk_bus text, device_type text, guest_format text, delete_on_termination integer not null, attachment_id text,
    connection_info text, tag text, state text not null) strict`,
  'create index compute_block_device_instance on compute_block_device (instance_uuid, id)',
  'create index compute_block_device_volume on compute_block_device (volume_id)',
];

/** The compute service's tables. A migration that has shipped is never edited: the next change is the next number. */
export const COMPUTE_MIGRATIONS: Readonly<Record<string, Migration>> = {
  'compute-0001-instances': { up: (db: Db) => run(db, INSTANCES) },
  'compute-0002-catalogue': { up: (db: Db) => run(db, CATALOGUE) },
  'compute-0003-hosts': { up: (db: Db) => run(db, HOSTS) },
  'compute-0004-resizes': { up: (db: Db) => run(db, RESIZES) },
  'compute-0005-pci-devices': { up: (db: Db) => run(db, PCI_DEVICES) },
  'compute-0006-block-devices': { up: (db: Db) => run(db, BLOCK_DEVICES) },
};
