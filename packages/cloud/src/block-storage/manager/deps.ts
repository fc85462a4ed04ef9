import type { Kysely } from 'kysely';
import type { Logger } from 'pino';
import type { ImageApi } from '../rest/glance.js';
import type { ComputeApi } from '../rest/nova.js';
import type { BlockStorageTables } from '../tables.js';
import type { BackendRegistry } from './registry.js';

/** What work on volumes needs. */
export interface ManagerDeps {
  readonly db: Kysely<BlockStorageTables>;
  readonly log: Logger;
  readonly backends: BackendRegistry;
  readonly images: ImageApi;
  readonly compute: ComputeApi;
  readonly serviceToken: () => Promise<string>;
  /** Folder for content on its way between images and volumes; emptied at start. */
  readonly conversionDir: string;
}

/** A piece of work: given up when `signal` says so, which leaves its row as it is. */
export interface Task {
  readonly signal: AbortSignal;
  /** Lets nobody else work on another volume meanwhile: the one that content is copied from. */
  lock<T>(volumeId: string, work: () => Promise<T>): Promise<T>;
}
