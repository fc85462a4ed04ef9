import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { ApiError, badRequest, notFound } from '../../kernel/errors.js';
import { parse } from '../../kernel/validate.js';
import { usedUnits } from '../candidates/match.js';
import { unknownClasses } from '../classes/names.js';
import {
  begin,
  bumpGeneration,
  checkGeneration,
  findProvider,
  INVENTORY_INUSE,
  type PlacementDeps,
  type Reader,
} from '../deps.js';
import { needMinor } from '../microversion.js';
import type { InventoryRow } from '../tables.js';

/** Largest integer of Placement's database. */
const MAX_INT = 2_147_483_647;
const Unit = z.int().min(1).max(MAX_INT);

const Inventory = z.object({
  total: Unit,
  reserved: z.int().min(0).max(MAX_INT).default(0),
  min_unit: Unit.default(1),
  max_unit: Unit.default(MAX_INT),
  step_size: Unit.default(1),
  allocation_ratio: z.number().min(0).max(3.4e38).default(1),
});
const Generation = z.int().min(0);
const PutAll = z.object({
  resource_provider_generation: Generation,
  inventories: z.record(z.string(), Inventory),
});
const PutOne = Inventory.extend({ resource_provider_generation: Generation });
const Post = Inventory.extend({
  resource_class: z.string(),
  resource_provider_generation: Generation.optional(),
});

type InventoryFields = z.output<typeof Inventory>;
interface Params {
  uuid: string;
  name: string;
}

function body(row: InventoryRow): Record<string, number> {
  const { total, reserved, min_unit, max_unit, step_size, allocation_ratio } = row;
  return { total, reserved, min_unit, max_unit, step_size, allocation_ratio };
}

const read = (db: Reader, uuid: string): Promise<InventoryRow[]> =>
  db
    .selectFrom('placement_inventory')
    .selectAll()
    .where('provider_uuid', '=', uuid)
    .orderBy('resource_class')
    .execute();

async function checkInventory(
  db: Reader,
  name: string,
  fields: InventoryFields,
  minor: number,
): Promise<void> {
  if ((await unknownClasses(db, [name])).length > 0)
    throw badRequest(`Unknown resource class in inventory: No such resource class ${name}.`);
  // Since 1.26 everything may be reserved.
  if (fields.reserved > fields.total || (minor < 26 && fields.reserved === fields.total)) {
    throw badRequest(
      `Unable to update inventory for resource provider: Invalid inventory for '${name}': the reserved value is greater than or equal to total.`,
    );
  }
}

async function refuseInUse(db: Reader, uuid: string, names: readonly string[]): Promise<void> {
  const used = await usedUnits(db, uuid);
  const clash = names.filter((name) => (used.get(`${uuid} ${name}`) ?? 0) > 0);
  if (clash.length === 0) return;
  const message = `Inventory for '${clash.join(', ')}' on resource provider '${uuid}' in use.`;
  throw new ApiError(409, message, { type: INVENTORY_INUSE });
}

async function put(db: Reader, uuid: string, name: string, fields: InventoryFields): Promise<void> {
  const { total, reserved, min_unit, max_unit, step_size, allocation_ratio } = fields;
  const values = { total, reserved, min_unit, max_unit, step_size, allocation_ratio };
  await db
    .insertInto('placement_inventory')
    .values({ provider_uuid: uuid, resource_class: name, ...values })
    .onConflict((clash) => clash.columns(['provider_uuid', 'resource_class']).doUpdateSet(values))
    .execute();
}

async function replaceAll(
  deps: PlacementDeps,
  uuid: string,
  wanted: z.output<typeof PutAll>,
  minor: number,
): Promise<unknown> {
  return deps.db.transaction().execute(async (trx) => {
    const provider = await findProvider(trx, uuid);
    checkGeneration(provider, wanted.resource_provider_generation);
    const gone = (await read(trx, uuid))
      .map((row) => row.resource_class)
      .filter((name) => !(name in wanted.inventories));
    await refuseInUse(trx, uuid, gone);
    for (const [name, fields] of Object.entries(wanted.inventories))
      await checkInventory(trx, name, fields, minor);
    if (gone.length > 0) {
      await trx
        .deleteFrom('placement_inventory')
        .where('provider_uuid', '=', uuid)
        .where('resource_class', 'in', gone)
        .execute();
    }
    for (const [name, fields] of Object.entries(wanted.inventories)) await put(trx, uuid, name, fields);
    const rows = await read(trx, uuid);
    return {
      resource_provider_generation: await bumpGeneration(trx, provider),
      inventories: Object.fromEntries(rows.map((row) => [row.resource_class, body(row)])),
    };
  });
}

