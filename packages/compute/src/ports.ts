import type {
  DeviceMetadata,
  Flavor,
  GpuInfo,
  InstanceDiagnostics,
  PowerState,
  Vif,
} from '@nova-hyperv/driver';
import type { BlockDeviceRecord } from './block-device.js';
import type { ClaimedPciDevice, OfferedPciDevice } from './pci/assign.js';

/** nova/compute/vm_states.py */
export type VmState =
  | 'active'
  | 'building'
  | 'paused'
  | 'suspended'
  | 'stopped'
  | 'rescued'
  | 'resized'
  | 'soft-delete'
  | 'deleted'
  | 'error'
  | 'shelved'
  | 'shelved_offloaded';

/** nova/compute/task_states.py, as far as operations are served. */
export type TaskState =
  | 'scheduling'
  | 'block_device_mapping'
  | 'networking'
  | 'spawning'
  | 'powering-off'
  | 'powering-on'
  | 'deleting'
  | 'rebooting'
  | 'reboot_pending'
  | 'reboot_started'
  | 'rebooting_hard'
  | 'reboot_pending_hard'
  | 'reboot_started_hard'
  | 'image_snapshot_pending'
  | 'image_snapshot'
  | 'image_pending_upload'
  | 'image_uploading'
  | 'resize_prep'
  | 'resize_migrating'
  | 'resize_migrated'
  | 'resize_finish'
  | 'resize_reverting'
  | null;

/** An instance as the control plane keeps it: Nova's Instance object, in camel case. */
export interface InstanceRecord {
  readonly uuid: string;
  /** Running number; `instance-%08x` of it is the machine's name. */
  readonly id: number;
  readonly name: string;
  readonly displayName: string;
  readonly displayDescription: string | null;
  readonly hostname: string;
  readonly userId: string;
  readonly projectId: string;
  readonly vmState: VmState;
  readonly taskState: TaskState;
  readonly powerState: PowerState;
  readonly host: string | null;
  readonly node: string | null;
  readonly imageRef: string;
  readonly flavor: Flavor;
  /** While a resize is under way or waits to be confirmed. */
  readonly oldFlavor: Flavor | null;
  readonly newFlavor: Flavor | null;
  /** Sizes of the ephemeral disks that the request named; without any, one takes all that the flavor has. */
  readonly ephemeralsGb: readonly number[];
  readonly keyName: string | null;
  readonly keyData: string | null;
  readonly userData: string | null;
  readonly configDrive: boolean;
  readonly availabilityZone: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  readonly systemMetadata: Readonly<Record<string, string>>;
  readonly networkInfo: readonly Vif[];
  /** Where its guest finds its disks and NICs: what the metadata service tells it. */
  readonly deviceMetadata: readonly DeviceMetadata[];
  /** Devices of its host that it holds. */
  readonly pciDevices: readonly ClaimedPciDevice[];
  readonly reservationId: string;
  readonly launchIndex: number;
  readonly createdAt: Date;
  readonly updatedAt: Date | null;
  readonly launchedAt: Date | null;
  readonly terminatedAt: Date | null;
  readonly deleted: boolean;
}

export type InstanceChanges = Partial<
  Pick<
    InstanceRecord,
    | 'vmState'
    | 'taskState'
    | 'powerState'
    | 'host'
    | 'node'
    | 'availabilityZone'
    | 'flavor'
    | 'oldFlavor'
    | 'newFlavor'
    | 'configDrive'
    | 'networkInfo'
    | 'deviceMetadata'
    | 'pciDevices'
    | 'systemMetadata'
    | 'launchedAt'
    | 'terminatedAt'
  >
>;

export interface InstanceFault {
  readonly code: number;
  /** What the user reads. */
  readonly message: string;
  /** For administrators. */
  readonly details: string;
}

/** Thrown by {@link InstanceStore.save} when the instance is not in the state that the caller relied on. */
export class UnexpectedTaskStateError extends Error {
  readonly code = 'UNEXPECTED_TASK_STATE';
  readonly actual: TaskState;
  constructor(uuid: string, expected: readonly TaskState[], actual: TaskState) {
    super(
      `Conflict updating instance ${uuid}. Expected task state: ${JSON.stringify(expected)}. Actual: ${String(actual)}`,
    );
    this.name = 'UnexpectedTaskStateError';
    this.actual = actual;
  }
}

export class InstanceNotFoundError extends Error {
  readonly code = 'INSTANCE_NOT_FOUND';
  constructor(uuid: string) {
    super(`Instance ${uuid} could not be found.`);
    this.name = 'InstanceNotFound';
  }
}

