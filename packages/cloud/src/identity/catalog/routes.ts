import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { single } from '../../kernel/collection.js';
import { badRequest, notFound } from '../../kernel/errors.js';
import { newHexId } from '../../kernel/ids.js';
import { parse } from '../../kernel/validate.js';
import { collectionLinks, type IdentityDeps, requireAdmin } from '../deps.js';
import type { EndpointRow, ServiceRow } from '../tables.js';

const ServiceBody = z.object({
  service: z.object({
    type: z.string().min(1).max(255),
    name: z.string().max(255).nullish(),
    description: z.string().nullish(),
    enabled: z.boolean().optional(),
  }),
});
const EndpointBody = z.object({
  endpoint: z.object({
    service_id: z.string(),
    interface: z.enum(['public', 'internal', 'admin']),
    url: z.string().min(1).max(2_048),
    region_id: z.string().nullish(),
    region: z.string().nullish(),
    enabled: z.boolean().optional(),
  }),
});

const serviceBody = (deps: IdentityDeps, row: ServiceRow): Record<string, unknown> => ({
  id: row.id,
  type: row.type,
  name: row.name,
  description: row.description,
  enabled: row.enabled === 1,
  links: { self: `${deps.base()}/services/${row.id}` },
});

const endpointBody = (deps: IdentityDeps, row: EndpointRow): Record<string, unknown> => ({
  id: row.id,
  service_id: row.service_id,
  interface: row.interface,
  url: row.url,
  region: row.region_id,
  region_id: row.region_id,
  enabled: row.enabled === 1,
  links: { self: `${deps.base()}/endpoints/${row.id}` },
});

function registerServices(app: FastifyInstance, deps: IdentityDeps): void {
  const find = async (id: string): Promise<ServiceRow> => {
    const row = await deps.db
      .selectFrom('identity_service')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirst();
    if (row === undefined) throw notFound(`Could not find service: ${id}.`);
    return row;
  };

  app.get('/v3/services', async (request) => {
    requireAdmin(await deps.authenticate(request), 'list_services');
    let query = deps.db.selectFrom('identity_service').selectAll().orderBy('type');
    const type = single(request.query, 'type');
    const name = single(request.query, 'name');
    if (type !== undefined) query = query.where('type', '=', type);
    if (name !== undefined) query = query.where('name', '=', name);
    const rows = await query.execute();
    return {
      services: rows.map((row) => serviceBody(deps, row)),
      links: collectionLinks(`${deps.base()}/services`),
    };
  });

  app.get<{ Params: { id: string } }>('/v3/services/:id', async (request) => {
    requireAdmin(await deps.authenticate(request), 'get_service');
    return { service: serviceBody(deps, await find(request.params.id)) };
  });

  app.post('/v3/services', async (request, reply) => {
    requireAdmin(await deps.authenticate(request), 'create_service');
    const { service } = parse(ServiceBody, request.body);
    const row: ServiceRow = {
      id: newHexId(),
      type: service.type,
      name: service.name ?? '',
      description: service.description ?? '',
      enabled: service.enabled === false ? 0 : 1,
    };
    await deps.db.insertInto('identity_service').values(row).execute();
    return reply.code(201).send({ service: serviceBody(deps, row) });
  });

  app.delete<{ Params: { id: string } }>('/v3/services/:id', async (request, reply) => {
    requireAdmin(await deps.authenticate(request), 'delete_service');
    const { id } = await find(request.params.id);
    await deps.db.deleteFrom('identity_service').where('id', '=', id).execute();
    return reply.code(204).send();
  });
}

function registerEndpoints(app: FastifyInstance, deps: IdentityDeps): void {
  const find = async (id: string): Promise<EndpointRow> => {
    const row = await deps.db
      .selectFrom('identity_endpoint')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirst();
    if (row === undefined) throw notFound(`Could not find endpoint: ${id}.`);
    return row;
  };

  app.get('/v3/endpoints', async (request) => {
    requireAdmin(await deps.authenticate(request), 'list_endpoints');
    let query = deps.db.selectFrom('identity_endpoint').selectAll().orderBy('url').orderBy('interface');
    for (const column of ['service_id', 'interface', 'region_id'] as const) {
      const value = single(request.query, column);
      if (value !== undefined) query = query.where(column, '=', value);
    }
    const rows = await query.execute();
    return {
      endpoints: rows.map((row) => endpointBody(deps, row)),
      links: collectionLinks(`${deps.base()}/endpoints`),
    };
  });

  app.get<{ Params: { id: string } }>('/v3/endpoints/:id', async (request) => {
    requireAdmin(await deps.authenticate(request), 'get_endpoint');
    return { endpoint: endpointBody(deps, await find(request.params.id)) };
  });

  app.post('/v3/endpoints', async (request, reply) => {
    requireAdmin(await deps.authenticate(request), 'create_endpoint');
    const { endpoint } = parse(EndpointBody, request.body);
    const regionId = endpoint.region_id ?? endpoint.region;
    const region = await deps.db
      .selectFrom('identity_region')
      .select('id')
      .where('id', '=', regionId ?? '')
      .executeTakeFirst();
    if (region === undefined) throw badRequest(`Could not find region: ${regionId ?? '(none given)'}.`);
    const service = await deps.db
      .selectFrom('identity_service')
      .select('id')
      .where('id', '=', endpoint.service_id)
      .executeTakeFirst();
    if (service === undefined) throw badRequest(`Could not find service: ${endpoint.service_id}.`);
    const row: EndpointRow = {
      id: newHexId(),
      service_id: service.id,
      interface: endpoint.interface,
      url: endpoint.url,
      region_id: region.id,
      enabled: endpoint.enabled === false ? 0 : 1,
    };
    await deps.db.insertInto('identity_endpoint').values(row).execute();
    return reply.code(201).send({ endpoint: endpointBody(deps, row) });
  });

  app.delete<{ Params: { id: string } }>('/v3/endpoints/:id', async (request, reply) => {
    requireAdmin(await deps.authenticate(request), 'delete_endpoint');
    const { id } = await find(request.params.id);
    await deps.db.deleteFrom('identity_endpoint').where('id', '=', id).execute();
    return reply.code(204).send();
  });
}

function registerRegions(app: FastifyInstance, deps: IdentityDeps): void {
  const body = (row: { id: string; description: string; parent_region_id: string | null }): object => ({
    ...row,
    links: { self: `${deps.base()}/regions/${row.id}` },
  });

  app.get('/v3/regions', async (request) => {
    await deps.authenticate(request);
    const rows = await deps.db.selectFrom('identity_region').selectAll().orderBy('id').execute();
    return { regions: rows.map(body), links: collectionLinks(`${deps.base()}/regions`) };
  });

  app.get<{ Params: { id: string } }>('/v3/regions/:id', async (request) => {
    await deps.authenticate(request);
    const row = await deps.db
      .selectFrom('identity_region')
      .selectAll()
      .where('id', '=', request.params.id)
      .executeTakeFirst();
    if (row === undefined) throw notFound(`Could not find region: ${request.params.id}.`);
    return { region: body(row) };
  });
}

/** Services, endpoints and regions: the catalogue as administrators see it. */
export function registerCatalogRoutes(app: FastifyInstance, deps: IdentityDeps): void {
  registerServices(app, deps);
  registerEndpoints(app, deps);
  registerRegions(app, deps);
}
