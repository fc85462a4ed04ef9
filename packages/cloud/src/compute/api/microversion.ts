import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiError, badRequest } from '../../kernel/errors.js';

/** The minor number of a microversion: 79 for 2.79. */
export type Microversion = number;

export const MIN_MINOR: Microversion = 1;
/** The newest microversion whose changes are all served or clearly refused; nova/api/openstack/compute/rest_api_version_history.rst */
export const MAX_MINOR: Microversion = 96;

export const NEW_HEADER = 'OpenStack-API-Version';
export const OLD_HEADER = 'X-OpenStack-Nova-API-Version';

const header = (request: FastifyRequest, name: string): string | undefined => {
  const value = request.headers[name.toLowerCase()];
  return Array.isArray(value) ? value.join(',') : value;
};

/** `compute 2.79` out of `identity 3.1, compute 2.79`, or the old header's bare number. */
function requested(request: FastifyRequest): string | undefined {
  for (const part of (header(request, NEW_HEADER) ?? '').split(',')) {
    const [service, version] = part.trim().split(/\s+/);
    if (service?.toLowerCase() === 'compute' && version !== undefined) return version;
  }
  return header(request, OLD_HEADER)?.trim();
}

/**
 * The microversion that a request asks for; 2.1 without a header.
 * Throws 400 for a malformed and 406 for an unknown one.
 */
export function negotiate(request: FastifyRequest): Microversion {
  const text = requested(request);
  if (text === undefined || text === '') return MIN_MINOR;
  if (text.toLowerCase() === 'latest') return MAX_MINOR;
  const match = /^([1-9]\d{0,5})\.([1-9]\d{0,5}|0)$/.exec(text);
  if (match === null) {
    throw badRequest(`API Version String ${text} is of invalid format. Must be of format MajorNum.MinorNum.`);
  }
  const minor = Number(match[2]);
  if (match[1] !== '2' || minor < MIN_MINOR || minor > MAX_MINOR) {
    throw new ApiError(
      406,
      `Version ${text} is not supported by the API. Minimum is 2.${MIN_MINOR} and maximum is 2.${MAX_MINOR}.`,
    );
  }
  return minor;
}

/** What tells a client (and caches) which microversion answered. */
export function announce(reply: FastifyReply, version: Microversion): void {
  reply.header(NEW_HEADER, `compute 2.${version}`);
  reply.header(OLD_HEADER, `2.${version}`);
  reply.header('Vary', `${NEW_HEADER}, ${OLD_HEADER}`);
}
