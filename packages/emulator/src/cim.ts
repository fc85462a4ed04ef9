import type {
  CimDateTime,
  CimInstance,
  CimInterval,
  CimReference,
  CimScalar,
  CimValue,
} from '@nova-hyperv/wsman';
import { isCimArray } from '@nova-hyperv/wsman';

/** The namespaces that the host serves; one spelling everywhere. */
export const V2 = 'root/virtualization/v2';
export const CIMV2 = 'root/cimv2';

export type Properties = Readonly<Record<string, CimValue>>;

export function instance(namespace: string, className: string, properties: Properties): CimInstance {
  return { kind: 'instance', namespace, className, properties };
}

export function v2(className: string, properties: Properties): CimInstance {
  return instance(V2, className, properties);
}

export function reference(
  namespace: string,
  className: string,
  keys: Readonly<Record<string, string>>,
): CimReference {
  return { kind: 'reference', namespace, className, keys };
}

/** Reference to an instance of setting data or a job: one key, InstanceID. */
export function settingReference(className: string, instanceId: string): CimReference {
  return reference(V2, className, { InstanceID: instanceId });
}

export function dateTime(date: Date): CimDateTime {
  return { kind: 'datetime', iso: date.toISOString() };
}

/** A span of milliseconds; a part of one counts to the nearest millisecond. */
export function intervalOfMs(milliseconds: number): CimInterval {
  return { kind: 'interval', microseconds: BigInt(Math.round(milliseconds)) * 1000n };
}

export function textOf(value: CimValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

export function numberOf(value: CimValue | undefined, fallback = 0): number {
  if (typeof value === 'number') return value;
  return typeof value === 'bigint' ? Number(value) : fallback;
}

export function isTrue(value: CimValue | undefined): boolean {
  return value === true;
}

/** The same value, as texts compare: 64-bit integers and numbers alike. */
export function sameValue(left: CimValue, right: CimValue): boolean {
  return valueText(left) === valueText(right);
}

function valueText(value: CimValue): string {
  return JSON.stringify(value, (_, item: unknown) => (typeof item === 'bigint' ? `${item}` : item)) ?? '';
}

/** The strings of a string array; empty for null. */
export function textsOf(value: CimValue | undefined): readonly string[] {
  return isCimArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

/** A value or the elements of an array, as a list; empty for null and undefined. */
export function listOf(value: CimValue | undefined): readonly CimScalar[] {
  if (value === null || value === undefined) return [];
  return isCimArray(value) ? value : [value];
}

export function sameText(left: string, right: string): boolean {
  return left.toLowerCase() === right.toLowerCase();
}
