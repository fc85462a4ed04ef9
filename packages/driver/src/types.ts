import type { VolumeDevice, VolumeDriver } from './volume-types.js';

/**
 * What Nova tells its driver. Field names are Nova's, in camel case; sizes carry their unit in the name, in powers of two
 * as Nova means them (Mb = MiB, Gb = GiB).
 */

export interface Flavor {
  /** The public flavor id, e.g. `1` or a UUID. */
  readonly flavorId: string;
  readonly name: string;
  readonly vcpus: number;
  readonly memoryMb: number;
  /** 0 = the image's own size. */
  readonly rootGb: number;
  readonly ephemeralGb: number;
  readonly swapMb: number;
  readonly extraSpecs: Readonly<Record<string, string>>;
}

export interface ImageMeta {
  readonly id: string;
  readonly name: string;
  readonly diskFormat: string;
  readonly containerFormat: string;
  readonly sizeBytes: number;
  readonly minDiskGb: number;
  readonly minRamMb: number;
  /** Every property of the image, also those that Nova's own objects do not know. */
  readonly properties: Readonly<Record<string, string>>;
}

/** Enough to find the machine on the host. */
export interface InstanceRef {
  readonly uuid: string;
  /** `instance-00000001`: the machine's ElementName. */
  readonly name: string;
}

export interface Instance extends InstanceRef {
  readonly hostname: string;
  readonly displayName: string;
  readonly projectId: string;
  readonly userId: string;
  readonly imageRef: string;
  readonly flavor: Flavor;
  readonly metadata: Readonly<Record<string, string>>;
  /** Sizes of the ephemeral disks that were asked for; without any, one takes all that the flavor has. */
  readonly ephemeralsGb?: readonly number[];
  /** Devices of the host that were claimed for it. */
  readonly pciDevices?: readonly PciAddress[];
}

/** Where a device sits on its host: `0000:03:00.0`. */
export interface PciAddress {
  readonly address: string;
}

/** A device of the host as Nova's resource tracker takes it (nova/objects/pci_device.py). */
export interface PciDevice extends PciAddress {
  /** Four lower-case hexadecimal digits. */
  readonly vendorId: string;
  readonly productId: string;
  readonly devType: 'type-PCI';
  readonly devId: string;
  readonly label: string;
  readonly numaNode: number | null;
}

/** A graphics processor that RemoteFX shares. */
export interface GpuInfo {
  readonly name: string;
  readonly driverVersion: string;
  readonly totalVideoRamMb: number;
  readonly availableVideoRamMb: number;
  readonly directXVersion: string;
}

/** A subnet that a port has an address of, as guests are told of it. */
export interface VifSubnet {
  readonly id: string;
  readonly version: 4 | 6;
  /** `10.0.0.0/24` */
  readonly cidr: string;
  readonly gateway: string | null;
  readonly dns: readonly string[];
  readonly routes: readonly { readonly cidr: string; readonly gateway: string }[];
  readonly enableDhcp: boolean;
  /** Address of the network's DHCP port in this subnet; null = there is none. */
  readonly dhcpServer: string | null;
  /** Neutron's ipv6_address_mode. */
  readonly ipv6AddressMode: string | null;
}

/** One Neutron port as bound for this instance: an element of Nova's network_info. */
export interface Vif {
  readonly portId: string;
  /** `fa:16:3e:01:02:03` */
  readonly mac: string;
  readonly networkId: string;
  readonly networkLabel: string;
  /** Neutron's binding:vif_type, `hyperv` as a rule. */
  readonly vifType: string;
  readonly mtu: number;
  readonly active: boolean;
  readonly fixedIps: readonly { readonly address: string; readonly subnetId: string }[];
  /** Of its fixed addresses; undefined = not known. */
  readonly subnets?: readonly VifSubnet[];
  /** Neutron's port_security_enabled; undefined = not known, which counts as on. */
  readonly portSecurityEnabled?: boolean;
  /** What the user calls it, for its guest to know it by. */
  readonly tag?: string;
  /** Ids of the port's security groups; undefined = not known. */
  readonly securityGroups?: readonly string[];
}

/** Fetches an image's bytes into a file that does not exist yet; checks the hash that Glance tells; nothing stays behind on failure. */
export interface ImageSource {
  download(
    imageId: string,
    targetLocalPath: string,
    options: { signal?: AbortSignal; onProgress?: (doneBytes: number, totalBytes: number) => void },
  ): Promise<void>;
}

/** Reads secrets of the cloud's key manager. */
export interface SecretSource {
  /** The bytes of a container's secrets `1` to `n`, one after another. Throws what says why it cannot be read. */
  readContainer(containerRef: string, options?: { signal?: AbortSignal }): Promise<Uint8Array>;
}

