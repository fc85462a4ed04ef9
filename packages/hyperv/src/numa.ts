import { isCimReference } from '@nova-hyperv/wsman';
import type { CimReference } from '@nova-hyperv/wsman';
import type { Machines } from './machines.js';
import type { HostWire } from './wire.js';

/** The host's NUMA nodes, and whose memory lies on them. */
export interface HostNuma {
  /** NumaSpanningEnabled: a machine that fits into no node may have memory of several. */
  readonly spanning: boolean;
  /** By number. */
  readonly nodes: readonly HostNumaNode[];
}

export interface HostNumaNode {
  readonly id: number;
  /** Numbers of its logical processors, ascending. */
  readonly processors: readonly number[];
  readonly memoryMb: number;
  readonly freeMb: number;
  /** Running machines with memory on it; none when the host does not tell where they are. */
  readonly machines: readonly NumaTenant[];
}

export interface NumaTenant {
  /** GUID, upper case. */
  readonly id: string;
  readonly name: string;
  readonly memoryMb: number;
}

/**
 * Reads the nodes: seven queries at once. The associations are read whole: walking them from a node to its processors has crashed the
 * management service of real hosts. A block of Msvm_Memory is 1 MB.
 */
export async function readNuma(wire: HostWire, machines: Machines): Promise<HostNuma> {
  const [nodes, memory, members, allocations, settings, handles] = await Promise.all([
    wire.select('Msvm_NumaNode', ['NodeID', 'NumberOfLogicalProcessors', 'CurrentlyConsumableMemoryBlocks']),
    wire.select('Msvm_Memory', ['SystemName', 'DeviceID', 'NumberOfBlocks']),
    links(wire, 'Msvm_HostedDependency'),
    links(wire, 'Msvm_ElementAllocatedFromNumaNode'),
    wire.select('Msvm_VirtualSystemManagementServiceSettingData', ['NumaSpanningEnabled']),
    machines.list(),
  ]);
  const blocks = new Map(
    memory.map(({ properties }) => [keyOf(properties.DeviceID), Number(properties.NumberOfBlocks ?? 0n)]),
  );
  const names = new Map(handles.map((handle) => [handle.id, handle.name]));
  return {
    spanning: settings[0]?.properties.NumaSpanningEnabled ?? true,
    nodes: nodes
      .map(({ properties }) => {
        const nodeId = keyOf(properties.NodeID);
        const own = ofNode(members, nodeId);
        return {
          id: lastNumber(nodeId),
          processors: own
            .filter((part) => part.className === 'Msvm_Processor')
            .map((part) => lastNumber(part.keys['DeviceID'] ?? ''))
            .toSorted((a, b) => a - b),
          memoryMb: own
            .filter((part) => part.className === 'Msvm_Memory')
            .reduce((sum, part) => sum + (blocks.get(keyOf(part.keys['DeviceID'])) ?? 0), 0),
          freeMb: Number(properties.CurrentlyConsumableMemoryBlocks ?? 0n),
          machines: tenants(ofNode(allocations, nodeId), blocks, names),
        };
      })
      .toSorted((a, b) => a.id - b.id),
  };
}

interface Link {
  readonly node: CimReference;
  readonly part: CimReference;
}

async function links(wire: HostWire, className: string): Promise<readonly Link[]> {
  const found = await wire.query(`SELECT * FROM ${className}`);
  return found.flatMap(({ instance }) => {
    const { Antecedent: node, Dependent: part } = instance.properties;
    return isCimReference(node) && isCimReference(part) ? [{ node, part }] : [];
  });
}

function ofNode(all: readonly Link[], nodeId: string): readonly CimReference[] {
  return all.filter(({ node }) => keyOf(node.keys['NodeID']) === nodeId).map(({ part }) => part);
}

function tenants(
  parts: readonly CimReference[],
  blocks: ReadonlyMap<string, number>,
  names: ReadonlyMap<string, string>,
): readonly NumaTenant[] {
  const held = new Map<string, number>();
  for (const part of parts.filter(({ className }) => className === 'Msvm_Memory')) {
    const owner = (part.keys['SystemName'] ?? '').toUpperCase();
    held.set(owner, (held.get(owner) ?? 0) + (blocks.get(keyOf(part.keys['DeviceID'])) ?? 0));
  }
  return [...held].map(([id, memoryMb]) => ({ id, name: names.get(id) ?? id, memoryMb }));
}

/** Keys compare without case. */
function keyOf(text: string | null | undefined): string {
  return (text ?? '').toLowerCase();
}

/** `Microsoft:PhysicalNode\1` → 1 */
function lastNumber(id: string): number {
  return Number(/(\d+)$/.exec(id)?.[1] ?? 0);
}
