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
  if (hasCode(error, 'DRIVER_ERROR') || !(error instanceof Error)) return error;
  if (error.name === 'AbortError') return error;
  if (hasCode(error, 'HYPERV_NOT_FOUND'))
    return new DriverError('InstanceNotFound', error.message, { cause: error });
  return new DriverError('NovaException', error.message, { cause: error });
}
