import { stat } from 'node:fs/promises';
import { EngineError } from './engine.js';
import { errorCode } from '../system-error.js';

interface Claim {
  readonly file: string;
  readonly machineId: string;
  readonly holder: string;
  readonly writable: boolean;
}

/**
 * Who uses which disk file. A file may have many readers or one writer, as Windows' share modes have it for the
 * files of running machines. Files are told apart by device and inode, so that links are no way around it.
 */
export class DiskClaims {
  readonly #claims: Claim[] = [];

  /**
   * @param holder names the drive within its machine; one holder may claim several files (a chain of parents).
   * @throws EngineError DISK_IN_USE, FILE_NOT_FOUND
   */
  async claim(machineId: string, holder: string, path: string, writable: boolean): Promise<void> {
    const file = await fileIdentity(path);
    const rival = this.#claims.find((claim) => claim.file === file && (claim.writable || writable));
    if (rival !== undefined) {
      const who = rival.machineId === machineId ? 'this machine' : `machine ${rival.machineId}`;
      throw new EngineError(
        'DISK_IN_USE',
        `${path} is used by ${who}; a file that is written to has one user.`,
      );
    }
    this.#claims.push({ file, machineId, holder, writable });
  }

  release(machineId: string, holder: string): void {
    this.#drop((claim) => claim.machineId === machineId && claim.holder === holder);
  }

  releaseMachine(machineId: string): void {
    this.#drop((claim) => claim.machineId === machineId);
  }

  #drop(isMeant: (claim: Claim) => boolean): void {
    for (let index = this.#claims.length - 1; index >= 0; index -= 1) {
      const claim = this.#claims[index];
      if (claim !== undefined && isMeant(claim)) this.#claims.splice(index, 1);
    }
  }
}

async function fileIdentity(path: string): Promise<string> {
  try {
    const facts = await stat(path, { bigint: true });
    if (!facts.isFile()) throw new EngineError('DISK_INVALID', `${path} is not a file.`);
    return `${facts.dev}:${facts.ino}`;
  } catch (error) {
    throw error instanceof EngineError ? error : fileError(path, error);
  }
}

/** A failed file operation as an EngineError: FILE_NOT_FOUND, or DISK_INVALID for whatever else. */
export function fileError(path: string, error: unknown): EngineError {
  const code = errorCode(error);
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new EngineError('FILE_NOT_FOUND', `${path} does not exist.`, { cause: error });
  }
  return new EngineError(
    'DISK_INVALID',
    `${path} cannot be used: ${error instanceof Error ? error.message : String(error)}`,
    { cause: error },
  );
}
