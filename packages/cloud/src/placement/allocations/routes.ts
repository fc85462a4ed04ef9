import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { badRequest } from '../../kernel/errors.js';
import { isUuid } from '../../kernel/ids.js';
import { parse } from '../../kernel/validate.js';
import { begin, findProvider, type PlacementDeps } from '../deps.js';
import { needMinor } from '../microversion.js';
import type { AllocationRow } from '../tables.js';
import { parseAllocations } from './body.js';
import { deleteAllocations, writeAllocations } from './store.js';

const Many = z.record(z.string(), z.unknown());

function checkConsumer(uuid: string): string {
  if (!isUuid(uuid)) throw badRequest(`Malformed consumer_uuid: ${uuid}`);
  return uuid.toLowerCase();
}

/** `{key: {resources: {VCPU: 1}, …}}` from rows. */
function grouped<T extends AllocationRow>(
  rows: readonly T[],
  key: (row: T) => string,
  more: (row: T) => object,
): Record<string, unknown> {
  const groups: Record<string, { resources: Record<string, number> }> = {};
  for (const row of rows) {
    const group = (groups[key(row)] ??= { resources: {}, ...more(row) });
    group.resources[row.resource_class] = row.used;
  }
  return groups;
}

async function consumerAllocations(deps: PlacementDeps, uuid: string, minor: number): Promise<unknown> {
  const rows = await deps.db
    .selectFrom('placement_allocation as a')
    .innerJoin('placement_provider as p', 'p.uuid', 'a.provider_uuid')
    .selectAll('a')
    .select('p.generation')
    .where('a.consumer_uuid', '=', uuid)
    .execute();
  const allocations = grouped(
    rows,
    (row) => row.provider_uuid,
    (row) => ({ generation: row.generation }),
  );
  const consumer = await deps.db
    .selectFrom('placement_consumer')
    .selectAll()
    .where('uuid', '=', uuid)
    .executeTakeFirst();
  if (consumer === undefined) return { allocations };
  return {
    allocations,
    ...(minor >= 12 ? { project_id: consumer.project_id, user_id: consumer.user_id } : {}),
    ...(minor >= 28 ? { consumer_generation: consumer.generation } : {}),
    ...(minor >= 38 ? { consumer_type: consumer.consumer_type } : {}),
  };
}

/** `/allocations`, `/allocations/{consumer}` and `/resource_providers/{uuid}/allocations`. */
export function registerAllocationRoutes(app: FastifyInstance, deps: PlacementDeps): void {
  app.get<{ Params: { uuid: string } }>('/allocations/:uuid', async (request, reply) => {
    const minor = await begin(deps, request, reply);
    return consumerAllocations(deps, checkConsumer(request.params.uuid), minor);
  });

  app.put<{ Params: { uuid: string } }>('/allocations/:uuid', async (request, reply) => {
    const minor = await begin(deps, request, reply);
    const consumer = checkConsumer(request.params.uuid);
    await writeAllocations(deps.db, [
      parseAllocations(consumer, request.body, minor, { mayBeEmpty: minor >= 28 }),
    ]);
    return reply.code(204).send();
  });

  app.post('/allocations', async (request, reply) => {
    const minor = await begin(deps, request, reply);
    needMinor(minor, 13);
    const consumers = Object.entries(parse(Many, request.body));
    if (consumers.length === 0)
      throw badRequest('JSON does not validate: {} does not have enough properties');
    await writeAllocations(
      deps.db,
      consumers.map(([uuid, body]) =>
        parseAllocations(checkConsumer(uuid), body, minor, { mayBeEmpty: true }),
      ),
    );
    return reply.code(204).send();
  });

  app.delete<{ Params: { uuid: string } }>('/allocations/:uuid', async (request, reply) => {
    await begin(deps, request, reply);
    await deleteAllocations(deps.db, checkConsumer(request.params.uuid));
    return reply.code(204).send();
  });

  app.get<{ Params: { uuid: string } }>('/resource_providers/:uuid/allocations', async (request, reply) => {
    const minor = await begin(deps, request, reply);
    const { uuid, generation } = await findProvider(deps.db, request.params.uuid);
    const rows = await deps.db
      .selectFrom('placement_allocation as a')
      .innerJoin('placement_consumer as c', 'c.uuid', 'a.consumer_uuid')
      .selectAll('a')
      .select('c.generation')
      .where('a.provider_uuid', '=', uuid)
      .execute();
    const more = (row: { generation: number }): object =>
      minor >= 28 ? { consumer_generation: row.generation } : {};
    return {
      allocations: grouped(rows, (row) => row.consumer_uuid, more),
      resource_provider_generation: generation,
    };
  });
}
