import type { VhdError } from '../errors.js';

export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;
export const TIB = 1024 * GIB;

export function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

export function roundDown(value: number, unit: number): number {
  return Math.floor(value / unit) * unit;
}

export function isPowerOfTwo(value: number): boolean {
  return Number.isInteger(Math.log2(value));
}

/** A 64-bit field as a number. `tooBig` makes the error for values that no sane file holds (2^53 and above). */
export function toSafeNumber(value: bigint, tooBig: () => VhdError): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw tooBig();
  return Number(value);
}
