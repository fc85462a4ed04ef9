import { describe, expect, it } from 'vitest';
import { DEFAULT_CONFIG } from '../config.js';
import { DriverError } from '../errors.js';
import * as make from '../test-support/fixtures.js';
import { numaConstraints } from './numa-constraints.js';
import { planEarly } from './plan.js';

type Properties = Record<string, string>;

const FOUR = { vcpus: 4, memoryMb: 2048 };

function input(extraSpecs: Properties, properties: Properties = {}, ratio = 1) {
  return make.earlyInput({
    instance: make.instance({ flavor: make.flavor({ ...FOUR, extraSpecs }) }),
    image: make.image({ properties: { hw_machine_type: 'hyperv-gen2', ...properties } }),
    config: { ...DEFAULT_CONFIG, dynamicMemoryRatio: ratio },
  });
}

/** Nova's name of the refusal, or undefined. */
function refusal(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return error instanceof DriverError ? error.novaName : String(error);
  }
}

describe("Nova's rules of NUMA topologies", () => {
  const cells = (extraSpecs: Properties, image: Properties = {}) =>
    numaConstraints({ ...FOUR, extraSpecs }, image)?.map(
      ({ processors, memoryMb }) => `${processors.join(',')}: ${memoryMb}`,
    );

  it.each<[Properties, Properties, readonly string[] | undefined]>([
    [{}, {}, undefined],
    [{ 'hw:numa_nodes': '1' }, {}, ['0,1,2,3: 2048']],
    [{ 'hw:numa_nodes': '2' }, {}, ['0,1: 1024', '2,3: 1024']],
    [{}, { hw_numa_nodes: '2' }, ['0,1: 1024', '2,3: 1024']],
    [
      {
        'hw:numa_nodes': '2',
        'hw:numa_cpus.0': '0-2',
        'hw:numa_cpus.1': '3',
        'hw:numa_mem.0': '1536',
        'hw:numa_mem.1': '512',
      },
      {},
      ['0,1,2: 1536', '3: 512'],
    ],
    [{ 'hw:numa_nodes': '1' }, { 'hw_numa_cpus.0': '0-5,^4-5', 'hw_numa_mem.0': '2048' }, ['0,1,2,3: 2048']],
    // Nova looks at these only where a number of nodes is given, and reads keys up to the first that lacks.
    [{ 'hw:numa_cpus.0': '0' }, {}, undefined],
    [{ 'hw:numa_nodes': '2', 'hw:numa_mem.1': '512' }, {}, ['0,1: 1024', '2,3: 1024']],
  ])('%j %j → %j', (flavor, image, expected) => {
    expect(cells(flavor, image)).toEqual(expected);
  });

  const both = { 'hw:numa_mem.0': '1024', 'hw:numa_mem.1': '1024' };
  it.each<[string, Properties, Properties]>([
    ['InvalidNUMANodesNumber', { 'hw:numa_nodes': '0' }, {}],
    ['InvalidNUMANodesNumber', { 'hw:numa_nodes': 'two' }, {}],
    ['InvalidNUMANodesNumber', {}, { hw_numa_nodes: '-1' }],
    ['ImageNUMATopologyForbidden', { 'hw:numa_nodes': '2' }, { hw_numa_nodes: '2' }],
    ['ImageNUMATopologyForbidden', { 'hw:numa_nodes': '2', ...both }, { 'hw_numa_mem.0': '2048' }],
    [
      'ImageNUMATopologyForbidden',
      { 'hw:numa_nodes': '2', 'hw:numa_cpus.0': '0-1' },
      { 'hw_numa_cpus.0': '0' },
    ],
    ['ImageNUMATopologyIncomplete', { 'hw:numa_nodes': '2', ...both }, {}],
    ['ImageNUMATopologyIncomplete', { 'hw:numa_nodes': '2', ...both, 'hw:numa_cpus.0': '0-3' }, {}],
    ['ImageNUMATopologyAsymmetric', { 'hw:numa_nodes': '3' }, {}],
    [
      'ImageNUMATopologyCPUOutOfRange',
      { 'hw:numa_nodes': '2', ...both, 'hw:numa_cpus.0': '0-1', 'hw:numa_cpus.1': '2-4' },
      {},
    ],
    [
      'ImageNUMATopologyCPUDuplicates',
      { 'hw:numa_nodes': '2', ...both, 'hw:numa_cpus.0': '0-2', 'hw:numa_cpus.1': '2-3' },
      {},
    ],
    [
      'ImageNUMATopologyCPUsUnassigned',
      { 'hw:numa_nodes': '2', ...both, 'hw:numa_cpus.0': '0-1', 'hw:numa_cpus.1': '2' },
      {},
    ],
    [
      'ImageNUMATopologyMemoryOutOfRange',
      {
        'hw:numa_nodes': '2',
        'hw:numa_mem.0': '1024',
        'hw:numa_mem.1': '512',
        'hw:numa_cpus.0': '0-1',
        'hw:numa_cpus.1': '2-3',
      },
      {},
    ],
    ['Invalid', { 'hw:numa_nodes': '1', 'hw:numa_cpus.0': '0-999999999', 'hw:numa_mem.0': '2048' }, {}],
    ['Invalid', { 'hw:numa_nodes': '1', 'hw:numa_cpus.0': '3-0', 'hw:numa_mem.0': '2048' }, {}],
    ['Invalid', { 'hw:numa_nodes': '1', 'hw:numa_cpus.0': '0-3', 'hw:numa_mem.0': 'all' }, {}],
  ])('%s: %j %j', (name, flavor, image) => {
    expect(refusal(() => cells(flavor, image))).toBe(name);
  });
});

