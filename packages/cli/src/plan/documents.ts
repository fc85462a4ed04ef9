import type { Flavor, ImageMeta } from '@nova-hyperv/driver';
import { CliError, EXIT } from '../errors.js';
import { isRecord } from '../json.js';

type Document = Readonly<Record<string, unknown>>;

/** Attributes that Glance's image itself has; other keys of a flat image are its properties. */
// prettier-ignore
const IMAGE_ATTRIBUTES: ReadonlySet<string> = new Set([
  'checksum', 'container_format', 'created_at', 'direct_url', 'disk_format', 'file', 'id', 'locations', 'min_disk', 'min_ram', 'name',
  'os_hash_algo', 'os_hash_value', 'os_hidden', 'owner', 'properties', 'protected', 'schema', 'self', 'size', 'status', 'stores', 'tags',
  'updated_at', 'virtual_size', 'visibility',
]);

/**
 * An image as `openstack image show -f json` or Glance's API prints it.
 * @param where named in errors
 * @throws CliError for what is no such document
 */
export function imageOfDocument(document: unknown, where: string): ImageMeta {
  const fields = record(document, where);
  if (typeof fields['disk_format'] !== 'string')
    throw wrong(
      where,
      'it has no disk_format, so that it is no image as "openstack image show -f json" prints it',
    );
  const flat = Object.entries(fields).filter(([key]) => !IMAGE_ATTRIBUTES.has(key));
  return {
    id: text(fields['id'], 'image'),
    name: text(fields['name'], ''),
    diskFormat: fields['disk_format'],
    containerFormat: text(fields['container_format'], 'bare'),
    sizeBytes: number(fields, ['size'], where, 0),
    minDiskGb: number(fields, ['min_disk'], where, 0),
    minRamMb: number(fields, ['min_ram'], where, 0),
    properties: { ...texts(Object.fromEntries(flat)), ...propertiesOf(fields['properties'], where) },
  };
}

/** A flavor as `openstack flavor show -f json` or Nova's API prints it. @throws CliError */
export function flavorOfDocument(document: unknown, where: string): Flavor {
  const fields = record(document, where);
  return {
    flavorId: text(fields['id'], ''),
    name: text(fields['name'] ?? fields['original_name'], 'flavor'),
    vcpus: number(fields, ['vcpus'], where),
    memoryMb: number(fields, ['ram'], where),
    rootGb: number(fields, ['disk'], where),
    ephemeralGb: number(fields, ['OS-FLV-EXT-DATA:ephemeral', 'ephemeral'], where, 0),
    swapMb: number(fields, ['swap'], where, 0),
    extraSpecs: {
      ...propertiesOf(fields['properties'], where),
      ...propertiesOf(fields['extra_specs'], where),
    },
  };
}

function record(document: unknown, where: string): Document {
  if (isRecord(document)) return document;
  throw wrong(where, 'it is no JSON object');
}

function wrong(where: string, what: string): CliError {
  return new CliError(`${where}: ${what}`, EXIT.usage);
}

function text(value: unknown, otherwise: string): string {
  return typeof value === 'string' && value !== '' ? value : otherwise;
}

function number(fields: Document, keys: readonly string[], where: string, otherwise?: number): number {
  const value = keys.map((key) => fields[key]).find((one) => one !== undefined && one !== null && one !== '');
  const found = value === undefined ? otherwise : Number(value);
  if (found !== undefined && Number.isInteger(found) && found >= 0) return found;
  throw wrong(where, `${keys[0]} has to be a whole number from 0`);
}

/** A mapping, or the text that older clients print: `a='1', b='2'`. */
function propertiesOf(value: unknown, where: string): Record<string, string> {
  if (value === undefined || value === null || value === '') return {};
  if (isRecord(value)) return texts(value);
  if (typeof value !== 'string') throw wrong(where, 'its properties are no mapping');
  const pairs = [...value.matchAll(/([^\s,=][^=]*?)='([^']*)'(?:,\s*|$)/g)];
  if (pairs.map(([whole]) => whole).join('') !== value)
    throw wrong(where, `its properties cannot be read: ${value}`);
  return Object.fromEntries(pairs.map(([, key = '', of = '']) => [key, of]));
}

function texts(fields: Document): Record<string, string> {
  const kept = Object.entries(fields).filter(([, value]) => value !== null && value !== undefined);
  return Object.fromEntries(
    kept.map(([key, value]) => [key, typeof value === 'string' ? value : JSON.stringify(value)]),
  );
}
