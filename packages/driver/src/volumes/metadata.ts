import type { DriverContext } from '../context.js';
import { requireMachine } from '../lookup.js';
import type { ObservedDrive } from '../realise/observed.js';
import { observe } from '../realise/realise.js';
import type { InstanceRef } from '../types.js';
import type { DeviceMetadata, VolumeDevice } from '../volume-types.js';
import { addressIfAny, isDriveOf } from './drives.js';

/** Where the guest finds volumes; those that are not attached are left out. Nothing is asked of the host when there are none. */
export async function volumeMetadata(
  { host, volumes }: DriverContext,
  instance: InstanceRef,
  devices: readonly VolumeDevice[],
): Promise<readonly DeviceMetadata[]> {
  if (devices.length === 0) return [];
  const { drives } = await observe(host, await requireMachine(host, instance));
  const found: DeviceMetadata[] = [];
  for (const device of devices) {
    const { volumeId, tag } = device;
    const address = addressIfAny(device);
    const file = address?.type === 'smbfs' ? await volumes.locate(address) : undefined;
    const drive = drives.find((candidate) => isDriveOf(candidate, volumeId, file));
    if (drive === undefined) continue;
    found.push({
      type: 'disk',
      bus: drive.bus,
      address: guestAddress(drive),
      serial: volumeId,
      tags: tag === null ? [] : [tag],
    });
  }
  return found;
}

/** SCSI: host, channel, controller, slot; IDE: controller and slot (usage guide, "Identifying disks"). */
function guestAddress({ bus, controller, slot }: Pick<ObservedDrive, 'bus' | 'controller' | 'slot'>): string {
  return bus === 'scsi' ? `0:0:${controller}:${slot}` : `${controller}:${slot}`;
}
