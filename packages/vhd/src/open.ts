import type { Disk, OpenOptions } from './disk.js';
import { VhdError } from './errors.js';
import type { RandomAccessFile } from './io/random-access-file.js';
import { openFile } from './io/random-access-file.js';
import { openParent } from './parent.js';
import type { FileFormat } from './recognise.js';
import { recognise } from './recognise.js';
import { openVhd } from './vhd/open.js';
import { openVhdx } from './vhdx/open.js';

/** Disks below one another; Windows allows far fewer. A longer chain is taken for a circle. */
export const MAX_CHAIN = 128;

/** How a child gets its parent: from the paths in its locators and the identifiers that the parent may have. */
export type OpenParent = (
  paths: readonly string[],
  identifiers: readonly string[],
) => Promise<Disk | undefined>;

/**
 * Opens a VHD or VHDX, with its parents (read-only) when it is a differencing disk. Close it to leave the file clean;
 * only one may have it open for writing at a time, which is the caller's to see to.
 * @throws VhdError with the code that says why; Node's own errors when the file cannot be opened.
 */
export async function openDisk(path: string, options: OpenOptions = {}): Promise<Disk> {
  const readOnly = options.readOnly ?? false;
  return openDiskFile(await openFile(path, readOnly ? 'read' : 'write'), options);
}

/** {@link openDisk} for a file that is open already, which the disk then owns; on failure it is closed. */
export async function openDiskFile(file: RandomAccessFile, options: OpenOptions = {}): Promise<Disk> {
  return openLink(file, options, 0);
}

/**
 * {@link openDiskFile} for work on the file itself. What would be read from a parent reads as zeros: such a disk is not
 * for its data.
 */
export async function openWithoutParents(file: RandomAccessFile): Promise<Disk> {
  return openLink(file, {}, 0, () => Promise.resolve(undefined));
}

async function openLink(
  file: RandomAccessFile,
  options: OpenOptions,
  depth: number,
  openWithout?: OpenParent,
): Promise<Disk> {
  try {
    if (depth >= MAX_CHAIN) {
      throw new VhdError(
        'VHD_CORRUPT',
        `${file.path}: more than ${MAX_CHAIN} parents: the chain is a circle.`,
        {
          path: file.path,
        },
      );
    }
    const { format } = await recognise(file);
    const openWith: OpenParent = (paths, identifiers) =>
      openParent(file.path, paths, identifiers, options.resolveParent, (parentFile) =>
        openLink(parentFile, { ...options, readOnly: true }, depth + 1),
      );
    const openNext = openWithout ?? openWith;
    const readOnly = options.readOnly ?? false;
    if (format === 'vhdx') return await openVhdx(file, options, openNext);
    if (format === 'vhd') return await openVhd(file, readOnly, openNext);
    throw unknownFormat(file.path, format);
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** The refusal of a file that is no VHD or VHDX; says what it is instead where that is known. */
export function unknownFormat(path: string, format: FileFormat): VhdError {
  const what =
    format === 'raw' ? 'neither of them, nor anything else that is known' : `a ${format.toUpperCase()} file`;
  return new VhdError('VHD_UNKNOWN_FORMAT', `${path} should be a VHD or VHDX and is ${what}.`, { path });
}
