import path from 'node:path';
import type { DiskFormat, DiskInfo, DiskType } from '@nova-hyperv/vhd';
import type { CimInstance } from '@nova-hyperv/wsman';
import { numberOf, textOf, v2 } from '../cim.js';
import { HV, HyperVError } from '../errors.js';
import { parentResolver } from '../machines/parent-resolver.js';
import type { RuleHost } from '../machines/rules.js';
import { errorCode, messageOf } from '../system-error.js';

const TYPES: Readonly<Record<number, DiskType>> = { 2: 'fixed', 3: 'dynamic', 4: 'differencing' };
const FORMATS: Readonly<Record<number, DiskFormat>> = { 2: 'vhd', 3: 'vhdx' };

/** What a `Msvm_VirtualHardDiskSettingData` asks for, checked. Sizes in bytes, 0 = the default. */
export interface DiskWish {
  readonly type: DiskType;
  readonly format: DiskFormat;
  /** Windows paths. */
  readonly path: string;
  readonly parentPath: string;
  readonly virtualSize: number;
  readonly blockSize: number;
  readonly logicalSectorSize: number;
  readonly physicalSectorSize: number;
}

export function diskWish(settings: CimInstance): DiskWish {
  const value = settings.properties;
  const type = TYPES[numberOf(value['Type'])];
  const format = FORMATS[numberOf(value['Format'])];
  if (type === undefined)
    throw new HyperVError(HV.invalidParameter, 'Type must be 2 (fixed), 3 (dynamic) or 4 (differencing).', {
      direct: true,
    });
  if (format === undefined) {
    const isSet = numberOf(value['Format']) === 4;
    throw new HyperVError(
      isSet ? HV.notSupported : HV.invalidParameter,
      'Format must be 2 (VHD) or 3 (VHDX).',
      { direct: true },
    );
  }
  const file = textOf(value['Path']);
  if (
    path.win32.extname(file).toLowerCase() !== `.${format}` &&
    path.win32.extname(file).toLowerCase() !== `.a${format}`
  ) {
    throw new HyperVError(
      HV.invalidParameter,
      `The extension of '${file}' does not fit the format ${format.toUpperCase()}.`,
      { direct: true },
    );
  }
  return {
    type,
    format,
    path: file,
    parentPath: textOf(value['ParentPath']),
    virtualSize: numberOf(value['MaxInternalSize']),
    blockSize: numberOf(value['BlockSize']),
    logicalSectorSize: numberOf(value['LogicalSectorSize']),
    physicalSectorSize: numberOf(value['PhysicalSectorSize']),
  };
}

/** What GetVirtualHardDiskSettingData tells of a file. */
export function diskSettings(host: RuleHost, file: string, info: DiskInfo): CimInstance {
  const resolve = parentResolver(host.paths);
  const local = host.paths.toLocal(file);
  const parent = info.parent?.paths
    .map((locator) => resolve(locator, local))
    .find((found) => found !== undefined);
  return v2('Msvm_VirtualHardDiskSettingData', {
    InstanceID: null,
    ElementName: path.win32.basename(file),
    Caption: 'Virtual Hard Disk Setting Data',
    Description: 'Setting Data for a Virtual Hard Disk',
    Path: file,
    Type: { fixed: 2, dynamic: 3, differencing: 4 }[info.type],
    Format: info.format === 'vhd' ? 2 : 3,
    ParentPath: parent === undefined ? (info.parent?.paths[0] ?? '') : host.paths.toWindows(parent),
    ParentIdentifier: info.parent?.identifier ?? null,
    MaxInternalSize: BigInt(info.virtualSize),
    BlockSize: info.blockSize,
    LogicalSectorSize: info.logicalSectorSize,
    PhysicalSectorSize: info.physicalSectorSize,
    VirtualDiskId: info.identifier,
  });
}

const CODES: Readonly<Record<string, number>> = {
  VHD_INVALID_ARGUMENT: HV.invalidParameter,
  VHD_OUT_OF_RANGE: HV.invalidParameter,
  VHD_PARENT_MISSING: HV.fileNotFound,
  VHD_READ_ONLY: HV.accessDenied,
  VHD_UNSUPPORTED: HV.notSupported,
  ENOENT: HV.fileNotFound,
  EACCES: HV.accessDenied,
  EPERM: HV.accessDenied,
};

const TEXTS: Readonly<Record<string, string>> = {
  VHD_EXISTS: 'The file exists (0x80070050).',
  VHD_CORRUPT: 'The file or directory is corrupted and unreadable (0x80070570).',
  VHD_UNKNOWN_FORMAT: 'The file is not a virtual hard disk (0xC03A0002).',
  VHD_PARENT_MISMATCH:
    'There exists an ID mismatch between the differencing virtual hard disk and the parent disk (0xC03A000E).',
  VHD_PARENT_MISSING: 'The chain of virtual hard disks is broken: the parent cannot be found (0xC03A000D).',
  ENOENT: 'The system cannot find the file specified (0x80070002).',
};

/** Runs work on disk files; what goes wrong there comes out as the host's refusal. */
export async function diskErrors<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof HyperVError) throw error;
    const code = errorCode(error);
    const text = TEXTS[code] ?? messageOf(error);
    throw new HyperVError(CODES[code] ?? HV.failed, `'${file}': ${text}`, { cause: error });
  }
}
