/** Booleans are 0 or 1, times ISO 8601 text, what is said to be JSON a JSON text. */
export type BlockStorageTables = {
  block_storage_volume: VolumeRow;
  block_storage_attachment: AttachmentRow;
  block_storage_snapshot: SnapshotRow;
  block_storage_type: TypeRow;
  block_storage_type_access: { type_id: string; project_id: string };
  block_storage_encryption: EncryptionRow;
  block_storage_qos: QosRow;
  block_storage_quota: { project_id: string; resource: string; hard_limit: number };
  block_storage_quota_class: { class_name: string; resource: string; hard_limit: number };
  block_storage_message: MessageRow;
  block_storage_default_type: { project_id: string; type_id: string };
  block_storage_service: ServiceRow;
};

/** Cinder's states of a volume (cinder/objects/fields.py and api-ref "Volumes"), as far as they are lived here. */
export const VOLUME_STATUSES = [
  'creating',
  'available',
  'reserved',
  'attaching',
  'detaching',
  'in-use',
  'maintenance',
  'deleting',
  'awaiting-transfer',
  'error',
  'error_deleting',
  'backing-up',
  'restoring-backup',
  'error_backing-up',
  'error_restoring',
  'error_extending',
  'downloading',
  'uploading',
  'retyping',
  'extending',
] as const;
export type VolumeStatus = (typeof VOLUME_STATUSES)[number];

export const SNAPSHOT_STATUSES = [
  'creating',
  'available',
  'deleting',
  'error',
  'error_deleting',
  'unmanaging',
  'backing-up',
  'restoring',
] as const;
export type SnapshotStatus = (typeof SNAPSHOT_STATUSES)[number];

export type AttachStatus =
  'attached' | 'attaching' | 'detached' | 'detaching' | 'reserved' | 'error_attaching' | 'error_detaching';

export interface VolumeRow {
  id: string;
  project_id: string;
  user_id: string;
  name: string | null;
  description: string | null;
  /** GiB */
  size: number;
  status: VolumeStatus;
  attach_status: AttachStatus;
  availability_zone: string;
  /** `host@backend#pool`; null until it is scheduled. */
  host: string | null;
  volume_type_id: string;
  snapshot_id: string | null;
  source_volid: string | null;
  /** What it is made from. */
  image_id: string | null;
  bootable: number;
  /** admin_metadata `readonly`; null: never set. */
  readonly: number | null;
  /** admin_metadata `attached_mode`, of os-attach. */
  attached_mode: string | null;
  /** JSON */
  metadata: string;
  /** JSON; null when there is none. */
  image_metadata: string | null;
  /** JSON: what the volume manager has to do, kept until it is done: see manager/work.ts. */
  work: string | null;
  /** JSON: of os-initialize_connection, until os-terminate_connection. */
  legacy_connector: string | null;
  created_at: string;
  updated_at: string | null;
}

export interface AttachmentRow {
  id: string;
  volume_id: string;
  project_id: string;
  instance_uuid: string | null;
  attach_status: AttachStatus;
  /** `rw`, `ro`, `null` (text: not chosen). */
  attach_mode: string;
  attached_host: string | null;
  mountpoint: string | null;
  /** JSON */
  connector: string | null;
  /** JSON; holds secrets. */
  connection_info: string | null;
  attached_at: string | null;
  created_at: string;
}

export interface SnapshotRow {
  id: string;
  volume_id: string;
  project_id: string;
  user_id: string;
  name: string | null;
  description: string | null;
  status: SnapshotStatus;
  /** GiB */
  volume_size: number;
  volume_type_id: string;
  /** JSON */
  metadata: string;
  created_at: string;
  updated_at: string | null;
}

export interface TypeRow {
  id: string;
  name: string;
  description: string | null;
  is_public: number;
  /** JSON */
  extra_specs: string;
  qos_specs_id: string | null;
  created_at: string;
}

export interface EncryptionRow {
  type_id: string;
  encryption_id: string;
  provider: string;
  control_location: string;
  cipher: string | null;
  key_size: number | null;
  created_at: string;
}

export interface QosRow {
  id: string;
  name: string;
  consumer: string;
  /** JSON */
  specs: string;
  created_at: string;
}

export interface MessageRow {
  id: string;
  project_id: string;
  event_id: string;
  user_message: string;
  resource_type: string;
  resource_uuid: string;
  request_id: string;
  created_at: string;
}

export interface ServiceRow {
  binary: string;
  host: string;
  disabled: number;
  disabled_reason: string | null;
  updated_at: string;
}
