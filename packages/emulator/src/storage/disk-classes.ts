import { statfsSync } from 'node:fs';
import { WBEM, WmiError } from '@nova-hyperv/wsman';
import type { CimInstance, CimReference, InvokeResult } from '@nova-hyperv/wsman';
import { CIMV2, V2, instance, numberOf, reference, v2 } from '../cim.js';
import { known } from '../machines/build.js';
import { diskReference } from '../machines/physical-drives.js';
import type { MachineRegistry } from '../machines/registry.js';
import type { RuleHost } from '../machines/rules.js';
import { completed, returned } from '../methods.js';
import type { MethodCall, MethodHandler } from '../methods.js';
import type { InstanceSource } from '../store/store.js';
import type { HostDisk } from './host-disks.js';
import type { HostStorage } from './host-storage.js';

export const STORAGE = 'root/microsoft/windows/storage';

/** Return codes of the Storage Management API. Source: MSFT_Disk methods. */
const RESULT = { ok: 0, notSupported: 1, failed: 4, invalidParameter: 5 } as const;
/** Interface class of disks, in the paths of devices. */
const DISK_INTERFACE = '{53f56307-b6bf-11d0-94f2-00a0c91efb8b}';
/** MSFT_Disk.OperationalStatus (0xD010 online, 0xD013 offline) and OfflineReason (1 policy). */
const STATUS = { online: 0xd010, offline: 0xd013, byPolicy: 1 } as const;

export interface StorageContext {
  readonly host: RuleHost;
  readonly storage: HostStorage;
  readonly machines: MachineRegistry;
}

/** Disks as the Storage Management API, root/cimv2 and Hyper-V show them. */
export function diskSources(context: StorageContext): readonly InstanceSource[] {
  const { host, storage } = context;
  const present = (): readonly HostDisk[] => storage.disks().filter((disk) => disk.isPresent);
  return [
    {
      namespace: STORAGE,
      className: 'MSFT_Disk',
      list: () => [systemDisk(host), ...present().map((disk) => diskInstance(disk, host))],
    },
    {
      namespace: STORAGE,
      className: 'MSFT_StorageSetting',
      list: () => [storageSetting(storage)],
    },
    {
      namespace: CIMV2,
      className: 'Win32_DiskDrive',
      list: () => [
        driveInstance(host, { number: 0, model: 'Emulated System Disk', serial: '', size: systemSize(host) }),
        ...present().map((disk) =>
          driveInstance(host, {
            number: disk.number,
            model: `${disk.unit.vendor} ${disk.unit.product} ${disk.isMultipath ? 'Multi-Path' : 'SCSI'} Disk Device`,
            serial: disk.unit.serialNumber,
            size: BigInt(disk.unit.sizeBytes),
            disk,
          }),
        ),
      ],
    },
    {
      namespace: V2,
      className: 'Msvm_DiskDrive',
      // A disk that is online is the host's own.
      list: () =>
        present()
          .filter((disk) => disk.offline)
          .map((disk) => virtualizationDisk(disk, host)),
    },
  ];
}

export function diskMethods(context: StorageContext): Readonly<Record<string, MethodHandler>> {
  const { storage, machines } = context;
  const onDisk =
    (work: (disk: HostDisk, call: MethodCall) => number | Promise<number>): MethodHandler =>
    async (call) => {
      const number = numberOf(call.target.properties['Number'], -1);
      // The system's own disk stays as it is.
      if (number === 0) return returned(RESULT.notSupported);
      const disk = storage.disks().find((one) => one.number === number);
      return returned(disk === undefined ? RESULT.failed : await work(disk, call));
    };
  return {
    Online: onDisk((disk) => {
      if (machines.unitUsers(disk.key).length > 0) return RESULT.failed;
      storage.changeDisk(disk.key, { offline: false });
      return RESULT.ok;
    }),
    Offline: onDisk((disk) => {
      storage.changeDisk(disk.key, { offline: true });
      return RESULT.ok;
    }),
    SetAttributes: onDisk((disk, call) => {
      const readOnly = call.raw('IsReadOnly');
      if (call.raw('Signature') !== null || call.raw('Guid') !== null) return RESULT.notSupported;
      if (typeof readOnly !== 'boolean') return RESULT.invalidParameter;
      storage.changeDisk(disk.key, { readOnly });
      return RESULT.ok;
    }),
    Refresh: onDisk(async (disk) => {
      try {
        await tellGuests(machines, await storage.refresh(disk));
        return RESULT.ok;
      } catch {
        return RESULT.failed;
      }
    }),
  };
}

