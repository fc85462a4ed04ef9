import type { AssignableDevice, RemoteFxFacts } from '@nova-hyperv/hyperv';
import type { DiskInfo } from '@nova-hyperv/vhd';
import type { DriverConfig } from '../config.js';
import type { ImageMeta, Instance, Vif } from '../types.js';
import type { VolumeDevice } from '../volume-types.js';

/** What a plan needs to know of the host: all of it is read before planning and cached per connection. */
export interface PlanHostFacts {
  readonly name: string;
  /** Windows' own: `10.0.20348`. */
  readonly windowsVersion: { readonly major: number; readonly minor: number; readonly build: number };
  readonly logicalProcessors: number;
  /** Clock of one logical processor in MHz; 0 when the host does not tell. */
  readonly processorMhz: number;
  /** A node of a failover cluster. */
  readonly clustered: boolean;
  readonly switches: readonly PlanSwitch[];
  /** Whether it is a guarded host; undefined when it was not asked. */
  readonly guarded?: boolean;
  /** Read only for instances that have claimed some. */
  readonly pciDevices?: readonly AssignableDevice[];
  /** Read only for flavors that ask for RemoteFX. */
  readonly remoteFx?: RemoteFxFacts;
}

export interface PlanSwitch {
  /** GUID. */
  readonly id: string;
  readonly name: string;
  /** Connected to a physical network; undefined when the host does not tell. */
  readonly external?: boolean;
}

/** What is known before the image is fetched. */
export interface EarlyPlanInput {
  readonly instance: Instance;
  readonly image: ImageMeta;
  readonly vifs: readonly Vif[];
  readonly host: PlanHostFacts;
  readonly config: DriverConfig;
  /** Whether the instance is to have a config drive; default false. */
  readonly configDrive?: boolean;
  /** Cinder volumes of the instance, in the order of their block device mappings. */
  readonly volumes?: readonly PlanVolume[];
  /** The machine boots from a volume: it has no root file. Undefined: as {@link volumes} say. */
  readonly rootIsVolume?: boolean;
  /** DeviceIDs of the host's devices that the instance's machine has already (resize). */
  readonly ownPciDevices?: readonly string[];
}

/** A volume, and what its connection tells. */
export interface PlanVolume {
  readonly device: VolumeDevice;
  /** The host's path of a volume that is a file; undefined for one that is a disk. */
  readonly path?: string;
}

/** The cached image, inspected; `volume` where the machine boots from a volume and needs no image. */
export type BaseImage =
  | { readonly kind: 'volume' }
  | { readonly kind: 'disk'; readonly path: string; readonly info: DiskInfo }
  | { readonly kind: 'iso'; readonly path: string };

export interface PlanInput extends EarlyPlanInput {
  readonly base: BaseImage;
}
