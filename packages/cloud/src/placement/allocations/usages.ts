import type { FastifyInstance } from 'fastify';
import { single } from '../../kernel/collection.js';
import { badRequest } from '../../kernel/errors.js';
import { usedUnits } from '../candidates/match.js';
import { begin, findProvider, type PlacementDeps } from '../deps.js';
import { needMinor } from '../microversion.js';

interface UsageRow {
  readonly consumer_uuid: string;
  readonly consumer_type: string;
  readonly resource_class: string;
  readonly used: number;
}

function sums(rows: readonly UsageRow[]): Record<string, number> {
  const totals: Record<string, number> = {};
  for (const row of rows) totals[row.resource_class] = (totals[row.resource_class] ?? 0) + row.used;
  return totals;
}

/** Since 1.38 usages stand by type of consumer, with how many there are. */
function byType(rows: readonly UsageRow[]): Record<string, Record<string, number>> {
  const types = new Set(rows.map((row) => row.consumer_type));
  return Object.fromEntries(
    [...types].map((type) => {
      const own = rows.filter((row) => row.consumer_type === type);
      return [type, { consumer_count: new Set(own.map((row) => row.consumer_uuid)).size, ...sums(own) }];
    }),
  );
}

/** `/usages` of a project, and `/resource_providers/{uuid}/usages`. */
export function registerUsageRoutes(app: FastifyInstance, deps: PlacementDeps): void {
  app.get('/usages', async (request, reply) => {
    const minor = await begin(deps, request, reply);
    needMinor(minor, 9);
    const project = single(request.query, 'project_id');
    if (project === undefined)
      throw badRequest("Invalid query string parameters: 'project_id' is a required property");
    const user = single(request.query, 'user_id');
    const type = single(request.query, 'consumer_type');
    let query = deps.db
      .selectFrom('placement_allocation as a')
      .innerJoin('placement_consumer as c', 'c.uuid', 'a.consumer_uuid')
      .select(['a.consumer_uuid', 'c.consumer_type', 'a.resource_class', 'a.used'])
      .where('c.project_id', '=', project);
    if (user !== undefined) query = query.where('c.user_id', '=', user);
    const rows = await query.execute();
    if (minor < 38) return { usages: sums(rows) };
    if (type === 'all') {
      const count = new Set(rows.map((row) => row.consumer_uuid)).size;
      return { usages: { all: { consumer_count: count, ...sums(rows) } } };
    }
    return { usages: byType(type === undefined ? rows : rows.filter((row) => row.consumer_type === type)) };
  });

  app.get<{ Params: { uuid: string } }>('/resource_providers/:uuid/usages', async (request, reply) => {
    await begin(deps, request, reply);
    const { uuid, generation } = await findProvider(deps.db, request.params.uuid);
    const used = await usedUnits(deps.db, uuid);
    const inventories = await deps.db
      .selectFrom('placement_inventory')
      .select('resource_class')
      .where('provider_uuid', '=', uuid)
      .execute();
    return {
      resource_provider_generation: generation,
      usages: Object.fromEntries(
        inventories.map(({ resource_class: name }) => [name, used.get(`${uuid} ${name}`) ?? 0]),
      ),
    };
  });
}
