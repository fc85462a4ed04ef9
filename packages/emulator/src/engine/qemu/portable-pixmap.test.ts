import { expect, it } from 'vitest';
import { readPixmap } from './portable-pixmap.js';

const file = (header: string, pixels: readonly number[]): Buffer =>
  Buffer.concat([Buffer.from(header), Buffer.from(pixels)]);

it('reads a picture, whatever its first pixels are', () => {
  const white = [0x20, 0x0a, 0x35, 1, 2, 3];
  expect(readPixmap(file('P6\n2 1\n255\n', white))).toEqual({ width: 2, height: 1, rgb: Buffer.from(white) });
});

it.each([
  ['nothing', ''],
  ['another format', '\u0089PNG\r\n'],
  ['no pixels', 'P6\n0 5\n255\n'],
  ['too many', 'P6\n99999 99999\n255\n'],
  ['an end before its end', 'P6\n2 2\n255\nabc'],
])('refuses %s', (_, text) => {
  expect(() => readPixmap(Buffer.from(text, 'latin1'))).toThrow(expect.objectContaining({ code: 'FAILED' }));
});
