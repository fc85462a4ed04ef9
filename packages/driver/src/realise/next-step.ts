import type { CimInstance, CimReference } from '@nova-hyperv/wsman';
import { formatObjectPath } from '@nova-hyperv/wsman';
import { reference, sameHostPath } from '@nova-hyperv/hyperv';
import type { SystemSettings } from '@nova-hyperv/hyperv';
import type { BootDevice, DriveSpec, VmSpec } from '../plan/vm-spec.js';
import { sameText } from './observe.js';
import { instanceIdOf } from './observed.js';
import type { ObservedDrive, ObservedMachine, ObservedSettings } from './observed.js';
import * as build from './settings.js';
import { deviceOfBootSource } from './spec-of.js';
import { biosValue, shutdownValue, START_ACTION_NONE } from './values.js';

/** One resource to add, and what the machine then is. */
export interface Addition {
  readonly instance: CimInstance;
  readonly apply: (machine: ObservedMachine, added: CimReference) => ObservedMachine;
}

/** One call on the way from what a host has to what a spec says. */
export type Step =
  | { readonly kind: 'observe' }
  | { readonly kind: 'remove'; readonly references: readonly CimReference[]; readonly after: ObservedMachine }
  | { readonly kind: 'add'; readonly additions: readonly Addition[] }
  | { readonly kind: 'modify'; readonly resources: readonly CimInstance[]; readonly after: ObservedMachine }
  | { readonly kind: 'settings'; readonly changes: SystemSettings; readonly after: ObservedMachine };

/**
 * The next call, or undefined when the machine is what the spec says. Pure. Everything that can go into one call goes into it: what
 * has its parent is added together, all changes of resources are one call, all changes of the machine's own settings another.
 */
export function nextStep(spec: VmSpec, machine: ObservedMachine, host: string): Step | undefined {
  const needsHostsControllers =
    spec.controllers.some(({ bus }) => bus === 'ide') && machine.controllers.length === 0;
  if (!machine.complete && needsHostsControllers) return { kind: 'observe' };
  if (machine.complete) {
    const removal = removalStep(spec, machine);
    if (removal !== undefined) return removal;
  }
  const additions = [
    ...addControllers(spec, machine),
    ...addDrives(spec, machine, host),
    ...addMedia(spec, machine, host),
  ];
  additions.push(...addNics(spec, machine, additions.length > 0), ...addConnections(spec, machine, host));
  if (additions.length > 0) return { kind: 'add', additions };
  if (!machine.complete) return { kind: 'observe' };
  return modifyStep(spec, machine, host) ?? settingsStep(spec, machine, host);
}

function sameSlot(
  a: Pick<DriveSpec, 'bus' | 'controller' | 'slot'>,
  b: Pick<DriveSpec, 'bus' | 'controller' | 'slot'>,
): boolean {
  return a.bus === b.bus && a.controller === b.controller && a.slot === b.slot;
}

/** What a thing holds goes before the thing: a drive that still has a disk cannot be removed. */
function removalStep(spec: VmSpec, machine: ObservedMachine): Step | undefined {
  const extraDrives = machine.drives.filter(
    (drive) => !spec.drives.some((wanted) => sameSlot(wanted, drive) && wanted.kind === drive.kind),
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

function addControllers(spec: VmSpec, machine: ObservedMachine): Addition[] {
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

function addDrives(spec: VmSpec, machine: ObservedMachine, host: string): Addition[] {
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

function addMedia(spec: VmSpec, machine: ObservedMachine, host: string): Addition[] {
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
          sameSlot(other, wanted) ? { ...other, image: { reference: added, path: wanted.path } } : other,
        ),
      }),
    });
  }
  return additions;
}

/**
 * A new device goes to the end of a UEFI boot order: with the drives before the adapters the order is right by itself as a rule, and
 * needs no call of its own.
 */
