import { readdir, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { VhdError } from '../errors.js';
import type { Flag, LockMode } from './flag.js';
import { flagName, parseFlagContent, parseFlagName, placeDigest } from './flag.js';
import type { Place } from './holder.js';
import { isAlive, startOf, thisPlace } from './holder.js';
import { isLockedByQemu } from './qemu-locks.js';

/** Two that ask at the same moment see each other and step back; so often each asks again. */
const ATTEMPTS = 5;
const MAX_PAUSE_MS = 40;

export interface DiskLock {
  /** Safe to call twice. */
  release(): Promise<void>;
}

/**
 * Takes a disk file for this process: `write` alone, `read` together with other readers. Advisory: it binds those who
 * ask for it too, and what QEMU itself has open is respected. A lock is a file beside the disk, named after the
 * process; those of processes that died are swept away by whoever comes next. A reader that may not write to the folder
 * leaves no lock and only looks for writers.
 *
 * Each raises its flag first and looks for others' then, so of two at least one sees the other; and since every flag
 * has a name of its own, sweeping a dead one never removes a living one.
 * @param purpose shown to those who are refused: `nova-hyperv vhd serve, socket /run/x.sock`.
 * @throws VhdError `VHD_IN_USE`; Node's own errors when the folder cannot be written to.
 */
export async function lockDisk(file: string, mode: LockMode, purpose: string): Promise<DiskLock> {
  const real = await realpath(file);
  const place = await thisPlace();
  const { dev, ino } = await stat(real);
  for (let attempt = 1; ; attempt += 1) {
    const flag = await raiseFlag(real, mode, purpose, place);
    const release = async (): Promise<void> => {
      if (flag !== undefined) await rm(flag, { force: true });
    };
    try {
      const holder = await findHolder(real, mode, flag, place);
      if (holder === undefined && !(await isLockedByQemu({ dev, ino }, mode))) return { release };
      if (holder === undefined) throw inUse(real, 'QEMU has it open');
      if (attempt === ATTEMPTS) throw inUse(real, holder);
    } catch (error) {
      await release();
      throw error;
    }
    await release();
    await sleep(Math.random() * MAX_PAUSE_MS);
  }
}

function inUse(file: string, holder: string): VhdError {
  return new VhdError('VHD_IN_USE', `${file} is in use: ${holder}.`, { path: file });
}

async function raiseFlag(
  real: string,
  mode: LockMode,
  purpose: string,
  place: Place,
): Promise<string | undefined> {
  const { pid } = process;
  const flag: Flag = { mode, pid, start: await startOf(pid), place: placeDigest(place) };
  const file = path.join(path.dirname(real), flagName(path.basename(real), flag));
  const { host, bootId } = place;
  try {
    await writeFile(file, JSON.stringify({ purpose, host, bootId }), { flag: 'wx', mode: 0o644 });
    return file;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (mode === 'read' && (code === 'EACCES' || code === 'EROFS' || code === 'EPERM')) return undefined;
    await rm(file, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** Describes one that forbids what is wanted; sweeps away what the dead left. */
async function findHolder(
  real: string,
  wanted: LockMode,
  own: string | undefined,
  place: Place,
): Promise<string | undefined> {
  const [folder, diskName] = [path.dirname(real), path.basename(real)];
  let holder: string | undefined;
  for (const name of await readdir(folder)) {
    const file = path.join(folder, name);
    const flag = file === own ? undefined : parseFlagName(diskName, name);
    if (flag === undefined) continue;
    const who = await describeHolder(file, flag, place);
    if (who === undefined) await rm(file, { force: true }).catch(() => undefined);
    else if (flag.mode === 'write' || wanted === 'write') holder = who;
  }
  return holder;
}

/** undefined when it is dead. */
async function describeHolder(file: string, flag: Flag, place: Place): Promise<string | undefined> {
  const content = parseFlagContent(await readFile(file, 'utf8').catch(() => ''));
  const who = content === undefined ? `process ${flag.pid}` : `process ${flag.pid} (${content.purpose})`;
  if (flag.place === placeDigest(place))
    return (await isAlive(flag.pid, flag.start)) ? `${who} has it open` : undefined;
  if (content?.host === place.host && content.bootId !== place.bootId) return undefined;
  return `${who} of ${content?.host ?? 'another machine'} had it open; if that has ended, remove ${file}`;
}
