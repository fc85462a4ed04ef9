import { open } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { MIB } from '../bytes/integers.js';
import { inTempFolder } from '../test-support/temp-folder.js';
import { dataRanges, splitByData } from './holes.js';

describe('holes of a file', () => {
  it('are found, and what is not a hole covers all that was written', () =>
    inTempFolder(async (folder) => {
      const handle = await open(path.join(folder, 'sparse'), 'wx+');
      try {
        await handle.truncate(200 * MIB + 77);
        expect(await dataRanges(handle.fd)).toEqual([]);
        const places = [0, 70 * MIB + 1, 200 * MIB];
        for (const place of places) await handle.write(Buffer.alloc(77, 1), 0, 77, place);
        const ranges = (await dataRanges(handle.fd)) ?? [];
        for (const place of places) {
          expect(ranges.some(({ start, end }) => start <= place && end >= place + 77)).toBe(true);
        }
        expect(ranges.reduce((sum, { start, end }) => sum + end - start, 0)).toBeLessThan(MIB);
      } finally {
        await handle.close();
      }
    }));

  it('are not asked for in a file that has few', () =>
    inTempFolder(async (folder) => {
      const handle = await open(path.join(folder, 'small'), 'wx+');
      try {
        await handle.truncate(MIB);
        expect(await dataRanges(handle.fd)).toBeUndefined();
      } finally {
        await handle.close();
      }
    }));

  it('cut a range into parts without gaps', () => {
    const ranges = [
      { start: 10, end: 20 },
      { start: 30, end: 40 },
    ];
    const parts = (offset: number, length: number): unknown =>
      [...splitByData(ranges, offset, length)].map(({ start, end, isData }) => [start, end, isData]);
    expect(parts(0, 50)).toEqual([
      [0, 10, false],
      [10, 20, true],
      [20, 30, false],
      [30, 40, true],
      [40, 50, false],
    ]);
    expect(parts(12, 5)).toEqual([[12, 17, true]]);
    expect(parts(20, 10)).toEqual([[20, 30, false]]);
    expect(parts(15, 20)).toEqual([
      [15, 20, true],
      [20, 30, false],
      [30, 35, true],
    ]);
    expect(parts(45, 5)).toEqual([[45, 50, false]]);
    expect(parts(0, 0)).toEqual([]);
  });
});
