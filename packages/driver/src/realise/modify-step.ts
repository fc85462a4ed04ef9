import type { CimInstance } from '@nova-hyperv/wsman';
import type { NumaSpec, ProcessorSpec, VmSpec } from '../plan/vm-spec.js';
import { modifyVideo } from './device-steps.js';
import { modifyDrives } from './drive-steps.js';
import type { DiskPaths } from './drive-steps.js';
import { modifyNics } from './nic-steps.js';
import type { ObservedMachine, ObservedMemory, ObservedProcessor } from './observed.js';
import { sameText } from './rows.js';
import * as build from './settings.js';
import type { Modification, Step } from './step.js';

/** What each kind of resource needs changed; all of it goes into one call. */
const MODIFIERS: readonly ((
  spec: VmSpec,
  machine: ObservedMachine,
  host: string,
  disks: DiskPaths,
) => Modification)[] = [
  modifyMemory,
  modifyProcessor,
  modifySerialPorts,
  modifyDrives,
  modifyNics,
  modifyVideo,
];

export function modifyStep(
  spec: VmSpec,
  machine: ObservedMachine,
  host: string,
  disks: DiskPaths,
): Step | undefined {
  const resources: CimInstance[] = [];
  let after = machine;
  for (const modify of MODIFIERS) {
    const modification = modify(spec, after, host, disks);
    resources.push(...modification.resources);
    after = modification.after;
  }
  return resources.length === 0 ? undefined : { kind: 'modify', resources, after };
}

function modifyMemory(spec: VmSpec, machine: ObservedMachine): Modification {
  const { memory } = machine;
  const { numa } = spec.processors;
  if (memory === undefined || sameMemory(spec.memory, numa, memory)) return { resources: [], after: machine };
  const perNumaNodeMb = numa?.memoryMbPerNode ?? memory.perNumaNodeMb;
  return {
    resources: [build.change(memory.reference, build.memoryProperties(spec.memory, numa))],
    after: { ...machine, memory: { ...memory, ...spec.memory, perNumaNodeMb } },
  };
}

/** How large a node may be matters only where there are nodes. */
function sameMemory(wanted: VmSpec['memory'], numa: NumaSpec | null, has: ObservedMemory): boolean {
  return (
    wanted.dynamic === has.dynamic &&
    wanted.startupMb === has.startupMb &&
    wanted.minimumMb === has.minimumMb &&
    wanted.maximumMb === has.maximumMb &&
    (numa === null || numa.memoryMbPerNode === has.perNumaNodeMb)
  );
}

function modifyProcessor(spec: VmSpec, machine: ObservedMachine): Modification {
  const { processor } = machine;
  if (processor === undefined || sameProcessors(spec.processors, processor))
    return { resources: [], after: machine };
  const { numa, ...own } = spec.processors;
  const nestedChanges = own.nestedVirtualization !== processor.nestedVirtualization;
  const perNumaNode = numa?.processorsPerNode ?? processor.perNumaNode;
  const numaNodesPerSocket = numa?.nodesPerSocket ?? processor.numaNodesPerSocket;
  return {
    resources: [build.change(processor.reference, build.processorProperties(spec.processors, nestedChanges))],
    after: { ...machine, processor: { ...processor, ...own, perNumaNode, numaNodesPerSocket } },
  };
}

const PROCESSOR_FIELDS = [
  'count',
  'limitFeatures',
  'nestedVirtualization',
  'limit',
  'reservation',
  'weight',
] as const;

function sameProcessors({ numa, ...wanted }: ProcessorSpec, has: ObservedProcessor): boolean {
  return (
    PROCESSOR_FIELDS.every((name) => wanted[name] === has[name]) &&
    (numa === null ||
      (numa.processorsPerNode === has.perNumaNode && numa.nodesPerSocket === has.numaNodesPerSocket))
  );
}

function modifySerialPorts(spec: VmSpec, machine: ObservedMachine): Modification {
  const resources: CimInstance[] = [];
  const serialPorts = machine.serialPorts.map((port, index) => {
    const wanted = spec.serialPorts[index]?.pipe ?? null;
    if (sameText(port.pipe ?? '', wanted ?? '')) return port;
    resources.push(build.change(port.reference, { Connection: [wanted ?? ''] }));
    return { ...port, pipe: wanted };
  });
  return { resources, after: { ...machine, serialPorts } };
}
