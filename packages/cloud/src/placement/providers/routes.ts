import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { multiple, single } from '../../kernel/collection.js';
import { ApiError, badRequest } from '../../kernel/errors.js';
import { parse } from '../../kernel/validate.js';
import { matchProviders } from '../candidates/match.js';
import { parseMemberOf, parseRequired, parseResources } from '../candidates/query.js';
import {
  begin,
  CANNOT_DELETE_PARENT,
  DUPLICATE_NAME,
  findProvider,
  PROVIDER_IN_USE,
  type PlacementDeps,
  type Reader,
} from '../deps.js';
import type { ProviderRow } from '../tables.js';

const Body = z.object({
  name: z.string().min(1).max(200),
  uuid: z.uuid().optional(),
  parent_provider_uuid: z.uuid().nullish(),
});

/** Paths relative to the service's root, as Placement's own links are. */
function providerBody(row: ProviderRow, minor: number): Record<string, unknown> {
  const self = `/placement/resource_providers/${row.uuid}`;
  const rels = ['inventories', 'usages'];
  if (minor >= 1) rels.push('aggregates');
  if (minor >= 6) rels.push('traits');
  if (minor >= 11) rels.push('allocations');
  return {
    uuid: row.uuid,
    name: row.name,
    generation: row.generation,
    ...(minor >= 14 ? { parent_provider_uuid: row.parent_uuid, root_provider_uuid: row.root_uuid } : {}),
    links: [{ rel: 'self', href: self }, ...rels.map((rel) => ({ rel, href: `${self}/${rel}` }))],
  };
}

async function refuseDuplicate(db: Reader, uuid: string, name: string): Promise<void> {
  const other = await db
    .selectFrom('placement_provider')
    .select(['uuid', 'name'])
    .where((eb) => eb.or([eb('name', '=', name), eb('uuid', '=', uuid)]))
    .execute();
  const clash = other.find((row) => row.name === name && row.uuid !== uuid);
  if (clash !== undefined) {
    throw new ApiError(409, `Conflicting resource provider name: ${name} already exists.`, {
      type: DUPLICATE_NAME,
    });
  }
}

/** Provider that a new or moved one is below; null for a root. @throws ApiError 400 */
async function rootOf(db: Reader, uuid: string, parent: string | null): Promise<string> {
  if (parent === null) return uuid;
  const row = await db
    .selectFrom('placement_provider')
    .select('root_uuid')
    .where('uuid', '=', parent)
    .executeTakeFirst();
  if (row === undefined || parent === uuid)
    throw badRequest(`parent provider UUID ${parent} does not exist.`);
  return row.root_uuid;
}

async function create(deps: PlacementDeps, body: z.output<typeof Body>): Promise<ProviderRow> {
  return deps.db.transaction().execute(async (trx) => {
    const uuid = body.uuid?.toLowerCase() ?? randomUUID();
    const parent = body.parent_provider_uuid ?? null;
    await refuseDuplicate(trx, uuid, body.name);
    const same = await trx
      .selectFrom('placement_provider')
      .select('uuid')
      .where('uuid', '=', uuid)
      .executeTakeFirst();
    if (same !== undefined) {
      throw new ApiError(409, `Conflicting resource provider uuid: ${uuid} already exists.`, {
        type: DUPLICATE_NAME,
      });
    }
    const row: ProviderRow = {
      uuid,
      name: body.name,
      generation: 0,
      parent_uuid: parent,
      root_uuid: await rootOf(trx, uuid, parent),
      updated_at: new Date().toISOString(),
    };
    await trx.insertInto('placement_provider').values(row).execute();
    return row;
  });
}

