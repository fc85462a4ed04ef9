import type { FastifyInstance } from 'fastify';
import { single } from '../../kernel/collection.js';
import { collectionLinks, type IdentityDeps, requireAdmin } from '../deps.js';

interface AssignmentRow {
  readonly user_id: string;
  readonly role_id: string;
  readonly project_id: string;
  readonly domain_id: string;
  readonly user_name: string;
  readonly user_domain_id: string;
  readonly user_domain_name: string;
  readonly role_name: string;
  readonly project_name: string | null;
  readonly project_domain_id: string | null;
  readonly project_domain_name: string | null;
  readonly domain_name: string | null;
}

async function readAssignments(deps: IdentityDeps, query: unknown): Promise<readonly AssignmentRow[]> {
  const filters = [
    ['a.user_id', single(query, 'user.id')],
    ['a.role_id', single(query, 'role.id')],
    ['a.project_id', single(query, 'scope.project.id')],
    ['a.domain_id', single(query, 'scope.domain.id')],
  ] as const;
  let selection = deps.db
    .selectFrom('identity_assignment as a')
    .innerJoin('identity_user as u', 'u.id', 'a.user_id')
    .innerJoin('identity_domain as ud', 'ud.id', 'u.domain_id')
    .innerJoin('identity_role as r', 'r.id', 'a.role_id')
    .leftJoin('identity_project as p', 'p.id', 'a.project_id')
    .leftJoin('identity_domain as pd', 'pd.id', 'p.domain_id')
    .leftJoin('identity_domain as d', 'd.id', 'a.domain_id')
    .select(['a.user_id', 'a.role_id', 'a.project_id', 'a.domain_id', 'u.name as user_name'])
    .select(['r.name as role_name', 'p.name as project_name', 'd.name as domain_name'])
    .select(['ud.id as user_domain_id', 'ud.name as user_domain_name'])
    .select(['pd.id as project_domain_id', 'pd.name as project_domain_name'])
    .orderBy('u.name');
  for (const [column, value] of filters) {
    if (value !== undefined) selection = selection.where(column, '=', value);
  }
  return selection.execute();
}

function assignmentBody(deps: IdentityDeps, row: AssignmentRow, withNames: boolean): unknown {
  const named = (fields: object): object => (withNames ? fields : {});
  const userDomain = { id: row.user_domain_id, name: row.user_domain_name };
  const projectDomain = { id: row.project_domain_id, name: row.project_domain_name };
  const inDomain = row.project_id === '';
  const target = inDomain ? `domains/${row.domain_id}` : `projects/${row.project_id}`;
  return {
    role: { id: row.role_id, ...named({ name: row.role_name }) },
    user: { id: row.user_id, ...named({ name: row.user_name, domain: userDomain }) },
    scope: inDomain
      ? { domain: { id: row.domain_id, ...named({ name: row.domain_name }) } }
      : { project: { id: row.project_id, ...named({ name: row.project_name, domain: projectDomain }) } },
    links: { assignment: `${deps.base()}/${target}/users/${row.user_id}/roles/${row.role_id}` },
  };
}

/** `/v3/role_assignments`: everybody's for administrators, one's own for others. */
export function registerAssignmentRoutes(app: FastifyInstance, deps: IdentityDeps): void {
  app.get('/v3/role_assignments', async (request) => {
    const context = await deps.authenticate(request);
    if (single(request.query, 'user.id') !== context.userId) requireAdmin(context, 'list_role_assignments');
    // Given without a value it is wanted too.
    const names = single(request.query, 'include_names');
    const withNames = names !== undefined && !['0', 'false'].includes(names.toLowerCase());
    const rows = await readAssignments(deps, request.query);
    return {
      role_assignments: rows.map((row) => assignmentBody(deps, row, withNames)),
      links: collectionLinks(`${deps.base()}/role_assignments`),
    };
  });
}
