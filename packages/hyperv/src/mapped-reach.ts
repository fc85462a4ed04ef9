import { createConnection } from 'node:net';
import { existsSync, lstatSync, readdirSync, realpathSync } from 'node:fs';
import { join, sep } from 'node:path';
import type { Duplex } from 'node:stream';
import { HyperVError } from './errors.js';
import type { HostReach } from './reach.js';
import { checkFileName, parseHostPath } from './windows-path.js';

export interface MappedReachOptions {
  /** Which folder of this machine is which drive of the host: `{ C: '/srv/host/C' }`. */
  readonly drives: Readonly<Record<string, string>>;
  /** Folder with one unix socket for each pipe of the host; without it the host's pipes cannot be reached. */
  readonly pipes?: string;
}

/**
 * Reaches a host whose drives are folders of this machine: mounted shares, or the emulated host's own.
 * @throws HyperVError `HYPERV_PATH` for a drive that is not a letter; later for paths and pipe names that cannot be.
 */
export function mappedReach(options: MappedReachOptions): HostReach {
  const drives = new Map<string, string>();
  for (const [letter, folder] of Object.entries(options.drives)) {
    if (!/^[A-Za-z]$/.test(letter))
      throw new HyperVError('HYPERV_PATH', `${JSON.stringify(letter)} is not a drive letter.`);
    drives.set(letter.toUpperCase(), folder);
  }
  const { pipes } = options;
  return {
    pipesReachable: pipes !== undefined,
    local: (hostPath) => mapPath(drives, hostPath),
    openPipe: async (pipeName) => {
      checkPipeName(pipeName);
      return pipes === undefined ? undefined : openSocket(join(pipes, pipeName));
    },
  };
}

function mapPath(drives: ReadonlyMap<string, string>, hostPath: string): string {
  const { drive, parts } = parseHostPath(hostPath);
  const root = drives.get(drive);
  if (root === undefined) {
    const known = [...drives.keys()].map((letter) => `${letter}:`).join(', ') || 'none';
    throw new HyperVError(
      'HYPERV_PATH',
      `${hostPath} is on drive ${drive}:, which cannot be reached from here (reachable: ${known}).`,
    );
  }
  let local = root;
  let exists = true;
  for (const part of parts) {
    const exact = join(local, part);
    if (exists && !isThere(exact)) {
      const other = otherCase(local, part);
      exists = other !== undefined;
      local = join(local, other ?? part);
    } else {
      local = exact;
    }
  }
  refuseEscape(root, local, hostPath);
  return local;
}

/** Windows does not tell names apart by case, and the folder that stands in for its drive may. */
function otherCase(folder: string, name: string): string | undefined {
  try {
    const wanted = name.toLowerCase();
    return readdirSync(folder).find((entry) => entry.toLowerCase() === wanted);
  } catch {
    return undefined;
  }
}

/** Links inside the folder must not lead out of it. */
function refuseEscape(root: string, local: string, hostPath: string): void {
  let nearest = local;
  while (nearest.length > root.length && !isThere(nearest))
    nearest = nearest.slice(0, nearest.lastIndexOf(sep));
  if (!existsSync(root)) return;
  let real: string;
  try {
    real = realpathSync(nearest);
  } catch {
    throw new HyperVError('HYPERV_PATH', `${hostPath} passes through a link that leads nowhere.`);
  }
  const realRoot = realpathSync(root);
  if (real !== realRoot && !real.startsWith(realRoot.endsWith(sep) ? realRoot : realRoot + sep)) {
    throw new HyperVError('HYPERV_PATH', `${hostPath} leads out of the folder that stands for its drive.`);
  }
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function checkPipeName(pipeName: string): void {
  checkFileName(pipeName, `\\\\.\\pipe\\${pipeName}`);
}

const NO_SUCH_PIPE = new Set(['ENOENT', 'ECONNREFUSED', 'ENOTSOCK', 'EPIPE', 'EBUSY']);

function openSocket(path: string): Promise<Duplex | undefined> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ path });
    const failed = (error: NodeJS.ErrnoException) => {
      socket.destroy();
      if (error.code !== undefined && NO_SUCH_PIPE.has(error.code)) resolve(undefined);
      else
        reject(
          new HyperVError('HYPERV_PATH', `The pipe ${path} cannot be opened: ${error.message}.`, {
            cause: error,
          }),
        );
    };
    socket.once('error', failed);
    socket.once('connect', () => {
      socket.off('error', failed);
      resolve(socket);
    });
  });
}
