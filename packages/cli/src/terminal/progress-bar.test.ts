import { describe, expect, it } from 'vitest';
import { formatBytes } from './byte-count.js';
import { formatBar, formatDuration, ProgressBar } from './progress-bar.js';

const GIB = 2 ** 30;

describe('formatBytes', () => {
  it.each([
    [0, '0 bytes'],
    [512, '512 bytes'],
    [1023, '1.00 KiB'],
    [1536, '1.50 KiB'],
    [10 * GIB, '10.0 GiB'],
    [999.9 * GIB, '0.98 TiB'],
    [64 * 1024 * GIB, '64.0 TiB'],
  ])('%d is %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));
});

describe('formatDuration', () => {
  it.each([
    [0, '0:00'],
    [59.2, '1:00'],
    [3723, '1:02:03'],
    [Number.POSITIVE_INFINITY, '--:--'],
    [1e9, '--:--'],
  ])('%d s is %s', (seconds, text) => expect(formatDuration(seconds)).toBe(text));
});

describe('formatBar', () => {
  it('shows share, size, rate and the time that is left', () => {
    const line = formatBar('convert', { done: 5 * GIB, total: 10 * GIB }, GIB, 80);
    expect(line).toMatch(/^convert \[=+> +\] {2}50% {2}10\.0 GiB {2}1\.00 GiB\/s {5}0:05$/);
    expect(formatBar('x', { done: 0, total: 0 }, 0, 80)).toContain('100%');
  });

  it('is narrower than the terminal, however narrow that is', () => {
    for (let columns = 1; columns < 240; columns += 1)
      for (const done of [0, 3, 10]) {
        const line = formatBar('convert', { done, total: 10 }, 1, columns);
        expect(line.length).toBeLessThan(Math.max(columns, 1));
        if (columns > 13) expect(line).toContain(`${done * 10}%`);
      }
  });
});

function drawn(isTTY: boolean): string[] {
  const lines: string[] = [];
  let now = 0;
  const stream = { isTTY, columns: 100, write: (text: string) => lines.push(text) };
  const bar = new ProgressBar(stream, 'merge', () => now);
  for (let done = 0; done <= 1000; done += 1) {
    now += 10;
    bar.update({ done: done * 1024, total: 1000 * 1024 });
  }
  bar.end();
  bar.end();
  return lines;
}

describe('ProgressBar', () => {
  it('is drawn ten times a second at most, and gone at the end', () => {
    const lines = drawn(true);
    expect(lines.length).toBeGreaterThan(50);
    expect(lines.length).toBeLessThanOrEqual(103);
    // 1 KiB every 10 ms.
    expect(lines[60]).toMatch(/100 KiB\/s/);
    expect(lines.at(-1)).toBe('\r\u001B[K');
    expect(lines.at(-2)).not.toBe('\r\u001B[K');
  });

  it('is for terminals only', () => expect(drawn(false)).toEqual([]));
});
