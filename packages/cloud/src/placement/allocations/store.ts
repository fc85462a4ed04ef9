import { ApiError, badRequest, notFound } from '../../kernel/errors.js';
import { capacityOf, usedUnits } from '../candidates/match.js';
import { unknownClasses } from '../classes/names.js';
import { bumpGeneration, CONCURRENT_UPDATE, type Db, type Reader } from '../deps.js';
import type { ConsumerRow, InventoryRow, ProviderRow } from '../tables.js';
import type { WantedAllocations } from './body.js';

/** Owner of allocations that were made before microversion 1.8, which names none (placement.conf `incomplete_consumer_*`). */
const INCOMPLETE = '00000000-0000-0000-0000-000000000000';
export const UNKNOWN_TYPE = 'unknown';

/** Both shapes of the check against what the writer last saw. @throws ApiError 409 */
function checkConsumer(consumer: ConsumerRow | undefined, wanted: WantedAllocations): void {
  const { seen } = wanted;
  if (seen === undefined || seen === (consumer?.generation ?? null)) return;
  throw new ApiError(
    409,
    `consumer generation conflict - expected ${String(consumer?.generation ?? null)} but got ${String(seen)}`,
    { type: CONCURRENT_UPDATE },
  );
}

function checkUnit(inventory: InventoryRow, amount: number): void {
  const {
    min_unit: min,
    max_unit: max,
    step_size: step,
    resource_class: name,
    provider_uuid: uuid,
  } = inventory;
  if (amount >= min && amount <= max && amount % step === 0) return;
  throw new ApiError(
    409,
    `Unable to allocate inventory: Unable to create allocation for '${name}' on resource provider '${uuid}'. ` +
      `The requested amount would violate inventory constraints (${min} to ${max} in steps of ${step}).`,
  );
}

/** Writes one consumer's allocations; the caller's transaction makes the checks and the writes one. */
async function apply(
  trx: Reader,
  wanted: WantedAllocations,
  providers: ReadonlyMap<string, ProviderRow>,
): Promise<void> {
  const consumer = await trx
    .selectFrom('placement_consumer')
    .selectAll()
    .where('uuid', '=', wanted.consumer)
    .executeTakeFirst();
  checkConsumer(consumer, wanted);
  await trx.deleteFrom('placement_allocation').where('consumer_uuid', '=', wanted.consumer).execute();
  if (Object.keys(wanted.allocations).length === 0) {
    await trx.deleteFrom('placement_consumer').where('uuid', '=', wanted.consumer).execute();
    return;
  }
  const row: ConsumerRow = {
    uuid: wanted.consumer,
    generation: consumer === undefined ? 1 : consumer.generation + 1,
    project_id: wanted.projectId ?? consumer?.project_id ?? INCOMPLETE,
    user_id: wanted.userId ?? consumer?.user_id ?? INCOMPLETE,
    consumer_type: wanted.type ?? consumer?.consumer_type ?? UNKNOWN_TYPE,
  };
  await trx
    .insertInto('placement_consumer')
    .values(row)
    .onConflict((clash) => clash.column('uuid').doUpdateSet(row))
    .execute();
  for (const [uuid, resources] of Object.entries(wanted.allocations)) {
    if (!providers.has(uuid))
      throw badRequest(`Allocation for resource provider '${uuid}' that does not exist.`);
    for (const [name, used] of Object.entries(resources)) {
      await trx
        .insertInto('placement_allocation')
        .values({ consumer_uuid: wanted.consumer, provider_uuid: uuid, resource_class: name, used })
        .execute();
    }
  }
}

/** After all writes of a request: nobody has more than there is. @throws ApiError 409 */
async function checkCapacity(trx: Reader, all: readonly WantedAllocations[]): Promise<void> {
  const used = await usedUnits(trx);
  for (const { allocations } of all) {
    for (const [uuid, resources] of Object.entries(allocations)) {
      const rows = await trx
        .selectFrom('placement_inventory')
        .selectAll()
        .where('provider_uuid', '=', uuid)
        .execute();
      for (const [name, amount] of Object.entries(resources)) {
        const inventory = rows.find((row) => row.resource_class === name);
        if (inventory === undefined) {
          throw new ApiError(
            409,
            `Unable to allocate inventory: Inventory for '${name}' on resource provider '${uuid}' invalid.`,
          );
        }
        checkUnit(inventory, amount);
        if ((used.get(`${uuid} ${name}`) ?? 0) > capacityOf(inventory)) {
          throw new ApiError(
            409,
            `Unable to allocate inventory: Unable to create allocation for '${name}' on resource provider '${uuid}'. ` +
              'The requested amount would exceed the capacity.',
          );
        }
      }
    }
  }
}

async function checkClasses(trx: Reader, all: readonly WantedAllocations[]): Promise<void> {
  const names = all.flatMap((each) =>
    Object.values(each.allocations).flatMap((resources) => Object.keys(resources)),
  );
  const unknown = await unknownClasses(trx, [...new Set(names)]);
  if (unknown.length > 0) {
    throw badRequest(
      `Allocation for resource class that does not exist: No such resource class ${unknown.join(', ')}.`,
    );
  }
}

/** Writes the allocations of all these consumers, or of none. @throws ApiError 400, 409 */
export async function writeAllocations(db: Db, all: readonly WantedAllocations[]): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await checkClasses(trx, all);
    const before = await trx
      .selectFrom('placement_allocation')
      .select('provider_uuid')
      .where(
        'consumer_uuid',
        'in',
        all.map((each) => each.consumer),
      )
      .execute();
    const touched = new Set([
      ...before.map((row) => row.provider_uuid),
      ...all.flatMap((each) => Object.keys(each.allocations)),
    ]);
    const rows = await trx
      .selectFrom('placement_provider')
      .selectAll()
      .where('uuid', 'in', [...touched, ''])
      .execute();
    const providers = new Map(rows.map((row) => [row.uuid, row]));
    for (const wanted of all) await apply(trx, wanted, providers);
    await checkCapacity(trx, all);
    for (const provider of rows) await bumpGeneration(trx, provider);
  });
}

/** @throws ApiError 404 when the consumer has none. */
export async function deleteAllocations(db: Db, consumer: string): Promise<void> {
  await db.transaction().execute(async (trx) => {
    const rows = await trx
      .selectFrom('placement_provider')
      .selectAll()
      .where(
        'uuid',
        'in',
        trx.selectFrom('placement_allocation').select('provider_uuid').where('consumer_uuid', '=', consumer),
      )
      .execute();
    if (rows.length === 0) throw notFound(`No allocations for consumer '${consumer}'`);
    await trx.deleteFrom('placement_consumer').where('uuid', '=', consumer).execute();
    for (const provider of rows) await bumpGeneration(trx, provider);
  });
}
