import { randomUUID } from 'node:crypto';
import { access, link, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { VhdError } from '../errors.js';
import type { RandomAccessFile } from './random-access-file.js';
import { openFile } from './random-access-file.js';

/**
 * Makes a file that is either whole and under its name, or not there at all. `build` makes it at a temporary path in
 * the same folder; a file of the target's name is never overwritten, not even one that appears meanwhile.
 * @throws VhdError `VHD_EXISTS`; what `build` throws.
 */
export async function createUnderName<T>(
  target: string,
  build: (temporaryPath: string) => Promise<T>,
): Promise<T> {
  if (await exists(target)) throw existsError(target);
  const temporary = path.join(path.dirname(target), `.${path.basename(target)}.${randomUUID()}.tmp`);
  try {
    const result = await build(temporary);
    await publish(temporary, target);
    return result;
  } finally {
    await rm(temporary, { force: true });
  }
}

/** {@link createUnderName} for a `build` that only fills the open file. */
export function createWhole<T>(target: string, build: (file: RandomAccessFile) => Promise<T>): Promise<T> {
  return createUnderName(target, async (temporary) => {
    const file = await openFile(temporary, 'create');
    try {
      const result = await build(file);
      await file.sync();
      return result;
    } finally {
      await file.close();
    }
  });
}

/** A hard link fails when the name is taken, which renaming does not; where there are none, the check must do. */
async function publish(temporary: string, target: string): Promise<void> {
  try {
    await link(temporary, target);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EEXIST' || (await exists(target))) throw existsError(target);
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP' && code !== 'ENOSYS') throw error;
    await rename(temporary, target);
  }
}

async function exists(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch {
    return false;
  }
}

function existsError(target: string): VhdError {
  return new VhdError('VHD_EXISTS', `${target} exists already; nothing was overwritten.`, { path: target });
}
