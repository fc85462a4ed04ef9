import type { DeviceMetadata, Flavor, VolumeDevice } from '@nova-hyperv/driver';
import type { BlockDeviceChanges, BlockDeviceRecord } from '../block-device.js';
import { ComputeError } from '../errors.js';
import type { InstanceRecord } from '../ports.js';
import type { CinderClient } from '../rest/cinder.js';
import type { ComputeContext } from './context.js';
import { refOf } from './instance-view.js';

/** Cinder, for what cannot be done without it. @throws ComputeError */
export function cinderOf({ volumes }: ComputeContext): CinderClient {
  if (volumes !== undefined) return volumes;
  throw new ComputeError(
    'InvalidInput',
    'Invalid input received: this compute service has no block storage service to ask for volumes. Boot from an image, without volumes.',
    { scope: 'host' },
  );
}

/** What the driver works with; null while it is not known how the volume is reached. */
export function volumeDevice(device: BlockDeviceRecord): VolumeDevice | null {
  const { volumeId, connectionInfo, bootIndex, diskBus, deviceType, tag } = device;
  if (volumeId === null || connectionInfo === null) return null;
  return { volumeId, connectionInfo, bootIndex, diskBus, deviceType, tag };
}

export function volumeDevices(devices: readonly BlockDeviceRecord[]): readonly VolumeDevice[] {
  return devices.map(volumeDevice).filter((device) => device !== null);
}

/** Volumes that the instance's machine has or may have. */
export async function connectedVolumes(ctx: ComputeContext, uuid: string): Promise<readonly VolumeDevice[]> {
  return volumeDevices(await ctx.blockDevices.list(uuid));
}

/** Saves a change of a device that must still be there. @throws ComputeError VolumeBDMNotFound */
export async function saveDevice(
  ctx: ComputeContext,
  device: BlockDeviceRecord,
  changes: BlockDeviceChanges,
): Promise<BlockDeviceRecord> {
  const saved = await ctx.blockDevices.save(device.uuid, changes);
  if (saved !== null) return saved;
  throw new ComputeError(
    'VolumeBDMNotFound',
    `No volume Block Device Mapping with id ${device.volumeId ?? device.uuid}.`,
  );
}

/** The flavor as far as it takes of the host: the root disk of an instance that boots from a volume is not on it. */
export function hostedFlavor(record: Pick<InstanceRecord, 'imageRef'>, flavor: Flavor): Flavor {
  return record.imageRef === '' ? { ...flavor, rootGb: 0 } : flavor;
}

/** Where the guest finds its disks and tagged NICs (Nova's instance device metadata). */
export async function readDeviceMetadata(
  ctx: ComputeContext,
  record: InstanceRecord,
): Promise<readonly DeviceMetadata[]> {
  const volumes = await connectedVolumes(ctx, record.uuid);
  const disks = volumes.length === 0 ? [] : await ctx.driver.volumeMetadata(refOf(record), volumes);
  return [...disks, ...record.networkInfo.flatMap(nicMetadata)];
}

function nicMetadata({ mac, tag }: InstanceRecord['networkInfo'][number]): readonly DeviceMetadata[] {
  return tag === undefined ? [] : [{ type: 'nic', bus: 'none', address: null, mac, tags: [tag] }];
}

/** After a change of an instance's devices. For the guest's eye: a failure does not undo the change. */
export async function refreshDeviceMetadata(ctx: ComputeContext, record: InstanceRecord): Promise<void> {
  try {
    await ctx.instances.save(record.uuid, { deviceMetadata: await readDeviceMetadata(ctx, record) });
  } catch (error) {
    ctx.log.warn(
      { err: error, instance: record.uuid },
      'the device metadata of an instance could not be renewed',
    );
  }
}
