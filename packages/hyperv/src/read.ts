import type { CimInstance, CimReference, CimValue } from '@nova-hyperv/wsman';

/** Typed reading of an instance's properties; absent, null and mistyped ones give the fallback. */

export function text(instance: CimInstance, property: string): string {
  const value = instance.properties[property];
  return typeof value === 'string' ? value : '';
}

export function numeric(instance: CimInstance, property: string): number {
  const value = instance.properties[property];
  if (typeof value === 'bigint') return Number(value);
  return typeof value === 'number' ? value : 0;
}

export function flag(instance: CimInstance, property: string): boolean {
  return instance.properties[property] === true;
}

/** An array of strings; a lone string counts as an array of one. */
export function texts(instance: CimInstance, property: string): readonly string[] {
  const value = instance.properties[property];
  if (typeof value === 'string') return [value];
  return isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

export function numbers(instance: CimInstance, property: string): readonly number[] {
  const value = instance.properties[property];
  if (!isArray(value)) return [];
  return value.filter((item) => typeof item === 'number' || typeof item === 'bigint').map(Number);
}

export function isReference(value: CimValue | undefined): value is CimReference {
  return typeof value === 'object' && value !== null && !isArray(value) && value.kind === 'reference';
}

export function references(value: CimValue | undefined): readonly CimReference[] {
  if (isReference(value)) return [value];
  return isArray(value) ? value.filter((item): item is CimReference => isReference(item)) : [];
}

export function instances(value: CimValue | undefined): readonly CimInstance[] {
  const isInstance = (item: CimValue): item is CimInstance =>
    typeof item === 'object' && item !== null && !isArray(item) && item.kind === 'instance';
  if (value === undefined) return [];
  if (isArray(value)) return value.filter((item) => isInstance(item));
  return isInstance(value) ? [value] : [];
}

function isArray(value: CimValue | undefined): value is Extract<CimValue, readonly unknown[]> {
  return Array.isArray(value);
}
