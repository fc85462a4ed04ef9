import { ComputeError, InstanceNotFoundError, UnexpectedTaskStateError } from '@nova-hyperv/compute';
import { DriverError } from '@nova-hyperv/driver';
import { ApiError } from '../../kernel/errors.js';

/** Statuses of what compute services refuse with, by Nova's names; others are unexpected. */
const STATUSES: Readonly<Record<string, number>> = {
  ConsoleLogOutputException: 404,
  DevicePathInUse: 409,
  Forbidden: 403,
  InvalidDevicePath: 400,
  InvalidInput: 400,
  InvalidVolume: 400,
  MultiattachNotSupportedByVirtDriver: 400,
  OverQuota: 403,
  SnapshotNotFound: 404,
  TooManyDiskDevices: 403,
  VolumeAttachmentNotFound: 404,
  VolumeBDMNotFound: 404,
  VolumeEncryptionNotSupported: 400,
  VolumeNotFound: 404,
  ConsoleNotAvailable: 404,
  InstanceNotFound: 404,
  NotFound: 404,
  InstanceInvalidState: 409,
  InstanceNotReady: 409,
  ComputeServiceUnavailable: 503,
};

/** A compute service's error as the API answers it; itself when the API has no answer for it. */
export function toApiError(error: unknown): unknown {
  if (error instanceof InstanceNotFoundError) return new ApiError(404, error.message, { cause: error });
  if (error instanceof UnexpectedTaskStateError) return new ApiError(409, error.message, { cause: error });
  if (!(error instanceof ComputeError || error instanceof DriverError)) return error;
  const status = STATUSES[error.novaName];
  return status === undefined ? error : new ApiError(status, error.message, { cause: error });
}