async function update(deps: PlacementDeps, uuid: string, body: z.output<typeof Body>): Promise<ProviderRow> {
  return deps.db.transaction().execute(async (trx) => {
    const old = await findProvider(trx, uuid);
    await refuseDuplicate(trx, uuid, body.name);
    const parent = body.parent_provider_uuid === undefined ? old.parent_uuid : body.parent_provider_uuid;
    if (parent !== old.parent_uuid && old.parent_uuid !== null) {
      throw badRequest('re-parenting a provider is not currently allowed.');
    }
    const root = await rootOf(trx, uuid, parent);
    if (root === uuid && parent !== null)
      throw badRequest('a provider cannot be below one of its own children.');
    const row: ProviderRow = { ...old, name: body.name, parent_uuid: parent, root_uuid: root };
    await trx.updateTable('placement_provider').set(row).where('uuid', '=', uuid).execute();
    // Children of a provider that got a parent have that parent's root from now on.
    if (root !== old.root_uuid) {
      await trx
        .updateTable('placement_provider')
        .set({ root_uuid: root })
        .where('root_uuid', '=', uuid)
        .execute();
    }
    return row;
  });
}

async function remove(deps: PlacementDeps, uuid: string): Promise<void> {
  await deps.db.transaction().execute(async (trx) => {
    await findProvider(trx, uuid);
    const used = await trx
      .selectFrom('placement_allocation')
      .select('consumer_uuid')
      .where('provider_uuid', '=', uuid)
      .executeTakeFirst();
    if (used !== undefined) {
      const message = `Unable to delete resource provider ${uuid}: Resource provider has allocations.`;
      throw new ApiError(409, message, { type: PROVIDER_IN_USE });
    }
    const child = await trx
      .selectFrom('placement_provider')
      .select('uuid')
      .where('parent_uuid', '=', uuid)
      .executeTakeFirst();
    if (child !== undefined) {
      const message = `Unable to delete parent resource provider ${uuid}: It has child resource providers.`;
      throw new ApiError(409, message, { type: CANNOT_DELETE_PARENT });
    }
    await trx.deleteFrom('placement_provider').where('uuid', '=', uuid).execute();
  });
}

/** `/resource_providers` and `/resource_providers/{uuid}`. */
export function registerProviderRoutes(app: FastifyInstance, deps: PlacementDeps): void {
  app.get('/resource_providers', async (request, reply) => {
    const minor = await begin(deps, request, reply);
    const { query } = request;
    const resources = single(query, 'resources');
    const tree = single(query, 'in_tree');
    const rows = await matchProviders(deps.db, {
      resources: resources === undefined ? {} : parseResources(resources),
      required: multiple(query, 'required').map((text) => parseRequired(text, minor)),
      memberOf: multiple(query, 'member_of').map(parseMemberOf),
      ...(tree === undefined ? {} : { tree }),
    });
    const name = single(query, 'name');
    const uuid = single(query, 'uuid');
    return {
      resource_providers: rows
        .filter(
          (row) => (name === undefined || row.name === name) && (uuid === undefined || row.uuid === uuid),
        )
        .map((row) => providerBody(row, minor)),
    };
  });

  app.post('/resource_providers', async (request, reply) => {
    const minor = await begin(deps, request, reply);
    const row = await create(deps, parse(Body, request.body));
    reply.header('Location', `/placement/resource_providers/${row.uuid}`);
    return minor < 20 ? reply.code(201).send() : reply.code(200).send(providerBody(row, minor));
  });

  app.get<{ Params: { uuid: string } }>('/resource_providers/:uuid', async (request, reply) => {
    const minor = await begin(deps, request, reply);
    return providerBody(await findProvider(deps.db, request.params.uuid), minor);
  });

  app.put<{ Params: { uuid: string } }>('/resource_providers/:uuid', async (request, reply) => {
    const minor = await begin(deps, request, reply);
    return providerBody(await update(deps, request.params.uuid, parse(Body, request.body)), minor);
  });

  app.delete<{ Params: { uuid: string } }>('/resource_providers/:uuid', async (request, reply) => {
    await begin(deps, request, reply);
    await remove(deps, request.params.uuid);
    return reply.code(204).send();
  });
}
