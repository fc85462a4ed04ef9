import { describe, expect, it } from 'vitest';
import { applySizeChange, parseSize, parseSizeChange } from './size.js';

describe('parseSize', () => {
  it.each([
    ['4096', 4096],
    ['0', 0],
    ['512b', 512],
    ['64k', 65_536],
    ['512M', 512 * 2 ** 20],
    ['10G', 10 * 2 ** 30],
    ['10GB', 10 * 2 ** 30],
    ['10GiB', 10 * 2 ** 30],
    ['1.5T', 1.5 * 2 ** 40],
    ['64t', 64 * 2 ** 40],
    [' 1g ', 2 ** 30],
  ])('%j is %d', (text, bytes) => expect(parseSize(text)).toBe(bytes));

  it.each([
    '',
    'G',
    '-1G',
    '1e3',
    '0x10',
    '1,5G',
    '10 X',
    '10GG',
    '1.G',
    '.5G',
    '10bb',
    '0.3k',
    '99999T',
    '1G\n2',
  ])('%j is none', (text) => expect(() => parseSize(text)).toThrow());
});

describe('parseSizeChange', () => {
  it('knows a new size from growth', () => {
    expect(applySizeChange(parseSizeChange('3G'), 2 ** 30)).toBe(3 * 2 ** 30);
    expect(applySizeChange(parseSizeChange('+1G'), 2 ** 30)).toBe(2 * 2 ** 30);
    expect(() => parseSizeChange('++1G')).toThrow();
  });
});
