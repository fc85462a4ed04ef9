import { hostBaseName, isInHostFolder } from '@nova-hyperv/hyperv';
import { bootDeviceOfDrive } from './vm-spec.js';
import type { BiosBootDevice, BootDevice, DriveSpec, NicSpec } from './vm-spec.js';

/** Nova's boot_index of a drive: the lower the earlier; a drive that is not named, or below 0, is never booted from. */
export type BootIndexes = ReadonlyMap<BootDevice, number>;

const ROOT = /^root\.(?:vhdx?|iso)$/i;

/** Of the instance's own files only the root boots: ephemeral disks are empty at first, and their content is the guest's. */
export function localBootIndexes(drives: readonly DriveSpec[], directory: string): BootIndexes {
  return new Map(
    drives
      .filter(({ path }) => isInHostFolder(path, directory) && ROOT.test(hostBaseName(path)))
      .map((drive) => [bootDeviceOfDrive(drive), 0]),
  );
}

/** What UEFI tries: drives by their boot index, equal ones by their place; then the network adapters. */
export function uefiOrder(
  drives: readonly DriveSpec[],
  indexes: BootIndexes,
  nics: readonly Pick<NicSpec, 'portId'>[],
): readonly BootDevice[] {
  const bootable = drives
    .map((drive) => ({
      device: bootDeviceOfDrive(drive),
      index: indexes.get(bootDeviceOfDrive(drive)) ?? -1,
    }))
    .filter(({ index }) => index >= 0)
    .toSorted((a, b) => a.index - b.index);
  return [...bootable.map(({ device }) => device), ...nics.map(({ portId }) => `nic:${portId}` as const)];
}

/** What a BIOS tries: it knows kinds of devices only, and an ISO image is there to be booted from. */
export function biosOrder(rootIsDvd: boolean): readonly BiosBootDevice[] {
  const media: readonly BiosBootDevice[] = rootIsDvd ? ['cd', 'hard-disk'] : ['hard-disk', 'cd'];
  return [...media, 'network', 'floppy'];
}
