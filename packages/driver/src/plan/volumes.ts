import { DriverError } from '../errors.js';
import type { VolumeDevice } from '../volume-types.js';
import { checkedLimit, iopsLimitOf } from './disk-limits.js';
import type { EarlyPlanInput, PlanVolume } from './input.js';
import type { BootIndexes } from './boot-order.js';
import type { SlotAllocator } from './slots.js';
import { bootDeviceOfDrive } from './vm-spec.js';
import type { Bus, DriveSpec, Generation } from './vm-spec.js';

/** The drive of a volume; `bootIndex` is below 0 where it is never booted from. */
export interface VolumeDrive {
  readonly drive: DriveSpec;
  readonly bootIndex: number;
}

/** Nova: the device with boot index 0 is what the instance boots from. */
export function isRootVolume({ bootIndex }: VolumeDevice): boolean {
  return bootIndex === 0;
}

export function bootsFromVolume({
  rootIsVolume,
  volumes = [],
}: Pick<EarlyPlanInput, 'rootIsVolume' | 'volumes'>): boolean {
  return rootIsVolume ?? volumes.some(({ device }) => isRootVolume(device));
}

/** Every rule that does not need the machine's slots. */
export function refuseVolumes(
  { volumes = [], host }: Pick<EarlyPlanInput, 'volumes' | 'host'>,
  generation: Generation,
): void {
  for (const volume of volumes) {
    busOf(volume.device, generation);
    refuseDeviceType(volume.device);
    refuseVhdRoot(volume, generation);
    volumeLimit(volume, host);
  }
}

function refuseVhdRoot({ device, path = '' }: PlanVolume, generation: Generation): void {
  if (generation === 1 || !isRootVolume(device) || !/\.vhd$/i.test(path)) return;
  throw new DriverError(
    'InstanceUnacceptable',
    `Volume ${device.volumeId} is a VHD, and a generation 2 machine boots from VHDX only. Use a volume of a backend that makes VHDX, or hw_machine_type=hyperv-gen1 in its image metadata.`,
  );
}

/** @throws DriverError InvalidDiskInfo, InvalidBDMFormat when the machine has no free slot */
export function volumeDrive(
  volume: PlanVolume,
  generation: Generation,
  slots: SlotAllocator,
  host: EarlyPlanInput['host'],
): VolumeDrive {
  const { device, path } = volume;
  refuseDeviceType(device);
  const slot = slots.take(busOf(device, generation));
  const drive: DriveSpec = {
    ...slot,
    kind: 'disk',
    path: path ?? '',
    iopsLimit: volumeLimit(volume, host),
    ...(path === undefined ? { volumeId: device.volumeId } : {}),
  };
  return { drive, bootIndex: device.bootIndex ?? -1 };
}

export function bootIndexesOf(drives: readonly VolumeDrive[]): BootIndexes {
  return new Map(
    drives
      .filter(({ bootIndex }) => bootIndex >= 0)
      .map(({ drive, bootIndex }) => [bootDeviceOfDrive(drive), bootIndex]),
  );
}

/** SCSI unless something else is asked for: it takes disks while the machine runs. A BIOS boots from IDE only. */
export function busOf(device: VolumeDevice, generation: Generation): Bus {
  const { volumeId, diskBus } = device;
  const asked = diskBus?.trim().toLowerCase() ?? '';
  const biosRoot = generation === 1 && isRootVolume(device);
  if (asked === '') return biosRoot ? 'ide' : 'scsi';
  if (asked === 'scsi' && biosRoot) {
    throw new DriverError(
      'InvalidDiskInfo',
      `Disk info of volume ${volumeId} is invalid: it asks for disk_bus scsi, and a generation 1 machine boots from IDE only. Leave disk_bus out, or use an image with hw_machine_type=hyperv-gen2.`,
    );
  }
  if (asked === 'scsi' || (asked === 'ide' && generation === 1)) return asked;
  const buses = generation === 1 ? 'ide and scsi' : 'scsi only';
  throw new DriverError(
    'InvalidDiskInfo',
    `Disk info of volume ${volumeId} is invalid: disk_bus ${asked} is unknown to machines of generation ${generation}, which have ${buses}.`,
  );
}

export function refuseDeviceType({ volumeId, deviceType }: VolumeDevice): void {
  const asked = deviceType?.trim().toLowerCase() ?? '';
  if (asked === '' || asked === 'disk') return;
  throw new DriverError(
    'InvalidDiskInfo',
    `Disk info of volume ${volumeId} is invalid: device_type ${asked} is not served; volumes are attached as disk.`,
  );
}

/** What front-end QoS specs ask for; keys that this driver knows, and all others. */
export function qosOf({ connectionInfo }: VolumeDevice): {
  readonly iops: number;
  readonly bytes: number;
  readonly others: readonly string[];
} {
  const specs = connectionInfo.data['qos_specs'];
  const entries = typeof specs === 'object' && specs !== null ? Object.entries(specs) : [];
  const { total_iops_sec: iops, total_bytes_sec: bytes, ...others } = Object.fromEntries(entries);
  return { iops: wholeNumber(iops), bytes: wholeNumber(bytes), others: Object.keys(others) };
}

function wholeNumber(value: unknown): number {
  if (value === undefined || value === null) return 0;
  const text = typeof value === 'number' || typeof value === 'string' ? String(value).trim() : '';
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new DriverError(
    'InstanceUnacceptable',
    `The QoS specs of the volume's type hold total_iops_sec or total_bytes_sec of ${JSON.stringify(value).slice(0, 40)}: a whole number from 0 is needed.`,
  );
}

/** Only files have limits: a host passes the I/O of its disks through (usage guide, "Cinder Volumes"). */
function volumeLimit({ device, path }: PlanVolume, host: EarlyPlanInput['host']): number {
  if (path === undefined) return 0;
  const { iops, bytes } = qosOf(device);
  return checkedLimit(iopsLimitOf(iops, bytes), host, `The QoS specs of volume ${device.volumeId} limit it`);
}

/** What of the QoS specs is not heeded, as a sentence for the log; undefined when all of it is. */
export function ignoredQos({ device, path }: PlanVolume): string | undefined {
  const { iops, bytes, others } = qosOf(device);
  const ignored = [
    ...(path === undefined && iops > 0 ? ['total_iops_sec'] : []),
    ...(path === undefined && bytes > 0 ? ['total_bytes_sec'] : []),
    ...others,
  ];
  if (ignored.length === 0) return undefined;
  const why =
    path === undefined
      ? 'a host limits volumes on SMB shares only; use back-end QoS specs'
      : 'Hyper-V knows total_iops_sec and total_bytes_sec';
  return `QoS specs of volume ${device.volumeId} are not heeded (${ignored.join(', ')}): ${why}`;
}