/**
 * Where instances are kept: the one-machine cloud's database, or nova-conductor of a real cloud. Saves are
 * compare-and-set on the task state, as nova-conductor's are (`expected_task_state`).
 */
export interface InstanceStore {
  get(uuid: string): Promise<InstanceRecord>;
  /** Instances that are not deleted and belong to the host. */
  listByHost(host: string): Promise<readonly InstanceRecord[]>;
  save(
    uuid: string,
    changes: InstanceChanges,
    options?: { expectedTaskState?: readonly TaskState[] },
  ): Promise<InstanceRecord>;
  /** Marks the instance deleted; it stays readable for administrators. */
  destroy(uuid: string): Promise<void>;
  addFault(uuid: string, fault: InstanceFault): Promise<void>;
  /** Instance action events (`openstack server event list`): start, then finish with success or error. */
  eventStarted(uuid: string, requestId: string, event: string, host: string): Promise<void>;
  eventFinished(uuid: string, requestId: string, event: string, error: string | null): Promise<void>;
}

/** nova/objects/migration.py; `none` of the live ones is served. */
export type MigrationStatus =
  | 'pre-migrating'
  | 'migrating'
  | 'post-migrating'
  | 'finished'
  | 'confirming'
  | 'confirmed'
  | 'reverting'
  | 'reverted'
  | 'error';

/** One move of an instance: Nova's Migration object. Its UUID is Placement's consumer for what the instance holds where it comes from. */
export interface MigrationRecord {
  readonly id: number;
  readonly uuid: string;
  readonly instanceUuid: string;
  readonly migrationType: 'resize';
  readonly status: MigrationStatus;
  readonly sourceCompute: string;
  readonly sourceNode: string;
  readonly destCompute: string | null;
  readonly destNode: string | null;
  readonly destHost: string | null;
  readonly oldFlavor: Flavor;
  readonly newFlavor: Flavor;
  readonly userId: string;
  readonly projectId: string;
  readonly createdAt: Date;
  readonly updatedAt: Date | null;
}

export type MigrationChanges = Partial<
  Pick<MigrationRecord, 'status' | 'destCompute' | 'destNode' | 'destHost'>
>;

/** Statuses of a move that is neither confirmed nor taken back. */
export const MIGRATION_IN_PROGRESS: readonly MigrationStatus[] = [
  'pre-migrating',
  'migrating',
  'post-migrating',
  'finished',
  'confirming',
  'reverting',
];

/** The instances' moves, beside the instances. */
export interface MigrationStore {
  /** Null when there is none. */
  get(uuid: string): Promise<MigrationRecord | null>;
  /** The instance's newest that is in progress; null when there is none. */
  inProgress(instanceUuid: string): Promise<MigrationRecord | null>;
  /** Finished ones on this host that were last changed before `before`: Nova's get_unconfirmed_by_dest_compute. */
  unconfirmed(destCompute: string, before: Date): Promise<readonly MigrationRecord[]>;
  save(uuid: string, changes: MigrationChanges): Promise<MigrationRecord>;
}

/** One compute service and its node, as `openstack compute service list` and `hypervisor list` show them. */
export interface ServiceReport {
  readonly host: string;
  readonly binary: 'nova-compute';
  readonly topic: 'compute';
  readonly startedAt: Date;
}

export interface ComputeNodeReport {
  readonly uuid: string;
  readonly host: string;
  readonly hypervisorHostname: string;
  readonly hypervisorType: string;
  readonly hypervisorVersion: number;
  readonly hostIp: string;
  readonly vcpus: number;
  readonly memoryMb: number;
  readonly localGb: number;
  readonly vcpusUsed: number;
  readonly memoryMbUsed: number;
  readonly localGbUsed: number;
  readonly diskAvailableLeastGb: number;
  readonly runningVms: number;
  readonly uptime: string;
  /** JSON-able, as Nova's ComputeNode.cpu_info. */
  readonly cpuInfo: unknown;
  readonly supportedInstances: readonly (readonly [string, string, string])[];
  /** Devices that instances may have, those that are held included. */
  readonly pciDevices: readonly OfferedPciDevice[];
  readonly gpus: readonly GpuInfo[];
}

export interface ServiceStore {
  /** Creates or finds the service row; returns its disabled flag and the node's UUID to keep. */
  register(report: ServiceReport): Promise<{ readonly nodeUuid: string; readonly disabled: boolean }>;
  /** Heartbeat, every 10 s. */
  beat(host: string): Promise<void>;
  saveNode(report: ComputeNodeReport): Promise<void>;
}

