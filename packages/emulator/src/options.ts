import type { Logger } from 'pino';
import type { PciModelName } from './devices/pci-models.js';

/** Windows Server releases that the host can be; what differs between them follows from it. */
export type WindowsRelease = '2012R2' | '2016' | '2019' | '2022' | '2025';

/** A physical PCI device of the host; `mounted` = still the host's own, so that no machine can have it. Default: dismounted. */
export interface PciDeviceOption {
  readonly model: PciModelName;
  readonly mounted?: boolean;
}

/** A share of a file server that the host can reach. */
export interface ShareOption {
  /** `\\server\share` */
  readonly remotePath: string;
  /** Folder of this machine that it is. */
  readonly folder: string;
  /** Who may connect; without them everybody may, and paths work without a connection. */
  readonly username?: string;
  readonly password?: string;
}

/** A Fibre Channel adapter, and what its fabric leads to. World-wide names are 16 hexadecimal digits. */
export interface FibreChannelOption {
  readonly nodeName: string;
  /** One name for each port. */
  readonly portNames: readonly string[];
  readonly units?: readonly {
    readonly targetPortName: string;
    /** Default: the name of the port. */
    readonly targetNodeName?: string;
    readonly lun: number;
    /** Raw file of this machine with the unit's content; there as soon as the file is and the host has looked. */
    readonly file: string;
  }[];
}

/** `removed`: a graphics processor and the server role are there, and an update has taken the component away. */
export type RemoteFx = 'absent' | 'present' | 'removed';

/** What a host is started with. Everything it knows besides lives under `stateDir`. */
export interface EmulatedHostOptions {
  /** Computer name, 1-15 characters. */
  readonly name: string;
  readonly release: WindowsRelease;
  /** Holds the WMI objects' state, the host's drives (`C/` is `C:\`), pipes (sockets), the machines' firmware. */
  readonly stateDir: string;
  /** `none`: machines have power states and do not boot. */
  readonly engine: 'qemu' | 'none';
  /** Loopback by default; port 0 = any. */
  readonly listen?: { readonly address?: string; readonly port?: number };
  readonly credentials: { readonly username: string; readonly password: string };
  /** Logical processors that the host reports; default 8. */
  readonly processors?: number;
  /** MiB that the host reports and starts machines in; default: this machine's own. */
  readonly memoryMb?: number;
  /** NUMA nodes among which processors and memory are divided evenly; default 1. */
  readonly numaNodes?: number;
  /** Whether a machine that fits into no NUMA node may have memory of several; default true, as on Windows. */
  readonly numaSpanning?: boolean;
  /** Name of the failover cluster that the host is a node of; default none. */
  readonly cluster?: string;
  /** The host is guarded: it may start shielded machines of the emulated fabric. From 2016 on. Default false. */
  readonly guarded?: boolean;
  /** External virtual switches to start with; default one named `external`. */
  readonly switches?: readonly string[];
  /** Physical PCI devices, in the order of their places; hosts from 10.0 on. A host keeps its own by their order. */
  readonly pciDevices?: readonly PciDeviceOption[];
  /** Default `absent`. Releases after 2019 never had it. */
  readonly remoteFx?: RemoteFx;
  /** Shares of file servers around the host; default none. */
  readonly shares?: readonly ShareOption[];
  readonly fibreChannel?: FibreChannelOption;
  /** Whether the Multipath I/O feature is installed; default true. */
  readonly multipath?: boolean;
  /** Call shapes to refuse, so that clients' fall-backs can be tested; names of `REFUSALS`. */
  readonly refuse?: readonly string[];
  /** 'job' (default): deep validation is told by a failed job; 'direct': by the return value. */
  readonly validation?: 'job' | 'direct';
  readonly log: Logger;
}

/** The far end of the wire behind an external switch. */
export interface Uplink {
  /** Puts a frame onto the wire, for the switch to take in. */
  send(frame: Buffer): void;
  unplug(): void;
}

/** A host that runs. Stop it to free its port, its lock on the folder and its sockets. */
export interface EmulatedHost {
  readonly name: string;
  /** `http://127.0.0.1:PORT/wsman` */
  readonly url: string;
  readonly credentials: { readonly username: string; readonly password: string };
  /** Folder of this machine that is the host's drive `C:\`. */
  readonly driveC: string;
  /** Folder with one unix socket for each open pipe: `\\.\pipe\NAME` is `<pipes>/NAME`. */
  readonly pipes: string;
  /**
   * Plugs a cable into the physical network adapter behind an external switch: `receive` is given every frame that the switch sends out
   * there and keeps none of their memory. An engine without guests sends none. EmulatorError EMULATOR_OPTION for a switch that is not there.
   */
  plugUplink(switchName: string, receive: (frame: Buffer) => void): Uplink;
  /** `keep` leaves guests running for the next process; `shut-down` does what Windows does when it shuts down. */
  stop(guests: 'keep' | 'shut-down'): Promise<void>;
}
