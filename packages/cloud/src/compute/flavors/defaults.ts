import type { Flavor } from '@nova-hyperv/driver';
import { insertFlavor, listFlavors } from '../store/flavors.js';
import type { ComputeDatabase } from '../store/tables.js';

const flavor = (flavorId: string, name: string, memoryMb: number, vcpus: number, rootGb: number): Flavor => ({
  flavorId,
  name,
  memoryMb,
  vcpus,
  rootGb,
  ephemeralGb: 0,
  swapMb: 0,
  extraSpecs: {},
});

/** The five flavors that every OpenStack had for years, by their numbers. */
export const DEFAULT_FLAVORS: readonly Flavor[] = [
  flavor('1', 'm1.tiny', 512, 1, 1),
  flavor('2', 'm1.small', 2048, 1, 20),
  flavor('3', 'm1.medium', 4096, 2, 40),
  flavor('4', 'm1.large', 8192, 4, 80),
  flavor('5', 'm1.xlarge', 16_384, 8, 160),
];

/** Fills a database that never had a flavor: one that an operator deleted does not come back. */
export async function seedFlavors(db: ComputeDatabase): Promise<void> {
  await db.transaction().execute(async (trx) => {
    const seeded = await trx.selectFrom('compute_flavor_seed').select('done').executeTakeFirst();
    if (seeded !== undefined) return;
    await trx.insertInto('compute_flavor_seed').values({ done: 1 }).execute();
    if ((await listFlavors(trx)).length > 0) return;
    for (const one of DEFAULT_FLAVORS) {
      await insertFlavor(trx, { ...one, isPublic: true, rxtxFactor: 1, description: null });
    }
  });
}
