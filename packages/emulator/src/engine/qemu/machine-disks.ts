import type { Disk, NbdServer } from '@nova-hyperv/vhd';
import { VhdError, inspect, serveNbd } from '@nova-hyperv/vhd';
import type { DiskClaims } from '../disk-claims.js';
import { EngineError } from '../engine.js';
import type { DriveConfig } from '../engine.js';
import type { ResolvePath } from '../open-drive.js';
import { claimMedium, openDriveDisk } from '../open-drive.js';
import type { SectorSizes } from './devices.js';
import { driveKey } from './devices.js';

/** The open disks of one running machine, served to its QEMU over one NBD socket; and its media. */
export class MachineDisks {
  readonly #machineId: string;
  readonly #claims: DiskClaims;
  readonly #resolvePath: ResolvePath;
  readonly #server: NbdServer;
  readonly #disks = new Map<string, Disk>();

  private constructor(machineId: string, claims: DiskClaims, resolvePath: ResolvePath, server: NbdServer) {
    this.#machineId = machineId;
    this.#claims = claims;
    this.#resolvePath = resolvePath;
    this.#server = server;
  }

  /** @param socketPath a stale socket there is replaced */
  static async serve(
    machineId: string,
    claims: DiskClaims,
    resolvePath: ResolvePath,
    socketPath: string,
  ): Promise<MachineDisks> {
    try {
      return new MachineDisks(machineId, claims, resolvePath, await serveNbd({ socketPath }));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new EngineError('FAILED', `The disks cannot be served: ${reason}`, { cause: error });
    }
  }

  /** Opens the content of a drive, if it has any. @throws EngineError as {@link openDriveDisk}, {@link claimMedium} */
  async insert(drive: DriveConfig): Promise<void> {
    const { path } = drive;
    if (path === undefined) return;
    const key = driveKey(drive);
    if (drive.kind === 'dvd') {
      await claimMedium(this.#claims, this.#machineId, mediumHolder(drive), path);
      return;
    }
    const disk = await openDriveDisk(
      this.#claims,
      this.#machineId,
      key,
      { ...drive, path },
      this.#resolvePath,
    );
    try {
      this.#server.addExport(key, disk);
    } catch (error) {
      await disk.close();
      this.#claims.release(this.#machineId, key);
      throw error;
    }
    this.#disks.set(key, disk);
  }

  /** Lets go of what a drive holds. Harmless when it holds nothing. */
  async remove(drive: DriveConfig): Promise<void> {
    const key = driveKey(drive);
    if (drive.kind === 'dvd') {
      this.#claims.release(this.#machineId, mediumHolder(drive));
      return;
    }
    const disk = this.#disks.get(key);
    this.#disks.delete(key);
    try {
      await this.#server.removeExport(key);
      await disk?.close();
    } finally {
      this.#claims.release(this.#machineId, key);
    }
  }

  sectors(drive: DriveConfig): SectorSizes | undefined {
    const disk = this.#disks.get(driveKey(drive));
    return disk === undefined
      ? undefined
      : { logical: disk.logicalSectorSize, physical: disk.physicalSectorSize };
  }

  /**
   * Grows a drive's disk to `sizeBytes`; connections made from now on see the new size. Nothing to do when it has it.
   * @throws EngineError DISK_INVALID when the file cannot grow so, or was changed by somebody else
   */
  async grow(drive: DriveConfig, sizeBytes: number): Promise<void> {
    const disk = this.#disks.get(driveKey(drive));
    if (disk === undefined || drive.path === undefined)
      throw new EngineError('FAILED', `The drive ${drive.id} holds no disk.`);
    const onDisk = await inspect(drive.path);
    if (onDisk.virtualSize !== disk.virtualSize) {
      throw new EngineError(
        'DISK_INVALID',
        `${drive.path} was resized by somebody else while its machine runs.`,
      );
    }
    if (sizeBytes < disk.virtualSize) {
      throw new EngineError(
        'DISK_INVALID',
        `${drive.path} is larger than ${sizeBytes} bytes and its machine runs.`,
      );
    }
    if (sizeBytes === disk.virtualSize) return;
    try {
      await disk.resize(sizeBytes);
      await disk.flush();
    } catch (error) {
      if (error instanceof VhdError) throw new EngineError('DISK_INVALID', error.message, { cause: error });
      throw error;
    }
  }

  /** Ends the serving and closes every disk; the first failure is thrown after all were tried. */
  async close(): Promise<void> {
    await this.#server.close();
    const disks = [...this.#disks.values()];
    this.#disks.clear();
    const results = await Promise.allSettled(disks.map((disk) => disk.close()));
    this.#claims.releaseMachine(this.#machineId);
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }
}

/** By its path too, so that the next medium can be claimed before this one is let go. */
function mediumHolder(drive: DriveConfig): string {
  return `${driveKey(drive)} ${drive.path ?? ''}`;
}
