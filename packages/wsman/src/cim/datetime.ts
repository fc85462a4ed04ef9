import { CimValueError } from './numbers.js';
import type { CimDateTime, CimInterval } from './value.js';

/**
 * Points in time and spans, in the two spellings that WMI uses: XML Schema's (`xs:dateTime`, `xs:duration`) in
 * WS-Management messages and CIM's 25 characters (DSP0004, "Datetime type") in CIM-XML text.
 */

/** What a time that never came reads as. Seen for machines that never ran. */
export const NEVER: CimDateTime = { kind: 'datetime', iso: '1601-01-01T00:00:00Z' };

const DAY = 86_400_000_000n;
const HOUR = 3_600_000_000n;
const MINUTE = 60_000_000n;
const SECOND = 1_000_000n;
/** Eight digits of days are all that CIM's form can hold. */
const LONGEST = 100_000_000n * DAY - 1n;

/** The date as a CIM value, to the millisecond. */
export function dateTime(date: Date): CimDateTime {
  return fromParts(date.getTime(), 0);
}

/** Milliseconds since 1970; microseconds below are cut off. */
export function dateTimeToMillis(value: CimDateTime): number {
  return instant(value.iso).millis;
}

/** A CIM interval of microseconds. @throws CimValueError when it is negative or above 99999999 days */
export function interval(microseconds: bigint | number): CimInterval {
  const span = BigInt(microseconds);
  if (span < 0n || span > LONGEST) throw new CimValueError('A CIM interval lies between 0 and 99999999 days');
  return { kind: 'interval', microseconds: span };
}

/** Reads xs:dateTime with any offset; without one it is taken as UTC, as Windows writes it. */
export function parseIsoDateTime(text: string): CimDateTime {
  const { millis, micros } = instant(text.trim());
  return fromParts(millis, micros);
}

function instant(text: string): { millis: number; micros: number } {
  const match = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,12}))?(Z|[+-]\d\d:\d\d)?$/u.exec(text);
  if (match === null) throw new CimValueError(`"${text.slice(0, 40)}" is not a date and time`);
  const [, year, month, day, hour, minute, second, fraction = '', zone = 'Z'] = match;
  const sub = fraction.padEnd(6, '0').slice(0, 6);
  const base = civil([year, month, day, hour, minute, second].map(Number), text);
  return {
    millis: base - zoneMinutes(zone) * 60_000 + Number(sub.slice(0, 3)),
    micros: Number(sub.slice(3)),
  };
}

function civil(parts: readonly number[], text: string): number {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  const same =
    date.getUTCFullYear() === year &&
    date.getUTCMonth() === month - 1 &&
    date.getUTCDate() === day &&
    date.getUTCHours() === hour &&
    date.getUTCMinutes() === minute &&
    date.getUTCSeconds() === second;
  if (!same) throw new CimValueError(`"${text.slice(0, 40)}" is not a date and time of the calendar`);
  return date.getTime();
}

function zoneMinutes(zone: string): number {
  if (zone === 'Z') return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6));
  return zone.startsWith('-') ? -minutes : minutes;
}

function fromParts(millis: number, micros: number): CimDateTime {
  const date = new Date(millis);
  const year = date.getUTCFullYear();
  if (Number.isNaN(millis) || year < 0 || year > 9999)
    throw new CimValueError('The year lies outside 0 to 9999');
  const [whole = '', rest = ''] = date.toISOString().split('.');
  const fraction = `${rest.slice(0, 3)}${String(micros).padStart(3, '0')}`.replace(/0+$/u, '');
  return { kind: 'datetime', iso: `${whole}${fraction === '' ? '' : `.${fraction}`}Z` };
}

/** Writes `xs:dateTime` in UTC with the trailing zeros of the fraction cut, as Windows does. */
export function formatIsoDateTime(value: CimDateTime): string {
  return parseIsoDateTime(value.iso).iso;
}

