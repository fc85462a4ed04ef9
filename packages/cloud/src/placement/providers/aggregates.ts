import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { parse } from '../../kernel/validate.js';
import {
  begin,
  bumpGeneration,
  checkGeneration,
  findProvider,
  type PlacementDeps,
  type Reader,
} from '../deps.js';
import { needMinor } from '../microversion.js';

const Uuids = z.array(z.uuid()).max(1_000);
const PutBody = z.object({ aggregates: Uuids, resource_provider_generation: z.int().min(0) });

const list = async (db: Reader, provider: string): Promise<readonly string[]> => {
  const rows = await db
    .selectFrom('placement_aggregate')
    .select('aggregate_uuid')
    .where('provider_uuid', '=', provider)
    .orderBy('aggregate_uuid')
    .execute();
  return rows.map((row) => row.aggregate_uuid);
};

/** `/resource_providers/{uuid}/aggregates`: since 1.1; with the provider's generation since 1.19. */
export function registerAggregateRoutes(app: FastifyInstance, deps: PlacementDeps): void {
  const path = '/resource_providers/:uuid/aggregates';

  app.get<{ Params: { uuid: string } }>(path, async (request, reply) => {
    const minor = await begin(deps, request, reply);
    needMinor(minor, 1);
    const { uuid, generation } = await findProvider(deps.db, request.params.uuid);
    const aggregates = await list(deps.db, uuid);
    return minor < 19 ? { aggregates } : { aggregates, resource_provider_generation: generation };
  });

  app.put<{ Params: { uuid: string } }>(path, async (request, reply) => {
    const minor = await begin(deps, request, reply);
    needMinor(minor, 1);
    const wanted =
      minor < 19
        ? { aggregates: parse(Uuids, request.body), resource_provider_generation: undefined }
        : parse(PutBody, request.body);
    return deps.db.transaction().execute(async (trx) => {
      const provider = await findProvider(trx, request.params.uuid);
      const seen = wanted.resource_provider_generation;
      if (seen !== undefined) checkGeneration(provider, seen);
      await trx.deleteFrom('placement_aggregate').where('provider_uuid', '=', provider.uuid).execute();
      for (const aggregate of new Set(wanted.aggregates)) {
        const row = { provider_uuid: provider.uuid, aggregate_uuid: aggregate };
        await trx.insertInto('placement_aggregate').values(row).execute();
      }
      const aggregates = await list(trx, provider.uuid);
      if (seen === undefined) return { aggregates };
      return { aggregates, resource_provider_generation: await bumpGeneration(trx, provider) };
    });
  });
}
