import type { FastifyRequest } from 'fastify';
import type { Kysely } from 'kysely';
import { forbidden } from '../kernel/errors.js';
import type { RequestContext } from '../kernel/service.js';
import type { LoginLimiter } from './login-limiter.js';
import type { IdentityTables } from './tables.js';
import type { TokenService } from './tokens/token-service.js';

/** What the routes of the identity service work with. */
export interface IdentityDeps {
  readonly db: Kysely<IdentityTables>;
  readonly tokens: TokenService;
  readonly limiter: LoginLimiter;
  /** `http://127.0.0.1:8780/identity/v3` */
  readonly base: () => string;
  readonly authenticate: (request: FastifyRequest) => Promise<RequestContext>;
}

/** @throws ApiError 403 in Keystone's words. */
export function requireAdmin(context: RequestContext, action: string): void {
  if (!context.isAdmin) throw notAuthorized(action);
}

export const notAuthorized = (action: string): Error =>
  forbidden(`You are not authorized to perform the requested action: identity:${action}.`);

/** The links of a collection; everything is on one page, as Keystone does it. */
export const collectionLinks = (self: string): { next: null; previous: null; self: string } => ({
  next: null,
  previous: null,
  self,
});