export function settingMethods(context: StorageContext): Readonly<Record<string, MethodHandler>> {
  const { storage, machines } = context;
  return {
    Get: () => completed({ StorageSetting: storageSetting(storage) }),
    Set: (call) => {
      const policy = call.raw('NewDiskPolicy');
      if (policy === null) return returned(RESULT.ok);
      if (typeof policy !== 'number' || policy < 1 || policy > 4) return returned(RESULT.invalidParameter);
      storage.setPolicy(policy);
      return returned(RESULT.ok);
    },
    UpdateHostStorageCache: async (): Promise<InvokeResult> => {
      await tellGuests(machines, await storage.rescan());
      return returned(RESULT.ok);
    },
  };
}

async function tellGuests(machines: MachineRegistry, grown: readonly HostDisk[]): Promise<void> {
  for (const { key, unit } of grown) await machines.growUnit(key, unit.sizeBytes);
}

export function diskInstanceReference(disk: HostDisk, host: RuleHost): CimReference {
  return reference(STORAGE, 'MSFT_Disk', { ObjectId: objectId(devicePath(disk), host) });
}

/** The disk that an MSFT_Disk is. @throws WmiError not found */
export function diskOf(storage: HostStorage, number: number): HostDisk {
  const found = storage.disks().find((disk) => disk.number === number);
  if (found === undefined) throw new WmiError(WBEM.notFound, `There is no disk ${number}.`);
  return found;
}

function word(text: string): string {
  return text.toLowerCase().replaceAll(/[^a-z\d-]/g, '_');
}

/** `\\?\mpio#…` for a disk with joined paths, `\\?\scsi#…` for others. */
export function devicePath({ key, unit, isMultipath, targetNumber }: HostDisk): string {
  const name = `disk&ven_${word(unit.vendor)}&prod_${word(unit.product)}`;
  if (isMultipath)
    return `\\\\?\\mpio#${name}&rev_${word(unit.revision)}#1&7f6ac24&0&${Buffer.from(unit.uniqueId).toString('hex')}#${DISK_INTERFACE}`;
  const adapter = key.startsWith('fc|') ? '5&2c1f0a7b' : '5&1edb1a34';
  const place = [0, targetNumber, unit.lun].map((part) => part.toString(16).padStart(2, '0')).join('');
  return `\\\\?\\scsi#${name}#${adapter}&0&${place}#${DISK_INTERFACE}`;
}

function objectId(path: string, host: RuleHost): string {
  const server = host.name.toUpperCase();
  return `{1}\\\\${server}\\root/Microsoft/Windows/Storage/Providers_v2\\WSP_Disk.ObjectId="{${server}}:DI:${path}"`;
}

function diskInstance(disk: HostDisk, host: RuleHost): CimInstance {
  const { unit, number } = disk;
  const path = devicePath(disk);
  return instance(STORAGE, 'MSFT_Disk', {
    ...common(path, host),
    Number: number,
    Location: `Adapter ${disk.busType === 9 ? 1 : 2} : Port 0 : Target ${disk.targetNumber} : LUN ${unit.lun}`,
    FriendlyName: `${unit.vendor} ${unit.product}`,
    UniqueId: unit.uniqueId,
    UniqueIdFormat: unit.uniqueIdFormat,
    SerialNumber: unit.serialNumber,
    FirmwareVersion: unit.revision,
    Manufacturer: unit.vendor,
    Model: unit.product,
    Size: BigInt(unit.sizeBytes),
    AllocatedSize: 0n,
    LogicalSectorSize: unit.sectorBytes,
    PhysicalSectorSize: unit.physicalSectorBytes,
    LargestFreeExtent: 0n,
    BusType: disk.busType,
    OperationalStatus: [disk.offline ? STATUS.offline : STATUS.online],
    IsOffline: disk.offline,
    OfflineReason: disk.offline ? STATUS.byPolicy : null,
    IsReadOnly: disk.readOnly,
    IsSystem: false,
    IsBoot: false,
    BootFromDisk: false,
    // Its content is the guests' affair: nobody looks for partitions.
    PartitionStyle: 0,
    NumberOfPartitions: 0,
  });
}

