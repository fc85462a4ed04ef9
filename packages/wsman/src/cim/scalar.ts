import {
  formatCimDateTime,
  formatDuration,
  formatIsoDateTime,
  parseCimDateTime,
  parseDuration,
  parseIsoDateTime,
} from './datetime.js';
import {
  CimValueError,
  formatReal,
  isIntegerType,
  parseBoolean,
  parseInteger,
  parseReal,
  toInteger,
} from './numbers.js';
import type { CimScalar, CimType } from './value.js';

/** `wsman`: XML Schema's spellings; `cim`: those of CIM-XML (DSP0201). */
export type Spelling = 'wsman' | 'cim';

/** Text of a simple value (no reference, no object). Throws {@link CimValueError} when it is not of that type. */
export function scalarToText(type: CimType, value: CimScalar, spelling: Spelling): string {
  if (isIntegerType(type)) {
    if (typeof value === 'number' || typeof value === 'bigint') return String(toInteger(type, value));
  } else if (type === 'real32' || type === 'real64') {
    if (typeof value === 'number') return formatReal(value);
  } else if (type === 'boolean') {
    if (typeof value === 'boolean') return spelling === 'cim' ? String(value).toUpperCase() : String(value);
  } else if (type === 'datetime') {
    if (typeof value === 'object' && (value.kind === 'datetime' || value.kind === 'interval')) {
      if (spelling === 'cim') return formatCimDateTime(value);
      return value.kind === 'datetime' ? formatIsoDateTime(value) : formatDuration(value);
    }
  } else if (typeof value === 'string' && (type !== 'char16' || value.length === 1)) {
    return value;
  }
  throw new CimValueError(`${describe(value)} is not a ${type}`);
}

/** Reads a simple value. A datetime is accepted in either spelling, because clients mix them. */
export function scalarFromText(type: CimType, text: string): CimScalar {
  if (isIntegerType(type)) return parseInteger(type, text);
  if (type === 'real32' || type === 'real64') return parseReal(text);
  if (type === 'boolean') return parseBoolean(text);
  if (type === 'datetime') {
    const trimmed = text.trim();
    if (trimmed.startsWith('P')) return parseDuration(trimmed);
    return trimmed.includes('T') ? parseIsoDateTime(trimmed) : parseCimDateTime(trimmed);
  }
  if (type === 'char16' && text.length !== 1) throw new CimValueError('A char16 is exactly one character');
  return text;
}

/** What a value is, for messages; never its content, which may be a secret. */
export function describe(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && 'kind' in value) return `a ${String(value.kind)}`;
  return `a ${typeof value}`;
}
