import { HyperVError } from './errors.js';
import { serviceReference, settingsInstance } from './machines.js';
import { instances, numeric, text } from './read.js';
import type { HostWire, InvokeOptions } from './wire.js';

const IMAGES = serviceReference('Msvm_ImageManagementService');

/** Msvm_VirtualHardDiskSettingData.Type and .Format. */
const TYPE = { fixed: 2, dynamic: 3, differencing: 4 } as const;
const FORMAT = { vhd: 2, vhdx: 3 } as const;

/** Parents; more are taken for a circle. */
const LONGEST_CHAIN = 16;

export interface NewDisk {
  /** The host's path, with the extension of its format. */
  readonly path: string;
  readonly format: keyof typeof FORMAT;
  readonly type: keyof typeof TYPE;
  /** Bytes; not given for a differencing disk that is to have its parent's size. */
  readonly sizeBytes?: number;
  /** The host's path; differencing disks need it. */
  readonly parentPath?: string;
}

/** What the host tells of a disk file, also of one that a running machine has open. Sizes in bytes. */
export interface DiskFacts {
  readonly path: string;
  readonly format: keyof typeof FORMAT;
  readonly type: keyof typeof TYPE;
  readonly virtualSize: number;
  readonly blockSize: number;
  readonly logicalSectorSize: number;
  /** The host's path; '' for a disk without a parent. */
  readonly parentPath: string;
}

/** Virtual disk files on the host, through Msvm_ImageManagementService. */
export class DiskImages {
  readonly #wire: HostWire;

  constructor(wire: HostWire) {
    this.#wire = wire;
  }

  /**
   * Makes a disk file and waits for the job.
   * @throws HyperVError `HYPERV_REFUSED`, `HYPERV_JOB_FAILED`, `HYPERV_DEADLINE`, `HYPERV_ABORTED`
   */
  async create(disk: NewDisk, options: InvokeOptions = {}): Promise<void> {
    const settings = settingsInstance('Msvm_VirtualHardDiskSettingData', {
      Type: TYPE[disk.type],
      Format: FORMAT[disk.format],
      Path: disk.path,
      ...(disk.parentPath === undefined ? {} : { ParentPath: disk.parentPath }),
      ...(disk.sizeBytes === undefined ? {} : { MaxInternalSize: BigInt(disk.sizeBytes) }),
      // 0 = the format's default.
      BlockSize: 0,
      LogicalSectorSize: 0,
      PhysicalSectorSize: 0,
    });
    await this.#wire.call(IMAGES, 'CreateVirtualHardDisk', { VirtualDiskSettingData: settings }, options);
  }

  /**
   * Msvm_ImageManagementService.GetVirtualHardDiskSettingData. The host reads the file, so that it may be in use.
   * @throws HyperVError `HYPERV_REFUSED`, `HYPERV_UNEXPECTED`
   */
  async facts(path: string): Promise<DiskFacts> {
    const { out } = await this.#wire.call(IMAGES, 'GetVirtualHardDiskSettingData', { Path: path });
    const [settings] = instances(out['SettingData']);
    const type = settings === undefined ? undefined : keyOf(TYPE, numeric(settings, 'Type'));
    const format = settings === undefined ? undefined : keyOf(FORMAT, numeric(settings, 'Format'));
    if (settings === undefined || type === undefined || format === undefined) {
      throw new HyperVError(
        'HYPERV_UNEXPECTED',
        `${this.#wire.host} does not tell what kind of disk ${path} is.`,
        { host: this.#wire.host, operation: 'Msvm_ImageManagementService.GetVirtualHardDiskSettingData' },
      );
    }
    return {
      path,
      format,
      type,
      virtualSize: numeric(settings, 'MaxInternalSize'),
      blockSize: numeric(settings, 'BlockSize'),
      logicalSectorSize: numeric(settings, 'LogicalSectorSize'),
      parentPath: text(settings, 'ParentPath'),
    };
  }

  /** The disk at the bottom of a chain; itself when it has no parent. One call for each parent. */
  async bottomOf(disk: DiskFacts): Promise<DiskFacts> {
    let bottom = disk;
    for (let depth = 0; bottom.type === 'differencing' && depth < LONGEST_CHAIN; depth += 1) {
      bottom = await this.facts(bottom.parentPath);
    }
    return bottom;
  }

  /**
   * Writes what the disk holds (its parents' part included) into a new one of its own format: dynamic, or with `like` in that disk's own way, so
   * that a file of the same size has room for as much.
   */
  async flatten(
    source: DiskFacts,
    target: string,
    { like, ...options }: InvokeOptions & { readonly like?: DiskFacts } = {},
  ): Promise<void> {
    const settings = settingsInstance('Msvm_VirtualHardDiskSettingData', {
      Type: like?.type === 'fixed' ? TYPE.fixed : TYPE.dynamic,
      Format: FORMAT[source.format],
      Path: target,
      BlockSize: like?.type === 'dynamic' ? like.blockSize : 0,
      LogicalSectorSize: 0,
      PhysicalSectorSize: 0,
    });
    await this.#wire.call(
      IMAGES,
      'ConvertVirtualHardDisk',
      { SourcePath: source.path, VirtualDiskSettingData: settings },
      { busyRetries: 3, ...options },
    );
  }

  /** Changes the virtual size (bytes); asked again while the file is in use. Throws what {@link create} does. */
  async resize(path: string, sizeBytes: number, options: InvokeOptions = {}): Promise<void> {
    await this.#wire.call(
      IMAGES,
      'ResizeVirtualHardDisk',
      { Path: path, MaxInternalSize: BigInt(sizeBytes) },
      { busyRetries: 3, ...options },
    );
  }
}

function keyOf<K extends string>(table: Readonly<Record<K, number>>, value: number): K | undefined {
  for (const key in table) if (table[key] === value) return key;
  return undefined;
}
