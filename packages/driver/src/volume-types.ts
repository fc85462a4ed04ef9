import type { InstanceRef } from './types.js';

/** How a volume is reached, as Cinder's attachment tells it (`connection_info`): `iscsi`, `fibre_channel`, `rbd`, `smbfs` or what this driver refuses. */
export interface ConnectionInfo {
  readonly driverVolumeType: string;
  /** Cinder's own names (`target_portal`, `export`, `qos_specs` …); holds secrets, so it never enters a log. */
  readonly data: Readonly<Record<string, unknown>>;
}

/** A Cinder volume of an instance: what its block device mapping says (nova/virt/block_device.py, DriverVolumeBlockDevice). */
export interface VolumeDevice {
  readonly volumeId: string;
  readonly connectionInfo: ConnectionInfo;
  /** 0 = the instance boots from it; null or negative: never booted from. */
  readonly bootIndex: number | null;
  /** What the user wishes, lower case as Nova stores it; null = the driver's choice. */
  readonly diskBus: string | null;
  readonly deviceType: string | null;
  readonly tag: string | null;
}

/** One device of an instance as its guest finds it (nova/objects/virt_device_metadata.py). */
export type DeviceMetadata =
  | {
      readonly type: 'disk';
      readonly bus: 'scsi' | 'ide';
      /** `0:0:0:1`: SCSI host, channel, target, LUN as the guest counts them. */
      readonly address: string;
      /** The Cinder volume's id. */
      readonly serial: string;
      readonly tags: readonly string[];
    }
  | {
      readonly type: 'nic';
      readonly bus: 'none';
      readonly address: null;
      readonly mac: string;
      readonly tags: readonly string[];
      readonly vlan?: number;
    };

/** What Nova's driver does with volumes (nova/virt/driver.py). */
export interface VolumeDriver {
  /** What Cinder must know of this host to export a volume to it (get_volume_connector): initiator, WWPNs, multipath … */
  volumeConnector(): Promise<Readonly<Record<string, unknown>>>;
  /**
   * Connects and attaches, to a running machine hot. After a failure no session, mapping or drive is left.
   * VolumeAttachFailed, VolumeDriverNotFound, DiskNotFound, InstanceNotFound.
   */
  attachVolume(instance: InstanceRef, volume: VolumeDevice): Promise<void>;
  /** Harmless when it is not attached. */
  detachVolume(instance: InstanceRef, volume: VolumeDevice): Promise<void>;
  /**
   * Makes a running or stopped machine see the size that the volume has now. Refuses (ExtendVolumeNotSupported) what cannot grow while
   * attached; then the volume and its attachment are as before.
   */
  extendVolume(instance: InstanceRef, volume: VolumeDevice, requestedBytes: number): Promise<void>;
  /** Where the guest finds the disks of these volumes, those of them that are attached. */
  volumeMetadata(instance: InstanceRef, volumes: readonly VolumeDevice[]): Promise<readonly DeviceMetadata[]>;
}
