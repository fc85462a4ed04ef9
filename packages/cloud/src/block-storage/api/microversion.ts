import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiError, badRequest } from '../../kernel/errors.js';

/** The minor number of a microversion: 27 for 3.27. */
export type Microversion = number;
export const MIN_MINOR: Microversion = 0;
/** The newest whose changes are all served or clearly refused; cinder/api/openstack/rest_api_version_history.rst */
export const MAX_MINOR: Microversion = 70;

const HEADER = 'OpenStack-API-Version';
const SERVICE = 'volume';

/** The microversion that a request asks for by `OpenStack-API-Version: volume 3.N`; 3.0 without. @throws ApiError 400, 406 */
export function negotiate(request: FastifyRequest): Microversion {
  const value = request.headers[HEADER.toLowerCase()];
  const header = Array.isArray(value) ? value.join(',') : (value ?? '');
  const parts = header.split(',').map((part) => part.trim().split(/\s+/));
  const text = parts.find(([service]) => service?.toLowerCase() === SERVICE)?.[1];
  if (text === undefined) return MIN_MINOR;
  if (text.toLowerCase() === 'latest') return MAX_MINOR;
  const match = /^([1-9]\d{0,5})\.([1-9]\d{0,5}|0)$/.exec(text);
  if (match === null)
    throw badRequest(`API Version String ${text} is of invalid format. Must be of format MajorNum.MinorNum.`);
  const minor = Number(match[2]);
  if (match[1] !== '3' || minor > MAX_MINOR) {
    throw new ApiError(
      406,
      `Version ${text} is not supported by the API. Minimum is 3.${MIN_MINOR} and maximum is 3.${MAX_MINOR}.`,
    );
  }
  return minor;
}

export function announce(reply: FastifyReply, version: Microversion): void {
  reply.header(HEADER, `${SERVICE} 3.${version}`);
  reply.header('Vary', HEADER);
}
