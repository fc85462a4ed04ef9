import type { CimInstance } from '@nova-hyperv/wsman';
import { sameHostPath } from '@nova-hyperv/hyperv';
import type { DriveSpec, VmSpec } from '../plan/vm-spec.js';
import type { ObservedMachine } from './observed.js';
import * as build from './settings.js';
import type { Addition, Modification } from './step.js';

export function sameSlot(
  a: Pick<DriveSpec, 'bus' | 'controller' | 'slot'>,
  b: Pick<DriveSpec, 'bus' | 'controller' | 'slot'>,
): boolean {
  return a.bus === b.bus && a.controller === b.controller && a.slot === b.slot;
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

export function addDrives(spec: VmSpec, machine: ObservedMachine, host: string): Addition[] {
  const additions: Addition[] = [];
  for (const wanted of spec.drives) {
    const controller = machine.controllers.find(
      ({ bus, number }) => bus === wanted.bus && number === wanted.controller,
    );
    if (controller === undefined || machine.drives.some((drive) => sameSlot(drive, wanted))) continue;
    const { bus, controller: number, slot, kind } = wanted;
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

export function addMedia(spec: VmSpec, machine: ObservedMachine, host: string): Addition[] {
  const additions: Addition[] = [];
  for (const wanted of spec.drives) {
    const drive = machine.drives.find((candidate) => sameSlot(candidate, wanted));
    if (drive === undefined || drive.image !== undefined) continue;
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

export function modifyDrives(spec: VmSpec, machine: ObservedMachine): Modification {
  const resources: CimInstance[] = [];
  const drives = machine.drives.map((drive) => {
    const wanted = spec.drives.find((candidate) => sameSlot(candidate, drive));
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
