import type { Disk, OpenOptions } from '../disk.js';
import type { RandomAccessFile } from '../io/random-access-file.js';
import type { OpenParent } from '../open.js';
import { parentLinkages } from './metadata.js';
import type { ParentLocator } from './parent-locator.js';
import { LOCATOR_PATH_KEYS } from './parent-locator.js';
import { VhdxDisk } from './vhdx-disk.js';
import { readVhdx } from './vhdx-file.js';

/** Opens a VHDX; a log that holds changes is replayed first, or refused when the file is read-only. */
export async function openVhdx(
  file: RandomAccessFile,
  options: OpenOptions,
  openParent: OpenParent,
): Promise<Disk> {
  const readOnly = options.readOnly ?? false;
  const durability = options.durability ?? 'power';
  const contents = await readVhdx(file, readOnly ? 'refuse' : 'replay');
  const locator = contents.metadata.parentLocator;
  const parent =
    locator === undefined
      ? undefined
      : await openParent(locatorPaths(locator), parentLinkages(locator, file.path));
  try {
    return new VhdxDisk(file, contents, await file.size(), { readOnly, durability }, parent);
  } catch (error) {
    await parent?.close();
    throw error;
  }
}

/** The paths of a locator in the order in which they are to be tried. */
export function locatorPaths(locator: ParentLocator): readonly string[] {
  return LOCATOR_PATH_KEYS.flatMap((key) => {
    const value = locator.get(key);
    return value === undefined || value === '' ? [] : [value];
  });
}
