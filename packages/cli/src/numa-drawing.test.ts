import { expect, it } from 'vitest';
import { drawNuma, ranges } from './numa-drawing.js';

it('draws nodes and who sits where', () => {
  const text = drawNuma('HV1', {
    spanning: false,
    nodes: [
      {
        id: 0,
        processors: [0, 1, 2, 3],
        memoryMb: 16_384,
        freeMb: 10_240,
        machines: [{ id: 'B', name: 'instance-00000002', memoryMb: 6144 }],
      },
      {
        id: 1,
        processors: [4, 5, 7],
        memoryMb: 16_384,
        freeMb: 14_336,
        machines: [
          { id: 'E', name: 'e\u001B[2J', memoryMb: 512 },
          { id: 'D', name: 'd', memoryMb: 1536 },
        ],
      },
    ],
  });
  expect(text.split('\n')).toEqual([
    'HV1: 2 NUMA nodes, NUMA spanning off',
    '  node 0  [############....................]  10240 of 16384 MB free, processors 0-3',
    '          instance-00000002      6144 MB',
    '  node 1  [####............................]  14336 of 16384 MB free, processors 4-5,7',
    '          d                      1536 MB',
    '          e?[2J                   512 MB',
  ]);
});

it('draws a host that tells nothing', () => {
  expect(drawNuma('HV1', { spanning: true, nodes: [] })).toBe('HV1: 0 NUMA nodes, NUMA spanning on');
  expect(ranges([])).toBe('none');
});
