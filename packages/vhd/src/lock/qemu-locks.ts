import { readFile } from 'node:fs/promises';
import type { LockMode } from './flag.js';

/**
 * QEMU's advisory locks on an image (block/file-posix.c): byte 100 + n is locked by whoever uses permission n, byte
 * 200 + n by whoever lets nobody else use it. Permission 1 is writing, 3 is changing the size.
 */
const FORBIDDING: Readonly<Record<LockMode, readonly number[]>> = { read: [101], write: [101, 201, 203] };

/** `dev` and `inode` as stat(2) gives them. */
export interface FileIdentity {
  readonly dev: number;
  readonly ino: number;
}

/**
 * Whether the text of /proc/locks shows a lock of QEMU's that forbids what is wanted. Source: proc_locks(5).
 * A line: `1: OFDLCK ADVISORY  READ -1 fd:01:4711 100 101`, device in hexadecimal.
 */
export function findQemuLock(locks: string, file: FileIdentity, wanted: LockMode): boolean {
  const { major, minor } = splitDevice(file.dev);
  return locks.split('\n').some((line) => {
    const match = /\bOFDLCK\s.*\s([0-9a-f]+):([0-9a-f]+):(\d+) (\d+) (\d+)$/.exec(line);
    if (match === null) return false;
    const [, lockMajor = '', lockMinor = '', inode, first, last] = match;
    const isSame =
      Number.parseInt(lockMajor, 16) === major &&
      Number.parseInt(lockMinor, 16) === minor &&
      Number(inode) === file.ino;
    return isSame && FORBIDDING[wanted].some((byte) => Number(first) <= byte && byte <= Number(last));
  });
}

/** glibc's layout of a device number: makedev(3). */
function splitDevice(dev: number): { major: number; minor: number } {
  const value = BigInt(dev);
  return {
    major: Number(((value >> 8n) & 0xfffn) | ((value >> 32n) & 0xfffff000n)),
    minor: Number((value & 0xffn) | ((value >> 12n) & 0xffffff00n)),
  };
}

/** {@link findQemuLock} now; false where the system does not tell. */
export async function isLockedByQemu(file: FileIdentity, wanted: LockMode): Promise<boolean> {
  try {
    return findQemuLock(await readFile('/proc/locks', 'latin1'), file, wanted);
  } catch {
    return false;
  }
}
