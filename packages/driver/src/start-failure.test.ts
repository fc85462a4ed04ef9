import { describe, expect, it } from 'vitest';
import type { HostNuma } from '@nova-hyperv/hyperv';
import { lackOfRoom } from './start-failure.js';
import * as make from './test-support/fixtures.js';
import { planEarly } from './plan/plan.js';

const GIB = 1024;

const specOf = (memoryGb: number, nodes?: number) =>
  planEarly(
    make.earlyInput({
      instance: make.instance({
        flavor: make.flavor({
          vcpus: 2,
          memoryMb: memoryGb * GIB,
          extraSpecs: nodes === undefined ? {} : { 'hw:numa_nodes': String(nodes) },
        }),
      }),
    }),
  ).vm;

/** After B, D, E and C of the usage guide's example were started. */
const numa: HostNuma = {
  spanning: false,
  nodes: [
    {
      id: 0,
      processors: [0],
      memoryMb: 16 * GIB,
      freeMb: 10 * GIB,
      machines: [{ id: '1', name: 'B', memoryMb: 6 * GIB }],
    },
    {
      id: 1,
      processors: [1],
      memoryMb: 16 * GIB,
      freeMb: 6 * GIB,
      machines: ['D', 'E', 'C'].map((name, index) => ({
        id: name,
        name,
        memoryMb: (index < 2 ? 2 : 6) * GIB,
      })),
    },
  ],
};

describe('a machine that has no room on its host', () => {
  it('is told which node is full, who is there, and what would help', () => {
    const why = lackOfRoom(specOf(16, 2), numa, 'HV1') ?? '';
    expect(why).toContain('needs 8192 MB on each of 2 NUMA nodes, and node 1 has 6144 MB free of 16384 MB');
    expect(why).toContain('(held by D 2048 MB, E 2048 MB, C 6144 MB)');
    expect(why).not.toContain('node 0');
    expect(why).toMatch(/Stop or move an instance.*availability zone.*NumaSpanningEnabled/);
  });

  it('has one node in mind when it has no more', () => {
    expect(lackOfRoom(specOf(12), numa, 'HV1')).toMatch(/needs 12288 MB on one NUMA node.*node 0.*node 1/);
  });

  it('lacks something else when it would fit, or when memory may be of several nodes', () => {
    expect(lackOfRoom(specOf(12, 2), numa, 'HV1')).toBeUndefined();
    expect(lackOfRoom(specOf(16, 2), { ...numa, spanning: true }, 'HV1')).toBeUndefined();
    expect(lackOfRoom(specOf(16, 2), { ...numa, nodes: numa.nodes.slice(0, 1) }, 'HV1')).toBeUndefined();
  });
});
