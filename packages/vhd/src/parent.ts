import { stat } from 'node:fs/promises';
import type { Disk, ResolveParent } from './disk.js';
import { VhdError } from './errors.js';
import type { RandomAccessFile } from './io/random-access-file.js';
import { openFile } from './io/random-access-file.js';
import { VhdDisk } from './vhd/vhd-disk.js';
import { VhdxDisk } from './vhdx/vhdx-disk.js';

/**
 * Opens the parent of a differencing disk: the first file that one of the child's locators leads to and that has the
 * right identifier. No path out of a disk file is ever opened without having been resolved.
 * @throws VhdError `VHD_PARENT_MISSING`, `VHD_PARENT_MISMATCH`
 */
export async function openParent(
  childPath: string,
  paths: readonly string[],
  identifiers: readonly string[],
  resolve: ResolveParent | undefined,
  open: (file: RandomAccessFile) => Promise<Disk>,
): Promise<Disk> {
  let mismatch: VhdError | undefined;
  for (const locatorPath of paths) {
    const candidate = resolve?.(locatorPath, childPath);
    if (candidate === undefined) continue;
    const file = await openIfThere(candidate);
    if (file === undefined) continue;
    const parent = await open(file);
    const identifier = linkageOf(parent);
    if (identifier !== undefined && identifiers.includes(identifier)) return parent;
    await parent.close();
    mismatch ??= new VhdError(
      'VHD_PARENT_MISMATCH',
      `${candidate} is not the disk that ${childPath} was made from: it has the identifier ${identifier ?? 'of none'}, ` +
        `the child expects ${identifiers.join(' or ')}. It was written to, or replaced, after the child was made.`,
      { path: candidate },
    );
  }
  if (mismatch !== undefined) throw mismatch;
  throw new VhdError(
    'VHD_PARENT_MISSING',
    `The parent of ${childPath} was not found; tried ${paths.map((each) => JSON.stringify(each)).join(', ') || 'no path'}.`,
    { path: childPath },
  );
}

/** What the system says of a path at which no file can be; locators hold anything. */
const NOT_THERE: readonly unknown[] = ['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP', 'ERR_INVALID_ARG_VALUE'];

/** undefined when there is no such file, or what is there is none: opening a pipe would wait for its writer. */
export async function openIfThere(path: string): Promise<RandomAccessFile | undefined> {
  try {
    if (!(await stat(path)).isFile()) return undefined;
    return await openFile(path, 'read');
  } catch (error) {
    if (error instanceof Error && 'code' in error && NOT_THERE.includes(error.code)) return undefined;
    throw error;
  }
}

/** What a child names its parent by: VHDX the data write GUID, VHD the unique id. undefined = cannot be a parent. */
export function linkageOf(disk: Disk): string | undefined {
  if (disk instanceof VhdxDisk) return disk.dataWriteGuid;
  return disk instanceof VhdDisk ? disk.uniqueId : undefined;
}
