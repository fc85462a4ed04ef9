import { HV, HyperVError } from '../errors.js';
import type { DrivePaths } from '../paths.js';
import { errorCode } from '../system-error.js';

const ENGINE_CODES: Readonly<Record<string, number>> = {
  DISK_IN_USE: HV.inUse,
  FILE_NOT_FOUND: HV.fileNotFound,
  OUT_OF_MEMORY: HV.outOfMemory,
  NOT_RUNNING: HV.invalidState,
  ALREADY_RUNNING: HV.invalidState,
  UNSUPPORTED: HV.notSupported,
};

/** The engine's errors as Hyper-V's. Matched by name: two copies of a package may be loaded. */
export async function engineErrors<T>(work: () => Promise<T>, paths: DrivePaths): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Error && error.name === 'EngineError') {
      const code = ENGINE_CODES[errorCode(error)] ?? HV.failed;
      throw new HyperVError(code, paths.inWindowsTerms(error.message), { cause: error });
    }
    throw error;
  }
}
