import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { parseBoolean, single } from '../../kernel/collection.js';
import { conflict, forbidden, notFound } from '../../kernel/errors.js';
import { newHexId } from '../../kernel/ids.js';
import { parse } from '../../kernel/validate.js';
import { collectionLinks, type IdentityDeps, requireAdmin } from '../deps.js';
import type { IdentityTables } from '../tables.js';

/** The domain every fresh Keystone has; it cannot be deleted. */
export const DEFAULT_DOMAIN = 'default';

type DomainRow = IdentityTables['identity_domain'];

const Fields = z.object({
  name: z.string().trim().min(1).max(64),
  description: z.string().nullish(),
  enabled: z.boolean().optional(),
});
const CreateBody = z.object({ domain: Fields });
const UpdateBody = z.object({ domain: Fields.partial() });

export const domainBody = (deps: IdentityDeps, row: DomainRow): Record<string, unknown> => ({
  id: row.id,
  name: row.name,
  description: row.description,
  enabled: row.enabled === 1,
  tags: [],
  options: {},
  links: { self: `${deps.base()}/domains/${row.id}` },
});

async function find(deps: IdentityDeps, id: string): Promise<DomainRow> {
  const row = await deps.db.selectFrom('identity_domain').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined) throw notFound(`Could not find domain: ${id}.`);
  return row;
}

async function refuseDuplicate(deps: IdentityDeps, name: string, except?: string): Promise<void> {
  const row = await deps.db
    .selectFrom('identity_domain')
    .select('id')
    .where('name', '=', name)
    .executeTakeFirst();
  if (row !== undefined && row.id !== except) {
    throw conflict(`Conflict occurred attempting to store domain - Duplicate entry found with name ${name}.`);
  }
}

export function registerDomainRoutes(app: FastifyInstance, deps: IdentityDeps): void {
  app.get('/v3/domains', async (request) => {
    requireAdmin(await deps.authenticate(request), 'list_domains');
    let query = deps.db.selectFrom('identity_domain').selectAll().orderBy('name');
    const name = single(request.query, 'name');
    const enabled = single(request.query, 'enabled');
    if (name !== undefined) query = query.where('name', '=', name);
    if (enabled !== undefined) query = query.where('enabled', '=', parseBoolean(enabled, 'enabled') ? 1 : 0);
    const rows = await query.execute();
    return {
      domains: rows.map((row) => domainBody(deps, row)),
      links: collectionLinks(`${deps.base()}/domains`),
    };
  });

  app.get<{ Params: { id: string } }>('/v3/domains/:id', async (request) => {
    const context = await deps.authenticate(request);
    if (request.params.id !== context.userDomainId) requireAdmin(context, 'get_domain');
    return { domain: domainBody(deps, await find(deps, request.params.id)) };
  });

  app.post('/v3/domains', async (request, reply) => {
    requireAdmin(await deps.authenticate(request), 'create_domain');
    const { domain } = parse(CreateBody, request.body);
    await refuseDuplicate(deps, domain.name);
    const enabled = domain.enabled === false ? 0 : 1;
    const row = { id: newHexId(), name: domain.name, description: domain.description ?? '', enabled };
    await deps.db.insertInto('identity_domain').values(row).execute();
    return reply.code(201).send({ domain: domainBody(deps, row) });
  });

  app.patch<{ Params: { id: string } }>('/v3/domains/:id', async (request) => {
    requireAdmin(await deps.authenticate(request), 'update_domain');
    const { domain } = parse(UpdateBody, request.body);
    const old = await find(deps, request.params.id);
    if (domain.name !== undefined) await refuseDuplicate(deps, domain.name, old.id);
    if (domain.enabled === false && old.id === DEFAULT_DOMAIN)
      throw forbidden('Cannot disable the default domain.');
    const row: DomainRow = {
      ...old,
      name: domain.name ?? old.name,
      description: domain.description ?? old.description,
      enabled: Number(domain.enabled ?? old.enabled === 1),
    };
    await deps.db.updateTable('identity_domain').set(row).where('id', '=', row.id).execute();
    return { domain: domainBody(deps, row) };
  });

  app.delete<{ Params: { id: string } }>('/v3/domains/:id', async (request, reply) => {
    requireAdmin(await deps.authenticate(request), 'delete_domain');
    const row = await find(deps, request.params.id);
    if (row.enabled === 1) {
      throw forbidden('Cannot delete a domain that is enabled, please disable it first.');
    }
    await deps.db.transaction().execute(async (trx) => {
      for (const table of ['identity_user', 'identity_project'] as const) {
        const used = await trx
          .selectFrom(table)
          .select('id')
          .where('domain_id', '=', row.id)
          .executeTakeFirst();
        if (used !== undefined)
          throw conflict(`Domain ${row.id} still has users or projects; delete them first.`);
      }
      await trx.deleteFrom('identity_assignment').where('domain_id', '=', row.id).execute();
      await trx.deleteFrom('identity_domain').where('id', '=', row.id).execute();
    });
    return reply.code(204).send();
  });
}
