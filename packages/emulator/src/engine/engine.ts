/**
 * The line between a Hyper-V host's management (WMI, states, jobs, rules) and what runs the guests. Paths here
 * are this machine's, never Windows'. An engine knows nothing of WMI.
 */
export interface Engine {
  readonly kind: 'qemu' | 'none';
  /** Called once at the start of the host: finds machines that outlived the last process, by their folders. */
  adopt(machines: readonly MachineConfig[]): Promise<readonly AdoptedMachine[]>;
  /**
   * Powers the machine on. Settles when its processors run. Throws {@link EngineError} and leaves nothing
   * running when it cannot.
   */
  start(config: MachineConfig): Promise<void>;
  /** Pulls the plug. Settles when nothing of the machine runs. Harmless when it is off. */
  turnOff(machineId: string): Promise<void>;
  /** Presses reset. */
  reset(machineId: string): Promise<void>;
  pause(machineId: string): Promise<void>;
  resume(machineId: string): Promise<void>;
  /** Presses the power button; a guest that listens stops by itself, which `stopped` tells. */
  requestShutdown(machineId: string): Promise<void>;
  isRunning(machineId: string): boolean;
  /**
   * Hot-adds a drive, or changes one that is there: another medium, none (`path` undefined: a DVD's tray is emptied,
   * a disk is pulled out), or another `iopsLimit`.
   */
  attachDrive(machineId: string, drive: DriveConfig): Promise<void>;
  detachDrive(machineId: string, driveId: string): Promise<void>;
  /**
   * Puts other files of the same content and size into drives of a running machine, which does not notice: it stands still while `work` has the
   * files for itself and tells what the drives hold from now on. When anything fails, they hold what they held.
   */
  switchDrives(
    machineId: string,
    driveIds: readonly string[],
    work: () => Promise<readonly DriveConfig[]>,
  ): Promise<void>;
  attachNic(machineId: string, nic: NicConfig): Promise<void>;
  detachNic(machineId: string, nicId: string): Promise<void>;
  /**
   * Connects a NIC to a switch, moves it, or unplugs its cable (null), and says whether its guest may use other MAC addresses than the NIC's
   * (default: it may not). Works on running machines only.
   */
  connectNic(
    machineId: string,
    nicId: string,
    switchId: string | null,
    options?: { readonly macSpoofing?: boolean },
  ): Promise<void>;
  /**
   * Grows the disk of a running machine, its file included, and tells the guest; of a unit, which has grown, the guest is
   * told. The file of a running machine is
   * the engine's alone: a caller that resized it by other means gets DISK_INVALID.
   */
  refreshDriveSize(machineId: string, driveId: string, sizeBytes: number): Promise<void>;
  /** What the screen shows; undefined when there is none. */
  screenshot(machineId: string): Promise<Screen | undefined>;
  /** Runtime facts of a running machine. */
  stats(machineId: string): Promise<MachineStats>;
  /** Forgets the machine's folder (firmware variables, logs). The machine is off. */
  forget(machineId: string): Promise<void>;
  /** `stopped` is told once per machine and run; `turnOff` tells no `stopped`. */
  onStopped(listener: (event: MachineStopped) => void): void;
  /** Ends this process' part. `guests: 'keep'` leaves running machines for the next process to adopt. */
  close(guests: 'keep' | 'turn-off'): Promise<void>;
}

/** Three bytes a pixel, row by row from the top. */
export interface Screen {
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array;
}

export interface MachineStopped {
  readonly machineId: string;
  /** guest: it shut itself down; crash: its process died. */
  readonly reason: 'guest' | 'crash';
}

export interface AdoptedMachine {
  readonly machineId: string;
  readonly state: 'running' | 'paused';
  readonly startedAt: Date;
}

/** Counters begin at 0 when the machine starts. */
export interface MachineStats {
  readonly uptimeMs: number;
  /** Time that processors of this machine spent on the guest, of all of them together. */
  readonly processorMs: number;
  /** Of the drives that have done anything; the others are left out. */
  readonly drives: readonly DriveStats[];
  readonly nics: readonly NicStats[];
}

/** Frames that went through an adapter's cable, by what they carry; other than IP is not counted. */
export interface NicStats {
  /** {@link NicConfig.id} */
  readonly id: string;
  readonly received: IpBytes;
  readonly sent: IpBytes;
}

/** Bytes of whole frames. */
export interface IpBytes {
  readonly ipv4: number;
  readonly ipv6: number;
}

export interface DriveStats {
  /** {@link DriveConfig.id} */
  readonly id: string;
  readonly readBytes: number;
  readonly writtenBytes: number;
  readonly readRequests: number;
  readonly writeRequests: number;
  /** From a request to its answer, of all requests together. */
  readonly busyMs: number;
}

