import { VhdError } from './errors.js';
import { openFile } from './io/random-access-file.js';
import { unknownFormat } from './open.js';
import { recognise } from './recognise.js';
import { mergedIdentifier, relinkVhd } from './vhd/relink.js';
import { readVhd } from './vhd/vhd-file.js';
import { editMetadata } from './vhdx/edit-metadata.js';
import { parentLinkages } from './vhdx/metadata.js';
import type { VhdxParentLocators } from './vhdx/parent-locator.js';
import { locatorOf, storedPaths } from './vhdx/parent-locator.js';
import { readVhdx } from './vhdx/vhdx-file.js';

/** A parent on this machine and the paths to it that are to be stored. */
export interface MovedParent {
  readonly parentPath: string;
  readonly paths: VhdxParentLocators;
}

/**
 * The identifiers that the parent of a differencing disk may have. The first is the one that it had when the link was
 * made.
 * @throws VhdError `VHD_INVALID_ARGUMENT` when it is no differencing disk; what reading it throws.
 */
export async function acceptedParents(childPath: string): Promise<readonly string[]> {
  const file = await openFile(childPath, 'read');
  try {
    if ((await recognise(file)).format === 'vhdx') {
      const locator = (await readVhdx(file, 'view')).metadata.parentLocator;
      if (locator !== undefined) return parentLinkages(locator, childPath);
    } else {
      const { header, footer } = await readVhd(file);
      const stored = header?.parent.uniqueId;
      if (stored !== undefined && footer.type === 'differencing')
        return [stored, mergedIdentifier(stored, footer.uniqueId)];
    }
    throw noChild(childPath);
  } finally {
    await file.close();
  }
}

/**
 * Writes what a differencing disk that nobody has open says of its parent, all or nothing.
 * @param identifiers one, or for a VHDX two, of which the parent may have either.
 */
export async function writeParentLink(
  childPath: string,
  identifiers: readonly [string, string?],
  moved?: MovedParent,
): Promise<void> {
  const file = await openFile(childPath, 'write');
  try {
    const { format } = await recognise(file);
    if (format === 'vhd') await relinkVhd(file, identifiers[0], moved);
    else if (format === 'vhdx') {
      const { parentLocator } = (await readVhdx(file, 'replay')).metadata;
      if (parentLocator === undefined) throw noChild(childPath);
      await editMetadata(file, {
        parentLocator: locatorOf(identifiers, moved?.paths ?? storedPaths(parentLocator)),
      });
    } else throw unknownFormat(childPath, format);
  } finally {
    await file.close();
  }
}

function noChild(path: string): VhdError {
  return new VhdError('VHD_INVALID_ARGUMENT', `${path} is no differencing disk: it has no parent.`, { path });
}
