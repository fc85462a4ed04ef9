import type { HyperVHost } from '@nova-hyperv/hyperv';
import type { Logger } from 'pino';
import type { DriverConfig } from './config.js';
import type { ConsoleLoggers } from './console/console-loggers.js';
import type { ImageCache } from './disks/image-cache.js';
import type { InstanceFolders } from './disks/instance-folder.js';
import type { LateCleanup } from './late-cleanup.js';
import type { VolumeConnections } from './volumes/connections.js';

/** What the driver's operations share. */
export interface DriverContext {
  readonly host: HyperVHost;
  readonly config: DriverConfig;
  readonly log: Logger;
  readonly folders: InstanceFolders;
  readonly cache: ImageCache;
  readonly consoles: ConsoleLoggers;
  readonly lateCleanup: LateCleanup;
  readonly volumes: VolumeConnections;
  /** Waiting goes through here, so that tests need not. */
  readonly sleep: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
}
