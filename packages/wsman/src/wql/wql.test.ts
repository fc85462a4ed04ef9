import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CimValue } from '../cim/value.js';
import { matchesWql } from './evaluate.js';
import { wqlLike } from './like.js';
import { parseWql } from './parser.js';
import { wqlLikePrefix, wqlLikeSuffix, wqlString } from './quote.js';

function where(condition: string) {
  const query = parseWql(`SELECT * FROM X WHERE ${condition}`);
  if (query.kind !== 'select' || query.where === undefined) throw new Error('no condition');
  return query.where;
}

describe('parseWql', () => {
  it('reads a select with properties', () => {
    expect(parseWql('select Name , EnabledState from Msvm_ComputerSystem')).toEqual({
      kind: 'select',
      properties: ['Name', 'EnabledState'],
      className: 'Msvm_ComputerSystem',
    });
  });

  it('binds NOT closer than AND, and AND closer than OR', () => {
    expect(where('a = 1 OR NOT b = 2 AND c = 3')).toMatchObject({
      kind: 'or',
      left: { kind: 'compare', property: 'a' },
      right: { kind: 'and', left: { kind: 'not' }, right: { property: 'c' } },
    });
    expect(where('(a = 1 OR b = 2) AND c = 3')).toMatchObject({ kind: 'and', left: { kind: 'or' } });
  });

  it.each([
    [String.raw`a = 'it\'s \\ "q"'`, { operator: '=', value: String.raw`it's \ "q"` }],
    ['a != 0x1F', { operator: '<>', value: 31 }],
    ['a >= -5', { operator: '>=', value: -5 }],
    ['a < 18446744073709551615', { operator: '<', value: 18_446_744_073_709_551_615n }],
    ['a = TRUE', { value: true }],
    ['a <> NULL', { operator: '<>', value: null }],
    ['3 < a', { operator: '>', value: 3 }],
    ['a = 1.5e1', { value: 15 }],
    [String.raw`a LIKE '%\\Default'`, { kind: 'like', pattern: String.raw`%\Default` }],
    ['a IS NULL', { kind: 'null', negated: false }],
    ['a is not null', { kind: 'null', negated: true }],
    ['a.b ISA "Msvm_X"', { kind: 'isa', property: 'a.b', className: 'Msvm_X' }],
    ["a not like 'x'", { kind: 'not', operand: { kind: 'like' } }],
  ])('reads %s', (text, expected) => {
    expect(where(text)).toMatchObject(expected);
  });

  it('reads associators and references with their clauses', () => {
    const path = String.raw`Msvm_X.InstanceID="Microsoft:\\{}",K="v"`;
    expect(
      parseWql(`associators of {${path}} where AssocClass = A ResultClass=B role = C RESULTROLE = D`),
    ).toEqual({
      kind: 'associators',
      objectPath: path,
      associationClass: 'A',
      resultClass: 'B',
      role: 'C',
      resultRole: 'D',
    });
    expect(parseWql(`REFERENCES OF {${path}}`)).toEqual({ kind: 'references', objectPath: path });
  });

  it.each([
    '',
    'select',
    'select * from',
    'select * from X where',
    'select * from X Y',
    'select * from X where a',
    'select * from X where a =',
    "select * from X where a = 'open",
    'select * from X where (a = 1',
    'select * from X where a = 1)',
    'select count(*) from X',
    'select * from __InstanceCreationEvent within 2',
    'delete from X',
    'associators of X',
    'associators of {}',
    'associators of {X} where ClassDefsOnly',
    'references of {X} where ResultRole = A',
    'associators of {X} where Role = A Role = B',
    `select * from X where ${'('.repeat(65)}a = 1${')'.repeat(65)}`,
    `select * from X where ${'not '.repeat(65)} a = 1`,
    `select * from X where ${Array.from({ length: 2001 }, () => 'a = 1').join(' or ')}`,
    `select * from ${'X'.repeat(70_000)}`,
    'select * from X where a ; 1',
  ])('refuses %.60s', (text) => {
    expect(() => parseWql(text)).toThrow(expect.objectContaining({ code: 'WMI_ERROR', hresult: 0x80041017 }));
  });

  it('never crashes or hangs on rubbish', () => {
    const piece = fc.constantFrom(
      'select',
      '*',
      'from',
      'X',
      'where',
      'a',
      '=',
      "'x'",
      '1',
      '(',
      ')',
      'and',
      'or',
      'not',
      'like',
      '{p}',
      ',',
      'is',
      'null',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(piece).map((words) => words.join(' ')),
        ),
        (text) => {
          try {
            parseWql(text);
          } catch (error) {
            expect(error).toMatchObject({ hresult: 0x80041017 });
          }
        },
      ),
    );
  });
});

