import type { BlockDeviceRecord } from '../block-device.js';
import { ComputeError } from '../errors.js';
import type { InstanceRecord } from '../ports.js';
import type { CinderVolume, NewVolume } from '../rest/cinder.js';
import type { CallOptions } from '../rest/rest-client.js';
import { sleep } from '../util/clock.js';
import { cinderOf, saveDevice } from './block-devices.js';
import type { ComputeContext } from './context.js';

/** Statuses of a volume that is being made. */
const BEING_MADE: ReadonlySet<string> = new Set(['creating', 'downloading']);
/** First pause of a wait; each is twice as long, up to the configured interval. */
const FIRST_PAUSE_SECONDS = 0.25;

/** Never cut short by a build's signal: what Cinder does after we had given up would be nobody's. */
function whole({ requestId }: CallOptions): CallOptions {
  return requestId === undefined ? {} : { requestId };
}

/**
 * Takes a volume as far as its connection is known: makes it if it has to be made, waits for it, reserves it for the instance and tells Cinder of this
 * host. Every step is stored before the next, so that what a kill leaves can be taken back. Once connected, connects again.
 * @throws ComputeError, RestError, or the signal's reason
 */
export async function connectVolume(
  ctx: ComputeContext,
  record: InstanceRecord,
  device: BlockDeviceRecord,
  connector: Readonly<Record<string, unknown>>,
  call: CallOptions,
): Promise<BlockDeviceRecord> {
  const cinder = cinderOf(ctx);
  const made = device.volumeId === null ? await makeVolume(ctx, record, device, call) : device;
  const volumeId = made.volumeId ?? '';
  const volume =
    device.volumeId === null ? await waitUntilMade(ctx, volumeId, call) : await cinder.volume(volumeId, call);
  checkServed(volume);
  call.signal?.throwIfAborted();
  const attachmentId = made.attachmentId ?? (await cinder.reserve(volumeId, record.uuid, whole(call)));
  const reserved = await saveDevice(ctx, made, {
    attachmentId,
    volumeSizeGb: volume.sizeGb,
    state: 'attaching',
  });
  const connectionInfo = await cinder.connect(attachmentId, connector, made.deviceName, whole(call));
  refuseEncrypted(volume.id, connectionInfo.data['encrypted'] === true, volume.volumeType);
  return saveDevice(ctx, reserved, { connectionInfo });
}

/** The host has the volume: it is in use. */
export async function completeVolume(
  ctx: ComputeContext,
  device: BlockDeviceRecord,
  call: CallOptions,
): Promise<BlockDeviceRecord> {
  await cinderOf(ctx).complete(device.attachmentId ?? '', whole(call));
  return saveDevice(ctx, device, { state: 'attached' });
}

/** What the driver could not do with. @throws ComputeError in Nova's words */
export function checkServed({ id, multiattach, encrypted, volumeType }: CinderVolume): void {
  if (multiattach) {
    throw new ComputeError(
      'MultiattachNotSupportedByVirtDriver',
      `Volume ${id} has 'multiattach' set, which is not supported for this instance.`,
    );
  }
  refuseEncrypted(id, encrypted, volumeType);
}

function refuseEncrypted(volumeId: string, encrypted: boolean, volumeType: string | null): void {
  if (!encrypted) return;
  throw new ComputeError(
    'VolumeEncryptionNotSupported',
    `Volume encryption is not supported for ${volumeType ?? 'this'} volume ${volumeId}`,
  );
}

async function makeVolume(
  ctx: ComputeContext,
  record: InstanceRecord,
  device: BlockDeviceRecord,
  call: CallOptions,
): Promise<BlockDeviceRecord> {
  const cinder = cinderOf(ctx);
  const { imageId, snapshotId, volumeType } = device;
  const sizeGb =
    device.volumeSizeGb ?? (snapshotId === null ? 0 : (await cinder.snapshot(snapshotId, call)).sizeGb);
  const wanted: NewVolume = {
    // Nova's own names (nova/virt/block_device.py).
    name: device.sourceType === 'blank' ? `${record.uuid}-blank-vol` : '',
    sizeGb,
    ...(device.sourceType === 'image' && imageId !== null ? { imageId } : {}),
    ...(device.sourceType === 'snapshot' && snapshotId !== null ? { snapshotId } : {}),
    ...(volumeType === null ? {} : { volumeType }),
  };
  const owner = { userId: record.userId, projectId: record.projectId };
  const { id } = await cinder.createVolume(wanted, owner, whole(call));
  return saveDevice(ctx, device, { volumeId: id, volumeSizeGb: sizeGb });
}

/**
 * Nova's _await_block_device_map_created, with shorter pauses at first.
 * @throws ComputeError VolumeNotCreated when it fails or takes too long
 */
export async function waitUntilMade(
  ctx: ComputeContext,
  volumeId: string,
  call: CallOptions,
): Promise<CinderVolume> {
  const { config, clock } = ctx;
  const interval = config.blockDeviceAllocateRetriesIntervalSeconds;
  const began = clock.now().getTime();
  const limitMs = Math.max(0, config.blockDeviceAllocateRetries) * interval * 1000;
  let pause = Math.min(interval, FIRST_PAUSE_SECONDS);
  for (let attempts = 1; ; attempts += 1) {
    const volume = await cinderOf(ctx).volume(volumeId, call);
    if (volume.status === 'available') return volume;
    const waitedMs = clock.now().getTime() - began;
    if (!BEING_MADE.has(volume.status) || waitedMs >= limitMs) {
      throw new ComputeError(
        'VolumeNotCreated',
        `Volume ${volumeId} did not finish being created even after we waited ${Math.floor(waitedMs / 1000)} seconds or ${attempts} attempts. And its status is ${volume.status}.`,
      );
    }
    await sleep(clock, pause * 1000, call.signal);
    pause = Math.min(interval, pause * 2);
  }
}