function common(path: string, host: RuleHost): Readonly<Record<string, string | number | boolean>> {
  return {
    ObjectId: objectId(path, host),
    Path: path,
    HealthStatus: 0,
    ProvisioningType: 0,
    IsClustered: false,
    IsHighlyAvailable: false,
    IsScaleOut: false,
  };
}

/** Disk 0, which holds drive C. */
function systemDisk(host: RuleHost): CimInstance {
  const path = `\\\\?\\scsi#disk&ven_emulated&prod_system_disk#4&0&000000#${DISK_INTERFACE}`;
  return instance(STORAGE, 'MSFT_Disk', {
    ...common(path, host),
    Number: 0,
    Location: 'Integrated : Adapter 0 : Port 0',
    FriendlyName: 'Emulated System Disk',
    UniqueId: `EMULATED-SYSTEM-${host.name.toUpperCase()}`,
    UniqueIdFormat: 0,
    Manufacturer: 'Emulated',
    Model: 'System Disk',
    Size: systemSize(host),
    AllocatedSize: systemSize(host),
    LogicalSectorSize: 512,
    PhysicalSectorSize: 4096,
    BusType: 11,
    OperationalStatus: [STATUS.online],
    IsOffline: false,
    IsReadOnly: false,
    IsSystem: true,
    IsBoot: true,
    BootFromDisk: true,
    PartitionStyle: 2,
    NumberOfPartitions: 1,
  });
}

function systemSize(host: RuleHost): bigint {
  const space = statfsSync(host.paths.root, { bigint: true });
  return space.blocks * space.bsize;
}

function storageSetting(storage: HostStorage): CimInstance {
  return instance(STORAGE, 'MSFT_StorageSetting', { NewDiskPolicy: storage.state.policy, ScrubPolicy: null });
}

function driveInstance(
  host: RuleHost,
  drive: { number: number; model: string; serial: string; size: bigint; disk?: HostDisk },
): CimInstance {
  const name = String.raw`\\.\PHYSICALDRIVE${drive.number}`;
  return instance(CIMV2, 'Win32_DiskDrive', {
    DeviceID: name,
    Name: name,
    Caption: drive.model,
    Model: drive.model,
    Index: drive.number,
    SerialNumber: drive.serial,
    Size: drive.size,
    BytesPerSector: drive.disk?.unit.sectorBytes ?? 512,
    InterfaceType: 'SCSI',
    MediaType: 'Fixed hard disk media',
    MediaLoaded: true,
    Partitions: drive.disk === undefined ? 1 : 0,
    FirmwareRevision: drive.disk?.unit.revision ?? '',
    SCSIBus: 0,
    SCSIPort: drive.disk === undefined ? 0 : 1,
    SCSITargetId: drive.disk?.targetNumber ?? 0,
    SCSILogicalUnit: drive.disk?.unit.lun ?? 0,
    Status: 'OK',
    CreationClassName: 'Win32_DiskDrive',
    SystemCreationClassName: 'Win32_ComputerSystem',
    SystemName: host.name.toUpperCase(),
  });
}

function virtualizationDisk(disk: HostDisk, host: RuleHost): CimInstance {
  const properties = {
    ...diskReference(host, disk.number).keys,
    ElementName: `Disk ${disk.number} ${(disk.unit.sizeBytes / 2 ** 30).toFixed(2)} GB Bus 0 Lun ${disk.unit.lun} Target ${disk.targetNumber}`,
    Caption: 'Microsoft Physical Disk Drive',
    Description: 'Microsoft Physical Disk Drive',
    Name: String.raw`\\.\PHYSICALDRIVE${disk.number}`,
    DriveNumber: disk.number,
    MaxMediaSize: BigInt(Math.floor(disk.unit.sizeBytes / 1024)),
    DefaultBlockSize: BigInt(disk.unit.sectorBytes),
    EnabledState: 2,
    OperationalStatus: [2],
    HealthState: 5,
  };
  return v2('Msvm_DiskDrive', known(host, 'Msvm_DiskDrive', properties));
}
