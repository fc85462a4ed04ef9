import { expect, it } from 'vitest';
import { parseProcessStat } from './process-stat.js';

/** proc(5): pid, (name), state, then fields 4 to 21, then the start time, then more. */
const stat = (name: string, state: string): string =>
  `42 (${name}) ${state} ${Array.from({ length: 18 }, (_, i) => i).join(' ')} 987654 1 2 3\n`;

it('a process lives until it is a zombie or dead, whatever its name', () => {
  expect(parseProcessStat(stat('node', 'S'))).toEqual({ startTicks: 987654, isAlive: true });
  expect(parseProcessStat(stat('a) Z (b', 'R'))).toEqual({ startTicks: 987654, isAlive: true });
  expect(parseProcessStat(stat('node', 'Z')).isAlive).toBe(false);
  expect(parseProcessStat(stat('node', 'X')).isAlive).toBe(false);
});