/** nova/compute/power_state.py */
export const POWER_STATE = {
  NOSTATE: 0,
  RUNNING: 1,
  PAUSED: 3,
  SHUTDOWN: 4,
  CRASHED: 6,
  SUSPENDED: 7,
} as const;
export type PowerState = (typeof POWER_STATE)[keyof typeof POWER_STATE];

export interface InstanceState extends InstanceRef {
  readonly powerState: PowerState;
}

/** Times of one operation, milliseconds, by phase; benchmarks print them. */
export type Phases = Record<string, number>;

/** What a guest finds on its config drive. Its files may hold secrets (user data, the administrator's password): they enter no log. */
export interface ConfigDrive {
  /** Paths from the drive's root: `openstack/latest/meta_data.json`. */
  readonly files: readonly { readonly path: string; readonly content: Uint8Array }[];
  /** The time that its files bear. */
  readonly date: Date;
}

/** The volumes of an instance, where an operation has to do with them. */
export interface WithVolumes {
  readonly volumes?: readonly VolumeDevice[];
}

export interface SpawnRequest extends WithVolumes {
  readonly instance: Instance;
  /** Of a machine that boots from a volume: the volume's own image metadata, with an empty id when it has none. */
  readonly image: ImageMeta;
  readonly vifs: readonly Vif[];
  readonly images: ImageSource;
  /** Without it the machine has none. Made once: it is never changed. */
  readonly configDrive?: ConfigDrive;
  /** Without it machines that need shielding data are refused. */
  readonly secrets?: SecretSource;
  /** Called once NICs exist and before power on; settles when Neutron says the ports are plugged (or need no waiting). */
  readonly waitForPlugged?: (vifs: readonly Vif[]) => Promise<void>;
  /** Default true. */
  readonly powerOn?: boolean;
  readonly signal?: AbortSignal;
  readonly onPhase?: (phase: string, milliseconds: number) => void;
}

/** An instance on its way from one flavor to another; `instance.flavor` is the new one. */
export interface MigrationRequest extends WithVolumes {
  readonly instance: Instance;
  readonly oldFlavor: Flavor;
  /** As the instance was made from it; the image itself may be gone. */
  readonly image: ImageMeta;
  readonly vifs: readonly Vif[];
}

/** An image that is made of an instance. */
export interface SnapshotRequest {
  readonly instance: InstanceRef;
  /** Of the image to be; names a file. */
  readonly imageId: string;
  /** Called once, with a disk that stands alone; the file is gone when it settles. */
  readonly upload: (disk: {
    readonly localPath: string;
    readonly diskFormat: 'vhd' | 'vhdx';
  }) => Promise<void>;
  readonly signal?: AbortSignal;
}

/** How long a guest may take to shut down. */
export interface PowerOffOptions {
  readonly timeoutSeconds: number;
  readonly retryIntervalSeconds?: number;
}

/** What the resource tracker and Placement need. */
export interface HostResources {
  readonly hypervisorHostname: string;
  readonly hypervisorType: 'hyperv';
  /** major * 1000 + minor: 6003, 10000. */
  readonly hypervisorVersion: number;
  /** `10.0.20348` */
  readonly windowsVersion: string;
  readonly vcpus: number;
  readonly memoryMb: number;
  readonly memoryMbUsed: number;
  readonly localGb: number;
  readonly localGbUsed: number;
  readonly diskAvailableLeastGb: number;
  readonly cpuInfo: {
    readonly arch: string;
    readonly model: string;
    readonly vendor: string;
    readonly topology: {
      /** NUMA nodes. */
      readonly cells: number;
      readonly sockets: number;
      readonly cores: number;
      readonly threads: number;
    };
    readonly features: readonly string[];
  };
  /** [arch, hypervisor type, vm mode] */
  readonly supportedInstances: readonly (readonly [string, string, string])[];
  readonly uptimeSeconds: number;
  /** Assignable devices, those in use included; empty unless [pci] device_spec is set. */
  readonly pciDevices?: readonly PciDevice[];
  /** Empty unless [hyperv] enable_remotefx is set. */
  readonly gpus?: readonly GpuInfo[];
}

/** What a host tells of a running instance (nova/objects/diagnostics.py); null = not known. */
export interface InstanceDiagnostics {
  readonly state: 'pending' | 'running' | 'paused' | 'shutdown' | 'crashed' | 'suspended';
  readonly driver: 'hyperv';
  readonly hypervisor: 'hyperv';
  /** `Windows 10.0.20348` */
  readonly hypervisorOs: string;
  readonly uptimeSeconds: number;
  readonly processors: number;
  /** Of all its processors together: hosts tell no more. */
  readonly processorLoadPercent: number;
  readonly memoryMb: { readonly used: number; readonly maximum: number | null };
  /** Since measuring began, in steps of 1 MiB; in the order of the drives. */
  readonly disks: readonly { readonly readBytes: number | null; readonly writtenBytes: number | null }[];
  /** Of IP, as the guest sees it; since measuring began, in steps of 1 MiB. */
  readonly nics: readonly {
    readonly mac: string;
    readonly receivedBytes: number | null;
    readonly sentBytes: number | null;
  }[];
}

