import { InvalidArgumentError } from 'commander';

/** 1024 to the power of these. qemu-img's letters and PowerShell's (`10GB`) mean the same. */
const POWERS: Readonly<Record<string, number>> = { '': 0, b: 0, k: 1, m: 2, g: 3, t: 4 };
const SIZE = /^(\d{1,16})(?:\.(\d{1,9}))?(?:([bkmgt])|([kmgt])i?b)?$/i;

/**
 * Bytes from `10G`, `512M`, `1.5T`, `10GiB`, `10GB` (of 1024 each, as in qemu-img and PowerShell) or plain bytes.
 * @throws InvalidArgumentError with what would be one.
 */
export function parseSize(text: string): number {
  const match = SIZE.exec(text.trim());
  const [, whole = '', fraction = '', letter, longUnit] = match ?? [];
  if (match === null) throw new InvalidArgumentError('Sizes are written as 10G, 512M, 1.5T, 4096 (bytes).');
  const unit = 1024n ** BigInt(POWERS[(letter ?? longUnit ?? '').toLowerCase()] ?? 0);
  const scale = 10n ** BigInt(fraction.length);
  const scaled = BigInt(whole + fraction) * unit;
  if (scaled % scale !== 0n) throw new InvalidArgumentError(`${text} is no whole number of bytes.`);
  const bytes = scaled / scale;
  if (bytes > BigInt(Number.MAX_SAFE_INTEGER))
    throw new InvalidArgumentError(`${text} is more than any disk has.`);
  return Number(bytes);
}

/** A new size, or by how much a disk is to grow. Bytes. */
export interface SizeChange {
  readonly kind: 'to' | 'by';
  readonly bytes: number;
}

/** {@link parseSize}, and `+1G` for growing by that. */
export function parseSizeChange(text: string): SizeChange {
  return text.startsWith('+')
    ? { kind: 'by', bytes: parseSize(text.slice(1)) }
    : { kind: 'to', bytes: parseSize(text) };
}

export function applySizeChange(change: SizeChange, size: number): number {
  return change.kind === 'by' ? size + change.bytes : change.bytes;
}
