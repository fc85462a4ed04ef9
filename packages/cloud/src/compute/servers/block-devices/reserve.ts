import { randomUUID } from 'node:crypto';
import type { BlockDeviceRecord } from '@nova-hyperv/compute';
import { badRequest, ApiError } from '../../../kernel/errors.js';
import type { Nova } from '../../deps.js';
import type { VolumeApi } from '../../ports.js';
import { blockDevicesOf, removeBlockDevice } from '../../store/block-devices.js';
import { cinderAnswer } from './sources.js';
import type { Mapping } from './request.js';

export function newDevice(instanceUuid: string, mapping: Mapping): BlockDeviceRecord {
  const { source, id } = mapping;
  return {
    uuid: randomUUID(),
    instanceUuid,
    sourceType: source,
    volumeId: source === 'volume' ? id : null,
    snapshotId: source === 'snapshot' ? id : null,
    imageId: source === 'image' ? id : null,
    volumeSizeGb: mapping.sizeGb,
    volumeType: mapping.volumeType,
    bootIndex: mapping.bootIndex,
    deviceName: mapping.deviceName,
    diskBus: mapping.diskBus,
    deviceType: mapping.deviceType,
    guestFormat: mapping.guestFormat,
    deleteOnTermination: mapping.deleteOnTermination,
    attachmentId: null,
    connectionInfo: null,
    tag: mapping.tag,
    state: 'reserved',
  };
}

/**
 * Reserves the volumes of a server that is about to be stored, stores it by `store`, and gives them back when that fails. A kill in between leaves
 * reservations of a server that never was: {@link releaseLostReservations} finds them. Throws 400 when a volume is taken.
 */
export async function withReservedVolumes<T>(
  nova: Nova,
  token: string,
  devices: readonly BlockDeviceRecord[],
  store: (reserved: readonly BlockDeviceRecord[]) => Promise<T>,
): Promise<T> {
  const cinder = nova.volumesAs(token);
  const servers = new Set(devices.map(({ instanceUuid }) => instanceUuid));
  const reserved: BlockDeviceRecord[] = [];
  for (const uuid of servers) nova.reserving.add(uuid);
  try {
    for (const device of devices) {
      if (device.volumeId === null) reserved.push(device);
      else
        reserved.push({
          ...device,
          attachmentId: await reserve(cinder, device.volumeId, device.instanceUuid),
        });
    }
    return await store(reserved);
  } catch (error) {
    for (const { attachmentId } of reserved)
      if (attachmentId !== null) await giveBack(nova, cinder, attachmentId);
    throw error;
  } finally {
    for (const uuid of servers) nova.reserving.delete(uuid);
  }
}

async function reserve(cinder: VolumeApi, volumeId: string, instanceUuid: string): Promise<string> {
  try {
    return await cinderAnswer(() => cinder.reserve(volumeId, instanceUuid));
  } catch (error) {
    if (error instanceof ApiError && error.status === 400)
      throw badRequest(`Invalid volume: ${error.message}`);
    throw error;
  }
}

async function giveBack(nova: Nova, cinder: VolumeApi, attachmentId: string): Promise<void> {
  try {
    await cinder.deleteAttachment(attachmentId);
  } catch (error) {
    nova.kernel.log.warn(
      { err: error, attachment: attachmentId },
      'a reserved volume could not be given back',
    );
  }
}

/** At start: reservations that a killed process made for servers that it did not store, or that are deleted. */
export async function releaseLostReservations(nova: Nova): Promise<void> {
  const cinder = nova.volumesAs(await nova.kernel.serviceToken());
  for (const { id, instanceUuid, volumeId, status } of await cinder.attachments({})) {
    if (status !== 'reserved' || instanceUuid === '' || nova.reserving.has(instanceUuid)) continue;
    const row = await nova.db
      .selectFrom('compute_instance')
      .select('uuid')
      .where('uuid', '=', instanceUuid)
      .where('deleted', '=', 0)
      .executeTakeFirst();
    if (row !== undefined) continue;
    nova.kernel.log.warn(
      { instance: instanceUuid, volume: volumeId },
      'releasing a volume that was reserved for a server that is not there',
    );
    await giveBack(nova, cinder, id);
  }
}

/** For a server that no compute service deletes: its volumes are available again, or go with it. Harmless when done again. */
export async function releaseLocally(nova: Nova, instanceUuid: string): Promise<void> {
  const devices = await blockDevicesOf(nova.db, instanceUuid);
  if (devices.length === 0) return;
  const cinder = nova.volumesAs(await nova.kernel.serviceToken());
  for (const device of devices) {
    const { attachmentId, deleteOnTermination, volumeId } = device;
    if (attachmentId !== null) await giveBack(nova, cinder, attachmentId);
    if (deleteOnTermination && volumeId !== null) {
      await cinder.deleteVolume(volumeId).catch((error: unknown) => {
        nova.kernel.log.warn(
          { err: error, volume: volumeId },
          'a volume that should go with its server could not be deleted',
        );
      });
    }
    await removeBlockDevice(nova.db, device.uuid);
  }
}
