import { inspect, recoverDisk } from '@nova-hyperv/vhd';
import type { ResolveParent } from '@nova-hyperv/vhd';
import type { Logger } from 'pino';

/** Longest chain that is followed; a longer one is taken for a circle, which opening it tells. */
const MOST_DISKS = 128;

export interface ChainHost {
  readonly resolveParent: ResolveParent;
  /** True for files that somebody writes to: those are read, and never brought into order. */
  readonly isWritten: (localPath: string) => boolean;
  readonly log: Logger;
}

/**
 * Parents of a disk file, the nearest first, as far as they can be found. The file and its parents are brought into
 * order on the way where a killed process left the log of a VHDX behind: a parent is only ever opened for reading,
 * which such a file does not allow. What is wrong with a file is told by whoever opens it; here it ends the search.
 */
export async function recoveredParents(file: string, host: ChainHost): Promise<readonly string[]> {
  const found: string[] = [];
  let current = file;
  while (found.length < MOST_DISKS) {
    const next = await recoveredParent(current, host);
    if (next === undefined) break;
    found.push(next);
    current = next;
  }
  return found;
}

async function recoveredParent(file: string, host: ChainHost): Promise<string | undefined> {
  try {
    const { parent, format } = await inspect(file);
    if (format === 'vhdx' && !host.isWritten(file)) await recover(file, host.log);
    return parent?.paths
      .map((locator) => host.resolveParent(locator, file))
      .find((path) => path !== undefined);
  } catch (error) {
    host.log.debug({ file, error }, 'the parents of a disk file cannot be found');
    return undefined;
  }
}

async function recover(file: string, log: Logger): Promise<void> {
  try {
    if (await recoverDisk(file)) log.info({ file }, 'the log of a disk file was replayed');
  } catch (error) {
    // A base image may be write-protected; one that is in order needs no writing.
    log.debug({ file, error }, 'a disk file could not be brought into order');
  }
}
