import type { NicSpec, VmSpec } from '../plan/vm-spec.js';
import { isSameKind, sameSlot } from './drive-steps.js';
import type { DiskPaths } from './drive-steps.js';
import type { ObservedDrive, ObservedMachine } from './observed.js';
import type { Step } from './step.js';

/** What a thing holds goes before the thing: a drive that still has a disk cannot be removed. */
export function removalStep(
  spec: Pick<VmSpec, 'drives'> & { readonly nics: readonly Pick<NicSpec, 'portId'>[] },
  machine: ObservedMachine,
  disks: DiskPaths,
): Step | undefined {
  const extraDrives = machine.drives.filter(
    (drive) => !spec.drives.some((wanted) => sameSlot(wanted, drive) && isSameKind(wanted, drive, disks)),
  );
  const extraNics = machine.nics.filter((nic) => !spec.nics.some((wanted) => wanted.portId === nic.portId));
  const contents = [
    ...extraDrives.flatMap(({ image }) => (image === undefined ? [] : [image.reference])),
    ...extraNics.flatMap(({ connection }) => (connection === undefined ? [] : [connection.reference])),
  ];
  if (contents.length > 0) {
    const emptied: ObservedMachine = {
      ...machine,
      drives: machine.drives.map((drive) => (extraDrives.includes(drive) ? withoutImage(drive) : drive)),
      nics: machine.nics.map((nic) =>
        extraNics.includes(nic) ? { reference: nic.reference, portId: nic.portId, mac: nic.mac } : nic,
      ),
    };
    return { kind: 'remove', references: contents, after: emptied };
  }
  const references = [...extraDrives, ...extraNics].map((extra) => extra.reference);
  if (references.length === 0) return undefined;
  const after: ObservedMachine = {
    ...machine,
    complete: false,
    drives: machine.drives.filter((drive) => !extraDrives.includes(drive)),
    nics: machine.nics.filter((nic) => !extraNics.includes(nic)),
  };
  return { kind: 'remove', references, after };
}

function withoutImage({ image: _image, ...drive }: ObservedDrive): ObservedDrive {
  return drive;
}
