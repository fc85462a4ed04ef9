import { hostBaseName, isInHostFolder, joinHostPath } from '@nova-hyperv/hyperv';
import { DriverError } from '../errors.js';
import type { DiskFile } from './disks.js';
import type { EarlyPlanInput } from './input.js';
import { localDiskBus } from './slots.js';
import type { Slot, SlotAllocator } from './slots.js';
import type { DriveSpec, Generation } from './vm-spec.js';

/** Where guests of generation 1 have always found it: the second IDE controller's first place. */
const GENERATION_1_SLOT: Slot = { bus: 'ide', controller: 1, slot: 0 };
const CONFIG_DRIVE_DISK = /^configdrive\.vhd$/i;

/** A config drive that is a disk. */
export function isConfigDriveDisk(path: string, directory: string): boolean {
  return isInHostFolder(path, directory) && CONFIG_DRIVE_DISK.test(hostBaseName(path));
}

/** Nova's other format, vfat, is for other hypervisors. */
export function refuseConfigDriveFormat({
  config,
  configDrive,
}: Pick<EarlyPlanInput, 'config' | 'configDrive'>): void {
  if (configDrive !== true || config.configDriveFormat === 'iso9660') return;
  throw new DriverError(
    'ConfigDriveUnsupportedFormat',
    `The config drive format ${JSON.stringify(config.configDriveFormat)} is not supported: set config_drive_format=iso9660.`,
  );
}

/** Keeps the place free that the config drive will have, before disks take theirs. */
export function reserveConfigDriveSlot(
  { configDrive }: Pick<EarlyPlanInput, 'configDrive'>,
  generation: Generation,
  slots: SlotAllocator,
): void {
  if (configDrive === true && generation === 1) slots.occupy(GENERATION_1_SLOT);
}

/**
 * The drive and its file; call it once every disk has its place.
 * Generation 1: IDE 1, slot 0. Generation 2: the first free SCSI slot.
 */
export function planConfigDrive(
  { config, configDrive }: Pick<EarlyPlanInput, 'config' | 'configDrive'>,
  generation: Generation,
  directory: string,
  slots: SlotAllocator,
  iopsLimit: number,
): { readonly drive: DriveSpec; readonly file: DiskFile } | undefined {
  if (configDrive !== true) return undefined;
  const slot = generation === 1 ? GENERATION_1_SLOT : slots.take(localDiskBus(generation));
  const form = config.configDriveCdrom ? 'iso' : 'vhd';
  const path = joinHostPath(directory, `configdrive.${form}`);
  return {
    drive: {
      ...slot,
      kind: form === 'iso' ? 'dvd' : 'disk',
      path,
      iopsLimit: form === 'iso' ? 0 : iopsLimit,
    },
    file: { kind: 'config-drive', path, form },
  };
}
