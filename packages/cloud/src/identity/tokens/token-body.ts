import type { Kysely } from 'kysely';
import { isoMicroseconds } from '../../kernel/time.js';
import type { IdentityTables } from '../tables.js';
import type { ResolvedToken } from './token-service.js';

export interface CatalogEntry {
  readonly id: string;
  readonly type: string;
  readonly name: string;
  readonly endpoints: readonly {
    readonly id: string;
    readonly interface: string;
    readonly region: string;
    readonly region_id: string;
    readonly url: string;
  }[];
}

/** The services of the catalogue with a project's identifier in the URLs that want one; those are left out without a project. */
export async function buildCatalog(
  db: Kysely<IdentityTables>,
  projectId: string | undefined,
): Promise<readonly CatalogEntry[]> {
  const services = await db
    .selectFrom('identity_service')
    .selectAll()
    .where('enabled', '=', 1)
    .orderBy('type')
    .execute();
  const endpoints = await db.selectFrom('identity_endpoint').selectAll().where('enabled', '=', 1).execute();
  return services.map((service) => ({
    id: service.id,
    type: service.type,
    name: service.name,
    endpoints: endpoints
      .filter((endpoint) => endpoint.service_id === service.id)
      .filter((endpoint) => projectId !== undefined || !PROJECT.test(endpoint.url))
      .map((endpoint) => ({
        id: endpoint.id,
        interface: endpoint.interface,
        region: endpoint.region_id,
        region_id: endpoint.region_id,
        url: endpoint.url.replace(PROJECT, projectId ?? ''),
      })),
  }));
}

const PROJECT = /[%$]\((?:project|tenant)_id\)s/;

/** The body of `POST` and `GET /v3/auth/tokens`. */
export function tokenBody(resolved: ResolvedToken, catalog: readonly CatalogEntry[] | undefined): unknown {
  const { payload, user, userDomain, project, domain } = resolved;
  const scoped = project !== undefined || domain !== undefined;
  return {
    token: {
      methods: payload.methods,
      user: { id: user.id, name: user.name, domain: userDomain, password_expires_at: null },
      audit_ids: payload.auditIds,
      expires_at: isoMicroseconds(new Date(payload.expiresAt)),
      issued_at: isoMicroseconds(new Date(payload.issuedAt)),
      ...(project === undefined
        ? {}
        : { project: { id: project.id, name: project.name, domain: project.domain }, is_domain: false }),
      ...(domain === undefined ? {} : { domain }),
      ...(scoped ? { roles: resolved.roles } : {}),
      ...(scoped && catalog !== undefined ? { catalog } : {}),
    },
  };
}
