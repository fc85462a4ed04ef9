import type { CimScalar, CimValue } from '../cim/value.js';
import { isCimArray } from '../cim/guards.js';
import { parseCimDateTime } from '../cim/datetime.js';
import { CimValueError } from '../cim/numbers.js';
import type { WqlCondition, WqlLiteral, WqlOperator } from './ast.js';
import { wqlLike } from './like.js';

/** What a condition is asked about. */
export interface WqlSubject {
  /** The property's value; undefined when the class has no such property. */
  value(property: string): CimValue | undefined;
  /** Answers ISA; `property` is as written in the query. */
  isA(property: string, className: string): boolean;
}

/**
 * Whether a subject satisfies a condition. Strings compare without regard to case; null satisfies only IS NULL
 * and `= NULL`; an array never satisfies a comparison.
 */
export function matchesWql(condition: WqlCondition, subject: WqlSubject): boolean {
  switch (condition.kind) {
    case 'and':
      return matchesWql(condition.left, subject) && matchesWql(condition.right, subject);
    case 'or':
      return matchesWql(condition.left, subject) || matchesWql(condition.right, subject);
    case 'not':
      return !matchesWql(condition.operand, subject);
    case 'null':
      return ((subject.value(condition.property) ?? null) === null) !== condition.negated;
    case 'like': {
      const value = subject.value(condition.property);
      return typeof value === 'string' && wqlLike(value, condition.pattern);
    }
    case 'isa':
      return subject.isA(condition.property, condition.className);
    default:
      return compare(subject.value(condition.property) ?? null, condition.operator, condition.value);
  }
}

const ORDERS: Readonly<Record<WqlOperator, (order: number) => boolean>> = {
  '=': (order) => order === 0,
  '<>': (order) => order !== 0,
  '<': (order) => order < 0,
  '>': (order) => order > 0,
  '<=': (order) => order <= 0,
  '>=': (order) => order >= 0,
};

function compare(value: CimValue, operator: WqlOperator, literal: WqlLiteral): boolean {
  if (literal === null || value === null) {
    const same = literal === null && value === null;
    return operator === '=' ? same : operator === '<>' && literal === null && !same;
  }
  if (isCimArray(value)) return false;
  const order = orderOf(value, literal);
  if (order === undefined) return operator === '<>';
  return ORDERS[operator](order);
}

type Comparable = string | number | bigint;

/** Undefined when the two cannot be compared. WMI converts between text and numbers. */
function orderOf(value: CimScalar, literal: Exclude<WqlLiteral, null>): number | undefined {
  const left = comparable(value);
  if (left === undefined) return undefined;
  let right: Comparable = typeof literal === 'boolean' ? Number(literal) : literal;
  if (typeof left === 'string') right = String(literal).toLowerCase();
  else if (typeof right === 'string') {
    const number = numberOf(value, right);
    if (number === undefined) return undefined;
    right = number;
  }
  return left < right ? -1 : Number(left > right);
}

function comparable(value: CimScalar): Comparable | undefined {
  if (typeof value === 'string') return value.toLowerCase();
  if (typeof value === 'boolean') return Number(value);
  if (typeof value === 'number' || typeof value === 'bigint') return value;
  if (value.kind === 'interval') return value.microseconds;
  if (value.kind === 'datetime') return Date.parse(value.iso);
  return undefined;
}

/** A quoted literal compared with something that is not text. */
function numberOf(value: CimScalar, literal: string): Comparable | undefined {
  if (typeof value === 'object') {
    try {
      return comparable(parseCimDateTime(literal));
    } catch (error) {
      if (!(error instanceof CimValueError)) throw error;
      const millis = Date.parse(literal);
      return Number.isNaN(millis) ? undefined : millis;
    }
  }
  if (typeof value === 'boolean') return { true: 1, false: 0 }[literal.toLowerCase()];
  return /^[+-]?\d{1,40}$/u.test(literal.trim()) ? BigInt(literal.trim()) : undefined;
}