export interface BuildRequest {
  readonly instanceUuid: string;
  readonly requestId: string;
  readonly requestedNetworks: 'auto' | 'none' | readonly RequestedNetwork[];
  readonly securityGroups: readonly string[];
  /** The administrator's password; a secret. */
  readonly adminPassword?: string;
  /** Nova's personality; `contents` is base64. They may be secret, too. */
  readonly injectedFiles?: readonly { readonly path: string; readonly contents: string }[];
}

export interface RequestedNetwork {
  readonly networkId?: string;
  readonly portId?: string;
  readonly fixedIp?: string;
  readonly tag?: string;
}

export interface InstanceRequest {
  readonly instanceUuid: string;
  readonly requestId: string;
}

export interface SnapshotInstanceRequest extends InstanceRequest {
  /** Made by the API, without data. */
  readonly imageId: string;
}

/** A request about one move of the instance. */
export interface MigrationInstanceRequest extends InstanceRequest {
  readonly migrationUuid: string;
}

export interface PrepResizeRequest extends MigrationInstanceRequest {
  readonly flavor: Flavor;
}

/** A volume that the user attaches to an instance. */
export interface ReserveBlockDeviceRequest extends InstanceRequest {
  readonly volumeId: string;
  /** The wished name, `/dev/sdb`. */
  readonly deviceName: string | null;
  readonly diskBus: string | null;
  readonly deviceType: string | null;
  readonly tag: string | null;
  readonly deleteOnTermination: boolean;
}

/** A request about one block device of an instance, by the device's own UUID. */
export interface VolumeRequest extends InstanceRequest {
  readonly deviceUuid: string;
}

/**
 * What the API asks of a compute service: Nova's compute RPC, by its names (nova/compute/rpcapi.py). Casts settle
 * when the request is taken in hand, calls when the answer is there. The caller has set the task state before.
 */
export interface ComputeService {
  readonly host: string;
  /** cast */
  buildAndRunInstance(request: BuildRequest): Promise<void>;
  /** cast */
  terminateInstance(request: InstanceRequest): Promise<void>;
  /** cast */
  startInstance(request: InstanceRequest): Promise<void>;
  /** cast */
  stopInstance(request: InstanceRequest): Promise<void>;
  /** cast */
  rebootInstance(request: InstanceRequest & { readonly rebootType: 'SOFT' | 'HARD' }): Promise<void>;
  /** cast: gives a queued image what the instance's root disk holds. */
  snapshotInstance(request: SnapshotInstanceRequest): Promise<void>;
  /** cast, to the destination: claims the new size. */
  prepResize(request: PrepResizeRequest): Promise<void>;
  /** cast, to the source: keeps what is, and powers off. */
  resizeInstance(request: MigrationInstanceRequest): Promise<void>;
  /** cast, to the destination: gives the new size. */
  finishResize(request: MigrationInstanceRequest): Promise<void>;
  /** cast, to the source */
  confirmResize(request: MigrationInstanceRequest): Promise<void>;
  /** cast, to the destination */
  revertResize(request: MigrationInstanceRequest): Promise<void>;
  /** cast, to the source */
  finishRevertResize(request: MigrationInstanceRequest): Promise<void>;
  /** call: the last `tailLength` lines, or everything. */
  getConsoleOutput(request: InstanceRequest & { readonly tailLength: number | null }): Promise<string>;
  /** call: what the host tells of a running instance. */
  getInstanceDiagnostics(request: InstanceRequest): Promise<InstanceDiagnostics>;
  /** call: gives the volume its place among the instance's block devices. */
  reserveBlockDeviceName(request: ReserveBlockDeviceRequest): Promise<BlockDeviceRecord>;
  /** cast: of a device that is reserved here and at Cinder. */
  attachVolume(request: VolumeRequest): Promise<void>;
  /** cast: of a device that is `detaching` here and at Cinder. */
  detachVolume(request: VolumeRequest): Promise<void>;
  /** cast: from Neutron and Cinder through the API. */
  externalInstanceEvent(event: {
    readonly name: string;
    readonly instanceUuid: string;
    readonly tag: string | null;
    readonly status: string;
    /** Of the request that brought it, for what it sets off. */
    readonly requestId?: string;
  }): Promise<void>;
}

/** Told when a build fails here and another host may do: the conductor's part. `tryAnother` settles when the request is taken. */
export interface Rescheduler {
  /** `retryable: false`: the fault is the request's own; the store has the fault and the instance is in ERROR already. */
  buildFailed(
    request: BuildRequest,
    failure: { readonly host: string; readonly message: string; readonly retryable: boolean },
  ): Promise<void>;
}
