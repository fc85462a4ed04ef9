import { lockDisk, VhdError, type DiskLock, type LockMode, type ResolveParent } from '@nova-hyperv/vhd';
import { readChain } from './chain.js';

/** Disks that are held while a command works on them. */
export class Locks {
  readonly #purpose: string;
  readonly #held: DiskLock[] = [];

  /** @param purpose shown to those who are refused meanwhile. */
  constructor(purpose: string) {
    this.#purpose = purpose;
  }

  /** @throws VhdError `VHD_IN_USE` */
  async take(file: string, mode: LockMode): Promise<void> {
    this.#held.push(await lockDisk(file, mode, this.#purpose));
  }

  /** Takes a disk, and its parents for reading. @throws VhdError also what reading the chain throws. */
  async takeChain(file: string, mode: LockMode, resolveParent: ResolveParent): Promise<void> {
    await this.take(file, mode);
    const [, ...parents] = await readChain(file, resolveParent);
    for (const parent of parents) await this.take(parent.path, 'read');
  }

  /** For a disk that may be damaged: whatever cannot be read is nobody's parent. @throws VhdError `VHD_IN_USE` */
  async takeParentsThatCanBeRead(file: string, resolveParent: ResolveParent): Promise<void> {
    try {
      const [, ...parents] = await readChain(file, resolveParent);
      for (const parent of parents) await this.take(parent.path, 'read');
    } catch (error) {
      if (!(error instanceof VhdError) || error.code === 'VHD_IN_USE') throw error;
    }
  }

  async release(): Promise<void> {
    for (const lock of this.#held.splice(0)) await lock.release();
  }
}

/** Runs with locks of its own, which are gone at the end whatever happens. */
export async function withLocks<T>(purpose: string, run: (locks: Locks) => Promise<T>): Promise<T> {
  const locks = new Locks(`nova-hyperv ${purpose}`);
  try {
    return await run(locks);
  } finally {
    await locks.release();
  }
}
