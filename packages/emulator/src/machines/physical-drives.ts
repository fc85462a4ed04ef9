import type { CimInstance, CimReference } from '@nova-hyperv/wsman';
import { V2, textsOf } from '../cim.js';
import type { UnitConfig } from '../engine/engine.js';
import { HV, HyperVError } from '../errors.js';
import { parseObjectPath } from '../store/object-path.js';
import type { HostDisk } from '../storage/host-disks.js';
import { hostPath } from './build.js';
import { isKind } from './kinds.js';
import { idOf, resourcesOf } from './model.js';
import type { Machine } from './model.js';
import type { RuleHost } from './rules.js';

/** GUID in the DeviceID of physical disks. Source: public listings of Msvm_DiskDrive on real hosts. */
const DISK_GUID = '353B3BE8-310C-4CF4-839E-4E1B14616136';
const CLASS = 'Msvm_DiskDrive';

export function diskDeviceId(number: number): string {
  return `Microsoft:${DISK_GUID}\\${number}`;
}

export function diskReference(host: Pick<RuleHost, 'name'>, number: number): CimReference {
  return {
    kind: 'reference',
    namespace: V2,
    className: CLASS,
    keys: {
      CreationClassName: CLASS,
      DeviceID: diskDeviceId(number),
      SystemCreationClassName: 'Msvm_ComputerSystem',
      SystemName: host.name.toUpperCase(),
    },
  };
}

/** Number of the disk that a path to an Msvm_DiskDrive names; undefined when it is none. */
export function diskNumberOf(path: string): number | undefined {
  const parsed = parseObjectPath(path, V2)?.reference;
  if (parsed?.className.toLowerCase() !== CLASS.toLowerCase()) return undefined;
  const id = Object.entries(parsed.keys).find(([key]) => key.toLowerCase() === 'deviceid')?.[1] ?? '';
  const number = new RegExp(String.raw`^Microsoft:${DISK_GUID}\\(\d{1,9})$`, 'i').exec(id)?.[1];
  return number === undefined ? undefined : Number(number);
}

/** Physical drives that have a disk, of all machines. */
export function usersOfDisk(
  machines: readonly Machine[],
  number: number,
): readonly { machine: Machine; drive: CimInstance }[] {
  return machines.flatMap((machine) =>
    resourcesOf(machine)
      .filter((drive) => isKind(drive, 'physical-drive') && driveNumber(drive) === number)
      .map((drive) => ({ machine, drive })),
  );
}

function driveNumber(drive: CimInstance): number | undefined {
  return diskNumberOf(textsOf(drive.properties['HostResource'])[0] ?? '');
}

/**
 * The disk that a physical drive asks for, as the host writes its path (C5): there, offline on the host, given to no
 * other drive.
 * @param own InstanceID of the drive, when it is there already
 */
export function givenDisk(wanted: CimInstance, host: RuleHost, own?: string): string {
  const resources = wanted.properties['HostResource'];
  const paths = textsOf(resources);
  const [path] = paths;
  if (!Array.isArray(resources) || paths.length !== 1 || path === undefined) {
    throw new HyperVError(
      HV.invalidParameter,
      'HostResource must be an array with the object path of one Msvm_DiskDrive.',
    );
  }
  const number = diskNumberOf(path);
  const disk = number === undefined ? undefined : host.findDisk(number);
  if (disk?.isPresent !== true) {
    throw new HyperVError(HV.invalidParameter, `There is no physical disk '${path.slice(0, 300)}'.`);
  }
  if (!disk.offline) {
    throw new HyperVError(
      HV.invalidParameter,
      `The physical disk ${disk.number} is online on the host: it must be offline before a virtual machine can have it.`,
    );
  }
  const other = host
    .diskUsers(disk.number)
    .find(({ drive }) => idOf(drive).toLowerCase() !== own?.toLowerCase());
  if (other !== undefined) {
    throw new HyperVError(
      HV.inUse,
      `The physical disk ${disk.number} is attached to the virtual machine ${other.machine.id} (0x800700AA).`,
    );
  }
  return hostPath(host, diskReference(host, disk.number));
}

/** What the engine passes through; what a start answers when the disk is gone or was taken by the host. */
export function unitConfig(drive: CimInstance, host: RuleHost): UnitConfig {
  const number = driveNumber(drive);
  const disk = number === undefined ? undefined : host.findDisk(number);
  if (disk === undefined) {
    throw new HyperVError(
      HV.fileNotFound,
      `The physical disk of the drive '${idOf(drive)}' is not there (0x80070002).`,
    );
  }
  if (!disk.offline)
    throw new HyperVError(HV.inUse, `The physical disk ${disk.number} is online on the host (0x80070020).`);
  return unitOf(disk);
}

function unitOf({ key, source, unit }: HostDisk): UnitConfig {
  const { vendor, product, revision, serialNumber, sectorBytes, physicalSectorBytes } = unit;
  return { id: key, source, vendor, product, revision, serialNumber, sectorBytes, physicalSectorBytes };
}
