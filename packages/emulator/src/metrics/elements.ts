import type { CimReference } from '@nova-hyperv/wsman';
import { clockMhz } from '../base/hardware.js';
import { numberOf, sameText, textOf } from '../cim.js';
import type { MachineStats } from '../engine/engine.js';
import { driveIdOf } from '../machines/engine-config.js';
import { isKind } from '../machines/kinds.js';
import {
  idOf,
  machineIdOf,
  nameOf,
  resourceById,
  resourceReference,
  resourcesOf,
  systemReference,
} from '../machines/model.js';
import type { Machine } from '../machines/model.js';
import type { ServiceContext } from '../services/context.js';
import { NOTHING_COUNTED } from './collection.js';
import type { CollectedMetric, Counted } from './collection.js';
import { METRIC_DEFINITIONS, NO_DISK_WORK } from './definitions.js';
import type { Measured, MetricDefinition } from './definitions.js';

/** Something of a machine that metrics are collected of: the machine itself, or a virtual hard disk in one of its drives. */
export interface MetricElement {
  readonly machine: Machine;
  /** {@link CollectedMetric.element} */
  readonly key: string;
  readonly reference: CimReference;
  /** MeasuredElementName */
  readonly name: string;
  /** Of a disk. */
  readonly driveId?: string;
}

export function elementsOf(machine: Machine): readonly MetricElement[] {
  const disks = resourcesOf(machine).filter((resource) => isKind(resource, 'hard-disk'));
  return [
    { machine, key: '', reference: systemReference(machine.id), name: nameOf(machine) },
    ...disks.map((disk) => ({
      machine,
      key: idOf(disk).toLowerCase(),
      reference: resourceReference(disk),
      name: textOf(disk.properties['ElementName']),
      driveId: driveIdOf(machine, disk) ?? '',
    })),
  ];
}

/** The metrics that can be collected of an element: what Msvm_MetricDefForME links it with. */
export function definitionsOf({ key }: MetricElement): readonly MetricDefinition[] {
  return METRIC_DEFINITIONS.filter(({ of }) => of === (key === '' ? 'machine' : 'disk'));
}

/** The element that a reference names; undefined when nothing is measured of such a thing (pass-through disks, DVDs). */
export function elementAt(context: ServiceContext, reference: CimReference): MetricElement | undefined {
  const key = (name: string): string =>
    Object.entries(reference.keys).find(([other]) => sameText(other, name))?.[1] ?? '';
  const id = key('InstanceID');
  const machine = context.machines.get(id === '' ? key('Name') : (machineIdOf(id) ?? ''));
  if (machine === undefined) return undefined;
  if (id !== '' && resourceById(machine, id) === undefined) return undefined;
  return elementsOf(machine).find((element) => element.key === id.toLowerCase());
}

/** The engine's counters of a machine now; undefined while it is off. */
export async function statsOf(context: ServiceContext, machine: Machine): Promise<MachineStats | undefined> {
  if (!context.machines.isRunning(machine.id) || machine.startedAt === null) return undefined;
  // It may stop while it is asked.
  return await context.engine.stats(machine.id).catch(() => undefined);
}

export function countedOf(element: MetricElement, stats: MachineStats | undefined): Counted {
  if (stats === undefined) return NOTHING_COUNTED;
  const disk = stats.drives.find(({ id }) => id === element.driveId) ?? NO_DISK_WORK;
  return { processorMs: stats.processorMs, disk };
}

/** Counters that went back (a disk that was changed for another) count from 0. */
function less(value: number, before: number): number {
  return value >= before ? value - before : value;
}

/** What an element did since a metric's measuring began. */
export function measured(
  context: ServiceContext,
  element: MetricElement,
  { since, from }: CollectedMetric,
  stats: MachineStats,
): Measured {
  const now = countedOf(element, stats);
  const begin = Date.parse(since ?? element.machine.startedAt ?? '');
  return {
    elapsedMs: Math.max(0, context.host.clock.now().getTime() - begin),
    processorMs: less(now.processorMs, from.processorMs),
    clockMhz: clockMhz(),
    memoryMb: memoryOf(element.machine),
    disk: {
      readBytes: less(now.disk.readBytes, from.disk.readBytes),
      writtenBytes: less(now.disk.writtenBytes, from.disk.writtenBytes),
      readRequests: less(now.disk.readRequests, from.disk.readRequests),
      writeRequests: less(now.disk.writeRequests, from.disk.writeRequests),
      busyMs: less(now.disk.busyMs, from.disk.busyMs),
    },
  };
}

/** A running machine has the memory that it starts with: there is no ballooning. */
function memoryOf(machine: Machine): number {
  const memory = resourcesOf(machine).find((resource) => isKind(resource, 'memory'));
  return numberOf(memory?.properties['VirtualQuantity']);
}
