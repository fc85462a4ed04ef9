import { rm } from 'node:fs/promises';
import { newGuid } from './bytes/guid.js';
import { chainOf, isSameFile, openInOrder } from './chain.js';
import type { ChainDisk } from './chain.js';
import type { ConvertTarget } from './convert.js';
import { convertDisk } from './convert.js';
import type { Disk, OpenOptions, ResolveParent } from './disk.js';
import { VhdError } from './errors.js';
import { linkageOf } from './parent.js';
import { acceptedParents, writeParentLink } from './parent-link.js';
import { extentsAbove } from './segments.js';
import type { Piece, TransferOptions } from './transfer.js';
import { checkAborted, nonZeroParts, PIECE_SIZE, piecesOf, transfer } from './transfer.js';

/** Extents are asked for in ranges of this size, or of a block of the target when that is larger. */
const WINDOW = 64 * PIECE_SIZE;
const KEPT = 'what was merged so far stays, and the chain holds what it held';

export interface MergeSource {
  /** The child. */
  readonly path: string;
  readonly resolveParent?: ResolveParent;
}

export interface MergeTarget {
  /** The ancestor that takes in all disks above it; the parent when left out. */
  readonly into?: string;
  /** Instead: a new file that takes in the whole chain, which is left as it is. */
  readonly newFile?: ConvertTarget;
  /** Removes the files that were merged, the child's and those between, when all is done. Not with `newFile`. */
  readonly removeMerged?: boolean;
}

/** A range of the child that one of the merged disks holds. */
interface MergePiece extends Piece {
  readonly isZero: boolean;
}

/**
 * Brings what a differencing disk holds into its parent or another ancestor, in place, or with all of its parents into
 * a new file. Nobody may have any disk of the chain open. At every moment, also after a kill, the child reads as
 * before, and doing it again completes; afterwards ancestor and child hold the same. Whatever other children the
 * ancestor or a disk between has, no longer fit it, and opening them says so (`VHD_PARENT_MISMATCH`). An ancestor that
 * is smaller than the child grows.
 * @throws VhdError `VHD_INVALID_ARGUMENT` for a disk without a parent, or that is not above `into`; `VHD_ABORTED`; what
 * opening the chain, growing the ancestor or {@link convertDisk} throws.
 */
export async function mergeDisk(
  source: MergeSource,
  target: MergeTarget = {},
  options: TransferOptions = {},
): Promise<void> {
  if (target.newFile !== undefined) return convertDisk(source, target.newFile, options);
  checkAborted(options.signal);
  const open = source.resolveParent === undefined ? {} : { resolveParent: source.resolveParent };
  const paths = await mergedPaths(source.path, target.into, open);
  const identifiers = await announce(paths, open);
  const newIdentifier = identifiers.at(-1);
  const ancestor = paths.at(-1);
  if (ancestor === undefined || newIdentifier === undefined) return;
  // Opened before the ancestor's identifier changes; of the ancestor itself nothing is read through it.
  const top = await openInOrder(source.path, { ...open, readOnly: true });
  try {
    const into = await openInOrder(ancestor, open);
    try {
      await identify(into, newIdentifier);
      const bottom = chainOf(top)[paths.length - 1];
      if (bottom !== undefined) await copyAbove(top, bottom, into, options);
      await into.flush();
    } finally {
      await into.close();
    }
  } finally {
    await top.close();
  }
  if (target.removeMerged === true) {
    // From the top: what is left when this is cut off is a chain still.
    for (const file of paths.slice(0, -1)) await rm(file);
  } else await settle(paths, identifiers);
}

