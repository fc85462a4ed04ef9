import { corrupt, openFile } from './io/random-access-file.js';
import { openDisk } from './open.js';
import { recognise } from './recognise.js';
import { readVhd } from './vhd/vhd-file.js';

/** Table entries are looked at for this much of the disk at a time, so that memory stays bounded at any size. */
const STRIDE = 64 * 2 ** 30;

/**
 * Checks that everything that a VHD or VHDX says it holds lies inside the file: a file that was cut short is found
 * without reading its data. For disks without a parent; {@link inspect} does not look this far.
 * @throws VhdError `VHD_CORRUPT` (with the place), `VHD_LOG_NEEDS_REPLAY`, `VHD_UNSUPPORTED`, `VHD_UNKNOWN_FORMAT`
 */
export async function checkWhole(path: string, options: { signal?: AbortSignal } = {}): Promise<void> {
  await refuseMissingFooter(path);
  const disk = await openDisk(path, { readOnly: true });
  try {
    for (let offset = 0; offset < disk.virtualSize; offset += STRIDE) {
      options.signal?.throwIfAborted();
      await disk.extents(offset, Math.min(STRIDE, disk.virtualSize - offset));
    }
  } finally {
    await disk.close();
  }
}

/** A VHD ends with its footer; the copy at the start only helps to save what is left of it. */
async function refuseMissingFooter(path: string): Promise<void> {
  const file = await openFile(path, 'read');
  try {
    if ((await recognise(file)).format !== 'vhd') return;
    const { footerIsDamaged } = await readVhd(file);
    if (footerIsDamaged)
      throw corrupt(path, await file.size(), 'the footer is missing, so the file was cut short');
  } finally {
    await file.close();
  }
}
