import type { CimInstance, CimReference } from '@nova-hyperv/wsman';
import { parseObjectPath } from '@nova-hyperv/wsman';
import { reference, RESOURCE, text } from '@nova-hyperv/hyperv';
import type { ResourceKind } from '@nova-hyperv/hyperv';
import type { SettingsRows } from './observed.js';

export function ofKind(rows: SettingsRows, kind: ResourceKind): readonly CimInstance[] {
  const { subType } = RESOURCE[kind];
  return rows.filter((row) => sameText(text(row, 'ResourceSubType'), subType));
}

export function referenceOf(row: CimInstance): CimReference {
  return reference(row.className, { InstanceID: text(row, 'InstanceID') });
}

/** A key's value of an object path, whatever host and spelling of the namespace stand before it. */
export function keyOf(path: string, key: string): string | undefined {
  try {
    const { keys } = parseObjectPath(path);
    return Object.entries(keys).find(([name]) => sameText(name, key))?.[1];
  } catch {
    return undefined;
  }
}

/** Windows compares ids, names and paths without regard to case. */
export function sameText(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
