import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatAddress, formatBlock, hostRange, overlap, parseAddress, parseBlock } from './address.js';

const block = (text: string): NonNullable<ReturnType<typeof parseBlock>> => {
  const parsed = parseBlock(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
};

const range = (text: string): readonly string[] => {
  const { first, last } = hostRange(block(text));
  return [first, last].map((value) => formatAddress({ version: block(text).version, value }));
};

describe('addresses', () => {
  it('are read back as they were written', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }), (value) => {
        expect(parseAddress(formatAddress({ version: 6, value }))).toEqual({ version: 6, value });
        const low = value & 0xffffffffn;
        expect(parseAddress(formatAddress({ version: 4, value: low }))).toEqual({ version: 4, value: low });
      }),
    );
  });

  it.each([
    ['2001:DB8::1', '2001:db8::1'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['::ffff:10.0.0.1', '::ffff:a00:1'],
    ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
    ['010.0.0.1', undefined],
    ['10.0.0', undefined],
    ['fe80::1%eth0', undefined],
    ['1::2::3', undefined],
    ['', undefined],
  ])('%s is %s (RFC 5952)', (text, expected) => {
    const address = parseAddress(text);
    expect(address === undefined ? undefined : formatAddress(address)).toBe(expected);
  });
});

describe('blocks', () => {
  it.each([
    ['10.0.0.7/24', '10.0.0.0/24'],
    ['10.0.0.7', '10.0.0.7/32'],
    ['2001:db8::5/64', '2001:db8::/64'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['10.0.0.0/33', undefined],
    ['10.0.0.0/', undefined],
    ['10.0.0.0/8/8', undefined],
  ])('%s is %s', (text, expected) => {
    const parsed = parseBlock(text);
    expect(parsed === undefined ? undefined : formatBlock(parsed)).toBe(expected);
  });

  it('know what hosts may have', () => {
    expect(range('10.0.0.0/30')).toEqual(['10.0.0.1', '10.0.0.2']);
    expect(range('10.0.0.0/31')).toEqual(['10.0.0.0', '10.0.0.1']);
    expect(range('2001:db8::/126')).toEqual(['2001:db8::1', '2001:db8::3']);
  });

  it('know whether they overlap', () => {
    expect(overlap(block('10.0.0.0/8'), block('10.5.0.0/16'))).toBe(true);
    expect(overlap(block('10.0.0.0/24'), block('10.0.1.0/24'))).toBe(false);
    expect(overlap(block('0.0.0.0/0'), block('::/0'))).toBe(false);
  });
});
