import { DriverError } from '../errors.js';
import type { NovaExceptionName } from '../errors.js';
import type { Flavor } from '../types.js';
import { parseProcessorSet } from './processor-set.js';

/** One NUMA node that a guest is to see. */
export interface NumaCell {
  readonly id: number;
  /** Numbers of the guest's processors, ascending. */
  readonly processors: readonly number[];
  readonly memoryMb: number;
}

type Properties = Readonly<Record<string, string>>;

/** ImageMetaProps.NUMA_NODES_MAX: indexed keys beyond it are not looked at. */
const MOST_NODES = 128;

/**
 * The NUMA topology that flavor and image ask for; undefined when they ask for none. Nova's own rules and exception names
 * (nova/virt/hardware.py, numa_get_constraints), which its API applies at boot and at resize. Keys for processors and memory count only
 * where a number of nodes is given.
 */
export function numaConstraints(
  flavor: Pick<Flavor, 'vcpus' | 'memoryMb' | 'extraSpecs'>,
  image: Properties,
): readonly NumaCell[] | undefined {
  const nodes = nodeCount(flavor.extraSpecs, image);
  if (nodes === undefined) return undefined;
  const processors = oneSource('numa_cpus', flavor.extraSpecs, image, parseProcessorSet);
  const memory = oneSource('numa_mem', flavor.extraSpecs, image, parseMemory);
  if (processors === undefined && memory === undefined) return evenCells(nodes, flavor);
  if (processors?.length !== nodes || memory?.length !== nodes) {
    refuse(
      'ImageNUMATopologyIncomplete',
      'CPU and memory allocation must be provided for all NUMA nodes: give hw:numa_cpus.N and hw:numa_mem.N for every N from 0 to ' +
        `${nodes - 1}, or neither.`,
    );
  }
  return explicitCells(flavor, processors, memory);
}

function nodeCount(specs: Properties, image: Properties): number | undefined {
  const [fromFlavor, fromImage] = [specs['hw:numa_nodes'], image['hw_numa_nodes']];
  if (fromFlavor && fromImage) forbidOverride('hw_numa_nodes');
  const text = fromFlavor || fromImage;
  if (!text) return undefined;
  const nodes = integer(text);
  if (nodes === undefined || nodes < 1 || nodes > MOST_NODES) {
    refuse(
      'InvalidNUMANodesNumber',
      `The property 'numa_nodes' cannot be '${text}'. It must be a number greater than 0.`,
    );
  }
  return nodes;
}

/** Values of `hw:NAME.0`, `hw:NAME.1` …, of the flavor or of the image; both at once is forbidden. */
function oneSource<T>(
  name: string,
  specs: Properties,
  image: Properties,
  parse: (text: string, key: string) => T,
): readonly T[] | undefined {
  const read = (source: Properties, prefix: string): readonly T[] => {
    const values: T[] = [];
    for (let index = 0; index < MOST_NODES; index += 1) {
      const key = `${prefix}${name}.${index}`;
      const text = source[key];
      if (text === undefined) break;
      values.push(parse(text, key));
    }
    return values;
  };
  const [fromFlavor, fromImage] = [read(specs, 'hw:'), read(image, 'hw_')];
  if (fromFlavor.length > 0 && fromImage.length > 0) forbidOverride(`hw_${name}`);
  const values = fromFlavor.length > 0 ? fromFlavor : fromImage;
  return values.length > 0 ? values : undefined;
}

function evenCells(nodes: number, { vcpus, memoryMb }: Pick<Flavor, 'vcpus' | 'memoryMb'>): NumaCell[] {
  if (vcpus % nodes !== 0 || memoryMb % nodes !== 0) {
    refuse(
      'ImageNUMATopologyAsymmetric',
      'Instance CPUs and/or memory cannot be evenly distributed across instance NUMA nodes. Explicit assignment of CPUs and memory to ' +
        `nodes is required: ${vcpus} vCPUs and ${memoryMb} MB cannot be divided by ${nodes}.`,
    );
  }
  const each = vcpus / nodes;
  return Array.from({ length: nodes }, (_, id) => ({
    id,
    processors: Array.from({ length: each }, (_unused, index) => id * each + index),
    memoryMb: memoryMb / nodes,
  }));
}

function explicitCells(
  { vcpus, memoryMb }: Pick<Flavor, 'vcpus' | 'memoryMb'>,
  processors: readonly (readonly number[])[],
  memory: readonly number[],
): NumaCell[] {
  const left = new Set(Array.from({ length: vcpus }, (_, number) => number));
  for (const number of processors.flat()) {
    if (number >= vcpus) {
      refuse(
        'ImageNUMATopologyCPUOutOfRange',
        `CPU number ${number} is larger than max ${vcpus - 1}: the flavor has ${vcpus} vCPUs.`,
      );
    }
    if (!left.delete(number))
      refuse('ImageNUMATopologyCPUDuplicates', `CPU number ${number} is assigned to two nodes.`);
  }
  if (left.size > 0) {
    refuse(
      'ImageNUMATopologyCPUsUnassigned',
      `CPU number {${[...left].join(', ')}} is not assigned to any node.`,
    );
  }
  const total = memory.reduce((sum, megabytes) => sum + megabytes, 0);
  if (total !== memoryMb) {
    refuse(
      'ImageNUMATopologyMemoryOutOfRange',
      `${total} MB of memory assigned, but expected ${memoryMb} MB.`,
    );
  }
  return processors.map((set, id) => ({ id, processors: set, memoryMb: memory[id] ?? 0 }));
}

function parseMemory(text: string, key: string): number {
  const megabytes = integer(text);
  if (megabytes === undefined) refuse('Invalid', `${key}=${text} is no number of MB.`);
  return megabytes;
}

function integer(text: string): number | undefined {
  return /^\s*\d{1,9}\s*$/.test(text) ? Number(text) : undefined;
}

function forbidOverride(property: string): never {
  refuse(
    'ImageNUMATopologyForbidden',
    `Image property '${property}' is not permitted to override NUMA configuration set against the flavor. Remove it from one of the two.`,
  );
}

function refuse(name: NovaExceptionName, message: string): never {
  throw new DriverError(name, message);
}
