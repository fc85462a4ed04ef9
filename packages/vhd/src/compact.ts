import { stat } from 'node:fs/promises';
import { VhdError } from './errors.js';
import type { ResolveParent } from './disk.js';
import { openFile } from './io/random-access-file.js';
import { openWithoutParents } from './open.js';
import type { TransferOptions } from './transfer.js';
import { checkAborted } from './transfer.js';
import { SparseVhdDisk } from './vhd/sparse-disk.js';
import { VhdxDisk } from './vhdx/vhdx-disk.js';

export interface CompactOptions extends TransferOptions {
  /** Taken so that all operations can be called alike; the parents of a differencing disk are not needed. */
  readonly resolveParent?: ResolveParent;
}

/**
 * Makes the file of a dynamic or differencing disk as short as it can be, in place: blocks of zeros are given up, what
 * lies at the end moves into holes. Nobody may have the file open. The disk holds the same at every moment, and its
 * children fit it as before; when it is cut off, what was done so far stays.
 * @returns the file's length before and after, in bytes.
 * @throws VhdError `VHD_INVALID_ARGUMENT` for a fixed disk, `VHD_ABORTED`, `VHD_CORRUPT` when two blocks lie in one
 * place (nothing is moved then); what opening the file throws.
 */
export async function compactDisk(
  path: string,
  options: CompactOptions = {},
): Promise<{ readonly before: number; readonly after: number }> {
  checkAborted(options.signal);
  const { size: before } = await stat(path);
  const disk = await openWithoutParents(await openFile(path, 'write'));
  try {
    const isSparse = disk instanceof VhdxDisk || disk instanceof SparseVhdDisk;
    if (!isSparse || disk.type === 'fixed') {
      throw new VhdError('VHD_INVALID_ARGUMENT', `${path} is a fixed disk: it keeps its space.`, { path });
    }
    await disk.compact(options);
    options.onProgress?.({ done: disk.virtualSize, total: disk.virtualSize });
  } finally {
    await disk.close();
  }
  return { before, after: (await stat(path)).size };
}
