import { describe, expect, it } from 'vitest';
import { DISK_FORMATS, formatOfTarget, IMAGE_FORMATS } from './format.js';

describe('formatOfTarget', () => {
  it('is what was said, then what the name says', () => {
    expect(formatOfTarget('x.vhd', 'vhdx', DISK_FORMATS)).toBe('vhdx');
    expect(formatOfTarget('a/X.VHD', undefined, DISK_FORMATS)).toBe('vhd');
    expect(formatOfTarget('x.avhdx', undefined, DISK_FORMATS)).toBe('vhdx');
    expect(formatOfTarget('x.img', undefined, IMAGE_FORMATS)).toBe('raw');
  });

  it.each(['x', 'x.qcow2', 'vhdx', '.vhdx', 'x.img'])('%j tells nothing', (file) =>
    expect(() => formatOfTarget(file, undefined, DISK_FORMATS)).toThrow(/--format vhd or vhdx/),
  );
});
