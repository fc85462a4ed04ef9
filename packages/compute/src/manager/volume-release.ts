import type { BlockDeviceRecord } from '../block-device.js';
import { ComputeError, type ComputeExceptionName } from '../errors.js';
import type { InstanceRecord } from '../ports.js';
import type { CinderClient } from '../rest/cinder.js';
import type { CallOptions } from '../rest/rest-client.js';
import { cinderOf } from './block-devices.js';
import type { ComputeContext } from './context.js';
import { waitUntilMade } from './volume-connect.js';

/** `release`: for good, volumes that go with their instance are deleted; `keep`: for the next host to go on with. */
export type VolumesAfter = 'release' | 'keep';

const isNova = (error: unknown, ...names: readonly ComputeExceptionName[]): boolean =>
  error instanceof ComputeError && names.includes(error.novaName);

/**
 * Gives the volumes of an instance back to Cinder, when its machine has them no more; may be done again after any interruption.
 * @throws RestError and what Cinder refuses, after every other volume was given back
 */
export async function releaseVolumes(
  ctx: ComputeContext,
  record: Pick<InstanceRecord, 'uuid'>,
  after: VolumesAfter,
  call: CallOptions,
): Promise<void> {
  const failures: unknown[] = [];
  for (const device of await ctx.blockDevices.list(record.uuid)) {
    try {
      await releaseVolume(ctx, device, after, call);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

async function releaseVolume(
  ctx: ComputeContext,
  device: BlockDeviceRecord,
  after: VolumesAfter,
  call: CallOptions,
): Promise<void> {
  await disconnectVolume(ctx, device, call);
  if (after === 'keep') {
    await ctx.blockDevices.save(device.uuid, { attachmentId: null, connectionInfo: null, state: 'reserved' });
    return;
  }
  if (device.deleteOnTermination && device.volumeId !== null) await deleteVolume(ctx, device.volumeId, call);
  await ctx.blockDevices.remove(device.uuid);
}

/** Ends the device's attachment at Cinder, also one that was made in the moment before a kill and is not in the store. */
export async function disconnectVolume(
  ctx: ComputeContext,
  device: BlockDeviceRecord,
  call: CallOptions,
): Promise<void> {
  const { volumeId, attachmentId, instanceUuid } = device;
  if (volumeId === null) return;
  const cinder = cinderOf(ctx);
  if (attachmentId !== null) {
    await deleteAttachment(cinder, attachmentId, call);
    return;
  }
  try {
    for (const { id } of await cinder.attachments({ volumeId, instanceUuid }, call))
      await deleteAttachment(cinder, id, call);
  } catch (error) {
    if (!isNova(error, 'VolumeNotFound')) throw error;
  }
}

async function deleteAttachment(
  cinder: CinderClient,
  attachmentId: string,
  call: CallOptions,
): Promise<void> {
  try {
    await cinder.deleteAttachment(attachmentId, call);
  } catch (error) {
    if (!isNova(error, 'VolumeAttachmentNotFound')) throw error;
  }
}

/** What Cinder refuses to delete (a volume that has snapshots) stays, as in Nova; the instance does not wait for it. */
async function deleteVolume(ctx: ComputeContext, volumeId: string, call: CallOptions): Promise<void> {
  try {
    await waitUntilMade(ctx, volumeId, call);
  } catch (error) {
    if (isNova(error, 'VolumeNotFound')) return;
    if (!isNova(error, 'VolumeNotCreated')) throw error;
  }
  try {
    await cinderOf(ctx).deleteVolume(volumeId, call);
  } catch (error) {
    if (isNova(error, 'VolumeNotFound')) return;
    if (!(error instanceof ComputeError)) throw error;
    ctx.log.warn(
      { err: error, volume: volumeId },
      'a volume that should go with its instance could not be deleted',
    );
  }
}
