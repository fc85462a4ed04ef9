import { describe, expect, it } from 'vitest';
import { DriverError } from '../errors.js';
import { MAX_CONTENT_BYTES, writeIso9660 } from './iso9660.js';

const OPTIONS = { volumeId: 'config-2', date: new Date('2026-01-02T03:04:05Z') };
const file = (path: string, content = 'x') => ({ path, content: Buffer.from(content) });

describe('an ISO 9660 image', () => {
  it('is the same for the same files, date and label', () => {
    const files = [file('a/b.json', '{}'), file('c')];
    expect(writeIso9660(files, OPTIONS).equals(writeIso9660(files, OPTIONS))).toBe(true);
    expect(writeIso9660(files, OPTIONS).length % 2048).toBe(0);
  });

  it.each(['', '/a', 'a/', 'a//b', '../a', 'a/./b', 'ä', 'a\0b', 'a/b/c/d/e/f/g/h/i', 'x'.repeat(63)])(
    'refuses the path %j',
    (path) => {
      expect(() => writeIso9660([file(path)], OPTIONS)).toThrow(DriverError);
    },
  );

  it('refuses a path twice, and a file where a directory is', () => {
    expect(() => writeIso9660([file('a'), file('a')], OPTIONS)).toThrow(/each path once/);
    expect(() => writeIso9660([file('a'), file('a/b')], OPTIONS)).toThrow(/no place/);
    expect(() => writeIso9660([file('a/b'), file('a')], OPTIONS)).toThrow(/no place/);
  });

  it('refuses more than it can hold', () => {
    const content = new Uint8Array(MAX_CONTENT_BYTES);
    expect(() => writeIso9660([{ path: 'a', content }, file('b')], OPTIONS)).toThrow(/less user data/);
    const many = Array.from({ length: 5000 }, (_, index) => file(`f${index}`));
    expect(() => writeIso9660(many, OPTIONS)).toThrow(/at most 4096 files/);
  });
});
