import type { CimInstance, CimReference } from '@nova-hyperv/wsman';
import { clockMhz } from '../base/hardware.js';
import { numberOf, sameText, textOf } from '../cim.js';
import type { IpBytes, MachineStats } from '../engine/engine.js';
import { driveIdOf, nicId } from '../machines/engine-config.js';
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
import { METRIC_DEFINITIONS, NO_DISK_WORK, NO_TRAFFIC } from './definitions.js';
import type { Measured, MetricDefinition, PortCounters } from './definitions.js';
import { metered } from './meters.js';

/** Something of a machine that metrics are collected of: the machine itself, a virtual hard disk in one of its drives, the switch port of an adapter. */
export interface MetricElement {
  readonly machine: Machine;
  /** {@link CollectedMetric.element} */
  readonly key: string;
  readonly reference: CimReference;
  /** MeasuredElementName */
  readonly name: string;
  readonly of: MetricDefinition['of'];
  /** Of a disk. */
  readonly driveId?: string;
  /** Of a port: the adapter that is plugged into it. */
  readonly nicId?: string;
}

export function elementsOf(machine: Machine): readonly MetricElement[] {
  const resources = resourcesOf(machine);
  return [
    { machine, of: 'machine', key: '', reference: systemReference(machine.id), name: nameOf(machine) },
    ...resources
      .filter((resource) => isKind(resource, 'hard-disk'))
      .map((disk) => ({
        ...resourceElement(machine, disk),
        of: 'disk' as const,
        driveId: driveIdOf(machine, disk) ?? '',
      })),
    ...resources
      .filter((resource) => isKind(resource, 'connection'))
      .map((connection) => ({
        ...resourceElement(machine, connection),
        of: 'port' as const,
        nicId: nicId(connection),
      })),
  ];
}

function resourceElement(
  machine: Machine,
  resource: CimInstance,
): Pick<MetricElement, 'machine' | 'key' | 'reference' | 'name'> {
  return {
    machine,
    key: idOf(resource).toLowerCase(),
    reference: resourceReference(resource),
    name: textOf(resource.properties['ElementName']),
  };
}

/** The metrics that can be collected of an element: what Msvm_MetricDefForME links it with. */
export function definitionsOf(element: MetricElement): readonly MetricDefinition[] {
  return METRIC_DEFINITIONS.filter(({ of }) => of === element.of);
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
  const counted = { processorMs: stats.processorMs, disk };
  if (element.of !== 'port') return counted;
  const { received, sent } = stats.nics.find(({ id }) => id === element.nicId) ?? NO_TRAFFIC;
  return { ...counted, port: { received, sent } };
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
    port: metered(element, traffic(now.port ?? NO_TRAFFIC, from.port ?? NO_TRAFFIC)),
  };
}

function traffic(now: PortCounters, from: PortCounters): PortCounters {
  const since = (way: keyof PortCounters): IpBytes => ({
    ipv4: less(now[way].ipv4, from[way].ipv4),
    ipv6: less(now[way].ipv6, from[way].ipv6),
  });
  return { received: since('received'), sent: since('sent') };
}

/** A running machine has the memory that it starts with: there is no ballooning. */
function memoryOf(machine: Machine): number {
  const memory = resourcesOf(machine).find((resource) => isKind(resource, 'memory'));
  return numberOf(memory?.properties['VirtualQuantity']);
}
