import { spawn } from 'node:child_process';
import { access, mkdir, open, readdir, readFile, readlink, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { BackendError } from '../backend.js';
import { askTgt } from './client.js';
import { MODE, OP } from './protocol.js';

const START_ATTEMPTS = 200;
const ATTEMPT_PAUSE_MS = 25;
const SOCKET = 'tgtd';

/** A tgtd of this cloud. */
export interface Tgtd {
  readonly pid: number;
  /** By way of its working directory, since such a path may be 107 bytes long only. */
  readonly socket: string;
}

/** Where tgtd is installed; undefined when it is not. */
export async function findTgtdProgram(): Promise<string | undefined> {
  for (const folder of [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin']) {
    const path = join(folder, 'tgtd');
    if (
      folder !== '' &&
      (await access(path).then(
        () => true,
        () => false,
      ))
    )
      return path;
  }
  return undefined;
}

/**
 * The tgtd that works in `folder`, which only a cloud's own does: told by that, it is found whatever became of the process that started it, and
 * never confused with another that got its number.
 */
export async function findTgtd(folder: string): Promise<Tgtd | undefined> {
  const real = await realpath(folder).catch(() => undefined);
  if (real === undefined) return undefined;
  for (const name of await readdir('/proc')) {
    if (/^\d+$/.test(name) && (await isTgtdIn(name, real)))
      return { pid: Number(name), socket: join('/proc', name, 'cwd', `${SOCKET}.0`) };
  }
  return undefined;
}

/** Whether it still runs. */
export async function isRunning({ pid }: Tgtd, folder: string): Promise<boolean> {
  return isTgtdIn(`${pid}`, await realpath(folder));
}

async function isTgtdIn(pid: string, folder: string): Promise<boolean> {
  try {
    const command = await readFile(join('/proc', pid, 'comm'), 'utf8');
    return command === 'tgtd\n' && (await readlink(join('/proc', pid, 'cwd'))) === folder;
  } catch {
    // It ended meanwhile, or is somebody else's.
    return false;
  }
}

export interface TgtdOptions {
  readonly program: string;
  readonly folder: string;
  readonly address: string;
  readonly port: number;
}

/**
 * Starts tgtd so that it outlives this process, as the guests do that use its volumes.
 * @throws BackendError FAILED when it does not serve exactly the portal that is wanted.
 */
export async function startTgtd(options: TgtdOptions): Promise<Tgtd> {
  const { folder, address, port } = options;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const log = await open(join(folder, 'tgtd.log'), 'w', 0o600);
  try {
    const host = address.includes(':') ? `[${address}]` : address;
    const child = spawn(options.program, ['-f', '-C', '0', '--iscsi', `portal=${host}:${port}`], {
      cwd: folder,
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      env: { PATH: process.env.PATH ?? '', TGT_IPC_SOCKET: SOCKET },
    });
    child.on('error', () => undefined);
    child.unref();
  } finally {
    await log.close();
  }
  return whenServing(folder, `${address}:${port}`);
}

async function whenServing(folder: string, portal: string): Promise<Tgtd> {
  let cause: unknown;
  for (let attempt = 0; attempt < START_ATTEMPTS; attempt += 1) {
    const found = await findTgtd(folder);
    try {
      if (found !== undefined) {
        const portals = await portalsOf(found);
        if (portals.length === 1 && portals[0] === portal) return found;
        // Where its port is taken it listens at its standard one, on all addresses.
        await endTgtd(folder);
        cause = new Error(`tgtd listens at ${portals.join(', ') || 'no port'} in place of ${portal}.`);
        break;
      }
    } catch (error) {
      cause = error;
    }
    await sleep(ATTEMPT_PAUSE_MS);
  }
  throw new BackendError('FAILED', 'The iSCSI target service (tgtd) did not start; its log says why.', {
    cause,
  });
}

/** Addresses at which it listens: `127.0.0.1:3260`. */
export async function portalsOf(tgtd: Tgtd): Promise<readonly string[]> {
  const text = await askTgt(tgtd.socket, { mode: MODE.portal, op: OP.show });
  return [...text.matchAll(/^Portal: (.+),\d+$/gm)].map(([, portal = '']) => portal);
}

/** Ends the tgtd of a folder. What its initiators wrote is with the kernel: nothing is lost. Harmless when there is none. */
export async function endTgtd(folder: string): Promise<void> {
  for (let attempt = 0; attempt < START_ATTEMPTS; attempt += 1) {
    const found = await findTgtd(folder);
    if (found === undefined) return;
    // It has no other signal to end by: it ignores SIGTERM.
    if (attempt === 0) process.kill(found.pid, 'SIGKILL');
    await sleep(ATTEMPT_PAUSE_MS);
  }
}
