import type { HyperVHost } from '@nova-hyperv/hyperv';
import type { Logger } from 'pino';
import type { DriverConfig } from '../config.js';
import type { VolumeDevice } from '../volume-types.js';
import type { VolumeAddress } from './address.js';

/** A volume as its host has it. */
export type ConnectedVolume =
  | {
      readonly kind: 'file';
      readonly volumeId: string;
      /** The host's path. */
      readonly path: string;
    }
  | {
      readonly kind: 'block';
      readonly volumeId: string;
      /** Path of the Msvm_DiskDrive. */
      readonly disk: string;
      /** Windows' number of the disk. */
      readonly number: number;
    };

export interface ConnectorContext {
  readonly host: HyperVHost;
  readonly config: DriverConfig;
  readonly log: Logger;
  readonly sleep: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
}

/** How one kind of volume comes to a host and leaves it. */
export interface Connector<A extends VolumeAddress = VolumeAddress> {
  /** Harmless when it is connected. */
  connect(address: A, volume: VolumeDevice, signal?: AbortSignal): Promise<ConnectedVolume>;
  /** Where it is now; undefined when it is not connected. */
  locate(address: A): Promise<ConnectedVolume | undefined>;
  /** Leaves alone what others need; harmless when it is not connected. `isNeeded`: whether another volume, by what it shares, is being attached. */
  disconnect(address: A, isNeeded: (shared: string) => boolean): Promise<void>;
  /** What it shares with other volumes: targets, a share. */
  sharedWith(address: A): readonly string[];
}
