import { serviceReference, settingsInstance } from './machines.js';
import type { HostWire, InvokeOptions } from './wire.js';

const IMAGES = serviceReference('Msvm_ImageManagementService');

/** Msvm_VirtualHardDiskSettingData.Type and .Format. */
const TYPE = { fixed: 2, dynamic: 3, differencing: 4 } as const;
const FORMAT = { vhd: 2, vhdx: 3 } as const;

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
