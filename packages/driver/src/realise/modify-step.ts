import type { CimInstance } from '@nova-hyperv/wsman';
import type { VmSpec } from '../plan/vm-spec.js';
import { modifyDrives } from './drive-steps.js';
import { modifyNics } from './nic-steps.js';
import { sameText } from './observe.js';
import type { ObservedMachine } from './observed.js';
import * as build from './settings.js';
import type { Modification, Step } from './step.js';

/** What each kind of resource needs changed; all of it goes into one call. */
const MODIFIERS: readonly ((spec: VmSpec, machine: ObservedMachine, host: string) => Modification)[] = [
  modifyMemory,
  modifyProcessor,
  modifySerialPorts,
  modifyDrives,
  modifyNics,
];

export function modifyStep(spec: VmSpec, machine: ObservedMachine, host: string): Step | undefined {
  const resources: CimInstance[] = [];
  let after = machine;
  for (const modify of MODIFIERS) {
    const modification = modify(spec, after, host);
    resources.push(...modification.resources);
    after = modification.after;
  }
  return resources.length === 0 ? undefined : { kind: 'modify', resources, after };
}

function modifyMemory(spec: VmSpec, machine: ObservedMachine): Modification {
  const { memory } = machine;
  if (memory === undefined || sameMemory(spec.memory, memory)) return { resources: [], after: machine };
  return {
    resources: [build.change(memory.reference, build.memoryProperties(spec.memory))],
    after: { ...machine, memory: { ...memory, ...spec.memory } },
  };
}

function sameMemory(wanted: VmSpec['memory'], has: VmSpec['memory']): boolean {
  return (
    wanted.dynamic === has.dynamic &&
    wanted.startupMb === has.startupMb &&
    wanted.minimumMb === has.minimumMb &&
    wanted.maximumMb === has.maximumMb
  );
}

function modifyProcessor(spec: VmSpec, machine: ObservedMachine): Modification {
  const { count, limitFeatures } = spec.processors;
  const { processor } = machine;
  if (processor === undefined || (processor.count === count && processor.limitFeatures === limitFeatures))
    return { resources: [], after: machine };
  return {
    resources: [build.change(processor.reference, build.processorProperties(spec.processors))],
    after: { ...machine, processor: { ...processor, count, limitFeatures } },
  };
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
