import { constants } from 'node:fs';
import { copyFile, open, rename, rm } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { hasCode } from '@nova-hyperv/hyperv';

/** Windows refuses to remove a file that somebody still reads (a virus scanner, the machine's own process): it is tried again. */
const REMOVE_RETRIES = { maxRetries: 20, retryDelay: 150 } as const;

export async function removeTree(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, ...REMOVE_RETRIES });
}

export async function removeFile(path: string): Promise<void> {
  await rm(path, { force: true, ...REMOVE_RETRIES });
}

/** Windows renames no folder in which somebody has a file open: it is tried again. */
export async function renameFolder(from: string, to: string): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      await rename(from, to);
      return;
    } catch (error) {
      if (tries >= REMOVE_RETRIES.maxRetries || !hasCode(error, 'EBUSY', 'EPERM', 'EACCES')) throw error;
      await wait(REMOVE_RETRIES.retryDelay);
    }
  }
}

/** A full copy under a new name; shares blocks where the file system can. Fails when the target exists. */
export async function copyToNew(source: string, target: string): Promise<void> {
  await copyFile(source, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
}

/** Gives a finished file its name, after its bytes are on the disk: what has the name is whole, whatever happens. */
export async function publish(temporary: string, final: string): Promise<void> {
  const file = await open(temporary, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, final);
}
