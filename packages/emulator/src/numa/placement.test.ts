import { describe, expect, it } from 'vitest';
import { placeMachine, spansNodes } from './placement.js';
import type { Placement } from './placement.js';
import { evenTopology } from './topology.js';

const GIB = 1024;

/** A host of two nodes of 16 GB. */
const host = (spanning: boolean) => evenTopology({ nodes: 2, processors: 8, memoryMb: 32 * GIB, spanning });

/** Machines by name: memory of each virtual node, GB. */
const MACHINES: Readonly<Record<string, readonly number[]>> = { A: [8, 8], B: [6], C: [6], D: [2], E: [2] };

/** Starts machines one after the other; `0: A(0) B` and so on, what each node of the host holds. */
function start(names: string, spanning = false): readonly string[] {
  const running = new Map<string, Placement>();
  for (const name of names) {
    const nodes = (MACHINES[name] ?? []).map((size) => ({ processors: 1, memoryMb: size * GIB }));
    running.set(name, placeMachine({ name, nodes }, host(spanning), [...running.values()]));
  }
  return [0, 1].map((node) =>
    [...running]
      .flatMap(([name, shares]) =>
        shares
          .filter((share) => share.node === node)
          .map((share) => (MACHINES[name]?.length === 1 ? name : `${name}(${share.virtualNode})`)),
      )
      .join(' '),
  );
}

describe('machines on NUMA nodes', () => {
  it('fit as the usage guide says, when the one that spans nodes is first', () => {
    expect(start('ABCDE')).toEqual(['A(0) B D', 'A(1) C E']);
  });

  it('lie otherwise after B, D, E and C were started', () => {
    expect(start('BDEC')).toEqual(['B', 'D E C']);
  });

  it('then have no room for A, and the failure names the node', () => {
    expect(() => start('BDECA')).toThrow(
      /'A' could not be started: its virtual NUMA node 1 needs 8192 MB, and NUMA node 1 of the host has 6144 MB free of 16384 MB/,
    );
  });

  it('have room for A where memory may be of several nodes', () => {
    expect(start('BDECA', true)).toEqual(['B A(0) A(1)', 'D E C A(1)']);
  });

  it('are told to span when one virtual node lies on several', () => {
    const big = placeMachine({ name: 'big', nodes: [{ processors: 1, memoryMb: 20 * GIB }] }, host(true), []);
    expect(big).toEqual([
      { virtualNode: 0, node: 0, memoryMb: 16 * GIB },
      { virtualNode: 0, node: 1, memoryMb: 4 * GIB },
    ]);
    expect(spansNodes(big)).toBe(true);
    expect(spansNodes(big.slice(0, 1))).toBe(false);
    expect(spansNodes(null)).toBe(false);
  });

  it('share a node only when there are more virtual nodes than nodes', () => {
    const nodes = [1, 1, 1].map((memoryMb) => ({ processors: 1, memoryMb }));
    const placement = placeMachine({ name: 'three', nodes }, host(false), []);
    expect(placement.map(({ node }) => node)).toEqual([0, 1, 0]);
  });
});

describe('the nodes of a host', () => {
  it('have even parts of processors and memory, the first a little more', () => {
    const { nodes } = evenTopology({ nodes: 3, processors: 8, memoryMb: 100, spanning: true });
    expect(nodes).toEqual([
      { id: 0, processors: [0, 1, 2], memoryMb: 34 },
      { id: 1, processors: [3, 4, 5], memoryMb: 33 },
      { id: 2, processors: [6, 7], memoryMb: 33 },
    ]);
  });
});
