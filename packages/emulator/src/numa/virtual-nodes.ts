import type { CimInstance } from '@nova-hyperv/wsman';
import { isTrue, numberOf } from '../cim.js';
import type { NumaNodeConfig } from '../engine/engine.js';

/**
 * The virtual NUMA nodes of a machine by its settings: as few as keep to MaxProcessorsPerNumaNode and MaxMemoryBlocksPerNumaNode (blocks
 * of 1 MB), all alike but for what cannot be divided. One node without virtual NUMA, and with dynamic memory, which excludes it.
 */
export function virtualNodes(
  settings: CimInstance,
  memory: CimInstance | undefined,
  processor: CimInstance | undefined,
): readonly NumaNodeConfig[] {
  const memoryMb = numberOf(memory?.properties['VirtualQuantity'], 1024);
  const processors = numberOf(processor?.properties['VirtualQuantity'], 1);
  const isOne =
    !isTrue(settings.properties['VirtualNumaEnabled']) || isTrue(memory?.properties['DynamicMemoryEnabled']);
  if (isOne) return [{ processors, memoryMb }];
  const perNode = {
    memoryMb: Math.max(1, numberOf(memory?.properties['MaxMemoryBlocksPerNumaNode'], memoryMb)),
    processors: Math.max(1, numberOf(processor?.properties['MaxProcessorsPerNumaNode'], processors)),
  };
  const wanted = Math.max(Math.ceil(memoryMb / perNode.memoryMb), Math.ceil(processors / perNode.processors));
  // A node without a processor is none.
  const count = Math.min(wanted, processors);
  return Array.from({ length: count }, (_, index) => ({
    processors: part(processors, count, index, 1),
    memoryMb: part(memoryMb, count, index, 2),
  }));
}

/** The index-th of even parts, in whole steps; what is left over goes to the first. */
function part(whole: number, count: number, index: number, step: number): number {
  const steps = Math.floor(whole / step);
  const each = Math.floor(steps / count) + (index < steps % count ? 1 : 0);
  return each * step + (index === 0 ? whole % step : 0);
}
