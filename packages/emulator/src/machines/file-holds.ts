import { HV, HyperVError } from '../errors.js';

/** Files of this machine that a piece of work reads and writes. */
export interface FilesOfWork {
  readonly reads?: readonly string[];
  readonly writes?: readonly string[];
}

/**
 * Which disk files the image service is at work on, as Windows' share modes have it: many readers, or one writer.
 * A machine is not started on such a file, and the file is not deleted.
 */
export class FileHolds {
  readonly #held = new Set<FilesOfWork>();

  /** @returns gives the files free. @throws HyperVError 32774 when the work of another is in the way. */
  hold(files: FilesOfWork): () => void {
    for (const file of files.reads ?? []) if (this.isWritten(file)) throw inUse();
    for (const file of files.writes ?? []) if (this.isHeld(file)) throw inUse();
    this.#held.add(files);
    return () => this.#held.delete(files);
  }

  isWritten(file: string): boolean {
    return [...this.#held].some((held) => held.writes?.includes(file) === true);
  }

  isHeld(file: string): boolean {
    return this.isWritten(file) || [...this.#held].some((held) => held.reads?.includes(file) === true);
  }

  /** True when a file in the folder is held. */
  isAnyHeldIn(folder: string): boolean {
    return [...this.#held].some((held) =>
      [...(held.reads ?? []), ...(held.writes ?? [])].some((file) => file.startsWith(`${folder}/`)),
    );
  }
}

function inUse(): HyperVError {
  return new HyperVError(
    HV.inUse,
    'The process cannot access the file because it is being used by another process (0x80070020).',
  );
}
