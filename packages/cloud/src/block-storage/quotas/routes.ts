import { z } from 'zod';
import { parseBoolean, single } from '../../kernel/collection.js';
import { badRequest, forbidden } from '../../kernel/errors.js';
import { parse } from '../../kernel/validate.js';
import type { Call, Route } from '../api/call.js';
import { integer } from '../api/values.js';
import type { Cinder } from '../deps.js';
import { classLimits, DEFAULT_CLASS, knownQuotas, projectLimits, usageOf, type Amounts } from './store.js';

const POLICY = 'volume_extension:quotas';

const withUsage = (limits: Amounts, used: Amounts): object =>
  Object.fromEntries(
    Object.entries(limits).map(([name, limit]) => [
      name,
      { limit, in_use: name === 'per_volume_gigabytes' ? 0 : (used[name] ?? 0), reserved: 0 },
    ]),
  );

async function show(cinder: Cinder, call: Call): Promise<object> {
  const projectId = call.param('project');
  if (!call.context.isAdmin && projectId !== call.context.projectId)
    throw forbidden(`Policy doesn't allow ${POLICY}:show to be performed.`);
  const limits = await projectLimits(cinder.db, projectId);
  const usage = parseBoolean(single(call.query, 'usage') ?? 'false', 'usage');
  return {
    quota_set: {
      id: projectId,
      ...(usage ? withUsage(limits, await usageOf(cinder.db, projectId)) : limits),
    },
  };
}

const member = (set: string) =>
  z.object({ [set]: z.record(z.string(), z.unknown()) }).transform((body) => body[set] ?? {});

/** What is to be set, of what can be. @throws ApiError 400 */
function wantedLimits(known: Amounts, values: Readonly<Record<string, unknown>>): Amounts {
  const wanted = Object.entries(values).filter(
    ([name]) => !['tenant_id', 'class_name', 'id', 'skip_validation', 'force'].includes(name),
  );
  const strange = wanted.map(([name]) => name).filter((name) => !Object.hasOwn(known, name));
  if (strange.length > 0) throw badRequest(`Bad key(s) in quota set: ${strange.join(',')}`);
  return Object.fromEntries(wanted.map(([name, value]) => [name, parse(integer(-1), value)]));
}

async function update(cinder: Cinder, call: Call): Promise<object> {
  const projectId = call.param('project');
  const values = parse(member('quota_set'), call.body);
  const known = await knownQuotas(cinder.db);
  const wanted = wantedLimits(known, values);
  const skip = parseBoolean(single(call.query, 'skip_validation') ?? 'true', 'skip_validation');
  await cinder.db.transaction().execute(async (trx) => {
    const used = await usageOf(trx, projectId);
    for (const [resource, limit] of Object.entries(wanted)) {
      const inUse = used[resource] ?? 0;
      if (!skip && limit >= 0 && limit < inUse)
        throw badRequest(`Quota for '${resource}' is less than what is used: ${inUse} of ${limit}.`);
      await trx
        .insertInto('block_storage_quota')
        .values({ project_id: projectId, resource, hard_limit: limit })
        .onConflict((on) => on.columns(['project_id', 'resource']).doUpdateSet({ hard_limit: limit }))
        .execute();
    }
  });
  return { quota_set: await projectLimits(cinder.db, projectId) };
}

async function updateClass(cinder: Cinder, call: Call): Promise<object> {
  const className = call.param('name');
  const wanted = wantedLimits(await knownQuotas(cinder.db), parse(member('quota_class_set'), call.body));
  for (const [resource, limit] of Object.entries(wanted)) {
    await cinder.db
      .insertInto('block_storage_quota_class')
      .values({ class_name: className, resource, hard_limit: limit })
      .onConflict((on) => on.columns(['class_name', 'resource']).doUpdateSet({ hard_limit: limit }))
      .execute();
  }
  return { quota_class_set: await classLimits(cinder.db, className) };
}

/** Absolute limits by the quotas they show: cinder/api/views/limits.py and contrib/used_limits.py. */
const LIMIT_NAMES: Readonly<Record<string, readonly [string, string]>> = {
  volumes: ['maxTotalVolumes', 'totalVolumesUsed'],
  gigabytes: ['maxTotalVolumeGigabytes', 'totalGigabytesUsed'],
  snapshots: ['maxTotalSnapshots', 'totalSnapshotsUsed'],
  backups: ['maxTotalBackups', 'totalBackupsUsed'],
  backup_gigabytes: ['maxTotalBackupGigabytes', 'totalBackupGigabytesUsed'],
};

async function showLimits(cinder: Cinder, call: Call): Promise<object> {
  const asked = single(call.query, 'project_id') ?? single(call.query, 'tenant_id');
  const { projectId: own, isAdmin } = call.context;
  const projectId = isAdmin && call.version >= 39 ? (asked ?? own) : own;
  const limits = await projectLimits(cinder.db, projectId);
  const used = await usageOf(cinder.db, projectId);
  const absolute = Object.entries(LIMIT_NAMES).flatMap(([quota, [limitName, usedName]]) => [
    [limitName, limits[quota]],
    [usedName, used[quota] ?? 0],
  ]);
  return { limits: { rate: [], absolute: Object.fromEntries(absolute) } };
}

export function registerQuotas(route: Route, cinder: Cinder): void {
  const path = '/os-quota-sets/:project';
  route('GET', '/limits', (call) => showLimits(cinder, call));
  route('GET', path, (call) => show(cinder, call));
  route('GET', `${path}/defaults`, async (call) => ({
    quota_set: { id: call.param('project'), ...(await classLimits(cinder.db, DEFAULT_CLASS)) },
  }));
  route('PUT', path, (call) => update(cinder, call), { admin: `${POLICY}:update` });
  route(
    'DELETE',
    path,
    async (call) => {
      await cinder.db
        .deleteFrom('block_storage_quota')
        .where('project_id', '=', call.param('project'))
        .execute();
    },
    { admin: `${POLICY}:delete` },
  );
  const classes = { admin: 'volume_extension:quota_classes' };
  route(
    'GET',
    '/os-quota-class-sets/:name',
    async (call) => ({
      quota_class_set: { id: call.param('name'), ...(await classLimits(cinder.db, call.param('name'))) },
    }),
    classes,
  );
  route('PUT', '/os-quota-class-sets/:name', (call) => updateClass(cinder, call), classes);
}
