import { isRefusal } from '@nova-hyperv/hyperv';
import type { DriverContext } from '../context.js';
import type { InstanceRef } from '../types.js';
import type { VolumeDevice } from '../volume-types.js';
import type { VolumeAddress } from './address.js';
import { addressIfAny } from './drives.js';
import { changeRecord, readRecord } from './record.js';

/**
 * Disconnects the host from all volumes of an instance, whose machine has none of them any more: those that are named, and those that its record
 * names. What the host refuses to let go of is told in the log; when it cannot be asked, the record stays and the failure is thrown.
 */
export async function disconnectAll(
  context: DriverContext,
  instance: InstanceRef,
  devices: readonly VolumeDevice[] = [],
): Promise<void> {
  const named = devices.map((device) => addressIfAny(device)).filter((address) => address !== undefined);
  const recorded = await readRecord(context, instance);
  const addresses = new Map([...named, ...recorded].map((address) => [address.volumeId, address]));
  let failure: unknown;
  for (const address of addresses.values()) {
    try {
      await disconnectOne(context, instance, address);
    } catch (error) {
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
}

export async function disconnectOne(
  context: DriverContext,
  instance: InstanceRef,
  address: VolumeAddress,
): Promise<void> {
  const { volumeId: volume } = address;
  try {
    await context.volumes.disconnect(address);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    context.log.warn(
      { err: error, instance: instance.uuid, volume },
      'The host does not disconnect itself from the volume; the instance does not have it any more',
    );
  }
  await changeRecord(context, instance, { remove: [volume] });
}
