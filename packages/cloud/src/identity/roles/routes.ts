import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { single } from '../../kernel/collection.js';
import { conflict, notFound } from '../../kernel/errors.js';
import { newHexId } from '../../kernel/ids.js';
import { parse } from '../../kernel/validate.js';
import { collectionLinks, type IdentityDeps, requireAdmin } from '../deps.js';
import type { IdentityTables } from '../tables.js';

type RoleRow = IdentityTables['identity_role'];

const CreateBody = z.object({
  role: z.object({ name: z.string().trim().min(1).max(64), description: z.string().nullish() }),
});

const roleBody = (deps: IdentityDeps, row: RoleRow): Record<string, unknown> => ({
  id: row.id,
  name: row.name,
  description: row.description,
  domain_id: null,
  options: {},
  links: { self: `${deps.base()}/roles/${row.id}` },
});

export async function findRole(deps: IdentityDeps, id: string): Promise<RoleRow> {
  const row = await deps.db.selectFrom('identity_role').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined) throw notFound(`Could not find role: ${id}.`);
  return row;
}

export function registerRoleRoutes(app: FastifyInstance, deps: IdentityDeps): void {
  app.get('/v3/roles', async (request) => {
    requireAdmin(await deps.authenticate(request), 'list_roles');
    let query = deps.db.selectFrom('identity_role').selectAll().orderBy('name');
    const name = single(request.query, 'name');
    // Roles of a domain are not kept: a list of those is empty.
    if (single(request.query, 'domain_id') !== undefined) query = query.where('id', '=', '');
    if (name !== undefined) query = query.where('name', '=', name);
    const rows = await query.execute();
    return { roles: rows.map((row) => roleBody(deps, row)), links: collectionLinks(`${deps.base()}/roles`) };
  });

  app.get<{ Params: { id: string } }>('/v3/roles/:id', async (request) => {
    requireAdmin(await deps.authenticate(request), 'get_role');
    return { role: roleBody(deps, await findRole(deps, request.params.id)) };
  });

  app.post('/v3/roles', async (request, reply) => {
    requireAdmin(await deps.authenticate(request), 'create_role');
    const { role } = parse(CreateBody, request.body);
    const row: RoleRow = { id: newHexId(), name: role.name, description: role.description ?? null };
    await deps.db.transaction().execute(async (trx) => {
      const other = await trx
        .selectFrom('identity_role')
        .select('id')
        .where('name', '=', row.name)
        .executeTakeFirst();
      if (other !== undefined) {
        throw conflict(
          `Conflict occurred attempting to store role - Duplicate entry found with name ${row.name}.`,
        );
      }
      await trx.insertInto('identity_role').values(row).execute();
    });
    return reply.code(201).send({ role: roleBody(deps, row) });
  });

  app.delete<{ Params: { id: string } }>('/v3/roles/:id', async (request, reply) => {
    requireAdmin(await deps.authenticate(request), 'delete_role');
    const { id } = await findRole(deps, request.params.id);
    await deps.db.deleteFrom('identity_role').where('id', '=', id).execute();
    return reply.code(204).send();
  });
}
