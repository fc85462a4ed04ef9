import { randomUUID } from 'node:crypto';
import { realpath, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { VhdError } from '@nova-hyperv/vhd';
import { CliError, EXIT } from '../../errors.js';
import { errorCode } from '../../json.js';
import type { Locks } from './locks.js';

export interface TargetOptions {
  /** Replace what is there; only when the new file is whole. */
  readonly force: boolean;
  /** Files that it is made from, which it cannot replace. */
  readonly sources: readonly string[];
  readonly locks: Locks;
}

/**
 * Makes a file that was not there, or with `force` one in the place of another. `build` gets the path to make it at.
 * @throws VhdError `VHD_EXISTS`, `VHD_IN_USE`; CliError when source and target are one.
 */
export async function makeTarget(
  target: string,
  { force, sources, locks }: TargetOptions,
  build: (at: string) => Promise<void>,
): Promise<void> {
  const there = await statIfThere(target);
  if (there === undefined) return build(target);
  for (const source of sources) {
    const { dev, ino } = await stat(source);
    if (dev === there.dev && ino === there.ino)
      throw new CliError(`${target} is what it would be made from (${source})`, EXIT.usage);
  }
  if (!force)
    throw new VhdError('VHD_EXISTS', `${target} exists already; nothing was overwritten (--force does).`, {
      path: target,
    });
  if (!there.isFile()) throw new CliError(`${target} is no plain file, and is not replaced`, EXIT.exists);
  // Through links: what is replaced is the file itself.
  const real = await realpath(target);
  await locks.take(real, 'write');
  const beside = path.join(path.dirname(real), `.nova-hyperv-${randomUUID()}.new`);
  try {
    await build(beside);
    await rename(beside, real);
  } finally {
    await rm(beside, { force: true });
  }
}

async function statIfThere(file: string): Promise<Awaited<ReturnType<typeof stat>> | undefined> {
  try {
    return await stat(file);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
