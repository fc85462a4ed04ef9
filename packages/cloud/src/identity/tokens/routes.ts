import type { FastifyInstance, FastifyRequest } from 'fastify';
import { parameters } from '../../kernel/collection.js';
import { notFound } from '../../kernel/errors.js';
import { parse } from '../../kernel/validate.js';
import { collectionLinks, type IdentityDeps, notAuthorized } from '../deps.js';
import { domainBody } from '../domains/routes.js';
import { projectBody } from '../projects/routes.js';
import { AuthBody, login } from './login.js';
import { buildCatalog, type CatalogEntry, tokenBody } from './token-body.js';
import type { ResolvedToken } from './token-service.js';

/** `/v3/auth/…`: tokens, and what their owner can reach with them. */
export function registerTokenRoutes(app: FastifyInstance, deps: IdentityDeps): void {
  app.post('/v3/auth/tokens', async (request, reply) => {
    const { auth } = parse(AuthBody, request.body);
    const { token, resolved } = await deps.tokens.issue(await login(deps, auth, request.ip));
    reply.code(201).header('X-Subject-Token', token).header('Vary', 'X-Auth-Token');
    return tokenBody(resolved, await catalogFor(deps, request, resolved));
  });

  app.get('/v3/auth/tokens', async (request, reply) => {
    const { token, resolved } = await subject(deps, request, 'validate_token');
    reply.header('X-Subject-Token', token).header('Vary', 'X-Auth-Token');
    return tokenBody(resolved, await catalogFor(deps, request, resolved));
  });

  app.delete('/v3/auth/tokens', async (request, reply) => {
    const { resolved } = await subject(deps, request, 'revoke_token');
    await deps.tokens.revoke(resolved.payload);
    return reply.code(204).send();
  });

  app.get('/v3/auth/catalog', async (request) => {
    const context = await deps.authenticate(request);
    const catalog = await buildCatalog(deps.db, context.projectId === '' ? undefined : context.projectId);
    return { catalog, links: collectionLinks(`${deps.base()}/auth/catalog`) };
  });

  app.get('/v3/auth/projects', async (request) => {
    const { userId } = await deps.authenticate(request);
    const projects = await deps.db
      .selectFrom('identity_project')
      .selectAll()
      .where('enabled', '=', 1)
      .where(
        'id',
        'in',
        deps.db.selectFrom('identity_assignment').select('project_id').where('user_id', '=', userId),
      )
      .orderBy('name')
      .execute();
    return {
      projects: projects.map((row) => projectBody(deps, row)),
      links: collectionLinks(`${deps.base()}/auth/projects`),
    };
  });

  app.get('/v3/auth/domains', async (request) => {
    const { userId } = await deps.authenticate(request);
    const domains = await deps.db
      .selectFrom('identity_domain')
      .selectAll()
      .where(
        'id',
        'in',
        deps.db.selectFrom('identity_assignment').select('domain_id').where('user_id', '=', userId),
      )
      .execute();
    return {
      domains: domains.map((row) => domainBody(deps, row)),
      links: collectionLinks(`${deps.base()}/auth/domains`),
    };
  });
}

async function catalogFor(
  deps: IdentityDeps,
  request: FastifyRequest,
  resolved: ResolvedToken,
): Promise<readonly CatalogEntry[] | undefined> {
  if ('nocatalog' in parameters(request.query)) return undefined;
  return buildCatalog(deps.db, resolved.project?.id);
}

/** The token of X-Subject-Token: its owner, administrators and services may see it. */
async function subject(
  deps: IdentityDeps,
  request: FastifyRequest,
  action: string,
): Promise<{ readonly token: string; readonly resolved: ResolvedToken }> {
  const context = await deps.authenticate(request);
  const token = request.headers['x-subject-token'];
  const resolved = typeof token === 'string' ? await deps.tokens.read(token) : undefined;
  if (typeof token !== 'string' || resolved === undefined) {
    throw notFound('Could not find token, it is not valid or has expired.');
  }
  const own = resolved.user.id === context.userId;
  if (!own && !context.isAdmin && !context.roles.includes('service')) throw notAuthorized(action);
  return { token, resolved };
}
