import { sql, type Transaction } from 'kysely';
import { isQuotaName, type NovaConfig, type QuotaName } from '../config.js';
import type { ComputeDatabase, ComputeTables } from './tables.js';

type Executor = ComputeDatabase | Transaction<ComputeTables>;

export type Limits = Readonly<Record<QuotaName, number>>;

/** A project's limits: its own where an administrator set them, else the configured ones. */
export async function limitsOf(db: Executor, projectId: string, config: NovaConfig): Promise<Limits> {
  const rows = await db
    .selectFrom('compute_quota')
    .select(['resource', 'hard_limit'])
    .where('project_id', '=', projectId)
    .execute();
  const limits: Record<QuotaName, number> = { ...config.quotas };
  for (const { resource, hard_limit: limit } of rows) if (isQuotaName(resource)) limits[resource] = limit;
  return limits;
}

export interface Usage {
  readonly instances: number;
  readonly cores: number;
  /** MiB */
  readonly ram: number;
}

/** What a project's instances use, failed ones included, as Nova counts. */
export async function usageOf(db: Executor, projectId: string): Promise<Usage> {
  const row = await db
    .selectFrom('compute_instance')
    .select([
      sql<number>`count(*)`.as('instances'),
      sql<number>`coalesce(sum(vcpus), 0)`.as('cores'),
      sql<number>`coalesce(sum(memory_mb), 0)`.as('ram'),
    ])
    .where('project_id', '=', projectId)
    .where('deleted', '=', 0)
    .executeTakeFirstOrThrow();
  return row;
}

export async function setQuota(
  db: Executor,
  projectId: string,
  resource: QuotaName,
  limit: number,
): Promise<void> {
  await db
    .insertInto('compute_quota')
    .values({ project_id: projectId, resource, hard_limit: limit })
    .onConflict((conflict) => conflict.columns(['project_id', 'resource']).doUpdateSet({ hard_limit: limit }))
    .execute();
}

/** Back to the configured limits. */
export async function clearQuotas(db: Executor, projectId: string): Promise<void> {
  await db.deleteFrom('compute_quota').where('project_id', '=', projectId).execute();
}
