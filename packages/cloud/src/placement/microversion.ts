import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiError } from '../kernel/errors.js';

export const MIN_VERSION = '1.0';
/** 1.39: `in:` in the query parameter `required`. */
export const MAX_VERSION = '1.39';

const MAX_MINOR = 39;
const SERVICE = 'placement';

/**
 * Minor number of the microversion that a request asks for by `OpenStack-API-Version: placement 1.N` (or `latest`);
 * 0 when it asks for none.
 * @throws ApiError 400 for one that is no version, 406 for one that is not served.
 */
export function requestedMinor(request: FastifyRequest): number {
  const header = request.headers['openstack-api-version'];
  const text = Array.isArray(header) ? header.join(',') : header;
  if (text === undefined) return 0;
  // One header may name versions of several services.
  const own = text
    .split(',')
    .map((part) => part.trim().split(/\s+/))
    .find(([service]) => service?.toLowerCase() === SERVICE);
  if (own === undefined) return 0;
  const version = own[1] ?? '';
  if (version === 'latest') return MAX_MINOR;
  const match = /^(\d{1,3})\.(\d{1,4})$/.exec(version);
  if (match === null) throw new ApiError(400, `Invalid version string: ${version}`);
  const minor = Number(match[2]);
  if (Number(match[1]) !== 1 || minor > MAX_MINOR) {
    throw new ApiError(
      406,
      `Unacceptable version header: ${version}. Served are ${MIN_VERSION} to ${MAX_VERSION}.`,
    );
  }
  return minor;
}

/** Says in the answer which microversion it has. */
export function announceVersion(reply: FastifyReply, minor: number): void {
  reply.header('OpenStack-API-Version', `${SERVICE} 1.${minor}`);
  reply.header('Vary', 'OpenStack-API-Version');
}

/** A route that microversions before `from` do not have. @throws ApiError 404 */
export function needMinor(minor: number, from: number): void {
  if (minor < from)
    throw new ApiError(404, `The resource could not be found: it needs microversion 1.${from}.`);
}
