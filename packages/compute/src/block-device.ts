import type { ConnectionInfo } from '@nova-hyperv/driver';

/**
 * How far a volume is on its way to or from its instance. Nova keeps no such state; here it is what a restart after a kill goes by:
 * `reserved`: asked for, nothing on the host; `attaching`, `detaching`: the host may have it; `attached`: host and Cinder agree.
 */
export type AttachState = 'reserved' | 'attaching' | 'attached' | 'detaching';

export type SourceType = 'volume' | 'image' | 'snapshot' | 'blank';

/** A volume of an instance, there or to be made: Nova's BlockDeviceMapping (nova/objects/block_device.py) with destination `volume`. */
export interface BlockDeviceRecord {
  readonly uuid: string;
  readonly instanceUuid: string;
  readonly sourceType: SourceType;
  /** Null until the volume is made. */
  readonly volumeId: string | null;
  readonly snapshotId: string | null;
  readonly imageId: string | null;
  /** Null = as large as what it is made from. */
  readonly volumeSizeGb: number | null;
  readonly volumeType: string | null;
  /** 0 = the instance boots from it; null or negative: never booted from. */
  readonly bootIndex: number | null;
  /** `/dev/sdb`: shown to users; guests find volumes by address and serial. */
  readonly deviceName: string | null;
  readonly diskBus: string | null;
  readonly deviceType: string | null;
  readonly guestFormat: string | null;
  readonly deleteOnTermination: boolean;
  readonly attachmentId: string | null;
  /** Holds secrets: kept in the store only, never shown, never logged. */
  readonly connectionInfo: ConnectionInfo | null;
  readonly tag: string | null;
  readonly state: AttachState;
}

export type BlockDeviceChanges = Partial<
  Pick<
    BlockDeviceRecord,
    | 'volumeId'
    | 'volumeSizeGb'
    | 'deviceName'
    | 'deleteOnTermination'
    | 'attachmentId'
    | 'connectionInfo'
    | 'state'
  >
>;

/** The volumes of instances, beside the instances. */
export interface BlockDeviceStore {
  /** In the order in which they were asked for. */
  list(instanceUuid: string): Promise<readonly BlockDeviceRecord[]>;
  add(device: BlockDeviceRecord): Promise<void>;
  /** Null when it is gone. */
  save(uuid: string, changes: BlockDeviceChanges): Promise<BlockDeviceRecord | null>;
  /** Harmless when it is gone. */
  remove(uuid: string): Promise<void>;
}

/** True for the device that an instance boots from. */
export function isBootVolume({ bootIndex }: Pick<BlockDeviceRecord, 'bootIndex'>): boolean {
  return bootIndex === 0;
}
