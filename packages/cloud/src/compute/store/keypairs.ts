import type { Insertable, Selectable } from 'kysely';
import type { ComputeDatabase, ComputeTables } from './tables.js';

export type KeypairRow = Selectable<ComputeTables['compute_keypair']>;

/** By name. */
export async function listKeypairs(db: ComputeDatabase, userId: string): Promise<readonly KeypairRow[]> {
  return db.selectFrom('compute_keypair').selectAll().where('user_id', '=', userId).orderBy('name').execute();
}

export async function findKeypair(
  db: ComputeDatabase,
  userId: string,
  name: string,
): Promise<KeypairRow | undefined> {
  return db
    .selectFrom('compute_keypair')
    .selectAll()
    .where('user_id', '=', userId)
    .where('name', '=', name)
    .executeTakeFirst();
}

/** Null when the user has one of that name. */
export async function insertKeypair(
  db: ComputeDatabase,
  keypair: Omit<Insertable<ComputeTables['compute_keypair']>, 'id' | 'created_at'>,
): Promise<KeypairRow | null> {
  const row = await db
    .insertInto('compute_keypair')
    .values({ ...keypair, created_at: new Date().toISOString() })
    .onConflict((conflict) => conflict.columns(['user_id', 'name']).doNothing())
    .returningAll()
    .executeTakeFirst();
  return row ?? null;
}

/** False when there was none. */
export async function deleteKeypair(db: ComputeDatabase, userId: string, name: string): Promise<boolean> {
  const result = await db
    .deleteFrom('compute_keypair')
    .where('user_id', '=', userId)
    .where('name', '=', name)
    .executeTakeFirst();
  return result.numDeletedRows > 0n;
}