/** A change of power state that the driver saw, whoever made it. */
export type LifecycleEvent = {
  readonly uuid: string;
  readonly name: string;
  readonly transition: 'started' | 'stopped' | 'paused' | 'suspended' | 'resumed';
};

/** Nova's virt driver as the compute manager sees it (nova/virt/driver.py), for one Hyper-V host. */
export interface VirtDriver extends VolumeDriver {
  readonly nodeName: string;
  /** Connects, refuses hosts that are too old, makes folders, starts console loggers, starts watching states. */
  initHost(): Promise<void>;
  /** COMPUTE_* traits that this host offers. */
  traits(): readonly string[];
  hostResources(): Promise<HostResources>;
  /** All machines that Nova made (a UUID in their notes), with their states: one query. */
  listInstances(): Promise<readonly InstanceState[]>;
  /** InstanceNotFound when there is no such machine. */
  getInfo(instance: InstanceRef): Promise<InstanceState>;
  /** InstanceNotFound when there is no such machine. */
  instanceDiagnostics(instance: InstanceRef): Promise<InstanceDiagnostics>;
  spawn(request: SpawnRequest): Promise<void>;
  /** Harmless when there is nothing; afterwards no machine, no file of the instance is left, and its volumes are disconnected. */
  destroy(instance: InstanceRef, attached?: WithVolumes): Promise<void>;
  powerOn(instance: InstanceRef, attached?: WithVolumes): Promise<void>;
  /** Asks the guest first for `timeoutSeconds` (0 = at once), then turns off. Harmless when off or absent. */
  powerOff(instance: InstanceRef, options: PowerOffOptions): Promise<void>;
  /** SOFT falls back to HARD, as in Nova. */
  reboot(instance: InstanceRef, type: 'SOFT' | 'HARD', attached?: WithVolumes): Promise<void>;
  /**
   * Refuses what the new flavor cannot give (CannotResizeDisk, InstanceUnacceptable), powers off and keeps what a revert needs. A machine whose
   * root disk alone grows may go on running. A failure leaves everything as it was.
   */
  migrateDiskAndPowerOff(request: MigrationRequest, options: PowerOffOptions): Promise<void>;
  /** Makes the machine what the new flavor says. After a failure {@link finishRevertMigration} leads back. */
  finishMigration(
    request: MigrationRequest & { readonly powerOn: boolean },
    options: PowerOffOptions,
  ): Promise<void>;
  /** Forgets what was kept. Harmless when nothing is. */
  confirmMigration(instance: InstanceRef): Promise<void>;
  /**
   * Gives the machine back as it was kept; harmless when nothing is, but for the power state. May be done again after any interruption.
   * CannotResizeDisk when a disk that grew live is in use up to its end: then everything stays as it was.
   */
  finishRevertMigration(
    instance: InstanceRef,
    options: PowerOffOptions & WithVolumes & { readonly powerOn: boolean },
  ): Promise<void>;
  /**
   * Makes a disk of what the instance's root disk holds now, and has it uploaded; a running machine goes on. Nothing is left on the host, also
   * after a failure. InstanceInvalidState for an instance that has no such disk, or cannot be frozen.
   */
  snapshot(request: SnapshotRequest): Promise<void>;
  /** Removes what a snapshot that was cut off has left. Harmless when there is nothing. */
  cleanUpSnapshot(instance: InstanceRef): Promise<void>;
  /** Older bytes first. */
  consoleOutput(instance: InstanceRef): Promise<Uint8Array>;
  /**
   * Removes what killed operations left: machines of instances that `isKnown` denies, half-made machines and
   * folders. Called at start, before new work.
   */
  removeLeftovers(isKnown: (uuid: string) => Promise<'keep' | 'remove'>): Promise<readonly string[]>;
  /**
   * Takes away what killed operations left of volumes: drives of volumes that their instance does not have, connections that no machine uses.
   * @param known the volumes of every instance of this host by its UUID; machines of others are left alone
   * @returns the ids of volumes that were taken away
   */
  removeGhostVolumes(known: ReadonlyMap<string, readonly VolumeDevice[]>): Promise<readonly string[]>;
  /** Ages and removes cached images that no instance uses. */
  manageImageCache(usedImageIds: ReadonlySet<string>): Promise<void>;
  onLifecycle(listener: (event: LifecycleEvent) => void): void;
  close(): Promise<void>;
}
