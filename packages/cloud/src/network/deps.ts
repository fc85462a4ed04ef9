import { randomUUID } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { Kysely, Transaction } from 'kysely';
import { badRequest } from '../kernel/errors.js';
import type { RequestContext } from '../kernel/service.js';
import { isoSeconds } from '../kernel/time.js';
import { neutronError } from './errors.js';
import type { NetworkTables } from './tables.js';

export type Db = Kysely<NetworkTables> | Transaction<NetworkTables>;

export interface NetworkDeps {
  readonly db: Kysely<NetworkTables>;
  /** `http://127.0.0.1:8780/network/v2.0` */
  readonly base: () => string;
  readonly authenticate: (request: FastifyRequest) => Promise<RequestContext>;
}

export interface StandardColumns {
  readonly id: string;
  readonly project_id: string;
  readonly description: string;
  readonly created_at: string;
  readonly updated_at: string;
  readonly revision: number;
}

/** What every resource has, of a new one. */
export function standardColumns(projectId: string, description: string | undefined): StandardColumns {
  const now = new Date().toISOString();
  return {
    id: randomUUID(),
    project_id: projectId,
    description: description ?? '',
    created_at: now,
    updated_at: now,
    revision: 0,
  };
}

/** The same of a changed one. */
export const touched = (
  row: StandardColumns,
): { readonly updated_at: string; readonly revision: number } => ({
  updated_at: new Date().toISOString(),
  revision: row.revision + 1,
});

/** What every resource shows (Networking API v2.0, extensions project-id, timestamp, revisions, standard attributes). */
export const standardBody = (row: StandardColumns): Record<string, unknown> => ({
  id: row.id,
  project_id: row.project_id,
  tenant_id: row.project_id,
  description: row.description,
  created_at: isoSeconds(new Date(row.created_at)),
  updated_at: isoSeconds(new Date(row.updated_at)),
  revision_number: row.revision,
  tags: [],
});

/** Administrators and the cloud's services see and do everything. */
export const isPrivileged = (context: RequestContext): boolean =>
  context.isAdmin || context.roles.includes('service');

/** The project that a new resource belongs to. @throws ApiError 400, 403 */
export function ownerOf(
  context: RequestContext,
  fields: { project_id?: string | undefined; tenant_id?: string | undefined },
): string {
  const wanted = fields.project_id ?? fields.tenant_id ?? context.projectId;
  if (wanted === '')
    throw badRequest('The resource needs a project: ask with a token of a project, or name one.');
  if (wanted !== context.projectId && !isPrivileged(context)) {
    throw neutronError('PolicyNotAuthorized', 'Only administrators make resources for other projects.');
  }
  return wanted;
}

/** @throws ApiError 403 in Neutron's words when `needed` and the caller is no administrator. */
export function requirePrivilege(context: RequestContext, needed: boolean, rule: string): void {
  if (needed && !isPrivileged(context)) {
    throw neutronError('PolicyNotAuthorized', `rule:${rule} is disallowed by policy`);
  }
}
