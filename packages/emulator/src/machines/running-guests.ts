import type { MachineConfig } from '../engine/engine.js';
import { HV, HyperVError } from '../errors.js';
import { placeMachine } from '../numa/placement.js';
import type { Placement } from '../numa/placement.js';
import type { NumaTopology } from '../numa/topology.js';
import type { DrivePaths } from '../paths.js';
import type { FileHolds } from './file-holds.js';

/** A file of this machine that a running guest holds open. */
export interface FileUse {
  readonly machineId: string;
  readonly driveId: string;
  readonly bus: 'ide' | 'scsi';
  readonly readOnly: boolean;
  /** The drive's disk is a difference to it. */
  readonly isParent: boolean;
}

/** What the guest of a machine runs with. */
export interface Running {
  readonly config: MachineConfig;
  /** This machine's paths of the disks that a drive's disk is a difference to, by the drive's id. */
  readonly parents: ReadonlyMap<string, readonly string[]>;
  /** Where its memory lies on the host's NUMA nodes. */
  readonly placement: Placement;
}

/** What runs on the host, by machine id: who holds which files, and how much memory is taken. */
export class RunningGuests extends Map<string, Running> {
  /** Who holds a file of this machine open, as a drive's or as a parent of a drive's. */
  usersOf(localPath: string): readonly FileUse[] {
    return [...this.values()].flatMap(({ config, parents }) =>
      config.drives.flatMap((drive) => {
        const use = { machineId: config.id, driveId: drive.id, bus: drive.bus };
        const own: FileUse = { ...use, readOnly: drive.readOnly ?? false, isParent: false };
        const isParent = parents.get(drive.id)?.includes(localPath) === true;
        return [
          ...(drive.path === localPath ? [own] : []),
          ...(isParent ? [{ ...use, readOnly: true, isParent }] : []),
        ];
      }),
    );
  }

  /** All files of this machine that guests hold open. */
  filesInUse(): readonly string[] {
    return [...this.values()].flatMap(({ config, parents }) => [
      ...config.drives.map((drive) => drive.path).filter((path) => path !== undefined),
      ...[...parents.values()].flat(),
    ]);
  }

  /** Drives of running machines that have a logical unit. */
  unitUsers(unitId: string): readonly Pick<FileUse, 'machineId' | 'driveId'>[] {
    return [...this.values()].flatMap(({ config }) =>
      config.drives
        .filter((drive) => drive.unit?.id === unitId)
        .map((drive) => ({ machineId: config.id, driveId: drive.id })),
    );
  }

  /** MB that running machines hold. */
  memoryInUse(): number {
    return [...this.values()].reduce((sum, { config }) => sum + config.memoryMb, 0);
  }

  /** One running machine holds a file for writing, or several hold it for reading; so does the image service's work. */
  checkSharing({ config, parents }: Running, holds: FileHolds, paths: DrivePaths): void {
    const wanted = config.drives.flatMap((drive) => [
      ...(drive.path === undefined ? [] : [{ path: drive.path, readOnly: drive.readOnly ?? false }]),
      ...(parents.get(drive.id) ?? []).map((path) => ({ path, readOnly: true })),
    ]);
    for (const { unit } of config.drives) {
      const isTaken =
        unit !== undefined && this.unitUsers(unit.id).some((use) => use.machineId !== config.id);
      if (isTaken)
        throw new HyperVError(HV.inUse, `The physical disk '${unit.product}' is in use (0x800700AA).`);
    }
    for (const { path, readOnly } of wanted) {
      const others = this.usersOf(path).filter((use) => use.machineId !== config.id);
      const own = wanted.filter((file) => file.path === path);
      const isNew = !this.usersOf(path).some((use) => use.machineId === config.id);
      const isClash =
        others.some((use) => !(use.readOnly && readOnly)) ||
        (own.length > 1 && own.some((file) => !file.readOnly)) ||
        (isNew && (readOnly ? holds.isWritten(path) : holds.isHeld(path)));
      if (isClash) throw sharingViolation(paths.toWindows(path));
    }
  }

  /** Where the memory of a machine that starts lies besides that of those that run; 32778 where there is not enough. */
  place(config: MachineConfig, host: { readonly memoryMb: number; readonly numa: NumaTopology }): Placement {
    const free = host.memoryMb - this.memoryInUse();
    if (config.memoryMb > free) {
      throw new HyperVError(
        HV.outOfMemory,
        `Not enough memory in the system to start the virtual machine with ${config.memoryMb} MB: ${free} MB are free.`,
      );
    }
    const { name, memoryMb, processors, numaNodes: nodes = [{ processors, memoryMb }] } = config;
    return placeMachine({ name, nodes }, host.numa, this.placements());
  }

  placements(): readonly Placement[] {
    return [...this.values()].map(({ placement }) => placement);
  }
}

/** While a guest changes from one to the other it has the files of both. */
export function both(now: Running, next: Running): Running {
  return {
    config: { ...next.config, drives: [...next.config.drives, ...now.config.drives] },
    parents: new Map([...now.parents, ...next.parents]),
    placement: now.placement,
  };
}

function sharingViolation(file: string): HyperVError {
  return new HyperVError(
    HV.inUse,
    `The process cannot access the file because it is being used by another process: '${file}' (0x80070020).`,
  );
}
