import type { FastifyRequest } from 'fastify';
import type { Kysely } from 'kysely';
import { forbidden, notFound } from '../kernel/errors.js';
import type { RequestContext } from '../kernel/service.js';
import type { KeyManagerTables } from './tables.js';
import type { Vault } from './vault.js';

export interface KeyManagerDeps {
  readonly db: Kysely<KeyManagerTables>;
  readonly vault: Vault;
  /** `http://127.0.0.1:8780/key-manager/v1` */
  readonly base: () => string;
  readonly authenticate: (request: FastifyRequest) => Promise<RequestContext>;
}

/** The caller, who must come with a project. @throws ApiError 401, 403 */
export async function callerOf(deps: KeyManagerDeps, request: FastifyRequest): Promise<RequestContext> {
  const context = await deps.authenticate(request);
  if (context.projectId === '') throw forbidden('A token of a project is needed.');
  return context;
}

/** A project's own; the cloud's services read everybody's. What is another's is not there. @throws ApiError 404 */
export function requireVisible<T extends { readonly project_id: string }>(
  context: RequestContext,
  row: T | undefined,
  what: string,
): T {
  if (row !== undefined && (row.project_id === context.projectId || context.roles.includes('service')))
    return row;
  throw notFound(`${what} not found.`);
}

/** Only a project's own are changed. */
export function requireOwn<T extends { readonly project_id: string }>(
  context: RequestContext,
  row: T | undefined,
  what: string,
): T {
  if (row !== undefined && row.project_id === context.projectId) return row;
  throw notFound(`${what} not found.`);
}
