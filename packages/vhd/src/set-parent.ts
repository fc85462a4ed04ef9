import path from 'node:path';
import { chainOf, isSameFile, openInOrder } from './chain.js';
import type { ChainDisk } from './chain.js';
import type { DiskInfo, ResolveParent } from './disk.js';
import { VhdError } from './errors.js';
import { inspect } from './inspect.js';
import { linkageOf } from './parent.js';
import { acceptedParents, writeParentLink } from './parent-link.js';
import { resolveWithin } from './resolve-within.js';
import type { VhdxParentLocators } from './vhdx/parent-locator.js';

export interface SetParentOptions {
  /** The paths to be stored; the relative path from the child's folder to the parent when left out. */
  readonly locators?: VhdxParentLocators;
  /** Takes a parent whose identifier is not the one that the child expects. The caller vouches for its content. */
  readonly ignoreMismatch?: boolean;
  /** Where the parents of the parent are; beside it or beside the child when left out. */
  readonly resolveParent?: ResolveParent;
}

/**
 * Tells a differencing disk where its parent is (reconnects it). Nobody may have the child open. What it said before
 * holds until the new link is whole.
 * @throws VhdError `VHD_INVALID_ARGUMENT` for a child that is no differencing disk, a parent of another format, sector
 * size or size, and for a circle; `VHD_PARENT_MISMATCH`; what opening the parent throws.
 */
export async function setParent(
  childPath: string,
  parentPath: string,
  options: SetParentOptions = {},
): Promise<void> {
  const child = await inspect(childPath);
  const accepted = await acceptedParents(childPath);
  if (await isSameFile(childPath, parentPath)) throw circle(childPath, parentPath);
  const resolveParent =
    options.resolveParent ?? resolveWithin([path.dirname(parentPath), path.dirname(childPath)]);
  const parent = await openInOrder(parentPath, { readOnly: true, resolveParent });
  try {
    for (const { path: below } of chainOf(parent)) {
      if (await isSameFile(childPath, below)) throw circle(childPath, parentPath);
    }
    const [top] = chainOf(parent);
    const identifier = linkageOf(parent);
    if (top === undefined || identifier === undefined) return;
    checkFit(child, top, accepted.includes(identifier));
    if (!accepted.includes(identifier) && options.ignoreMismatch !== true) {
      throw new VhdError(
        'VHD_PARENT_MISMATCH',
        `${parentPath} is not the disk that ${childPath} was made from: it has the identifier ${identifier}, ` +
          `the child expects ${accepted.join(' or ')}. Ignore the mismatch if its content is the same.`,
        { path: parentPath },
      );
    }
    const paths = options.locators ?? { relativePath: relativeLocator(childPath, parentPath) };
    await writeParentLink(childPath, [identifier], { parentPath, paths });
  } finally {
    await parent.close();
  }
}

/** A child that was made smaller than its parent keeps it, and takes no other that is too large. */
function checkFit(child: DiskInfo, parent: ChainDisk, isOwn: boolean): void {
  const refuse = (why: string): never => {
    throw new VhdError(
      'VHD_INVALID_ARGUMENT',
      `${parent.path} cannot be the parent of ${child.path}: ${why}.`,
      {
        path: parent.path,
      },
    );
  };
  if (parent.format !== child.format) refuse(`it is a ${parent.format.toUpperCase()}`);
  if (parent.logicalSectorSize !== child.logicalSectorSize)
    refuse(`its sectors have ${parent.logicalSectorSize} bytes, the child's ${child.logicalSectorSize}`);
  const isTooLarge = parent.virtualSize > child.virtualSize && !isOwn;
  if (isTooLarge || (child.format === 'vhd' && parent.virtualSize !== child.virtualSize))
    refuse(`it holds ${parent.virtualSize} bytes, the child ${child.virtualSize}`);
}

/** The parent's path from the child's folder, as Windows writes it. */
export function relativeLocator(childPath: string, parentPath: string): string {
  const relative = path.relative(path.dirname(path.resolve(childPath)), path.resolve(parentPath));
  const windows = relative.replaceAll('/', '\\');
  return windows.startsWith('..') ? windows : `.\\${windows}`;
}

function circle(childPath: string, parentPath: string): VhdError {
  return new VhdError(
    'VHD_INVALID_ARGUMENT',
    `${childPath} would be below itself: ${parentPath} depends on it.`,
    {
      path: childPath,
    },
  );
}
