import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  dateTime,
  dateTimeToMillis,
  formatCimDateTime,
  formatDuration,
  formatIsoDateTime,
  interval,
  NEVER,
  parseCimDateTime,
  parseDuration,
  parseIsoDateTime,
} from './datetime.js';

const point = fc
  .tuple(
    fc.date({
      min: new Date('0001-01-01T00:00:00Z'),
      max: new Date('9998-12-31T00:00:00Z'),
      noInvalidDate: true,
    }),
    fc.nat(999),
  )
  .map(([date, micros]) =>
    parseIsoDateTime(date.toISOString().replace('Z', `${String(micros).padStart(3, '0')}Z`)),
  );
const span = fc.bigInt({ min: 0n, max: 99_999_999n * 86_400_000_000n }).map((value) => interval(value));

describe('points in time', () => {
  it('cuts the zeros of the fraction, as Windows does', () => {
    expect(parseIsoDateTime('2026-10-08T15:15:36.684240Z').iso).toBe('2026-10-08T15:15:36.68424Z');
    expect(parseIsoDateTime('2026-10-08T15:15:36.000Z').iso).toBe('2026-10-08T15:15:36Z');
  });

  it('brings offsets to UTC', () => {
    expect(parseIsoDateTime('2026-10-08T00:15:36+09:00').iso).toBe('2026-10-07T15:15:36Z');
    expect(parseCimDateTime('20261008001536.684240+540')).toEqual({
      kind: 'datetime',
      iso: '2026-10-07T15:15:36.68424Z',
    });
  });

  it('writes CIM’s 25 characters', () => {
    expect(formatCimDateTime(NEVER)).toBe('16010101000000.000000+000');
    expect(formatCimDateTime({ kind: 'datetime', iso: '2026-10-08T15:15:36.68424Z' })).toBe(
      '20261008151536.684240+000',
    );
  });

  it('reads asterisks as the smallest value', () => {
    expect(parseCimDateTime('2026**********.******+***')).toEqual({
      kind: 'datetime',
      iso: '2026-01-01T00:00:00Z',
    });
  });

  it('converts from and to JavaScript', () => {
    const now = new Date('2026-11-20T10:11:12.345Z');
    expect(dateTimeToMillis(dateTime(now))).toBe(now.getTime());
  });

  it.each(['2026-02-30T00:00:00Z', '2026-13-01T00:00:00Z', 'yesterday', '2026-10-08', ''])(
    'refuses %j',
    (text) => {
      expect(() => parseIsoDateTime(text)).toThrow(expect.objectContaining({ code: 'WSMAN_VALUE' }));
    },
  );

  it.each(['20261308000000.000000+000', '20261008', '20261008151536.684240', ''])(
    'refuses %j in CIM’s form',
    (text) => {
      expect(() => parseCimDateTime(text)).toThrow(expect.objectContaining({ code: 'WSMAN_VALUE' }));
    },
  );

  it('survives both spellings', () => {
    fc.assert(
      fc.property(point, (value) => {
        expect(parseIsoDateTime(formatIsoDateTime(value))).toEqual(value);
        expect(parseCimDateTime(formatCimDateTime(value))).toEqual(value);
      }),
    );
  });
});

describe('spans', () => {
  it('writes them as Windows does', () => {
    expect(formatDuration(interval(1_800_000_000))).toBe('P0DT0H30M0S');
    expect(formatCimDateTime(interval(300_000_000))).toBe('00000000000500.000000:000');
  });

  it('reads the forms of xs:duration that have a fixed length', () => {
    expect(parseDuration('PT60.000S')).toEqual(interval(60_000_000));
    expect(parseDuration('P1DT1S')).toEqual(interval(86_401_000_000));
  });

  it.each(['P1Y', 'P', 'PT', 'P1DT', '60', '-PT1S'])('refuses %j', (text) => {
    expect(() => parseDuration(text)).toThrow(expect.objectContaining({ code: 'WSMAN_VALUE' }));
  });

  it('survives both spellings', () => {
    fc.assert(
      fc.property(span, (value) => {
        expect(parseDuration(formatDuration(value))).toEqual(value);
        expect(parseCimDateTime(formatCimDateTime(value))).toEqual(value);
      }),
    );
  });
});
