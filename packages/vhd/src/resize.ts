import { roundUp } from './bytes/integers.js';
import { openInOrder } from './chain.js';
import type { ResizeOptions, ResolveParent } from './disk.js';
import type { TransferOptions } from './transfer.js';
import { checkAborted } from './transfer.js';

export interface ResizeDiskOptions extends ResizeOptions, TransferOptions {
  /** For a differencing disk. */
  readonly resolveParent?: ResolveParent;
}

/**
 * Changes the size of a disk that nobody has open. Growing adds zeros; a VHDX is made smaller down to the end of its
 * last partition, or with `force` to any size. A VHD only grows, a differencing VHD is never resized.
 * @param virtualSize bytes; rounded up to whole sectors.
 * @returns the size that the disk has now.
 * @throws VhdError `VHD_INVALID_ARGUMENT` saying what would be possible; `VHD_ABORTED` before anything was changed; what
 * opening the disk throws.
 */
export async function resizeDisk(
  path: string,
  virtualSize: number,
  options: ResizeDiskOptions = {},
): Promise<number> {
  checkAborted(options.signal);
  const { resolveParent } = options;
  const disk = await openInOrder(path, resolveParent === undefined ? {} : { resolveParent });
  try {
    await disk.resize(roundUp(virtualSize, disk.logicalSectorSize), options);
    await disk.flush();
    options.onProgress?.({ done: disk.virtualSize, total: disk.virtualSize });
    return disk.virtualSize;
  } finally {
    await disk.close();
  }
}