/** The files from the child down to the ancestor. */
async function mergedPaths(
  path: string,
  into: string | undefined,
  open: OpenOptions,
): Promise<readonly string[]> {
  const top = await openInOrder(path, { ...open, readOnly: true });
  try {
    const paths = chainOf(top).map((disk) => disk.path);
    if (paths.length < 2) {
      throw new VhdError(
        'VHD_INVALID_ARGUMENT',
        `${path} is no differencing disk: there is nothing to merge it into.`,
        {
          path,
        },
      );
    }
    if (into === undefined) return paths.slice(0, 2);
    for (const [index, below] of paths.entries()) {
      if (index > 0 && (await isSameFile(below, into))) return paths.slice(0, index + 1);
    }
    throw new VhdError(
      'VHD_INVALID_ARGUMENT',
      `${into} is not among the parents of ${path}: ${paths.slice(1).join(', ')}.`,
      {
        path: into,
      },
    );
  } finally {
    await top.close();
  }
}

/**
 * Gives all disks below the child new identifiers, the ancestor's excepted, which changes with its first write; before
 * that it lets each child accept its parent under the old and the new one.
 * @returns the identifiers of the disks below the child.
 */
async function announce(paths: readonly string[], open: OpenOptions): Promise<readonly string[]> {
  const identifiers: string[] = [];
  for (const [index, parentPath] of paths.entries()) {
    const childPath = paths[index - 1];
    if (childPath === undefined) continue;
    const parent = await openInOrder(parentPath, { ...open, readOnly: true });
    const current = linkageOf(parent);
    await parent.close();
    if (current === undefined) continue;
    const wanted = await nextIdentifier(childPath, parent, current);
    identifiers.push(wanted);
    if (index === paths.length - 1 || wanted === current) continue;
    const between = await openInOrder(parentPath, open);
    try {
      await identify(between, wanted);
    } finally {
      await between.close();
    }
  }
  return identifiers;
}

async function nextIdentifier(childPath: string, parent: Disk, current: string): Promise<string> {
  if (parent.format === 'vhdx') {
    const wanted = newGuid();
    await writeParentLink(childPath, [current, wanted]);
    return wanted;
  }
  const [stored, merged] = await acceptedParents(childPath);
  // Cut off before: the parent has the new one already.
  return stored === current && merged !== undefined ? merged : current;
}

/** What was announced is all that is left: each child names its parent as it is now. From the bottom up. */
async function settle(paths: readonly string[], identifiers: readonly string[]): Promise<void> {
  for (let index = paths.length - 2; index >= 0; index -= 1) {
    const [childPath, identifier] = [paths[index], identifiers[index]];
    if (childPath !== undefined && identifier !== undefined) await writeParentLink(childPath, [identifier]);
  }
}

async function identify(disk: Disk, identifier: string): Promise<void> {
  for (const link of chainOf(disk).slice(0, 1)) await link.identify(identifier);
}

/** Writes into the ancestor what the disks above it hold. */
async function copyAbove(top: Disk, bottom: ChainDisk, into: Disk, options: TransferOptions): Promise<void> {
  if (into.virtualSize < top.virtualSize) await into.resize(top.virtualSize);
  const pieces = mergePieces(top, bottom, Math.max(WINDOW, into.blockSize));
  await transfer(pieces, top.virtualSize, { ...options, kept: KEPT }, async (piece, buffer) => {
    const { offset, length, isZero } = piece;
    if (isZero) return into.writeZeroes(offset, length);
    await top.read(buffer, offset);
    let done = 0;
    for (const part of nonZeroParts(buffer)) {
      await into.writeZeroes(offset + done, part.offset - done);
      done = part.offset + part.length;
      await into.write(buffer.subarray(part.offset, done), offset + part.offset);
    }
    await into.writeZeroes(offset + done, length - done);
  });
}

async function* mergePieces(top: Disk, bottom: Disk, window: number): AsyncGenerator<MergePiece> {
  for (let at = 0; at < top.virtualSize; at += window) {
    for (const extent of await extentsAbove(top, bottom, at, Math.min(window, top.virtualSize - at))) {
      const { offset, length, state } = extent;
      if (state === 'zero') yield { offset, length, isZero: true };
      else if (state === 'data') {
        for (const piece of piecesOf(offset, length)) yield { ...piece, isZero: false };
      }
    }
  }
}
