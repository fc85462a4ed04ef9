import { expect, it } from 'vitest';
import { parseProcessStat } from './process-stat.js';

/** proc(5): pid, (name), state, then fields 4 to 21, then the start time, then more. */
const stat = (name: string, state: string): string =>
  `42 (${name}) ${state} ${Array.from({ length: 18 }, (_, i) => i).join(' ')} 987654 1 2 3\n`;

it('a process lives until it is a zombie or dead, whatever its name', () => {
  // Fields 14 and 15: 10 and 11 hundredths of a second.
  expect(parseProcessStat(stat('node', 'S'))).toEqual({
    startTicks: 987654,
    isAlive: true,
    processorMs: 210,
  });
  expect(parseProcessStat(stat('a) Z (b', 'R'))).toMatchObject({ startTicks: 987654, isAlive: true });
  expect(parseProcessStat(stat('node', 'Z')).isAlive).toBe(false);
  expect(parseProcessStat(stat('node', 'X')).isAlive).toBe(false);
});
