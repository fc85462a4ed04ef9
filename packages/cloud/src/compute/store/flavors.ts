import type { Flavor } from '@nova-hyperv/driver';
import type { Selectable, Transaction } from 'kysely';
import { flag, readStrings } from './columns.js';
import type { ComputeDatabase, ComputeTables } from './tables.js';

/** A flavor with what the driver does not need. */
export interface FlavorRecord extends Flavor {
  readonly isPublic: boolean;
  readonly rxtxFactor: number;
  readonly description: string | null;
  readonly createdAt: Date;
}

type Executor = ComputeDatabase | Transaction<ComputeTables>;

function toFlavor(row: Selectable<ComputeTables['compute_flavor']>): FlavorRecord {
  return {
    flavorId: row.flavor_id,
    name: row.name,
    vcpus: row.vcpus,
    memoryMb: row.memory_mb,
    rootGb: row.root_gb,
    ephemeralGb: row.ephemeral_gb,
    swapMb: row.swap_mb,
    extraSpecs: readStrings(row.extra_specs, 'extra specs of a flavor'),
    isPublic: row.is_public !== 0,
    rxtxFactor: row.rxtx_factor,
    description: row.description,
    createdAt: new Date(row.created_at),
  };
}

/** What an instance keeps of its flavor. */
export const driverFlavor = (flavor: Flavor): Flavor => ({
  flavorId: flavor.flavorId,
  name: flavor.name,
  vcpus: flavor.vcpus,
  memoryMb: flavor.memoryMb,
  rootGb: flavor.rootGb,
  ephemeralGb: flavor.ephemeralGb,
  swapMb: flavor.swapMb,
  extraSpecs: flavor.extraSpecs,
});

export async function listFlavors(db: Executor): Promise<readonly FlavorRecord[]> {
  return (await db.selectFrom('compute_flavor').selectAll().orderBy('id').execute()).map(toFlavor);
}

export async function findFlavor(db: Executor, flavorId: string): Promise<FlavorRecord | null> {
  const row = await db
    .selectFrom('compute_flavor')
    .selectAll()
    .where('flavor_id', '=', flavorId)
    .executeTakeFirst();
  return row === undefined ? null : toFlavor(row);
}

export async function insertFlavor(
  db: Executor,
  flavor: Omit<FlavorRecord, 'createdAt'>,
): Promise<FlavorRecord> {
  const row = await db
    .insertInto('compute_flavor')
    .values({
      flavor_id: flavor.flavorId,
      name: flavor.name,
      vcpus: flavor.vcpus,
      memory_mb: flavor.memoryMb,
      root_gb: flavor.rootGb,
      ephemeral_gb: flavor.ephemeralGb,
      swap_mb: flavor.swapMb,
      rxtx_factor: flavor.rxtxFactor,
      is_public: flag(flavor.isPublic),
      description: flavor.description,
      extra_specs: JSON.stringify(flavor.extraSpecs),
      created_at: new Date().toISOString(),
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  return toFlavor(row);
}

export async function deleteFlavor(db: Executor, flavorId: string): Promise<void> {
  await db.deleteFrom('compute_flavor').where('flavor_id', '=', flavorId).execute();
}

export async function setFlavorDescription(
  db: Executor,
  flavorId: string,
  description: string | null,
): Promise<void> {
  await db.updateTable('compute_flavor').set({ description }).where('flavor_id', '=', flavorId).execute();
}

/** Changes extra specs by `change`, read and written in one transaction. Null when there is no such flavor. */
export async function changeExtraSpecs(
  db: ComputeDatabase,
  flavorId: string,
  change: (specs: Readonly<Record<string, string>>) => Readonly<Record<string, string>>,
): Promise<Readonly<Record<string, string>> | null> {
  return db.transaction().execute(async (trx) => {
    const flavor = await findFlavor(trx, flavorId);
    if (flavor === null) return null;
    const specs = change(flavor.extraSpecs);
    await trx
      .updateTable('compute_flavor')
      .set({ extra_specs: JSON.stringify(specs) })
      .where('flavor_id', '=', flavorId)
      .execute();
    return specs;
  });
}

/** Projects that may use a private flavor. */
export async function flavorProjects(db: Executor, flavorId: string): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('compute_flavor_project')
    .select('project_id')
    .where('flavor_id', '=', flavorId)
    .orderBy('project_id')
    .execute();
  return rows.map((row) => row.project_id);
}

/** Private flavors that a project may use, by id. */
export async function flavorsOfProject(db: Executor, projectId: string): Promise<ReadonlySet<string>> {
  const rows = await db
    .selectFrom('compute_flavor_project')
    .select('flavor_id')
    .where('project_id', '=', projectId)
    .execute();
  return new Set(rows.map((row) => row.flavor_id));
}

export async function addFlavorProject(db: Executor, flavorId: string, projectId: string): Promise<void> {
  await db
    .insertInto('compute_flavor_project')
    .values({ flavor_id: flavorId, project_id: projectId })
    .execute();
}

/** False when the project had no access. */
export async function removeFlavorProject(
  db: Executor,
  flavorId: string,
  projectId: string,
): Promise<boolean> {
  const result = await db
    .deleteFrom('compute_flavor_project')
    .where('flavor_id', '=', flavorId)
    .where('project_id', '=', projectId)
    .executeTakeFirst();
  return result.numDeletedRows > 0n;
}
