import type { CimInstance, CimReference, CimScalar, CimType, CimValue } from './value.js';

const TYPES: Readonly<Record<CimType, true>> = {
  boolean: true,
  uint8: true,
  uint16: true,
  uint32: true,
  uint64: true,
  sint8: true,
  sint16: true,
  sint32: true,
  sint64: true,
  real32: true,
  real64: true,
  char16: true,
  string: true,
  datetime: true,
  reference: true,
  object: true,
};

export function isCimType(name: string): name is CimType {
  return Object.hasOwn(TYPES, name);
}

export function isCimArray(value: CimValue | undefined): value is readonly CimScalar[] {
  return Array.isArray(value);
}

export function isCimReference(value: CimValue | undefined): value is CimReference {
  return typeof value === 'object' && value !== null && !isCimArray(value) && value.kind === 'reference';
}

export function isCimInstance(value: CimValue | undefined): value is CimInstance {
  return typeof value === 'object' && value !== null && !isCimArray(value) && value.kind === 'instance';
}
