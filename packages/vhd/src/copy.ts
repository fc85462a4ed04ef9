import { constants } from 'node:fs';
import { copyFile, stat } from 'node:fs/promises';
import { createUnderName } from './io/new-file.js';
import { corrupt, openFile } from './io/random-access-file.js';
import type { TransferOptions } from './transfer.js';
import { checkAborted, nonZeroParts, piecesOf, transfer } from './transfer.js';

/**
 * Copies a disk file as it is, byte for byte; zeros become holes. Where the file system can share the blocks of
 * both files, it does, and the copy takes no time. The target appears under its name when it is whole.
 * @throws VhdError `VHD_EXISTS`, `VHD_ABORTED`; Node's own errors. No target is left then.
 */
export async function copyDisk(source: string, target: string, options: TransferOptions = {}): Promise<void> {
  checkAborted(options.signal);
  await createUnderName(target, async (temporary) => {
    if (await shareBlocks(source, temporary)) {
      const { size: total } = await stat(temporary);
      options.onProgress?.({ done: total, total });
    } else await copyBytes(source, temporary, options);
  });
}

async function shareBlocks(source: string, target: string): Promise<boolean> {
  try {
    await copyFile(source, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch (error) {
    // Where blocks cannot be shared the call fails in many ways; a source that cannot be read fails again below.
    if (error instanceof Error && 'code' in error && error.code !== 'ENOENT') return false;
    throw error;
  }
}

async function copyBytes(source: string, target: string, options: TransferOptions): Promise<void> {
  const from = await openFile(source, 'read');
  try {
    const size = await from.size();
    const to = await openFile(target, 'create');
    try {
      await to.truncate(size);
      await transfer(piecesOf(0, size), size, options, async ({ offset }, buffer) => {
        const got = await from.read(buffer, offset);
        if (got !== buffer.length)
          throw corrupt(source, offset + got, 'the file became shorter while it was copied');
        for (const part of nonZeroParts(buffer)) {
          await to.write(buffer.subarray(part.offset, part.offset + part.length), offset + part.offset);
        }
      });
      await to.sync();
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
}
