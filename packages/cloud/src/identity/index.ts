import type { FastifyInstance, FastifyRequest } from 'fastify';
import { installErrorHandler, keystoneFailure, unauthorized } from '../kernel/errors.js';
import { readOrCreateSecret } from '../kernel/secrets.js';
import type { AnyDatabase } from '../kernel/database.js';
import type { CloudService, RequestContext } from '../kernel/service.js';
import { registerCatalogRoutes } from './catalog/routes.js';
import type { IdentityDeps } from './deps.js';
import { registerDiscovery } from './discovery.js';
import { registerDomainRoutes } from './domains/routes.js';
import { LoginLimiter } from './login-limiter.js';
import { identityMigrations } from './migrations.js';
import { registerProjectRoutes } from './projects/routes.js';
import { registerAssignmentRoutes } from './roles/assignments.js';
import { registerGrantRoutes } from './roles/grants.js';
import { registerRoleRoutes } from './roles/routes.js';
import { type SeededIds, seededIds, seedIdentity, syncCatalog } from './seed.js';
import type { IdentityTables } from './tables.js';
import { Fernet } from './tokens/fernet.js';
import { registerTokenRoutes } from './tokens/routes.js';
import { type ResolvedToken, TokenService } from './tokens/token-service.js';
import { registerUserRoutes } from './users/routes.js';

export interface IdentityOptions {
  readonly db: AnyDatabase;
  readonly stateDir: string;
  readonly region: string;
  readonly publicUrl: () => string;
  /** ms since 1970 */
  readonly now?: () => number;
}

/** Keystone, and what the kernel takes from it. */
export interface IdentityService extends CloudService {
  /** First start: users, projects, roles. The migrations have run. */
  seed(adminPassword: string): Promise<void>;
  /** Users and projects of the first start; `seed` has run. */
  seededIds(): SeededIds;
  syncCatalog(services: readonly CloudService[]): Promise<void>;
  authenticate(request: FastifyRequest): Promise<RequestContext>;
  serviceToken(): Promise<string>;
  /** Throws 401 when the user has no role in the project. */
  tokenOf(user: { readonly userId: string; readonly projectId: string }): Promise<string>;
}

/** A service token is renewed when less than this is left of it, ms. */
const RENEW_BEFORE_MS = 3_600_000;

function toContext(requestId: string, resolved: ResolvedToken): RequestContext {
  const { user, project, roles } = resolved;
  return {
    requestId,
    userId: user.id,
    userName: user.name,
    userDomainId: user.domain_id,
    projectId: project?.id ?? '',
    projectName: project?.name ?? '',
    roles: roles.map((role) => role.name),
    isAdmin: roles.some((role) => role.name === 'admin'),
  };
}

function serviceTokens(tokens: TokenService, now: () => number, ids: () => SeededIds): () => Promise<string> {
  let current: { readonly token: string; readonly expiresAt: number } | undefined;
  return async () => {
    if (current !== undefined && current.expiresAt - RENEW_BEFORE_MS > now()) return current.token;
    const { serviceUserId, serviceProjectId } = ids();
    const scope = { kind: 'project', id: serviceProjectId } as const;
    const { token, resolved } = await tokens.issue({ userId: serviceUserId, methods: ['password'], scope });
    current = { token, expiresAt: resolved.payload.expiresAt };
    return token;
  };
}

/** Keystone v3. Its token key is `secrets/fernet.key` of the state folder. */
export async function createIdentityService(options: IdentityOptions): Promise<IdentityService> {
  const db = options.db.withTables<IdentityTables>();
  const now = options.now ?? Date.now;
  const key = await readOrCreateSecret(options.stateDir, 'fernet.key', () => Fernet.generateKey());
  const tokens = new TokenService(db, key, now);
  let ids: SeededIds | undefined;
  const seeded = (): SeededIds => {
    if (ids === undefined)
      throw new Error('The identity service is used before its first-start data is there.');
    return ids;
  };
  const authenticate = async (request: FastifyRequest): Promise<RequestContext> => {
    const token = request.headers['x-auth-token'];
    const resolved = typeof token === 'string' ? await tokens.read(token) : undefined;
    if (resolved === undefined) throw unauthorized();
    return toContext(request.id, resolved);
  };
  const base = (): string => `${options.publicUrl()}/identity/v3`;
  const deps: IdentityDeps = { db, tokens, limiter: new LoginLimiter(now), base, authenticate };
  return {
    type: 'identity',
    name: 'keystone',
    path: '/identity',
    endpoint: '/identity',
    migrations: identityMigrations,
    authenticate,
    serviceToken: serviceTokens(tokens, now, seeded),
    async tokenOf({ userId, projectId }) {
      const scope = { kind: 'project', id: projectId } as const;
      return (await tokens.issue({ userId, methods: ['password'], scope })).token;
    },
    async seed(adminPassword) {
      await seedIdentity(db, { adminPassword, region: options.region });
      ids = await seededIds(db);
    },
    seededIds: seeded,
    syncCatalog: (services) => syncCatalog(db, services, options.publicUrl(), options.region),
    async register(app: FastifyInstance): Promise<void> {
      installErrorHandler(app, keystoneFailure, () => `${options.publicUrl()}/identity`);
      registerDiscovery(app, base);
      registerTokenRoutes(app, deps);
      registerDomainRoutes(app, deps);
      registerProjectRoutes(app, deps);
      registerUserRoutes(app, deps);
      registerRoleRoutes(app, deps);
      registerGrantRoutes(app, deps, 'project');
      registerGrantRoutes(app, deps, 'domain');
      registerAssignmentRoutes(app, deps);
      registerCatalogRoutes(app, deps);
    },
  };
}
