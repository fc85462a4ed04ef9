import { isCimArray, isCimInstance, isCimReference } from '@nova-hyperv/wsman';
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
  return isCimArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

export function numbers(instance: CimInstance, property: string): readonly number[] {
  const value = instance.properties[property];
  if (!isCimArray(value)) return [];
  return value.filter((item) => typeof item === 'number' || typeof item === 'bigint').map(Number);
}

export function references(value: CimValue | undefined): readonly CimReference[] {
  if (isCimReference(value)) return [value];
  return isCimArray(value) ? value.filter((item) => isCimReference(item)) : [];
}

export function instances(value: CimValue | undefined): readonly CimInstance[] {
  if (value === undefined) return [];
  if (isCimArray(value)) return value.filter((item) => isCimInstance(item));
  return isCimInstance(value) ? [value] : [];
}
