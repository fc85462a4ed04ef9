import { hasCode } from '@nova-hyperv/hyperv';
import { DriverError } from './errors.js';

/** Runs an entry point; what the layers below throw leaves it as the exception that Nova knows (driver interface of the reference). */
export async function asNovaErrors<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw novaError(error);
  }
}

function novaError(error: unknown): unknown {
  // What the caller's own parts threw (ports, downloads) has its Nova name already.
  if (!(error instanceof Error) || 'novaName' in error || error.name === 'AbortError') return error;
  if (hasCode(error, 'HYPERV_NOT_FOUND'))
    return new DriverError('InstanceNotFound', error.message, { cause: error });
  if (hasCode(error, 'ENOSPC', 'EDQUOT')) {
    return new DriverError(
      'NovaException',
      `The volume of instances_path is full (${error.message}). Free space on it, remove unused files from its folder of base images, or move instances_path to a larger volume.`,
      { cause: error },
    );
  }
  if (hasCode(error, 'EACCES', 'EPERM', 'EROFS')) {
    return new DriverError(
      'NovaException',
      `The compute service may not write below instances_path (${error.message}). Check the rights of its account there.`,
      { cause: error },
    );
  }
  return new DriverError('NovaException', error.message, { cause: error });
}
