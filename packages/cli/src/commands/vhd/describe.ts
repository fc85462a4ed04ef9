import type { DiskInfo } from '@nova-hyperv/vhd';
import { formatBytes } from '../../terminal/byte-count.js';

/** `10737418240 bytes (10.0 GiB)`. */
export function exactly(bytes: number): string {
  return `${bytes} bytes (${formatBytes(bytes)})`;
}

/** Lines of names and values. */
export function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${printable(value)}`).join('\n');
}

/** Texts out of disk files must not move a terminal's cursor. */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** `vhdx, dynamic, 10737418240 bytes (10.0 GiB)`. */
export function inShort({
  format,
  type,
  virtualSize,
}: Pick<DiskInfo, 'format' | 'type' | 'virtualSize'>): string {
  return `${format}, ${type}, ${exactly(virtualSize)}`;
}
