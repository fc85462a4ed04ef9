import { describe, expect, it } from 'vitest';
import { describeDifferences, diffSpecs } from './diff-specs.js';

describe('diffSpecs', () => {
  it('names each field that parts, with both values, in order', () => {
    const planned = {
      name: 'a',
      directory: 'C:\\VMs\\a',
      memory: { startupMb: 512, dynamic: false },
      drives: [
        { path: 'C:\\x.vhdx', iopsLimit: 0 },
        { path: 'C:\\y.vhdx', iopsLimit: 0 },
      ],
    };
    const observed = {
      name: 'A',
      directory: 'c:\\vms\\A',
      memory: { startupMb: 1024, dynamic: false },
      drives: [{ path: 'c:\\X.VHDX', iopsLimit: 5 }],
    };
    const found = diffSpecs(planned, observed);
    expect(found).toEqual([
      { field: 'name', planned: 'a', observed: 'A' },
      { field: 'memory.startupMb', planned: 512, observed: 1024 },
      { field: 'drives[0].iopsLimit', planned: 0, observed: 5 },
      { field: 'drives[1]', planned: planned.drives[1], observed: undefined },
    ]);
    expect(describeDifferences(found)).toContain('memory.startupMb\n  planned   512\n  observed  1024');
    expect(describeDifferences(found)).toContain('observed  not there');
  });

  it('finds nothing between equals, and what only one of two has', () => {
    expect(diffSpecs({ a: null, b: [1] }, { a: null, b: [1] })).toEqual([]);
    expect(diffSpecs({ numa: null }, { numa: { nodes: 1 } })).toHaveLength(1);
    expect(diffSpecs({}, { extra: 1 })).toEqual([{ field: 'extra', planned: undefined, observed: 1 }]);
  });
});
