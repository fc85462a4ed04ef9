import { normaliseGuid } from './bytes/guid.js';
import { VhdError } from './errors.js';
import { openFile } from './io/random-access-file.js';
import { openWithoutParents } from './open.js';
import { recognise } from './recognise.js';
import { VhdDisk } from './vhd/vhd-disk.js';
import { editMetadata } from './vhdx/edit-metadata.js';

/** What a disk says of itself and may say otherwise later. */
export interface DiskChanges {
  /** GUID: the virtual disk id of a VHDX, the unique id of a VHD. The latter is also what its children know it by. */
  readonly identifier?: string;
  /** Bytes, 512 or 4096; VHDX only. What is on the disk does not change. */
  readonly physicalSectorSize?: number;
}

/**
 * Changes what a disk says of itself, all of it or nothing. Nobody may have the file open.
 * @throws VhdError `VHD_INVALID_ARGUMENT` for what the format does not know; what opening the file throws.
 */
export async function changeDisk(path: string, changes: DiskChanges): Promise<void> {
  const { physicalSectorSize } = changes;
  const identifier = changes.identifier === undefined ? undefined : normaliseGuid(changes.identifier);
  if (physicalSectorSize !== undefined && physicalSectorSize !== 512 && physicalSectorSize !== 4096) {
    throw new VhdError(
      'VHD_INVALID_ARGUMENT',
      `Sectors of ${physicalSectorSize} bytes: 512 and 4096 are possible.`,
    );
  }
  const file = await openFile(path, 'write');
  try {
    if ((await recognise(file)).format === 'vhdx') {
      await editMetadata(file, {
        ...(identifier === undefined ? {} : { virtualDiskId: identifier }),
        ...(physicalSectorSize === undefined ? {} : { physicalSectorSize }),
      });
      return;
    }
    // Closes the file when it fails, and when it is closed.
    const disk = await openWithoutParents(file);
    if (physicalSectorSize !== undefined && physicalSectorSize !== disk.physicalSectorSize) {
      throw new VhdError('VHD_INVALID_ARGUMENT', `${path} is a VHD, whose sectors have 512 bytes.`, { path });
    }
    if (identifier !== undefined && disk instanceof VhdDisk) await disk.identify(identifier);
  } finally {
    await file.close();
  }
}
