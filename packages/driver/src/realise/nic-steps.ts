import type { CimInstance } from '@nova-hyperv/wsman';
import type { VmSpec } from '../plan/vm-spec.js';
import { sameSlot } from './drive-steps.js';
import { sameText } from './rows.js';
import type { ObservedMachine } from './observed.js';
import * as build from './settings.js';
import type { Addition, Modification } from './step.js';

/**
 * A new device goes to the end of a UEFI boot order: with the drives before the adapters the order is right by itself as a rule, and
 * needs no call of its own.
 */
export function addNics(spec: VmSpec, machine: ObservedMachine, goesWithOthers: boolean): Addition[] {
  const drivesToCome = spec.drives.some((wanted) => !machine.drives.some((drive) => sameSlot(drive, wanted)));
  const controllersToCome = spec.controllers.some(
    (wanted) =>
      !machine.controllers.some(({ bus, number }) => bus === wanted.bus && number === wanted.number),
  );
  if (spec.generation === 2 && drivesToCome && (controllersToCome || !goesWithOthers)) return [];
  return spec.nics
    .filter((wanted) => !machine.nics.some((nic) => nic.portId === wanted.portId))
    .map((wanted) => ({
      instance: build.newNic(wanted),
      apply: (before, added) => ({
        ...before,
        complete: false,
        nics: [...before.nics, { reference: added, portId: wanted.portId, mac: wanted.mac }],
      }),
    }));
}

export function addConnections(spec: VmSpec, machine: ObservedMachine, host: string): Addition[] {
  const additions: Addition[] = [];
  for (const wanted of spec.nics) {
    const nic = machine.nics.find((candidate) => candidate.portId === wanted.portId);
    if (nic === undefined || nic.connection !== undefined) continue;
    additions.push({
      instance: build.newConnection(wanted, nic.reference, host),
      apply: (before, added) => ({
        ...before,
        complete: false,
        nics: before.nics.map((other) =>
          other.portId === wanted.portId
            ? { ...other, connection: { reference: added, switchId: wanted.switchId } }
            : other,
        ),
      }),
    });
  }
  return additions;
}

export function modifyNics(spec: VmSpec, machine: ObservedMachine, host: string): Modification {
  const resources: CimInstance[] = [];
  const nics = machine.nics.map((nic) => {
    const wanted = spec.nics.find((candidate) => candidate.portId === nic.portId);
    if (wanted === undefined) return nic;
    if (!sameText(nic.mac, wanted.mac)) {
      resources.push(
        build.change(nic.reference, {
          StaticMacAddress: true,
          Address: wanted.mac,
        }),
      );
    }
    if (nic.connection === undefined || sameText(nic.connection.switchId, wanted.switchId))
      return { ...nic, mac: wanted.mac };
    resources.push(
      build.change(nic.connection.reference, {
        HostResource: [build.switchPath(wanted.switchId, host)],
      }),
    );
    return { ...nic, mac: wanted.mac, connection: { ...nic.connection, switchId: wanted.switchId } };
  });
  return { resources, after: { ...machine, nics } };
}
