import { DriverError } from '../errors.js';
import type { EarlyPlanInput } from './input.js';
import { numaConstraints } from './numa-constraints.js';
import type { NumaCell } from './numa-constraints.js';
import type { NumaSpec } from './vm-spec.js';

/** Msvm_MemorySettingData.MaxMemoryBlocksPerNumaNode: even, and at least this (MB). */
const SMALLEST_NODE_MB = 8;
/** Msvm_ProcessorSettingData.MaxProcessorsPerNumaNode: largest value. Source: Set-VMProcessor, MaximumCountPerNumaNode. */
const MOST_PROCESSORS_OF_NODE = 64;
/** Each node a socket of its own, which is the host's default. */
const NODES_PER_SOCKET = 1;

/**
 * The virtual NUMA nodes that Hyper-V is to show, or null for none. Hyper-V is told how large a node may be and divides the machine
 * itself, so all nodes are alike and have their processors in order.
 */
export function planNuma({ instance, image }: Pick<EarlyPlanInput, 'instance' | 'image'>): NumaSpec | null {
  const { flavor } = instance;
  refuseKeysWithoutNodes(flavor.extraSpecs, image.properties);
  const cells = numaConstraints(flavor, image.properties);
  const [first] = cells ?? [];
  if (cells === undefined || first === undefined) return null;
  const processorsPerNode = first.processors.length;
  if (
    cells.some((cell) => cell.processors.length !== processorsPerNode || cell.memoryMb !== first.memoryMb)
  ) {
    throw unacceptable(
      `asks for NUMA nodes that differ (${cells.map((cell) => describe(cell)).join('; ')}); Hyper-V has only symmetric NUMA topologies. ` +
        'Give every node the same number of vCPUs and the same memory.',
    );
  }
  if (!areInOrder(cells)) {
    throw unacceptable(
      `asks for NUMA nodes with processors out of order (${cells.map((cell) => describe(cell)).join('; ')}); Hyper-V gives the first ` +
        `vCPUs to the first node and so on. Leave hw:numa_cpus.N and hw:numa_mem.N out: ${cells.length} equal nodes are what it makes by itself.`,
    );
  }
  if (processorsPerNode < 1 || processorsPerNode > MOST_PROCESSORS_OF_NODE) {
    throw unacceptable(
      `asks for NUMA nodes of ${processorsPerNode} vCPUs; a node has 1 to ${MOST_PROCESSORS_OF_NODE}.`,
    );
  }
  if (first.memoryMb < SMALLEST_NODE_MB || first.memoryMb % 2 !== 0) {
    throw unacceptable(
      `asks for NUMA nodes of ${first.memoryMb} MB; Hyper-V needs at least ${SMALLEST_NODE_MB} MB a node, in steps of 2 MB.`,
    );
  }
  return { processorsPerNode, memoryMbPerNode: first.memoryMb, nodesPerSocket: NODES_PER_SOCKET };

  function unacceptable(what: string): DriverError {
    return new DriverError('InstanceUnacceptable', `Flavor ${flavor.name} with image ${image.id} ${what}`);
  }
}

/** Nova passes over them without a word; whoever wrote them meant something. */
function refuseKeysWithoutNodes(...sources: readonly Readonly<Record<string, string>>[]): void {
  const keys = sources.flatMap((source) => Object.keys(source));
  const isAsked = sources.some((source) => source['hw:numa_nodes'] || source['hw_numa_nodes']);
  const stray = keys.find((key) => /^hw[:_]numa_(cpus|mem)\.\d+$/.test(key));
  if (isAsked || stray === undefined) return;
  throw new DriverError(
    'InstanceUnacceptable',
    `${stray} is set and no number of NUMA nodes: it has no effect alone. Set hw:numa_nodes (or hw_numa_nodes on the image), or remove it.`,
  );
}

function areInOrder(cells: readonly NumaCell[]): boolean {
  return cells.flatMap((cell) => cell.processors).every((number, index) => number === index);
}

function describe({ id, processors, memoryMb }: NumaCell): string {
  return `node ${id}: vCPUs ${processors.join(',')}, ${memoryMb} MB`;
}
