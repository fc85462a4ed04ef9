import type { Kysely, Transaction } from 'kysely';
import type { Logger } from 'pino';
import type { CloudKernel, RequestContext } from '../kernel/service.js';
import type { BackendRegistry } from './manager/registry.js';
import type { VolumeManager } from './manager/manager.js';
import type { ImageApi } from './rest/glance.js';
import type { ComputeApi } from './rest/nova.js';
import type { BlockStorageTables } from './tables.js';

export type BlockStorageDb = Kysely<BlockStorageTables> | Transaction<BlockStorageTables>;

/** What the parts of the block storage service share. */
export interface Cinder {
  readonly kernel: CloudKernel;
  readonly db: Kysely<BlockStorageTables>;
  readonly log: Logger;
  readonly backends: BackendRegistry;
  readonly images: ImageApi;
  readonly compute: ComputeApi;
  readonly manager: VolumeManager;
}

/** Name of the one availability zone: cinder.conf `storage_availability_zone`. */
export const ZONE = 'nova';

/** A caller sees what its project has; administrators and services see everything. */
export const mayTouch = (context: RequestContext, projectId: string): boolean =>
  context.isAdmin || context.projectId === projectId;

export const nowIso = (): string => new Date().toISOString();