describe("Hyper-V's virtual NUMA nodes", () => {
  it('are told by the size of one, and have static memory whatever the ratio', () => {
    const { vm } = planEarly(input({ 'hw:numa_nodes': '2' }, {}, 2));
    expect(vm.processors.numa).toEqual({ processorsPerNode: 2, memoryMbPerNode: 1024, nodesPerSocket: 1 });
    expect(vm.memory).toEqual({ dynamic: false, startupMb: 2048, minimumMb: 2048, maximumMb: 2048 });
  });

  it('are none unless asked for', () => {
    const { vm } = planEarly(input({}, {}, 2));
    expect(vm.processors.numa).toBeNull();
    expect(vm.memory).toMatchObject({ dynamic: true, startupMb: 1024 });
  });

  const uneven = {
    'hw:numa_nodes': '2',
    'hw:numa_cpus.0': '0-2',
    'hw:numa_cpus.1': '3',
    'hw:numa_mem.0': '1024',
    'hw:numa_mem.1': '1024',
  };
  it.each<[string, Properties, RegExp]>([
    ['processors that differ', uneven, /only symmetric.*same number of vCPUs/],
    [
      'memory that differs',
      {
        ...uneven,
        'hw:numa_cpus.0': '0-1',
        'hw:numa_cpus.1': '2-3',
        'hw:numa_mem.0': '1000',
        'hw:numa_mem.1': '1048',
      },
      /only symmetric/,
    ],
    [
      'processors that take turns',
      { ...uneven, 'hw:numa_cpus.0': '0,2', 'hw:numa_cpus.1': '1,3' },
      /out of order.*Leave hw:numa_cpus/,
    ],
    [
      'keys that Nova would pass over',
      { 'hw:numa_mem.0': '2048' },
      /hw:numa_mem\.0 is set.*Set hw:numa_nodes/,
    ],
  ])('refuse %s', (_what, extraSpecs, message) => {
    const plan = () => planEarly(input(extraSpecs));
    expect(refusal(plan)).toBe('InstanceUnacceptable');
    expect(plan).toThrow(message);
  });

  it('refuse sizes that memory blocks do not have', () => {
    const odd = make.instance({
      flavor: make.flavor({ vcpus: 2, memoryMb: 514, extraSpecs: { 'hw:numa_nodes': '2' } }),
    });
    expect(() => planEarly(make.earlyInput({ instance: odd }))).toThrow(/257 MB.*steps of 2 MB/);
  });
});
