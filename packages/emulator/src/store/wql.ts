import { WBEM, WmiError, wqlLike, isCimArray, referenceKey } from '@nova-hyperv/wsman';
import type {
  CimInstance,
  CimScalar,
  CimValue,
  ClassDef,
  Schema,
  WqlCondition,
  WqlLiteral,
  WqlOperator,
} from '@nova-hyperv/wsman';
import { parseObjectPath } from './object-path.js';

/**
 * What a WHERE clause demands of every row, for sources that can look up instead of scan: properties that must
 * equal a text, or begin with one. Names and texts are in lower case. A hint narrows; the clause itself is
 * evaluated on what the source gives.
 */
export interface QueryHint {
  readonly equals: ReadonlyMap<string, string>;
  readonly prefixes: ReadonlyMap<string, string>;
}

export const NO_HINT: QueryHint = { equals: new Map(), prefixes: new Map() };

export function hintOf(condition: WqlCondition | undefined): QueryHint {
  const equals = new Map<string, string>();
  const prefixes = new Map<string, string>();
  const visit = (node: WqlCondition): void => {
    if (node.kind === 'and') {
      visit(node.left);
      visit(node.right);
    } else if (node.kind === 'compare' && node.operator === '=' && typeof node.value === 'string') {
      equals.set(node.property.toLowerCase(), node.value.toLowerCase());
    } else if (node.kind === 'like') {
      const prefix = /^[^%_[]*/.exec(node.pattern)?.[0] ?? '';
      if (prefix !== '') prefixes.set(node.property.toLowerCase(), prefix.toLowerCase());
    }
  };
  if (condition !== undefined) visit(condition);
  return { equals, prefixes };
}

/** A WHERE clause ready to be asked for each instance. */
export type Predicate = (instance: CimInstance) => boolean;

/**
 * Compiles a WHERE clause for a class and its subclasses. Refuses (0x80041017) properties that the class does
 * not have and comparisons with arrays, as WMI does. Texts compare without case.
 */
export function compileWhere(schema: Schema, def: ClassDef, condition: WqlCondition | undefined): Predicate {
  if (condition === undefined) return () => true;
  switch (condition.kind) {
    case 'and':
    case 'or': {
      const left = compileWhere(schema, def, condition.left);
      const right = compileWhere(schema, def, condition.right);
      return condition.kind === 'and' ? (row) => left(row) && right(row) : (row) => left(row) || right(row);
    }
    case 'not': {
      const operand = compileWhere(schema, def, condition.operand);
      return (row) => !operand(row);
    }
    case 'isa':
      return (row) => schema.isA(row.namespace, row.className, condition.className);
    case 'null': {
      const read = reader(schema, def, condition.property);
      return (row) => (read(row) === null) !== condition.negated;
    }
    case 'like': {
      const read = reader(schema, def, condition.property);
      return (row) => {
        const value = read(row);
        return typeof value === 'string' && wqlLike(value, condition.pattern);
      };
    }
    default: {
      const read = reader(schema, def, condition.property);
      return (row) => compare(read(row), condition.operator, condition.value, row.namespace);
    }
  }
}

function reader(schema: Schema, def: ClassDef, name: string): (row: CimInstance) => CimValue {
  if (name.toLowerCase() === '__class') return (row) => row.className;
  const property = schema.property(def, name);
  if (property === undefined) {
    throw new WmiError(WBEM.invalidQuery, `The class ${def.name} has no property ${name}.`);
  }
  if (property.array) {
    throw new WmiError(WBEM.invalidQuery, `${def.name}.${property.name} is an array: WQL cannot compare it.`);
  }
  return (row) => row.properties[property.name] ?? null;
}

function compare(value: CimValue, operator: WqlOperator, literal: WqlLiteral, namespace: string): boolean {
  if (value === null || literal === null) {
    if (operator === '=') return value === null && literal === null;
    return operator === '<>' && (value === null) !== (literal === null);
  }
  if (isCimArray(value)) return false;
  const order = orderOf(value, literal, namespace);
  if (order === undefined) return operator === '<>';
  switch (operator) {
    case '=':
      return order === 0;
    case '<>':
      return order !== 0;
    case '<':
      return order < 0;
    case '>':
      return order > 0;
    case '<=':
      return order <= 0;
    default:
      return order >= 0;
  }
}

/** Below, equal, above as a number; undefined when the two cannot be compared. */
function orderOf(
  value: CimScalar,
  literal: Exclude<WqlLiteral, null>,
  namespace: string,
): number | undefined {
  if (typeof value === 'string') return orderTexts(value, String(literal));
  if (typeof value === 'boolean') return orderBooleans(value, literal);
  if (typeof value === 'number' || typeof value === 'bigint') return orderNumbers(value, literal);
  if (value.kind === 'datetime') {
    const time = timeOf(String(literal));
    return time === undefined ? undefined : Math.sign(Date.parse(value.iso) - time);
  }
  if (value.kind === 'reference') {
    const path = parseObjectPath(String(literal), namespace);
    return path !== undefined && referenceKey(path.reference) === referenceKey(value) ? 0 : undefined;
  }
  return undefined;
}

function orderTexts(left: string, right: string): number {
  const a = left.toLowerCase();
  const b = right.toLowerCase();
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function orderBooleans(value: boolean, literal: Exclude<WqlLiteral, null>): number | undefined {
  const text = String(literal).toLowerCase();
  if (text !== 'true' && text !== 'false' && text !== '1' && text !== '0') return undefined;
  return Number(value) - Number(text === 'true' || text === '1');
}

function orderNumbers(value: number | bigint, literal: Exclude<WqlLiteral, null>): number | undefined {
  const other = Number(literal);
  if (Number.isNaN(other)) return undefined;
  const exact = typeof literal === 'bigint' || (typeof literal === 'string' && /^-?\d+$/.test(literal));
  if (exact && (typeof value === 'bigint' || Number.isInteger(value))) {
    const difference = BigInt(value) - BigInt(literal);
    if (difference === 0n) return 0;
    return difference < 0n ? -1 : 1;
  }
  return Math.sign(Number(value) - other);
}

/** A point in time in CIM's 25 characters or ISO 8601, as milliseconds. */
function timeOf(text: string): number | undefined {
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)\.(\d{6})([+-])(\d{3})$/.exec(text);
  if (parts === null) {
    const time = Date.parse(text);
    return Number.isNaN(time) ? undefined : time;
  }
  const [, year, month, day, hour, minute, second, micro, sign, zone] = parts;
  const local = Date.UTC(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
  );
  const offset = Number(zone) * 60_000 * (sign === '-' ? -1 : 1);
  return local + Number(micro) / 1000 - offset;
}
