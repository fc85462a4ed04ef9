import { WsmanError } from '../errors.js';
import type { CimType } from './value.js';

/** A value does not fit its CIM type, or its text cannot be read as that type. */
export class CimValueError extends WsmanError {
  constructor(message: string) {
    super('WSMAN_VALUE', message);
  }
}

type IntegerType = Extract<CimType, `uint${string}` | `sint${string}`>;

const BITS: Readonly<Record<IntegerType, readonly [bigint, bigint]>> = {
  uint8: [0n, 0xffn],
  uint16: [0n, 0xffffn],
  uint32: [0n, 0xffff_ffffn],
  uint64: [0n, 0xffff_ffff_ffff_ffffn],
  sint8: [-0x80n, 0x7fn],
  sint16: [-0x8000n, 0x7fffn],
  sint32: [-0x8000_0000n, 0x7fff_ffffn],
  sint64: [-0x8000_0000_0000_0000n, 0x7fff_ffff_ffff_ffffn],
};

/** The lowest and highest value of an integer type, both included; undefined for other types. */
export function integerRange(type: CimType): readonly [bigint, bigint] | undefined {
  return isIntegerType(type) ? BITS[type] : undefined;
}

export function isIntegerType(type: CimType): type is IntegerType {
  return type in BITS;
}

/** Decimal, or hexadecimal with 0x, which CIM-XML allows (DSP0201, VALUE). 64-bit types give a bigint. */
export function parseInteger(type: IntegerType, written: string): number | bigint {
  const trimmed = written.trim();
  if (!/^[+-]?(?:\d{1,20}|0[xX][0-9a-fA-F]{1,16})$/u.test(trimmed)) {
    throw new CimValueError(`"${written.slice(0, 40)}" is not a ${type}`);
  }
  const negative = trimmed.startsWith('-');
  const digits = BigInt(trimmed.replace(/^[+-]/u, ''));
  return narrow(type, negative ? -digits : digits);
}

/** Checks the range and gives number or bigint as the type demands. */
export function toInteger(type: IntegerType, value: number | bigint): number | bigint {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw new CimValueError(`${value} is not an exact integer; give a ${type} as an integer or a bigint`);
  }
  return narrow(type, BigInt(value));
}

function narrow(type: IntegerType, value: bigint): number | bigint {
  const [low, high] = BITS[type];
  if (value < low || value > high) throw new CimValueError(`${value} does not fit a ${type}`);
  return type === 'uint64' || type === 'sint64' ? value : Number(value);
}

/** xs:double and CIM's real; INF and NaN are XML Schema's spellings. */
export function parseReal(written: string): number {
  const trimmed = written.trim();
  if (trimmed === 'INF') return Infinity;
  if (trimmed === '-INF') return -Infinity;
  if (trimmed === 'NaN') return NaN;
  if (trimmed.length > 64 || !/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/u.test(trimmed)) {
    throw new CimValueError(`"${written.slice(0, 40)}" is not a number`);
  }
  return Number(trimmed);
}

export function formatReal(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? 'INF' : '-INF';
  return Object.is(value, -0) ? '-0' : String(value);
}

export function parseBoolean(written: string): boolean {
  const lower = written.trim().toLowerCase();
  if (lower === 'true' || lower === '1') return true;
  if (lower === 'false' || lower === '0') return false;
  throw new CimValueError(`"${written.slice(0, 40)}" is not a boolean`);
}
