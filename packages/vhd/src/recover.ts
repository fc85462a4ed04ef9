import { ZERO_GUID } from './bytes/guid.js';
import { openFile } from './io/random-access-file.js';
import { unknownFormat } from './open.js';
import { recognise } from './recognise.js';
import { readCurrentHeader } from './vhdx/header.js';
import { readVhdx } from './vhdx/vhdx-file.js';

/**
 * Brings a file that a killed process left into order: replays the log of a VHDX. Neither its parents nor its data are
 * looked at, so it also does for parents, which are only ever opened read-only. Nobody may have the file open for
 * writing.
 * @returns whether there was anything to do.
 * @throws VhdError `VHD_UNKNOWN_FORMAT`, `VHD_CORRUPT`, `VHD_UNSUPPORTED`
 */
export async function recoverDisk(path: string): Promise<boolean> {
  const file = await openFile(path, 'write');
  try {
    const { format } = await recognise(file);
    // A VHD has no log; what a killed process leaves of one is whole already.
    if (format === 'vhd') return false;
    if (format !== 'vhdx') throw unknownFormat(path, format);
    const { header } = await readCurrentHeader(file);
    await readVhdx(file, 'replay');
    return header.logGuid !== ZERO_GUID;
  } finally {
    await file.close();
  }
}