describe('quoting', () => {
  const text = fc.string({ unit: 'grapheme' }).filter((value) => !/\p{Cc}/u.test(value));

  it('gives a literal that reads back as it was', () => {
    fc.assert(
      fc.property(text, (value) => {
        expect(where(`a = ${wqlString(value)}`)).toMatchObject({ value });
      }),
    );
  });

  it('gives patterns that match their own text and nothing shorter', () => {
    fc.assert(
      fc.property(text, text, (value, more) => {
        const prefix = where(`a LIKE ${wqlLikePrefix(value)}`);
        const suffix = where(`a LIKE ${wqlLikeSuffix(value)}`);
        if (prefix.kind !== 'like' || suffix.kind !== 'like') throw new Error('no pattern');
        expect(wqlLike(value + more, prefix.pattern)).toBe(true);
        expect(wqlLike(more + value, suffix.pattern)).toBe(true);
      }),
    );
    expect(wqlLikePrefix('a_b')).toBe("'a[_]b%'");
  });

  it('refuses control characters', () => {
    expect(() => wqlString('a\u0000b')).toThrow(expect.objectContaining({ code: 'WSMAN_WQL_VALUE' }));
  });
});

describe('wqlLike', () => {
  it.each([
    ['Default', 'default', true],
    ['Microsoft:1\\Default', '%\\default', true],
    ['abc', 'a_c', true],
    ['abc', 'a_', false],
    ['b', '[a-c]', true],
    ['d', '[^a-c]', true],
    ['b', '[^a-c]', false],
    ['a%', 'a[%]', true],
    ['ab', 'a[%]', false],
    ['', '%', true],
    ['', '_', false],
    ['[', '[', true],
    ['a]', 'a]', true],
    ['😀x', '_x', true],
  ])('%j LIKE %j is %s', (value, pattern, expected) => {
    expect(wqlLike(value, pattern)).toBe(expected);
  });

  it('stays fast on patterns made to be slow', () => {
    const started = performance.now();
    expect(wqlLike('a'.repeat(5000), `${'%a'.repeat(200)}b`)).toBe(false);
    expect(performance.now() - started).toBeLessThan(1000);
  });
});

describe('matchesWql', () => {
  const row: Record<string, CimValue> = {
    Name: 'Machine-1',
    State: 2,
    Size: 18_446_744_073_709_551_615n,
    On: true,
    Nothing: null,
    List: ['a'],
    When: { kind: 'datetime', iso: '2026-10-08T00:00:00Z' },
  };
  const subject = { value: (name: string) => row[name], isA: (_: string, name: string) => name === 'Base' };
  it.each([
    ["Name = 'MACHINE-1'", true],
    ["Name <> 'other'", true],
    ["Name LIKE 'mach%'", true],
    ['State = 2', true],
    ["State = '2'", true],
    ["State = 'two'", false],
    ['State > 1 AND State < 3', true],
    ['Size > 9007199254740993', true],
    ['On = TRUE', true],
    ['Nothing IS NULL', true],
    ['Nothing = NULL', true],
    ['Nothing = 0', false],
    ['Nothing <> 0', false],
    ['State IS NOT NULL', true],
    ["List = 'a'", false],
    ["When > '20261007000000.000000+000'", true],
    ["When < '2026-10-07T00:00:00Z'", false],
    ["NOT Name = 'x'", true],
    ["Name = 'x' OR State = 2", true],
    ['__this ISA "Base"', true],
  ])('%s is %s', (condition, expected) => {
    expect(matchesWql(where(condition), subject)).toBe(expected);
  });

  it('works on a long chain of conditions', () => {
    const long = where(Array.from({ length: 2000 }, () => 'State = 3').join(' OR '));
    expect(matchesWql(long, subject)).toBe(false);
  });
});
