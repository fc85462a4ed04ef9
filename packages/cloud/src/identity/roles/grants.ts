import type { FastifyInstance } from 'fastify';
import { notFound } from '../../kernel/errors.js';
import { collectionLinks, type IdentityDeps, requireAdmin } from '../deps.js';
import { findProject } from '../projects/routes.js';
import { findUser } from '../users/routes.js';
import { findRole } from './routes.js';

type Kind = 'project' | 'domain';

interface Params {
  target: string;
  user: string;
  role: string;
}

async function checkTarget(deps: IdentityDeps, kind: Kind, id: string): Promise<void> {
  if (kind === 'project') {
    await findProject(deps, id);
    return;
  }
  const row = await deps.db
    .selectFrom('identity_domain')
    .select('id')
    .where('id', '=', id)
    .executeTakeFirst();
  if (row === undefined) throw notFound(`Could not find domain: ${id}.`);
}

const columns = (kind: Kind, { target, user }: Omit<Params, 'role'>) => ({
  user_id: user,
  project_id: kind === 'project' ? target : '',
  domain_id: kind === 'domain' ? target : '',
});

/** `/v3/projects/{id}/users/{id}/roles/{id}` and the same of domains. */
export function registerGrantRoutes(app: FastifyInstance, deps: IdentityDeps, kind: Kind): void {
  const prefix = `/v3/${kind}s/:target/users/:user/roles`;

  app.get<{ Params: Omit<Params, 'role'> }>(prefix, async (request) => {
    requireAdmin(await deps.authenticate(request), 'list_grants');
    const { target, user } = request.params;
    await checkTarget(deps, kind, target);
    await findUser(deps, user);
    const at = columns(kind, request.params);
    const rows = await deps.db
      .selectFrom('identity_role')
      .innerJoin('identity_assignment', 'identity_assignment.role_id', 'identity_role.id')
      .select(['identity_role.id', 'identity_role.name'])
      .where('user_id', '=', at.user_id)
      .where('project_id', '=', at.project_id)
      .where('domain_id', '=', at.domain_id)
      .orderBy('identity_role.name')
      .execute();
    const roles = rows.map((row) => ({
      ...row,
      domain_id: null,
      links: { self: `${deps.base()}/roles/${row.id}` },
    }));
    return { roles, links: collectionLinks(`${deps.base()}/${kind}s/${target}/users/${user}/roles`) };
  });

  const find = async ({ target, user, role }: Params): Promise<boolean> => {
    const at = columns(kind, { target, user });
    const row = await deps.db
      .selectFrom('identity_assignment')
      .select('role_id')
      .where('role_id', '=', role)
      .where('user_id', '=', at.user_id)
      .where('project_id', '=', at.project_id)
      .where('domain_id', '=', at.domain_id)
      .executeTakeFirst();
    return row !== undefined;
  };

  // HEAD ("check grant") is answered by the same route, without a body.
  app.get<{ Params: Params }>(`${prefix}/:role`, async (request, reply) => {
    requireAdmin(await deps.authenticate(request), 'check_grant');
    if (!(await find(request.params)))
      throw notFound(`Could not find role assignment with role: ${request.params.role}.`);
    return reply.code(204).send();
  });

  app.put<{ Params: Params }>(`${prefix}/:role`, async (request, reply) => {
    requireAdmin(await deps.authenticate(request), 'create_grant');
    const { target, user, role } = request.params;
    await checkTarget(deps, kind, target);
    await findUser(deps, user);
    await findRole(deps, role);
    await deps.db
      .insertInto('identity_assignment')
      .values({ role_id: role, ...columns(kind, { target, user }) })
      .onConflict((clash) => clash.doNothing())
      .execute();
    return reply.code(204).send();
  });

  app.delete<{ Params: Params }>(`${prefix}/:role`, async (request, reply) => {
    requireAdmin(await deps.authenticate(request), 'revoke_grant');
    if (!(await find(request.params)))
      throw notFound(`Could not find role assignment with role: ${request.params.role}.`);
    const at = columns(kind, request.params);
    await deps.db
      .deleteFrom('identity_assignment')
      .where('role_id', '=', request.params.role)
      .where('user_id', '=', at.user_id)
      .where('project_id', '=', at.project_id)
      .where('domain_id', '=', at.domain_id)
      .execute();
    return reply.code(204).send();
  });
}