/** Reads `xs:duration`. Years and months are refused: they have no fixed length. */
export function parseDuration(text: string): CimInterval {
  const match =
    /^P(?:(\d{1,9})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})(?:\.(\d{1,12}))?S)?)?$/u.exec(
      text.trim(),
    );
  if (match === null || /(?:P|T)$/u.test(text.trim())) {
    throw new CimValueError(`"${text.slice(0, 40)}" is not a span of days, hours, minutes and seconds`);
  }
  const [, days = '0', hours = '0', minutes = '0', seconds = '0', fraction = ''] = match;
  return interval(
    BigInt(days) * DAY +
      BigInt(hours) * HOUR +
      BigInt(minutes) * MINUTE +
      BigInt(seconds) * SECOND +
      BigInt(fraction.padEnd(6, '0').slice(0, 6)),
  );
}

interface Span {
  readonly days: bigint;
  readonly hours: bigint;
  readonly minutes: bigint;
  readonly seconds: bigint;
  readonly micros: string;
}

function split(value: CimInterval): Span {
  const span = interval(value.microseconds).microseconds;
  return {
    days: span / DAY,
    hours: (span / HOUR) % 24n,
    minutes: (span / MINUTE) % 60n,
    seconds: (span / SECOND) % 60n,
    micros: String(span % SECOND).padStart(6, '0'),
  };
}

/** `P0DT0H30M0S`, the form in which Windows writes spans. */
export function formatDuration(value: CimInterval): string {
  const { days, hours, minutes, seconds, micros } = split(value);
  const fraction = micros.replace(/0+$/u, '');
  return `P${days}DT${hours}H${minutes}M${seconds}${fraction === '' ? '' : `.${fraction}`}S`;
}

/** Months and days begin at one. */
function firstIfAny(written: string): number {
  return written.includes('*') ? 1 : Number(written);
}

/** Reads the 25 characters of DSP0004. Asterisks (digits that do not matter) are read as the smallest value. */
export function parseCimDateTime(text: string): CimDateTime | CimInterval {
  const match = /^([\d*]{14})\.([\d*]{6})([+\-:])(\d{3}|\*{3})$/u.exec(text.trim());
  if (match === null)
    throw new CimValueError(`"${text.slice(0, 40)}" is not a CIM date and time of 25 characters`);
  const [, digits = '', fraction = '', sign, offset = '000'] = match;
  const micros = fraction.replaceAll('*', '0');
  const at = (from: number, to: number): string => digits.slice(from, to).replaceAll('*', '0');
  if (sign === ':') {
    return interval(
      BigInt(at(0, 8)) * DAY +
        BigInt(at(8, 10)) * HOUR +
        BigInt(at(10, 12)) * MINUTE +
        BigInt(at(12, 14)) * SECOND +
        BigInt(micros),
    );
  }
  const base = civil(
    [
      Number(at(0, 4)),
      firstIfAny(digits.slice(4, 6)),
      firstIfAny(digits.slice(6, 8)),
      Number(at(8, 10)),
      Number(at(10, 12)),
      Number(at(12, 14)),
    ],
    text,
  );
  const minutes = Number(offset.replaceAll('*', '0')) * (sign === '-' ? -1 : 1);
  return fromParts(base - minutes * 60_000 + Number(micros.slice(0, 3)), Number(micros.slice(3)));
}

function two(part: bigint): string {
  return String(part).padStart(2, '0');
}

export function formatCimDateTime(value: CimDateTime | CimInterval): string {
  if (value.kind === 'interval') {
    const { days, hours, minutes, seconds, micros } = split(value);
    return `${String(days).padStart(8, '0')}${two(hours)}${two(minutes)}${two(seconds)}.${micros}:000`;
  }
  const { millis, micros } = instant(value.iso);
  const [date = '', fraction = ''] = new Date(millis).toISOString().split('.');
  return `${date.replaceAll(/[-:T]/gu, '')}.${fraction.slice(0, 3)}${String(micros).padStart(3, '0')}+000`;
}
