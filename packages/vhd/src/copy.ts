import { constants } from 'node:fs';
import { copyFile, stat } from 'node:fs/promises';
import { createUnderName } from './io/new-file.js';
import { splitByData } from './io/holes.js';
import { corrupt, openFile } from './io/random-access-file.js';
import type { RandomAccessFile } from './io/random-access-file.js';
import { UnpublishedFile } from './io/unpublished-file.js';
import type { Piece, TransferOptions } from './transfer.js';
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
  const from = await openFile(source, 'read', { findHoles: true });
  try {
    const size = await from.size();
    const file = await openFile(target, 'create');
    try {
      await file.truncate(size);
      const to = new UnpublishedFile(file);
      await transfer(dataPieces(from, size), size, options, async ({ offset }, buffer) => {
        const got = await from.read(buffer, offset);
        if (got !== buffer.length)
          throw corrupt(source, offset + got, 'the file became shorter while it was copied');
        for (const part of nonZeroParts(buffer)) {
          await to.write(buffer.subarray(part.offset, part.offset + part.length), offset + part.offset);
        }
      });
      await to.close();
      await file.sync();
    } finally {
      await file.close();
    }
  } finally {
    await from.close();
  }
}

function* dataPieces(file: RandomAccessFile, size: number): Generator<Piece> {
  const ranges = file.dataRanges ?? [{ start: 0, end: size }];
  for (const { start, end, isData } of splitByData(ranges, 0, size)) {
    if (isData) yield* piecesOf(start, end - start);
  }
}
