import type { Generated, Kysely } from 'kysely';

/** 0 or 1. */
type Flag = number;
/** `2026-01-31T12:00:00.000Z` */
type Time = string;
/** JSON; read through columns.ts only. */
type Json = string;

interface InstanceTable {
  id: Generated<number>;
  uuid: string;
  project_id: string;
  user_id: string;
  display_name: string;
  display_description: string | null;
  hostname: string;
  vm_state: string;
  task_state: string | null;
  power_state: number;
  host: string | null;
  node: string | null;
  image_ref: string;
  flavor: Json;
  old_flavor: Json | null;
  new_flavor: Json | null;
  /** Sizes in GiB. */
  ephemerals: Generated<Json>;
  /** Of the flavor, for quotas. */
  vcpus: number;
  memory_mb: number;
  key_name: string | null;
  key_data: string | null;
  user_data: string | null;
  config_drive: Flag;
  availability_zone: string | null;
  metadata: Json;
  system_metadata: Json;
  network_info: Json;
  device_metadata: Generated<Json>;
  pci_devices: Json;
  reservation_id: string;
  launch_index: number;
  /** `admin` or `owner`, null when not locked. */
  locked_by: string | null;
  locked_reason: string | null;
  tags: Json;
  disk_config: 'AUTO' | 'MANUAL';
  created_at: Time;
  updated_at: Time | null;
  launched_at: Time | null;
  terminated_at: Time | null;
  deleted: Flag;
}

/** A volume of an instance, or one to be made. */
interface BlockDeviceTable {
  id: Generated<number>;
  uuid: string;
  instance_uuid: string;
  source_type: string;
  volume_id: string | null;
  snapshot_id: string | null;
  image_id: string | null;
  /** GiB */
  volume_size: number | null;
  volume_type: string | null;
  boot_index: number | null;
  device_name: string | null;
  disk_bus: string | null;
  device_type: string | null;
  guest_format: string | null;
  delete_on_termination: Flag;
  attachment_id: string | null;
  /** Holds secrets. */
  connection_info: Json | null;
  tag: string | null;
  state: string;
}

interface FaultTable {
  id: Generated<number>;
  instance_uuid: string;
  code: number;
  message: string;
  details: string;
  created_at: Time;
}

interface ActionTable {
  id: Generated<number>;
  instance_uuid: string;
  request_id: string;
  action: string;
  user_id: string;
  project_id: string;
  start_time: Time;
  updated_at: Time;
  message: string | null;
}

interface ActionEventTable {
  id: Generated<number>;
  action_id: number;
  event: string;
  host: string;
  start_time: Time;
  finish_time: Time | null;
  result: 'Success' | 'Error' | null;
  details: string | null;
}

interface FlavorTable {
  id: Generated<number>;
  flavor_id: string;
  name: string;
  vcpus: number;
  memory_mb: number;
  root_gb: number;
  ephemeral_gb: number;
  swap_mb: number;
  rxtx_factor: number;
  is_public: Flag;
  description: string | null;
  extra_specs: Json;
  created_at: Time;
}

interface FlavorProjectTable {
  flavor_id: string;
  project_id: string;
}

/** One row once the default flavors were made. */
interface FlavorSeedTable {
  done: Flag;
}

interface KeypairTable {
  id: Generated<number>;
  user_id: string;
  name: string;
  type: string;
  public_key: string;
  fingerprint: string;
  created_at: Time;
}

interface ServiceTable {
  id: Generated<number>;
  uuid: string;
  host: string;
  binary: string;
  topic: string;
  /** UUID of the compute node; null for services without one. */
  node_uuid: string | null;
  disabled: Flag;
  disabled_reason: string | null;
  forced_down: Flag;
  started_at: Time;
  last_seen_up: Time | null;
  created_at: Time;
}

interface ComputeNodeTable {
  id: Generated<number>;
  uuid: string;
  host: string;
  hypervisor_hostname: string;
  report: Json;
  updated_at: Time;
}

interface RequestSpecTable {
  instance_uuid: string;
  request_id: string;
  spec: Json;
  /** 1 until the instance is with a host (or failed): the conductor's work list. */
  pending: Flag;
}

interface QuotaTable {
  project_id: string;
  resource: string;
  hard_limit: number;
}

interface MigrationTable {
  id: Generated<number>;
  uuid: string;
  instance_uuid: string;
  migration_type: 'resize';
  status: string;
  source_compute: string;
  source_node: string;
  dest_compute: string | null;
  dest_node: string | null;
  dest_host: string | null;
  old_flavor: Json;
  new_flavor: Json;
  /** Numbers of the flavors when it began, which the API shows. */
  old_flavor_number: number;
  new_flavor_number: number;
  user_id: string;
  project_id: string;
  created_at: Time;
  updated_at: Time | null;
}

export type ComputeTables = {
  compute_migration: MigrationTable;
  compute_instance: InstanceTable;
  compute_block_device: BlockDeviceTable;
  compute_fault: FaultTable;
  compute_action: ActionTable;
  compute_action_event: ActionEventTable;
  compute_flavor: FlavorTable;
  compute_flavor_project: FlavorProjectTable;
  compute_flavor_seed: FlavorSeedTable;
  compute_keypair: KeypairTable;
  compute_service: ServiceTable;
  compute_node: ComputeNodeTable;
  compute_request_spec: RequestSpecTable;
  compute_quota: QuotaTable;
};

export type ComputeDatabase = Kysely<ComputeTables>;
