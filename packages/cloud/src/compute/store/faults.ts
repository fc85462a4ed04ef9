import { sql } from 'kysely';
import type { ComputeDatabase } from './tables.js';

export interface Fault {
  readonly code: number;
  readonly message: string;
  readonly details: string;
  readonly createdAt: Date;
}

/** Variables of one SQLite statement that are safe with every build. */
const CHUNK = 500;

/** The newest fault of each of the instances that have one. */
export async function latestFaults(
  db: ComputeDatabase,
  uuids: readonly string[],
): Promise<ReadonlyMap<string, Fault>> {
  const faults = new Map<string, Fault>();
  for (let start = 0; start < uuids.length; start += CHUNK) {
    const rows = await db
      .selectFrom('compute_fault')
      .select([sql<number>`max(id)`.as('id'), 'instance_uuid', 'code', 'message', 'details', 'created_at'])
      .where('instance_uuid', 'in', uuids.slice(start, start + CHUNK))
      .groupBy('instance_uuid')
      .execute();
    for (const row of rows) {
      const { code, message, details } = row;
      faults.set(row.instance_uuid, { code, message, details, createdAt: new Date(row.created_at) });
    }
  }
  return faults;
}
