import { VhdError } from '@nova-hyperv/vhd';
import { BackendError } from './backend.js';

const NO_SPACE = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

export const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code;

const isFull = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' && NO_SPACE.has(error.code);

export const noSpace = (cause?: unknown): BackendError =>
  new BackendError(
    'NO_SPACE',
    'The storage of the volumes is full; delete volumes or snapshots, or ask for a smaller one.',
    { cause },
  );

/** The user is told what he can do something about; paths and the rest are for the log, in `cause`. */
export function asBackendError(error: unknown): BackendError {
  if (error instanceof BackendError) return error;
  if (isFull(error)) return noSpace(error);
  if (error instanceof VhdError && error.code === 'VHD_IN_USE')
    return new BackendError('VOLUME_IN_USE', 'The volume is open on a host; detach it first.', {
      cause: error,
    });
  if (error instanceof VhdError && error.code === 'VHD_ABORTED')
    return new BackendError('FAILED', 'The operation was cancelled.', { cause: error });
  if (hasCode(error, 'ENOENT'))
    return new BackendError('NOT_FOUND', 'The volume or snapshot is not at its back end.', { cause: error });
  return new BackendError('FAILED', 'The back end could not do it; its log says why.', { cause: error });
}

/** Runs work of a back end; whatever it throws is a {@link BackendError} then. */
export async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asBackendError(error);
  }
}
