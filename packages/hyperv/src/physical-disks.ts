import { formatObjectPath, isCimInstance } from '@nova-hyperv/wsman';
import type { CimInstance, CimReference, Found } from '@nova-hyperv/wsman';
import { HyperVError } from './errors.js';
import { CIMV2, RESOURCE, STORAGE } from './names.js';
import { flag, numeric, text, texts } from './read.js';
import { callStorage, inNamespace } from './storage-errors.js';
import type { HostWire } from './wire.js';

/** A disk of the host (MSFT_Disk). */
export interface PhysicalDisk {
  readonly reference: CimReference;
  /** Windows' number of it, which may change when the host restarts. */
  readonly number: number;
  readonly sizeBytes: number;
  readonly isOffline: boolean;
  /** The host itself lives on it, or its cluster. */
  readonly belongsToHost: boolean;
  /** `\\?\mpio…` for a disk that MPIO has claimed. */
  readonly path: string;
}

/** MSFT_StorageSetting.NewDiskPolicy: what becomes of disks that appear. */
export const NEW_DISK_POLICY = {
  1: 'OnlineAll',
  2: 'OfflineShared',
  3: 'OfflineAll',
  4: 'OfflineInternal',
} as const;
const POLICIES_FOR_PASS_THROUGH = new Set([2, 3]);

/** A pass-through drive of a machine. */
export interface PhysicalDriveUse {
  /** InstanceID of its settings: begins with the machine's. */
  readonly instanceId: string;
  /** ElementName. */
  readonly tag: string;
  /** Path of the Msvm_DiskDrive. */
  readonly disk: string;
}

/** Disks of the host that machines may have to themselves. Sources: Storage Management API; HyperV_v2, Msvm_DiskDrive. */
export class PhysicalDisks {
  readonly #wire: HostWire;

  constructor(wire: HostWire) {
    this.#wire = wire;
  }

  /** `undefined` when new disks stay offline, as those for machines must; else the policy's name. */
  async unfitPolicy(): Promise<string | undefined> {
    const { out } = await this.#wire.call(inNamespace(STORAGE, 'MSFT_StorageSetting'), 'Get', {});
    const setting = out['StorageSetting'] ?? null;
    const policy = isCimInstance(setting) ? numeric(setting, 'NewDiskPolicy') : 0;
    if (POLICIES_FOR_PASS_THROUGH.has(policy)) return undefined;
    return Object.entries(NEW_DISK_POLICY).find(([value]) => Number(value) === policy)?.[1] ?? 'unknown';
  }

  /** Lets the host look for disks that have come, gone or grown. */
  async rescan(): Promise<void> {
    const setting = inNamespace(STORAGE, 'MSFT_StorageSetting');
    await callStorage(this.#wire, setting, 'UpdateHostStorageCache', {}, 'look for disks', {
      busyRetries: 3,
    });
  }

  async list(): Promise<readonly PhysicalDisk[]> {
    return (await this.#wire.client.query(STORAGE, 'SELECT * FROM MSFT_Disk')).map(diskOf);
  }

  async byNumber(number: number): Promise<PhysicalDisk | undefined> {
    const [found] = await this.#wire.client.query(STORAGE, `SELECT * FROM MSFT_Disk WHERE Number=${number}`);
    return found === undefined ? undefined : diskOf(found);
  }

  /** Logical unit numbers by disk number (Win32_DiskDrive). */
  async logicalUnits(): Promise<ReadonlyMap<number, number>> {
    const rows = await this.#wire.client.query(
      CIMV2,
      'SELECT DeviceID, Index, SCSILogicalUnit FROM Win32_DiskDrive',
    );
    return new Map(
      rows.map(({ instance }) => [numeric(instance, 'Index'), numeric(instance, 'SCSILogicalUnit')]),
    );
  }

  /** Reads the disk's size and state anew. */
  async refresh(disk: PhysicalDisk): Promise<void> {
    await callStorage(this.#wire, disk.reference, 'Refresh', {}, `refresh disk ${disk.number}`);
  }

  async takeOffline(disk: PhysicalDisk): Promise<void> {
    await callStorage(this.#wire, disk.reference, 'Offline', {}, `take disk ${disk.number} offline`);
  }

  /** Path of the object by which machines get the disk; undefined while Hyper-V does not see it. */
  async virtualizationPath(number: number): Promise<string | undefined> {
    const [found] = await this.#wire.query(`SELECT * FROM Msvm_DiskDrive WHERE DriveNumber=${number}`);
    return found === undefined ? undefined : formatObjectPath(found.reference, { host: this.#wire.host });
  }

  /** Numbers of the disks that such paths name. One query. */
  async numbersOf(paths: readonly string[]): Promise<ReadonlySet<number>> {
    if (paths.length === 0) return new Set();
    const wanted = new Set(paths.map((path) => deviceOfPath(path)));
    const found = await this.#wire.query('SELECT * FROM Msvm_DiskDrive');
    return new Set(
      found
        .filter(({ instance }) => wanted.has(text(instance, 'DeviceID').toLowerCase()))
        .map(({ instance }) => numeric(instance, 'DriveNumber')),
    );
  }

  /** Pass-through drives of all machines, checkpoints included. One query. */
  async drives(): Promise<readonly PhysicalDriveUse[]> {
    const { className, subType } = RESOURCE.physicalDrive;
    const rows = await this.#wire.query(`SELECT * FROM ${className} WHERE ResourceSubType='${subType}'`);
    return rows.map(({ instance }) => useOf(instance)).filter(({ disk }) => disk !== '');
  }

  /** Files that drives of machines hold, checkpoints included. One query. */
  async filesInUse(): Promise<readonly string[]> {
    const { className, subType } = RESOURCE.diskImage;
    const rows = await this.#wire.query(`SELECT * FROM ${className} WHERE ResourceSubType='${subType}'`);
    return rows.flatMap(({ instance }) => texts(instance, 'HostResource')).filter((path) => path !== '');
  }

  /** The host's error for a disk that does not come. */
  missing(what: string): HyperVError {
    return new HyperVError('HYPERV_NOT_FOUND', `Host ${this.#wire.host} shows no disk for ${what}.`, {
      host: this.#wire.host,
    });
  }
}

export function diskOf({ instance, reference }: Found): PhysicalDisk {
  return {
    reference,
    number: numeric(instance, 'Number'),
    sizeBytes: numeric(instance, 'Size'),
    isOffline: flag(instance, 'IsOffline'),
    belongsToHost: flag(instance, 'IsBoot') || flag(instance, 'IsSystem') || flag(instance, 'IsClustered'),
    path: text(instance, 'Path'),
  };
}

function useOf(instance: CimInstance): PhysicalDriveUse {
  return {
    instanceId: text(instance, 'InstanceID'),
    tag: text(instance, 'ElementName'),
    disk: texts(instance, 'HostResource')[0] ?? '',
  };
}

/** DeviceID within the path of an Msvm_DiskDrive, whatever host and namespace stand before it; lower case. */
export function deviceOfPath(path: string): string {
  const quoted = /DeviceID="((?:[^"\\]|\\.)*)"/i.exec(path)?.[1] ?? '';
  return quoted.replaceAll(/\\(.)/g, '$1').toLowerCase();
}
