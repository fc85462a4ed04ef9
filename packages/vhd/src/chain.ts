import { realpath } from 'node:fs/promises';
import type { Disk, OpenOptions } from './disk.js';
import { VhdError } from './errors.js';
import { openDisk } from './open.js';
import { recoverDisk } from './recover.js';
import { VhdDisk } from './vhd/vhd-disk.js';
import { VhdxDisk } from './vhdx/vhdx-disk.js';

/** A link of a chain of parents. */
export type ChainDisk = VhdDisk | VhdxDisk;

/** Logs that are replayed on the way to opening one chain; each is of another file. */
const MAX_RECOVERIES = 128;

/** The disk and its parents, from the top down. */
export function chainOf(top: Disk): readonly ChainDisk[] {
  const chain: ChainDisk[] = [];
  for (let disk: Disk | undefined = top; disk !== undefined; disk = disk.parent) {
    if (disk instanceof VhdDisk || disk instanceof VhdxDisk) chain.push(disk);
  }
  return chain;
}

/**
 * {@link openDisk} for work that may put a chain into order: the logs of parents that a killed process left, which
 * opening them read-only refuses, are replayed first. Nobody may have the files open for writing.
 */
export async function openInOrder(path: string, options: OpenOptions): Promise<Disk> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await openDisk(path, options);
    } catch (error) {
      const isLeft = error instanceof VhdError && error.code === 'VHD_LOG_NEEDS_REPLAY';
      if (!isLeft || error.path === undefined || attempt === MAX_RECOVERIES) throw error;
      await recoverDisk(error.path);
    }
  }
}

/** Whether two paths lead to one file. */
export async function isSameFile(one: string, other: string): Promise<boolean> {
  return (await realpath(one)) === (await realpath(other));
}
