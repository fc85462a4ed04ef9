import type { InstanceRecord } from '@nova-hyperv/compute';
import type { Insertable, Selectable } from 'kysely';
import {
  flag,
  readDeviceMetadata,
  readFlavor,
  readFlavorOrNull,
  readPciDevices,
  readPowerState,
  readSizes,
  readStrings,
  readTags,
  readTaskState,
  readTime,
  readVifs,
  readVmState,
} from './columns.js';
import type { ComputeTables } from './tables.js';

/** An instance with what only the API keeps of it. */
export interface ServerRecord extends InstanceRecord {
  /** Who locked it; an owner's lock does not bind administrators. */
  readonly lockedBy: 'admin' | 'owner' | null;
  readonly lockedReason: string | null;
  readonly tags: readonly string[];
  readonly diskConfig: 'AUTO' | 'MANUAL';
}

export type InstanceRow = Selectable<ComputeTables['compute_instance']>;

/** `instance-%08x`: Nova's default instance_name_template. */
export const instanceName = (id: number): string => `instance-${id.toString(16).padStart(8, '0')}`;

const lockedBy = (value: string | null): ServerRecord['lockedBy'] =>
  value === 'admin' || value === 'owner' ? value : null;

/** @throws StoredDataError */
export function toServer(row: InstanceRow): ServerRecord {
  return {
    uuid: row.uuid,
    id: row.id,
    name: instanceName(row.id),
    displayName: row.display_name,
    displayDescription: row.display_description,
    hostname: row.hostname,
    userId: row.user_id,
    projectId: row.project_id,
    vmState: readVmState(row.vm_state),
    taskState: readTaskState(row.task_state),
    powerState: readPowerState(row.power_state),
    host: row.host,
    node: row.node,
    imageRef: row.image_ref,
    flavor: readFlavor(row.flavor),
    oldFlavor: readFlavorOrNull(row.old_flavor),
    newFlavor: readFlavorOrNull(row.new_flavor),
    ephemeralsGb: readSizes(row.ephemerals),
    keyName: row.key_name,
    keyData: row.key_data,
    userData: row.user_data,
    configDrive: row.config_drive !== 0,
    availabilityZone: row.availability_zone,
    metadata: readStrings(row.metadata, 'metadata of an instance'),
    systemMetadata: readStrings(row.system_metadata, 'system metadata of an instance'),
    networkInfo: readVifs(row.network_info),
    deviceMetadata: readDeviceMetadata(row.device_metadata),
    pciDevices: readPciDevices(row.pci_devices),
    reservationId: row.reservation_id,
    launchIndex: row.launch_index,
    createdAt: new Date(row.created_at),
    updatedAt: readTime(row.updated_at),
    launchedAt: readTime(row.launched_at),
    terminatedAt: readTime(row.terminated_at),
    deleted: row.deleted !== 0,
    lockedBy: lockedBy(row.locked_by),
    lockedReason: row.locked_reason,
    tags: readTags(row.tags),
    diskConfig: row.disk_config,
  };
}

/** What is known of an instance before it is stored: its number and states come with storing. */
export type NewServer = Pick<
  ServerRecord,
  | 'uuid'
  | 'displayName'
  | 'displayDescription'
  | 'hostname'
  | 'userId'
  | 'projectId'
  | 'imageRef'
  | 'flavor'
  | 'ephemeralsGb'
  | 'keyName'
  | 'keyData'
  | 'userData'
  | 'configDrive'
  | 'availabilityZone'
  | 'metadata'
  | 'systemMetadata'
  | 'reservationId'
  | 'launchIndex'
  | 'tags'
  | 'diskConfig'
>;

/** A row in state `building`, task `scheduling`. */
export function toRow(server: NewServer, now: Date): Insertable<ComputeTables['compute_instance']> {
  return {
    uuid: server.uuid,
    project_id: server.projectId,
    user_id: server.userId,
    display_name: server.displayName,
    display_description: server.displayDescription,
    hostname: server.hostname,
    vm_state: 'building',
    task_state: 'scheduling',
    power_state: 0,
    host: null,
    node: null,
    image_ref: server.imageRef,
    flavor: JSON.stringify(server.flavor),
    ephemerals: JSON.stringify(server.ephemeralsGb),
    vcpus: server.flavor.vcpus,
    memory_mb: server.flavor.memoryMb,
    key_name: server.keyName,
    key_data: server.keyData,
    user_data: server.userData,
    config_drive: flag(server.configDrive),
    availability_zone: server.availabilityZone,
    metadata: JSON.stringify(server.metadata),
    system_metadata: JSON.stringify(server.systemMetadata),
    network_info: '[]',
    pci_devices: '[]',
    reservation_id: server.reservationId,
    launch_index: server.launchIndex,
    locked_by: null,
    locked_reason: null,
    tags: JSON.stringify(server.tags),
    disk_config: server.diskConfig,
    created_at: now.toISOString(),
    updated_at: null,
    launched_at: null,
    terminated_at: null,
    deleted: 0,
  };
}