/** Writes one inventory; `create`: it must not be there yet, else it must. */
async function writeOne(
  deps: PlacementDeps,
  { uuid, name }: Params,
  fields: InventoryFields & { resource_provider_generation?: number | undefined },
  options: { readonly create: boolean; readonly minor: number },
): Promise<unknown> {
  return deps.db.transaction().execute(async (trx) => {
    const provider = await findProvider(trx, uuid);
    const seen = fields.resource_provider_generation;
    if (seen !== undefined) checkGeneration(provider, seen);
    await checkInventory(trx, name, fields, options.minor);
    const there = (await read(trx, uuid)).some((row) => row.resource_class === name);
    if (there && options.create)
      throw new ApiError(409, `Update conflict: inventory of ${name} exists already.`);
    if (!there && !options.create)
      throw badRequest(`No inventory of class ${name} found for update on provider ${uuid}.`);
    await put(trx, uuid, name, fields);
    const generation = await bumpGeneration(trx, provider);
    return {
      resource_provider_generation: generation,
      ...body({ provider_uuid: uuid, resource_class: name, ...fields }),
    };
  });
}

async function remove(deps: PlacementDeps, uuid: string, name: string | undefined): Promise<void> {
  await deps.db.transaction().execute(async (trx) => {
    const provider = await findProvider(trx, uuid);
    const names = (await read(trx, uuid)).map((row) => row.resource_class);
    const gone = name === undefined ? names : names.filter((each) => each === name);
    if (name !== undefined && gone.length === 0)
      throw notFound(`No inventory of class ${name} found for delete on provider ${uuid}.`);
    await refuseInUse(trx, uuid, gone);
    let query = trx.deleteFrom('placement_inventory').where('provider_uuid', '=', uuid);
    if (name !== undefined) query = query.where('resource_class', '=', name);
    await query.execute();
    await bumpGeneration(trx, provider);
  });
}

/** `/resource_providers/{uuid}/inventories` and one class of them. */
export function registerInventoryRoutes(app: FastifyInstance, deps: PlacementDeps): void {
  const path = '/resource_providers/:uuid/inventories';

  app.get<{ Params: { uuid: string } }>(path, async (request, reply) => {
    await begin(deps, request, reply);
    const { uuid, generation } = await findProvider(deps.db, request.params.uuid);
    const rows = await read(deps.db, uuid);
    return {
      resource_provider_generation: generation,
      inventories: Object.fromEntries(rows.map((row) => [row.resource_class, body(row)])),
    };
  });

  app.put<{ Params: { uuid: string } }>(path, async (request, reply) => {
    const minor = await begin(deps, request, reply);
    return replaceAll(deps, request.params.uuid, parse(PutAll, request.body), minor);
  });

  app.post<{ Params: { uuid: string } }>(path, async (request, reply) => {
    const minor = await begin(deps, request, reply);
    const { resource_class: name, ...fields } = parse(Post, request.body);
    const { uuid } = request.params;
    const answer = await writeOne(deps, { uuid, name }, fields, { create: true, minor });
    return reply
      .code(201)
      .header('Location', `/placement/resource_providers/${uuid}/inventories/${name}`)
      .send(answer);
  });

  app.delete<{ Params: { uuid: string } }>(path, async (request, reply) => {
    needMinor(await begin(deps, request, reply), 5);
    await remove(deps, request.params.uuid, undefined);
    return reply.code(204).send();
  });

  app.get<{ Params: Params }>(`${path}/:name`, async (request, reply) => {
    await begin(deps, request, reply);
    const { uuid, generation } = await findProvider(deps.db, request.params.uuid);
    const row = (await read(deps.db, uuid)).find((each) => each.resource_class === request.params.name);
    if (row === undefined) throw notFound(`No inventory of class ${request.params.name} for ${uuid}`);
    return { resource_provider_generation: generation, ...body(row) };
  });

  app.put<{ Params: Params }>(`${path}/:name`, async (request, reply) => {
    const minor = await begin(deps, request, reply);
    return writeOne(deps, request.params, parse(PutOne, request.body), { create: false, minor });
  });

  app.delete<{ Params: Params }>(`${path}/:name`, async (request, reply) => {
    await begin(deps, request, reply);
    await remove(deps, request.params.uuid, request.params.name);
    return reply.code(204).send();
  });
}
