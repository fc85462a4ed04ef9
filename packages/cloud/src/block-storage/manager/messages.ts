import { randomUUID } from 'node:crypto';
import { nowIso } from '../deps.js';
import { BackendError } from '../backends/backend.js';
import { ApiError } from '../../kernel/errors.js';
import type { ManagerDeps } from './deps.js';

/** cinder/message/message_field.py: numbers and texts that clients know. */
const ACTIONS = {
  schedule: ['001', 'schedule allocate volume'],
  upload: ['003', 'copy volume to image'],
  image: ['005', 'copy image to volume'],
  extend: ['007', 'extend volume'],
  create: ['008', 'create volume from backend storage'],
  snapshot: ['009', 'create snapshot'],
  deleteSnapshot: ['010', 'delete snapshot'],
} as const;
const DETAILS = {
  unknown: ['001', 'An unknown error occurred.'],
  noBackend: ['003', 'Could not find any available weighted backend.'],
  uploadFailed: ['004', 'Failed to upload volume to image at backend.'],
  noSpace: ['007', 'Image used for creating volume exceeds available space.'],
  computeFailed: ['009', 'Compute service failed to extend volume.'],
  extendFailed: ['010', 'Volume Driver failed to extend volume.'],
  createFailed: ['012', 'Driver failed to create the volume.'],
  snapshotFailed: ['013', 'Snapshot failed to create.'],
  snapshotNotDeleted: ['016', 'Snapshot failed to delete.'],
} as const;

export interface Report {
  readonly action: keyof typeof ACTIONS;
  readonly detail: keyof typeof DETAILS;
  /** What the user can know of the cause. */
  readonly reason: string;
  readonly resource: 'VOLUME' | 'VOLUME_SNAPSHOT';
  readonly id: string;
  readonly projectId: string;
}

/** Leaves a message that the user reads with `cinder message-list`: what Cinder says, and why. */
export async function report(deps: Pick<ManagerDeps, 'db'>, what: Report): Promise<void> {
  const [actionId, action] = ACTIONS[what.action];
  const [detailId, detail] = DETAILS[what.detail];
  await deps.db
    .insertInto('block_storage_message')
    .values({
      id: randomUUID(),
      project_id: what.projectId,
      event_id: `VOLUME_${what.resource}_${actionId}_${detailId}`,
      user_message: `${action}:${detail}${what.reason === '' ? '' : ` ${what.reason}`}`,
      resource_type: what.resource,
      resource_uuid: what.id,
      request_id: '',
      created_at: nowIso(),
    })
    .execute();
}

/** The part of an error that is written for users. */
export const reasonFor = (error: unknown): string =>
  error instanceof BackendError || error instanceof ApiError ? error.message : '';
