import type { NumaNodeConfig } from '../engine/engine.js';
import { HV, HyperVError } from '../errors.js';
import type { NumaNode, NumaTopology } from './topology.js';

/** Memory of a virtual node that lies on a node of the host. */
export interface Share {
  readonly virtualNode: number;
  readonly node: number;
  readonly memoryMb: number;
}

/** Where a running machine's memory lies. */
export type Placement = readonly Share[];

/**
 * Puts a machine that starts beside those that run. Each virtual node goes, in order, to the node of the host that holds fewest virtual
 * nodes of the same machine, among those to the one with most free memory, among those to the first. A virtual node that has no room on
 * that node has its memory of several (NUMA spanning), or the start fails with 32778.
 */
export function placeMachine(
  machine: { readonly name: string; readonly nodes: readonly NumaNodeConfig[] },
  topology: NumaTopology,
  running: readonly Placement[],
): Placement {
  const free = freeMemory(topology, running);
  const held = new Map<number, number>();
  const placement: Share[] = [];
  const take = (virtualNode: number, node: number, memoryMb: number): void => {
    if (memoryMb <= 0) return;
    placement.push({ virtualNode, node, memoryMb });
    free.set(node, (free.get(node) ?? 0) - memoryMb);
  };
  const freeOf = ({ id }: NumaNode): number => free.get(id) ?? 0;
  const heldOf = ({ id }: NumaNode): number => held.get(id) ?? 0;
  for (const [virtualNode, { memoryMb }] of machine.nodes.entries()) {
    const ranked = topology.nodes.toSorted(
      (a, b) => heldOf(a) - heldOf(b) || freeOf(b) - freeOf(a) || a.id - b.id,
    );
    const [best] = ranked;
    if (best === undefined) throw new TypeError('A host has one NUMA node at least.');
    held.set(best.id, heldOf(best) + 1);
    if (freeOf(best) >= memoryMb) {
      take(virtualNode, best.id, memoryMb);
      continue;
    }
    const everywhere = topology.nodes.reduce((sum, node) => sum + freeOf(node), 0);
    if (!topology.spanning || everywhere < memoryMb) {
      throw noRoom(machine.name, machine.nodes.length, virtualNode, memoryMb, best, freeOf(best));
    }
    let left = memoryMb;
    for (const node of [best, ...ranked.filter((other) => other !== best)]) {
      const part = Math.min(left, freeOf(node));
      take(virtualNode, node.id, part);
      left -= part;
    }
  }
  return placement;
}

/** Whether memory of one virtual node lies on several nodes of the host. */
export function spansNodes(placement: Placement | null): boolean {
  const nodes = (placement ?? []).map((share) => share.virtualNode);
  return new Set(nodes).size < nodes.length;
}

/** For what is read from a file. */
export function isPlacement(value: unknown): value is Placement {
  return (
    Array.isArray(value) &&
    value.every(
      (share: Partial<Share> | null) =>
        share !== null && [share.virtualNode, share.node, share.memoryMb].every(isCount),
    )
  );
}

function isCount(number: unknown): boolean {
  return Number.isSafeInteger(number) && Number(number) >= 0;
}

/** Free memory by the node's number, MB. */
export function freeMemory(topology: NumaTopology, running: readonly Placement[]): Map<number, number> {
  const free = new Map(topology.nodes.map((node) => [node.id, node.memoryMb]));
  for (const { node, memoryMb } of running.flat()) free.set(node, (free.get(node) ?? 0) - memoryMb);
  return free;
}

function noRoom(
  name: string,
  nodes: number,
  virtualNode: number,
  memoryMb: number,
  best: NumaNode,
  freeMb: number,
): HyperVError {
  const what =
    nodes === 1
      ? `the machine needs ${memoryMb} MB on one NUMA node`
      : `its virtual NUMA node ${virtualNode} needs ${memoryMb} MB`;
  return new HyperVError(
    HV.outOfMemory,
    `'${name}' could not be started: ${what}, and NUMA node ${best.id} of the host has ${freeMb} MB free of ${best.memoryMb} MB.`,
  );
}
