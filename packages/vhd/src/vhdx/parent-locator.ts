import { guidFromBytes, guidToBytes } from '../bytes/guid.js';
import { VhdError } from '../errors.js';
import { corrupt } from '../io/random-access-file.js';

/** MS-VHDX 2.6.2.6.1: the only locator type that is defined, a parent that is a VHDX file. */
const VHDX_LOCATOR_TYPE = 'B04AEFB7-D19E-4A81-B789-25B8E9445913';
const HEADER_SIZE = 20;
const ENTRY_SIZE = 12;

/** MS-VHDX 2.6.2.6.3. Keys and values of the locator; `parent_linkage` in braces as stored. */
export type ParentLocator = ReadonlyMap<string, string>;

/** The path keys in the order in which the specification has them tried. */
const PATHS = [
  ['relative_path', 'relativePath'],
  ['volume_path', 'volumePath'],
  ['absolute_win32_path', 'absoluteWin32Path'],
] as const;
export const LOCATOR_PATH_KEYS = PATHS.map(([key]) => key);

/** Paths to the parent as they are to be stored: Windows paths as a rule. */
export interface VhdxParentLocators {
  /** From the child's folder, for example `..\_base\image.vhdx`. */
  readonly relativePath?: string;
  /** For example `C:\OpenStack\Instances\_base\image.vhdx`. */
  readonly absoluteWin32Path?: string;
  /** With the volume's GUID: `\\?\Volume{...}\path`. */
  readonly volumePath?: string;
}

/**
 * The locator for a parent that has one of the identifiers.
 * @throws VhdError `VHD_INVALID_ARGUMENT` when there is no path.
 */
export function locatorOf(
  [linkage, linkage2]: readonly [string, string?],
  paths: VhdxParentLocators,
): ParentLocator {
  const locator = new Map([['parent_linkage', `{${linkage.toLowerCase()}}`]]);
  if (linkage2 !== undefined) locator.set('parent_linkage2', `{${linkage2.toLowerCase()}}`);
  requirePaths(paths);
  for (const [key, field] of PATHS) {
    const text = paths[field];
    if (text !== undefined) locator.set(key, text);
  }
  return locator;
}

/** @throws VhdError `VHD_INVALID_ARGUMENT` when there is no path. */
export function requirePaths(paths: VhdxParentLocators): void {
  if (PATHS.some(([, field]) => paths[field] !== undefined)) return;
  throw new VhdError('VHD_INVALID_ARGUMENT', 'A differencing disk needs at least one path to its parent.');
}

/** The paths that a locator holds. */
export function storedPaths(locator: ParentLocator): VhdxParentLocators {
  return Object.fromEntries(
    PATHS.flatMap(([key, field]) => {
      const text = locator.get(key);
      return text === undefined ? [] : [[field, text]];
    }),
  );
}

export function encodeParentLocator(locator: ParentLocator): Buffer {
  const table = Buffer.alloc(HEADER_SIZE + locator.size * ENTRY_SIZE);
  guidToBytes(VHDX_LOCATOR_TYPE).copy(table, 0);
  table.writeUInt16LE(locator.size, 18);
  const parts: Buffer[] = [table];
  let end = table.length;
  let at = HEADER_SIZE;
  for (const [key, value] of locator) {
    const keyBytes = Buffer.from(key, 'utf16le');
    const valueBytes = Buffer.from(value, 'utf16le');
    if (keyBytes.length > 0xffff || valueBytes.length > 0xffff) {
      throw new VhdError(
        'VHD_INVALID_ARGUMENT',
        `The parent locator ${key} is longer than 32767 characters.`,
      );
    }
    table.writeUInt32LE(end, at);
    table.writeUInt32LE(end + keyBytes.length, at + 4);
    table.writeUInt16LE(keyBytes.length, at + 8);
    table.writeUInt16LE(valueBytes.length, at + 10);
    parts.push(keyBytes, valueBytes);
    end += keyBytes.length + valueBytes.length;
    at += ENTRY_SIZE;
  }
  return Buffer.concat(parts);
}

/** @throws VhdError `VHD_CORRUPT`; `VHD_UNSUPPORTED` for another locator type. `offset` is where `bytes` came from. */
export function decodeParentLocator(bytes: Buffer, path: string, offset: number): ParentLocator {
  if (bytes.length < HEADER_SIZE) throw corrupt(path, offset, 'the parent locator is cut short');
  const type = guidFromBytes(bytes);
  if (type !== VHDX_LOCATOR_TYPE) {
    throw new VhdError('VHD_UNSUPPORTED', `${path} has a parent locator of the unknown type ${type}.`, {
      path,
      offset,
    });
  }
  const count = bytes.readUInt16LE(18);
  if (HEADER_SIZE + count * ENTRY_SIZE > bytes.length)
    throw corrupt(path, offset, 'the parent locator is cut short');
  const text = (start: number, length: number): string => {
    if (length % 2 !== 0 || start + length > bytes.length) {
      throw corrupt(path, offset, 'a parent locator entry lies outside the locator');
    }
    return bytes.toString('utf16le', start, start + length);
  };
  const locator = new Map<string, string>();
  for (let index = 0; index < count; index += 1) {
    const at = HEADER_SIZE + index * ENTRY_SIZE;
    const key = text(bytes.readUInt32LE(at), bytes.readUInt16LE(at + 8));
    if (locator.has(key))
      throw corrupt(path, offset + at, `the parent locator has ${JSON.stringify(key)} twice`);
    locator.set(key, text(bytes.readUInt32LE(at + 4), bytes.readUInt16LE(at + 10)));
  }
  return locator;
}