function addNics(spec: VmSpec, machine: ObservedMachine, goesWithOthers: boolean): Addition[] {
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

function addConnections(spec: VmSpec, machine: ObservedMachine, host: string): Addition[] {
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

function modifyStep(spec: VmSpec, machine: ObservedMachine, host: string): Step | undefined {
  const resources: CimInstance[] = [];
  let after = machine;
  const { memory, processor } = machine;
  if (memory !== undefined && !sameFields(spec.memory, memory)) {
    resources.push(build.change(memory.reference, build.memoryProperties(spec.memory)));
    after = { ...after, memory: { ...memory, ...spec.memory } };
  }
  const { count, limitFeatures } = spec.processors;
  if (processor !== undefined && (processor.count !== count || processor.limitFeatures !== limitFeatures)) {
    resources.push(build.change(processor.reference, build.processorProperties(spec.processors)));
    after = { ...after, processor: { ...processor, count, limitFeatures } };
  }
  const serialPorts = machine.serialPorts.map((port, index) => {
    const wanted = spec.serialPorts[index]?.pipe ?? null;
    if (sameText(port.pipe ?? '', wanted ?? '')) return port;
    resources.push(build.change(port.reference, { Connection: [wanted ?? ''] }));
    return { ...port, pipe: wanted };
  });
  const drives = machine.drives.map((drive) => {
    const wanted = spec.drives.find((candidate) => sameSlot(candidate, drive));
    if (wanted === undefined || drive.image === undefined || sameHostPath(drive.image.path, wanted.path))
      return drive;
    resources.push(
      build.change(drive.image.reference, {
        HostResource: [wanted.path],
      }),
    );
    return { ...drive, image: { ...drive.image, path: wanted.path } };
  });
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
  if (resources.length === 0) return undefined;
  return { kind: 'modify', resources, after: { ...after, serialPorts, drives, nics } };
}

function sameFields(wanted: VmSpec['memory'], has: VmSpec['memory']): boolean {
  return (
    wanted.dynamic === has.dynamic &&
    wanted.startupMb === has.startupMb &&
    wanted.minimumMb === has.minimumMb &&
    wanted.maximumMb === has.maximumMb
  );
}

/** Only what differs is sent: hosts refuse values of properties that they keep to themselves. */
function settingsStep(spec: VmSpec, machine: ObservedMachine, host: string): Step | undefined {
  const has = machine.settings;
  if (has === undefined) return undefined;
  let changes: SystemSettings = {};
  let after: ObservedSettings = has;
  const set = (differs: boolean, change: SystemSettings, field: Partial<ObservedSettings>) => {
    if (!differs) return;
    changes = { ...changes, ...change };
    after = { ...after, ...field };
  };
  set(has.name !== spec.name, { ElementName: spec.name }, { name: spec.name });
  set(has.note !== spec.instanceUuid, { Notes: [spec.instanceUuid] }, { note: spec.instanceUuid });
  set(
    has.startAction !== START_ACTION_NONE,
    { AutomaticStartupAction: START_ACTION_NONE },
    { startAction: START_ACTION_NONE },
  );
  const shutdownAction = shutdownValue(spec.automaticShutdown);
  set(has.shutdownAction !== shutdownAction, { AutomaticShutdownAction: shutdownAction }, { shutdownAction });
  const { chassisAssetTag } = spec;
  set(has.chassisAssetTag !== chassisAssetTag, { ChassisAssetTag: chassisAssetTag }, { chassisAssetTag });
  const { numa } = spec.processors;
  set(has.numa !== numa, { VirtualNumaEnabled: numa }, { numa });
  if (spec.firmware.kind === 'uefi') {
    const { secureBoot } = spec.security;
    set(has.secureBoot !== secureBoot, { SecureBootEnabled: secureBoot }, { secureBoot });
    const order = bootSources(spec.firmware.bootOrder, machine, has, host);
    if (order !== undefined) set(true, { BootSourceOrder: order }, { bootSourceOrder: order });
  } else {
    const bootOrder = spec.firmware.bootOrder.map((device) => biosValue(device));
    set(bootOrder.join() !== has.bootOrder.join(), { BootOrder: bootOrder }, { bootOrder });
  }
  return Object.keys(changes).length === 0
    ? undefined
    : { kind: 'settings', changes, after: { ...machine, settings: after } };
}

/**
 * The boot order to write, or undefined when it is right: the host's own paths in the wanted order, then its other entries (files that
 * the guest's loader added) as they were.
 */
function bootSources(
  wanted: readonly BootDevice[],
  machine: ObservedMachine,
  has: ObservedSettings,
  host: string,
): readonly string[] | undefined {
  const byDevice = new Map<BootDevice, string>();
  const others: string[] = [];
  const now: BootDevice[] = [];
  for (const path of has.bootSourceOrder) {
    const device = deviceOfBootSource(machine, path);
    if (device === undefined || byDevice.has(device)) others.push(path);
    else {
      byDevice.set(device, path);
      now.push(device);
    }
  }
  if (now.join() === wanted.join()) return undefined;
  const paths = wanted.map((device) => byDevice.get(device) ?? computedBootSource(device, machine, host));
  return [...paths.filter((path) => path !== undefined), ...others];
}

/** For a host that leaves a device out of its order. */
function computedBootSource(device: BootDevice, machine: ObservedMachine, host: string): string | undefined {
  const drive = machine.drives.find(
    (candidate) => `${candidate.bus}:${candidate.controller}:${candidate.slot}` === device,
  );
  const owner = drive ?? machine.nics.find((candidate) => `nic:${candidate.portId}` === device);
  if (owner === undefined) return undefined;
  const source = reference('Msvm_BootSourceSettingData', {
    InstanceID: `${instanceIdOf(owner.reference)}\\B`,
  });
  return formatObjectPath(source, { host });
}
