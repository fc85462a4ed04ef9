import type { CimInstance, CimReference } from '@nova-hyperv/wsman';
import { deviceOfPath, sameHostPath } from '@nova-hyperv/hyperv';
import { DriverError } from '../errors.js';
import type { DriveSpec, VmSpec } from '../plan/vm-spec.js';
import type { ObservedDrive, ObservedMachine } from './observed.js';
import * as build from './settings.js';
import type { Addition, Modification } from './step.js';

export function sameSlot(
  a: Pick<DriveSpec, 'bus' | 'controller' | 'slot'>,
  b: Pick<DriveSpec, 'bus' | 'controller' | 'slot'>,
): boolean {
  return a.bus === b.bus && a.controller === b.controller && a.slot === b.slot;
}

/** Paths of the host's disks (Msvm_DiskDrive) by the volume that is on them. */
export type DiskPaths = ReadonlyMap<string, string>;

/** Whether a drive can become what is wanted at its place without being taken out. */
export function isSameKind(wanted: DriveSpec, has: ObservedDrive, disks: DiskPaths): boolean {
  if (wanted.kind !== has.kind || (wanted.volumeId === undefined) !== (has.physical === undefined))
    return false;
  if (wanted.volumeId === undefined || has.physical === undefined) return true;
  return (
    has.physical.volumeId === wanted.volumeId || isSameDisk(disks.get(wanted.volumeId), has.physical.disk)
  );
}

/** Hosts spell the way to an object differently; an unknown disk is none. */
export function isSameDisk(a: string | undefined, b: string): boolean {
  return a !== undefined && a !== '' && deviceOfPath(a) === deviceOfPath(b);
}

export function addControllers(spec: VmSpec, machine: ObservedMachine): Addition[] {
  const missing = spec.controllers.filter(
    (wanted) =>
      wanted.bus === 'scsi' &&
      !machine.controllers.some(({ bus, number }) => bus === 'scsi' && number === wanted.number),
  );
  return missing.map((wanted) => ({
    instance: build.newScsiController(),
    apply: (before, added) => ({
      ...before,
      complete: false,
      controllers: [...before.controllers, { reference: added, bus: wanted.bus, number: wanted.number }],
    }),
  }));
}

export function addDrives(
  spec: Pick<VmSpec, 'drives'>,
  machine: ObservedMachine,
  host: string,
  disks: DiskPaths,
): Addition[] {
  const additions: Addition[] = [];
  for (const wanted of spec.drives) {
    const controller = machine.controllers.find(
      ({ bus, number }) => bus === wanted.bus && number === wanted.controller,
    );
    if (controller === undefined || machine.drives.some((drive) => sameSlot(drive, wanted))) continue;
    const { bus, controller: number, slot, kind } = wanted;
    if (wanted.volumeId !== undefined) {
      additions.push(addPhysicalDrive(wanted, wanted.volumeId, controller.reference, host, disks));
      continue;
    }
    additions.push({
      instance: build.newDrive(wanted, controller.reference, host),
      apply: (before, added) => ({
        ...before,
        complete: false,
        drives: [...before.drives, { reference: added, bus, controller: number, slot, kind }],
      }),
    });
  }
  return additions;
}

function addPhysicalDrive(
  wanted: DriveSpec,
  volumeId: string,
  controller: CimReference,
  host: string,
  disks: DiskPaths,
): Addition {
  const disk = disks.get(volumeId);
  if (disk === undefined) {
    throw new DriverError('DiskNotFound', `No disk of host ${host} is known to be volume ${volumeId}.`, {
      scope: 'host',
    });
  }
  return {
    instance: build.newPhysicalDrive(wanted, controller, host, disk),
    apply: (before, reference) => {
      const { bus, controller: number, slot, kind } = wanted;
      const physical = { volumeId: '', disk };
      return {
        ...before,
        complete: false,
        drives: [...before.drives, { reference, bus, controller: number, slot, kind, physical }],
      };
    },
  };
}

export function addMedia(spec: Pick<VmSpec, 'drives'>, machine: ObservedMachine, host: string): Addition[] {
  const additions: Addition[] = [];
  for (const wanted of spec.drives) {
    const drive = machine.drives.find((candidate) => sameSlot(candidate, wanted));
    if (drive === undefined || drive.image !== undefined || wanted.volumeId !== undefined) continue;
    additions.push({
      instance: build.newImage(wanted, drive.reference, host),
      apply: (before, added) => ({
        ...before,
        complete: false,
        drives: before.drives.map((other) =>
          sameSlot(other, wanted)
            ? { ...other, image: { reference: added, path: wanted.path, iopsLimit: wanted.iopsLimit } }
            : other,
        ),
      }),
    });
  }
  return additions;
}

export function modifyDrives(
  spec: Pick<VmSpec, 'drives'>,
  machine: ObservedMachine,
  _host: string,
  disks: DiskPaths,
): Modification {
  const resources: CimInstance[] = [];
  const drives = machine.drives.map((drive) => {
    const wanted = spec.drives.find((candidate) => sameSlot(candidate, drive));
    if (wanted?.volumeId !== undefined && drive.physical !== undefined) {
      const { physical, changes } = physicalChanges(wanted.volumeId, drive.physical, disks);
      if (Object.keys(changes).length > 0) resources.push(build.change(drive.reference, changes));
      return { ...drive, physical };
    }
    if (wanted === undefined || drive.image === undefined) return drive;
    const changes = {
      ...(sameHostPath(drive.image.path, wanted.path) ? {} : { HostResource: [wanted.path] }),
      ...(drive.image.iopsLimit === wanted.iopsLimit ? {} : { IOPSLimit: BigInt(wanted.iopsLimit) }),
    };
    if (Object.keys(changes).length === 0) return drive;
    resources.push(build.change(drive.image.reference, changes));
    return { ...drive, image: { ...drive.image, path: wanted.path, iopsLimit: wanted.iopsLimit } };
  });
  return { resources, after: { ...machine, drives } };
}

/** The tag that says whose the drive is, and the disk that has another number since the host restarted. */
function physicalChanges(
  volumeId: string,
  has: NonNullable<ObservedDrive['physical']>,
  disks: DiskPaths,
): { readonly physical: NonNullable<ObservedDrive['physical']>; readonly changes: build.Changes } {
  const disk = disks.get(volumeId);
  const moves = disk !== undefined && !isSameDisk(disk, has.disk);
  return {
    physical: { volumeId, disk: moves ? disk : has.disk },
    changes: {
      ...(has.volumeId === volumeId ? {} : { ElementName: volumeId }),
      ...(moves ? { HostResource: [disk] } : {}),
    },
  };
}
