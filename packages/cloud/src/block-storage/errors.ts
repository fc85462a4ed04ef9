import { ApiError, badRequest, conflict, notFound } from '../kernel/errors.js';

/** Cinder's exceptions (cinder/exception.py) with its messages, which clients show. */
export const invalidVolume = (reason: string): ApiError => badRequest(`Invalid volume: ${reason}`);
export const invalidSnapshot = (reason: string): ApiError => badRequest(`Invalid snapshot: ${reason}`);
export const invalidInput = (reason: string): ApiError => badRequest(`Invalid input received: ${reason}`);
export const resourceConflict = (reason: string): ApiError => conflict(`Resource conflict: ${reason}`);
export const volumeNotFound = (id: string): ApiError => notFound(`Volume ${id} could not be found.`);
export const snapshotNotFound = (id: string): ApiError => notFound(`Snapshot ${id} could not be found.`);
export const typeNotFound = (id: string): ApiError => notFound(`Volume type ${id} could not be found.`);
export const typeNotFoundByName = (name: string): ApiError =>
  notFound(`Volume type with name ${name} could not be found.`);
export const qosNotFound = (id: string): ApiError => notFound(`No such QoS spec ${id}.`);
export const attachmentNotFound = (id: string): ApiError =>
  notFound(`Volume attachment could not be found with filter: attachment_id = ${id}.`);
export const metadataNotFound = (volumeId: string, key: string): ApiError =>
  notFound(`Volume ${volumeId} has no metadata with key ${key}.`);

/** 413 with the header that clients look for before they try again. */
const overQuota = (message: string): ApiError =>
  new ApiError(413, message, { headers: { 'Retry-After': '0' } });

export const limitExceeded = (what: 'volumes' | 'snapshots', allowed: number, quota: string): ApiError =>
  overQuota(
    what === 'volumes'
      ? `Maximum number of volumes allowed (${allowed}) exceeded for quota '${quota}'.`
      : `Maximum number of snapshots allowed (${allowed}) exceeded`,
  );

export const sizeExceedsQuota = (
  quota: string,
  requestedGb: number,
  limitGb: number,
  consumedGb: number,
): ApiError =>
  overQuota(
    `Requested volume or snapshot exceeds allowed ${quota} quota. Requested ${requestedGb}G, ` +
      `quota is ${limitGb}G and ${consumedGb}G has been consumed.`,
  );

export const sizeExceedsLimit = (sizeGb: number, limitGb: number): ApiError =>
  overQuota(`Requested volume size ${sizeGb}G is larger than maximum allowed limit ${limitGb}G.`);

/** `available or error`: cinder/utils.py, build_or_str. */
export const orList = (values: readonly string[]): string => values.join(' or ');
