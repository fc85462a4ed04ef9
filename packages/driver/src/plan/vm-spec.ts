/**
 * Everything about one virtual machine, as plain data. `plan` makes it, `realise` brings a host to it, `observe`
 * reads it back; the three agree: `observe(realise(plan(x)))` equals `plan(x)`. So every list here has one
 * canonical order, and nothing here is a host's own identifier that is only known afterwards.
 */
export interface VmSpec {
  /** ElementName on the host. */
  readonly name: string;
  /** First entry of the machine's Notes. */
  readonly instanceUuid: string;
  readonly generation: Generation;
  /** The host's path of the folder that holds the machine's disks and configuration. */
  readonly directory: string;
  readonly firmware: FirmwareSpec;
  readonly security: SecuritySpec;
  readonly processors: ProcessorSpec;
  readonly memory: MemorySpec;
  /** Generation 1: IDE 0, IDE 1, SCSI 0. Generation 2: SCSI 0. */
  readonly controllers: readonly ControllerSpec[];
  /** By bus (IDE first), controller, slot. */
  readonly drives: readonly DriveSpec[];
  /** In the order in which Nova names the ports. */
  readonly nics: readonly NicSpec[];
  /** Always COM1 and COM2. */
  readonly serialPorts: readonly [SerialPortSpec, SerialPortSpec];
  /** Devices of the host, by their object's keys. */
  readonly pciDevices: readonly PciDeviceSpec[];
  readonly video: VideoSpec;
  readonly automaticStart: 'none';
  /** What becomes of the machine when the host shuts down. */
  readonly automaticShutdown: 'turn-off' | 'save' | 'shut-down';
  readonly chassisAssetTag: string;
}

export type Generation = 1 | 2;
export type Bus = 'ide' | 'scsi';

/** A device in a UEFI boot order: `scsi:0:3` (bus, controller, slot) or `nic:<port id>`. */
export type BootDevice = `${Bus}:${number}:${number}` | `nic:${string}`;

/** Kinds of devices in a BIOS boot order. */
export type BiosBootDevice = 'floppy' | 'cd' | 'hard-disk' | 'network';

export type FirmwareSpec =
  | { readonly kind: 'bios'; readonly bootOrder: readonly BiosBootDevice[] }
  | { readonly kind: 'uefi'; readonly bootOrder: readonly BootDevice[] };

/** Whose keys the firmware trusts, by Hyper-V's names; `unknown` is only ever seen on hosts. */
export type SecureBootTemplate = 'MicrosoftWindows' | 'MicrosoftUEFICertificateAuthority' | 'unknown';

export interface SecuritySpec {
  /** Generation 2 only. */
  readonly secureBoot: false | SecureBootTemplate;
  readonly vtpm: boolean;
  readonly shielded: boolean;
}

export interface ProcessorSpec {
  readonly count: number;
  /** Hides newer instructions, so that the machine can move between processors of different age. */
  readonly limitFeatures: boolean;
  readonly nestedVirtualization: boolean;
  /** The virtual NUMA nodes that the guest sees; null = one node. */
  readonly numa: NumaSpec | null;
  /** Most that the machine may use, and what it is sure of, in thousandths of a percent of its processors. */
  readonly limit: number;
  readonly reservation: number;
  /** Against other machines, 1 to 10000; 100 is everyone's own. */
  readonly weight: number;
}

/** Hyper-V divides a machine by the size of a node: the nodes are as many as it takes, all alike. */
export interface NumaSpec {
  readonly processorsPerNode: number;
  readonly memoryMbPerNode: number;
  readonly nodesPerSocket: number;
}

/** All in MiB. Without dynamic memory the three are equal. */
export interface MemorySpec {
  readonly dynamic: boolean;
  readonly startupMb: number;
  readonly minimumMb: number;
  readonly maximumMb: number;
}

export interface ControllerSpec {
  readonly bus: Bus;
  readonly number: number;
}

export interface DriveSpec {
  readonly bus: Bus;
  readonly controller: number;
  readonly slot: number;
  readonly kind: 'disk' | 'dvd';
  /** The host's path of the image file; '' for a disk of the host. */
  readonly path: string;
  /** I/O operations of up to 8 KiB a second; 0 = no limit. */
  readonly iopsLimit: number;
  /** The Cinder volume whose disk the machine has to itself (pass-through). Which disk of the host that is changes. */
  readonly volumeId?: string;
}

export interface NicSpec {
  /** Neutron's port id; the adapter's ElementName. */
  readonly portId: string;
  /** Twelve upper-case hexadecimal digits. */
  readonly mac: string;
  /** GUID (Name) of the virtual switch. */
  readonly switchId: string;
  /** The guest may send from other addresses than its own. */
  readonly macSpoofing: boolean;
}

/** Keys of a host's Msvm_PciExpress. */
export interface PciDeviceSpec {
  readonly systemName: string;
  readonly deviceId: string;
}

export type VideoSpec =
  | { readonly kind: 'synthetic' }
  | {
      readonly kind: 'remotefx';
      /** Msvm_Synthetic3DDisplayControllerSettingData.MaximumScreenResolution */
      readonly resolution: number;
      readonly monitors: number;
      /** MiB; null = the host's own choice. */
      readonly vramMb: number | null;
    };

export interface SerialPortSpec {
  readonly number: 1 | 2;
  /** `\\.\pipe\…`; null = nothing connected. */
  readonly pipe: string | null;
}

export function bootDeviceOfDrive(drive: Pick<DriveSpec, 'bus' | 'controller' | 'slot'>): BootDevice {
  return `${drive.bus}:${drive.controller}:${drive.slot}`;
}

/** The canonical order of {@link VmSpec.drives}. */
export function compareDrives(a: DriveSpec, b: DriveSpec): number {
  return a.bus.localeCompare(b.bus) || a.controller - b.controller || a.slot - b.slot;
}

/** Freezes a tree of plain data. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const child of Object.values(value)) deepFreeze(child);
  }
  return value;
}
