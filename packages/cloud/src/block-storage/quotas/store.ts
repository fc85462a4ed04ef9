import type { BlockStorageDb } from '../deps.js';
import { readWork } from '../manager/work.js';
import { limitExceeded, sizeExceedsLimit, sizeExceedsQuota } from '../errors.js';

/** cinder/quota.py; -1 is no limit. Sizes in GiB. */
const DEFAULTS: Readonly<Record<string, number>> = {
  per_volume_gigabytes: -1,
  volumes: 10,
  snapshots: 10,
  gigabytes: 1000,
  backups: 10,
  backup_gigabytes: 1000,
  groups: 10,
};
/** Quotas that each volume type has of its own: `gigabytes_smb`. */
const PER_TYPE = ['volumes', 'gigabytes', 'snapshots'] as const;
export const DEFAULT_CLASS = 'default';

export type Amounts = Readonly<Record<string, number>>;

/** Every quota with what it is when nobody has set it. */
export async function knownQuotas(db: BlockStorageDb): Promise<Amounts> {
  const types = await db.selectFrom('block_storage_type').select('name').orderBy('name').execute();
  const perType = types.flatMap(({ name }) => PER_TYPE.map((quota) => [`${quota}_${name}`, -1] as const));
  return { ...DEFAULTS, ...Object.fromEntries(perType) };
}

const only = (known: Amounts, rows: readonly { resource: string; hard_limit: number }[]): Amounts =>
  Object.fromEntries(
    rows
      .filter(({ resource }) => Object.hasOwn(known, resource))
      .map((row) => [row.resource, row.hard_limit]),
  );

export async function classLimits(db: BlockStorageDb, className: string): Promise<Amounts> {
  const known = await knownQuotas(db);
  const rows = await db
    .selectFrom('block_storage_quota_class')
    .selectAll()
    .where('class_name', '=', className)
    .execute();
  return { ...known, ...only(known, rows) };
}

export async function projectLimits(db: BlockStorageDb, projectId: string): Promise<Amounts> {
  const base = await classLimits(db, DEFAULT_CLASS);
  const rows = await db
    .selectFrom('block_storage_quota')
    .selectAll()
    .where('project_id', '=', projectId)
    .execute();
  return { ...base, ...only(base, rows) };
}

/** Size that a volume is being given, GiB: counted from the request on. */
function growsTo(json: string | null): number | undefined {
  const work = json === null ? null : readWork(json);
  return work?.kind === 'extend' ? work.newSizeGb : undefined;
}

/** What a project has, by quota: counted, so that it is never wrong. Snapshots count with the size of their volumes. */
export async function usageOf(db: BlockStorageDb, projectId: string): Promise<Amounts> {
  const usage: Record<string, number> = {};
  const count = (quota: string, type: string, amount: number): void => {
    for (const name of [quota, `${quota}_${type}`]) usage[name] = (usage[name] ?? 0) + amount;
  };
  const volumes = await db
    .selectFrom('block_storage_volume as volume')
    .innerJoin('block_storage_type as type', 'type.id', 'volume.volume_type_id')
    .select(['volume.size as size', 'volume.work as work', 'type.name as type'])
    .where('volume.project_id', '=', projectId)
    .execute();
  for (const { size, work, type } of volumes) {
    count('volumes', type, 1);
    count('gigabytes', type, growsTo(work) ?? size);
  }
  const snapshots = await db
    .selectFrom('block_storage_snapshot as snapshot')
    .innerJoin('block_storage_type as type', 'type.id', 'snapshot.volume_type_id')
    .select(['snapshot.volume_size as size', 'type.name as type'])
    .where('snapshot.project_id', '=', projectId)
    .execute();
  for (const { size, type } of snapshots) {
    count('snapshots', type, 1);
    count('gigabytes', type, size);
  }
  return usage;
}

export interface Demand {
  readonly projectId: string;
  readonly typeName: string;
  /** What is counted beside GiB; none when a volume grows. */
  readonly one?: 'volumes' | 'snapshots';
  /** GiB */
  readonly sizeGb: number;
  /** Size of the volume afterwards, GiB, where `per_volume_gigabytes` bounds it. */
  readonly volumeSizeGb?: number;
}

/** In the transaction that takes what is asked for. @throws ApiError 413 */
export async function checkQuota(trx: BlockStorageDb, demand: Demand): Promise<void> {
  const limits = await projectLimits(trx, demand.projectId);
  const used = await usageOf(trx, demand.projectId);
  const over = (quota: string, amount: number): boolean => {
    const limit = limits[quota] ?? -1;
    return limit >= 0 && (used[quota] ?? 0) + amount > limit;
  };
  const largest = limits['per_volume_gigabytes'] ?? -1;
  const { volumeSizeGb } = demand;
  if (volumeSizeGb !== undefined && largest >= 0 && volumeSizeGb > largest)
    throw sizeExceedsLimit(volumeSizeGb, largest);
  for (const suffix of ['', `_${demand.typeName}`]) {
    const size = `gigabytes${suffix}`;
    if (over(size, demand.sizeGb))
      throw sizeExceedsQuota(size, demand.sizeGb, limits[size] ?? -1, used[size] ?? 0);
    if (demand.one === undefined) continue;
    const number = `${demand.one}${suffix}`;
    if (over(number, 1)) throw limitExceeded(demand.one, limits[number] ?? -1, number);
  }
}
