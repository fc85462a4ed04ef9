import { badRequest } from '../../kernel/errors.js';
import { unknownClasses } from '../classes/names.js';
import type { Reader } from '../deps.js';
import type { InventoryRow, ProviderRow } from '../tables.js';
import { unknownTraits } from '../traits/names.js';
import type { AggregateClause, TraitClause } from './query.js';

/** What a provider must have by itself. */
export interface ProviderQuery {
  readonly resources: Readonly<Record<string, number>>;
  readonly required: readonly TraitClause[];
  readonly memberOf: readonly AggregateClause[];
  /** UUID of any provider of the tree. */
  readonly tree?: string;
}

export interface MatchedProvider extends ProviderRow {
  readonly traits: readonly string[];
  readonly inventories: readonly (InventoryRow & { readonly used: number; readonly capacity: number })[];
}

/** Units that may be given out in all (placement/objects/inventory.py, `capacity`). */
export const capacityOf = (inventory: InventoryRow): number =>
  Math.trunc((inventory.total - inventory.reserved) * inventory.allocation_ratio);

/** Whether one request of `amount` units keeps to the inventory's unit rules and fits beside what is used. */
export function fits(inventory: InventoryRow, used: number, amount: number): boolean {
  return (
    amount >= inventory.min_unit &&
    amount <= inventory.max_unit &&
    amount % inventory.step_size === 0 &&
    used + amount <= capacityOf(inventory)
  );
}

/** Units used, by provider and class: `usedOf.get('uuid VCPU')`. */
export async function usedUnits(db: Reader, provider?: string): Promise<ReadonlyMap<string, number>> {
  let query = db
    .selectFrom('placement_allocation')
    .select((eb) => ['provider_uuid', 'resource_class', eb.fn.sum<number>('used').as('used')])
    .groupBy(['provider_uuid', 'resource_class']);
  if (provider !== undefined) query = query.where('provider_uuid', '=', provider);
  const rows = await query.execute();
  return new Map(rows.map((row) => [`${row.provider_uuid} ${row.resource_class}`, row.used]));
}

function groupBy<T>(rows: readonly T[], key: (row: T) => string): ReadonlyMap<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const group = groups.get(key(row));
    if (group === undefined) groups.set(key(row), [row]);
    else group.push(row);
  }
  return groups;
}

async function checkNames(db: Reader, query: ProviderQuery): Promise<void> {
  const classes = await unknownClasses(db, Object.keys(query.resources));
  if (classes.length > 0)
    throw badRequest(
      `Invalid resource class in resources parameter: No such resource class ${classes.join(', ')}.`,
    );
  const names = query.required.flatMap((clause) => [...clause.anyOf.flat(), ...clause.forbidden]);
  const traits = await unknownTraits(db, names);
  if (traits.length > 0) throw badRequest(`No such trait(s): ${traits.join(', ')}.`);
}

/** Providers that fulfil the query, each alone, in the order of their names. @throws ApiError 400 for unknown classes and traits */
export async function matchProviders(db: Reader, query: ProviderQuery): Promise<readonly MatchedProvider[]> {
  await checkNames(db, query);
  let selection = db.selectFrom('placement_provider').selectAll().orderBy('name');
  if (query.tree !== undefined) {
    const roots = db.selectFrom('placement_provider').select('root_uuid').where('uuid', '=', query.tree);
    selection = selection.where('root_uuid', 'in', roots);
  }
  const providers = await selection.execute();
  const traits = groupBy(
    await db.selectFrom('placement_provider_trait').selectAll().execute(),
    (row) => row.provider_uuid,
  );
  const aggregates = groupBy(
    await db.selectFrom('placement_aggregate').selectAll().execute(),
    (row) => row.provider_uuid,
  );
  const inventories = groupBy(
    await db.selectFrom('placement_inventory').selectAll().execute(),
    (row) => row.provider_uuid,
  );
  const used = await usedUnits(db);
  return providers
    .map((provider): MatchedProvider & { readonly aggregates: readonly string[] } => ({
      ...provider,
      traits: (traits.get(provider.uuid) ?? []).map((row) => row.trait).toSorted(),
      aggregates: (aggregates.get(provider.uuid) ?? []).map((row) => row.aggregate_uuid),
      inventories: (inventories.get(provider.uuid) ?? []).map((row) => ({
        ...row,
        used: used.get(`${provider.uuid} ${row.resource_class}`) ?? 0,
        capacity: capacityOf(row),
      })),
    }))
    .filter((provider) => matches(provider, provider.aggregates, query));
}

function matches(provider: MatchedProvider, aggregates: readonly string[], query: ProviderQuery): boolean {
  const has = new Set(provider.traits);
  return (
    Object.entries(query.resources).every(([name, amount]) =>
      provider.inventories.some((row) => row.resource_class === name && fits(row, row.used, amount)),
    ) &&
    query.required.every(
      (clause) =>
        clause.anyOf.every((names) => names.some((name) => has.has(name))) &&
        clause.forbidden.every((name) => !has.has(name)),
    ) &&
    query.memberOf.every(
      (clause) => clause.aggregates.some((uuid) => aggregates.includes(uuid)) !== clause.negated,
    )
  );
}
