import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { parseBoolean, single } from '../../kernel/collection.js';
import { conflict, notFound } from '../../kernel/errors.js';
import { newHexId } from '../../kernel/ids.js';
import { parse } from '../../kernel/validate.js';
import { collectionLinks, type IdentityDeps, requireAdmin } from '../deps.js';
import type { ProjectRow } from '../tables.js';

const Fields = z.object({
  name: z.string().trim().min(1).max(64),
  domain_id: z.string().nullish(),
  parent_id: z.string().nullish(),
  description: z.string().nullish(),
  enabled: z.boolean().optional(),
});
const CreateBody = z.object({ project: Fields });
const UpdateBody = z.object({ project: Fields.partial() });

export const projectBody = (deps: IdentityDeps, row: ProjectRow): Record<string, unknown> => ({
  id: row.id,
  name: row.name,
  domain_id: row.domain_id,
  // Projects stand directly below their domain, as Keystone shows a hierarchy of one level.
  parent_id: row.domain_id,
  description: row.description,
  enabled: row.enabled === 1,
  is_domain: false,
  tags: [],
  options: {},
  links: { self: `${deps.base()}/projects/${row.id}` },
});

export async function findProject(deps: IdentityDeps, id: string): Promise<ProjectRow> {
  const row = await deps.db
    .selectFrom('identity_project')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst();
  if (row === undefined) throw notFound(`Could not find project: ${id}.`);
  return row;
}

async function refuseDuplicate(deps: IdentityDeps, row: ProjectRow): Promise<void> {
  const other = await deps.db
    .selectFrom('identity_project')
    .select('id')
    .where('name', '=', row.name)
    .where('domain_id', '=', row.domain_id)
    .where('id', '!=', row.id)
    .executeTakeFirst();
  if (other === undefined) return;
  throw conflict(
    `Conflict occurred attempting to store project - it is not permitted to have two projects with the same name ` +
      `in the same domain: ${row.name}.`,
  );
}

export function registerProjectRoutes(app: FastifyInstance, deps: IdentityDeps): void {
  app.get('/v3/projects', async (request) => {
    requireAdmin(await deps.authenticate(request), 'list_projects');
    let query = deps.db.selectFrom('identity_project').selectAll().orderBy('name');
    const name = single(request.query, 'name');
    const domain = single(request.query, 'domain_id');
    const enabled = single(request.query, 'enabled');
    if (name !== undefined) query = query.where('name', '=', name);
    if (domain !== undefined) query = query.where('domain_id', '=', domain);
    if (enabled !== undefined) query = query.where('enabled', '=', parseBoolean(enabled, 'enabled') ? 1 : 0);
    const rows = await query.execute();
    return {
      projects: rows.map((row) => projectBody(deps, row)),
      links: collectionLinks(`${deps.base()}/projects`),
    };
  });

  app.get<{ Params: { id: string } }>('/v3/projects/:id', async (request) => {
    const context = await deps.authenticate(request);
    if (request.params.id !== context.projectId) requireAdmin(context, 'get_project');
    return { project: projectBody(deps, await findProject(deps, request.params.id)) };
  });

  app.post('/v3/projects', async (request, reply) => {
    const context = await deps.authenticate(request);
    requireAdmin(context, 'create_project');
    const { project } = parse(CreateBody, request.body);
    const domainId = project.domain_id ?? project.parent_id ?? context.userDomainId;
    const domain = await deps.db
      .selectFrom('identity_domain')
      .select('id')
      .where('id', '=', domainId)
      .executeTakeFirst();
    if (domain === undefined) throw notFound(`Could not find domain: ${domainId}.`);
    const row: ProjectRow = {
      id: newHexId(),
      name: project.name,
      domain_id: domainId,
      description: project.description ?? '',
      enabled: project.enabled === false ? 0 : 1,
    };
    await refuseDuplicate(deps, row);
    await deps.db.insertInto('identity_project').values(row).execute();
    return reply.code(201).send({ project: projectBody(deps, row) });
  });

  app.patch<{ Params: { id: string } }>('/v3/projects/:id', async (request) => {
    requireAdmin(await deps.authenticate(request), 'update_project');
    const { project } = parse(UpdateBody, request.body);
    const old = await findProject(deps, request.params.id);
    const row: ProjectRow = {
      ...old,
      name: project.name ?? old.name,
      description: project.description ?? old.description,
      enabled: Number(project.enabled ?? old.enabled === 1),
    };
    await refuseDuplicate(deps, row);
    await deps.db.updateTable('identity_project').set(row).where('id', '=', row.id).execute();
    return { project: projectBody(deps, row) };
  });

  app.delete<{ Params: { id: string } }>('/v3/projects/:id', async (request, reply) => {
    requireAdmin(await deps.authenticate(request), 'delete_project');
    const { id } = await findProject(deps, request.params.id);
    await deps.db.transaction().execute(async (trx) => {
      await trx.deleteFrom('identity_assignment').where('project_id', '=', id).execute();
      await trx.deleteFrom('identity_project').where('id', '=', id).execute();
    });
    return reply.code(204).send();
  });
}