export interface MachineConfig {
  /** VM GUID, upper case, no braces. */
  readonly id: string;
  readonly name: string;
  readonly generation: 1 | 2;
  readonly memoryMb: number;
  readonly processors: number;
  /** Virtual NUMA nodes, first processors first; absent or one: the guest sees no more than one. */
  readonly numaNodes?: readonly NumaNodeConfig[];
  /** The guest may run virtual machines of its own. */
  readonly nestedVirtualization?: boolean;
  readonly biosGuid: string;
  readonly chassisAssetTag?: string;
  readonly serialNumber?: string;
  readonly firmware: FirmwareConfig;
  readonly drives: readonly DriveConfig[];
  /** Numbers of SCSI controllers present, e.g. [0]. */
  readonly scsiControllers: readonly number[];
  readonly nics: readonly NicConfig[];
  /** A TPM 2.0. Its state lives as long as the machine. */
  readonly tpm?: boolean;
  /** Index 0 is COM1. `pipe` is the pipe's name after `\\.\pipe\`; undefined = nothing connected. */
  readonly serialPorts: readonly SerialPortConfig[];
  /** Devices of the host that the machine has for itself. */
  readonly pciDevices?: readonly PciDeviceConfig[];
  /** A 3D video adapter in place of the plain one. */
  readonly video?: VideoConfig;
}

export interface PciDeviceConfig {
  readonly id: string;
  /** Name of a QEMU device that needs nothing besides itself. */
  readonly model: string;
}

/** Pixels of each monitor. */
export interface VideoConfig {
  readonly monitors: number;
  readonly width: number;
  readonly height: number;
}

export interface NumaNodeConfig {
  readonly processors: number;
  readonly memoryMb: number;
}

export interface SerialPortConfig {
  readonly pipe?: string;
}

export interface FirmwareConfig {
  /** Ids of drives and NICs, first to boot first. */
  readonly bootOrder: readonly string[];
  readonly secureBoot?: { readonly template: 'MicrosoftWindows' | 'MicrosoftUEFICertificateAuthority' };
}

/** A logical unit that a drive passes through to the guest. */
export interface UnitConfig {
  /** Names the unit on this host: one drive at a time may have it. */
  readonly id: string;
  readonly source: UnitSource;
  /** What the unit tells of itself, for the guest to see. */
  readonly vendor: string;
  readonly product: string;
  readonly revision: string;
  readonly serialNumber: string;
  readonly sectorBytes: number;
  readonly physicalSectorBytes: number;
}

export type UnitSource =
  | {
      readonly kind: 'iscsi';
      readonly portal: { readonly address: string; readonly port: number };
      readonly target: string;
      readonly lun: number;
      readonly initiatorName: string;
      readonly chap?: { readonly username: string; readonly secret: string };
    }
  /** A raw file of this machine. */
  | { readonly kind: 'file'; readonly path: string };

export interface DriveConfig {
  /** Stable for the drive's life; unique in its machine; safe in a file name. */
  readonly id: string;
  readonly bus: 'ide' | 'scsi';
  readonly controller: number;
  readonly slot: number;
  readonly kind: 'disk' | 'dvd';
  /** This machine's path; without it and {@link unit} the drive is empty. */
  readonly path?: string;
  /** In place of a file; disks only. */
  readonly unit?: UnitConfig;
  readonly readOnly?: boolean;
  /** 8 KiB-normalised IOPS; 0 or undefined = none. */
  readonly iopsLimit?: number;
}

export interface NicConfig {
  readonly id: string;
  readonly type: 'synthetic' | 'legacy';
  /** `00:15:5d:01:02:03`. */
  readonly mac: string;
  /** The guest may send from other addresses than `mac`; default false. */
  readonly macSpoofing?: boolean;
  /** Id of the virtual switch that it is plugged into. */
  readonly switchId?: string;
}

export function hasContent(drive: DriveConfig): boolean {
  return drive.path !== undefined || drive.unit !== undefined;
}

/** Whether two drives hold the same file or unit, reached in the same way. */
export function sameContent(a: DriveConfig, b: DriveConfig): boolean {
  return a.path === b.path && JSON.stringify(a.unit?.source) === JSON.stringify(b.unit?.source);
}

/** `code` tells the caller which Hyper-V error it is. */
export class EngineError extends Error {
  readonly code:
    | 'DISK_IN_USE'
    | 'DISK_INVALID'
    | 'FILE_NOT_FOUND'
    | 'OUT_OF_MEMORY'
    | 'NOT_RUNNING'
    | 'ALREADY_RUNNING'
    | 'UNSUPPORTED'
    | 'FAILED';
  constructor(code: EngineError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'EngineError';
    this.code = code;
  }
}
