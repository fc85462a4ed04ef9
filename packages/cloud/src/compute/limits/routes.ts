import { z } from 'zod';
import { badRequest } from '../../kernel/errors.js';
import { single } from '../../kernel/collection.js';
import { parse } from '../../kernel/validate.js';
import { requireAdmin, requireProject, type Call, type Route } from '../api/call.js';
import { boolean, integer } from '../api/values.js';
import { QUOTA_NAMES, type QuotaName } from '../config.js';
import type { Nova } from '../deps.js';
import { clearQuotas, limitsOf, setQuota, usageOf, type Limits } from '../store/quotas.js';

/** Names of limits by the quotas they show. nova/api/openstack/compute/views/limits.py */
const LIMIT_NAMES: Readonly<Partial<Record<QuotaName, readonly string[]>>> = {
  ram: ['maxTotalRAMSize'],
  instances: ['maxTotalInstances'],
  cores: ['maxTotalCores'],
  key_pairs: ['maxTotalKeypairs'],
  floating_ips: ['maxTotalFloatingIps'],
  metadata_items: ['maxServerMeta', 'maxImageMeta'],
  injected_files: ['maxPersonality'],
  injected_file_content_bytes: ['maxPersonalitySize'],
  security_groups: ['maxSecurityGroups'],
  security_group_rules: ['maxSecurityGroupRules'],
  server_groups: ['maxServerGroups'],
  server_group_members: ['maxServerGroupMembers'],
};

const NETWORK: readonly QuotaName[] = [
  'fixed_ips',
  'floating_ips',
  'security_groups',
  'security_group_rules',
];
const FILES: readonly QuotaName[] = [
  'injected_files',
  'injected_file_content_bytes',
  'injected_file_path_bytes',
];

/** 2.36 dropped network quotas, 2.57 those of injected files. */
function shownQuotas(version: number): readonly QuotaName[] {
  return QUOTA_NAMES.filter(
    (name) => !(version >= 36 && NETWORK.includes(name)) && !(version >= 57 && FILES.includes(name)),
  );
}

/** What is counted; other quotas bound one request at a time. */
async function usageByName(
  nova: Nova,
  projectId: string,
): Promise<Readonly<Partial<Record<QuotaName, number>>>> {
  const { instances, cores, ram } = await usageOf(nova.db, projectId);
  return { instances, cores, ram };
}

const USED_NAMES: Readonly<Partial<Record<QuotaName, string>>> = {
  ram: 'totalRAMUsed',
  cores: 'totalCoresUsed',
  instances: 'totalInstancesUsed',
  floating_ips: 'totalFloatingIpsUsed',
  security_groups: 'totalSecurityGroupsUsed',
  server_groups: 'totalServerGroupsUsed',
};

async function showLimits(nova: Nova, call: Call): Promise<object> {
  const other = single(call.query, 'tenant_id');
  if (other !== undefined) requireProject(call.context, other, 'limits:other_project');
  const projectId = other ?? call.context.projectId;
  const limits = await limitsOf(nova.db, projectId, nova.config);
  const used = await usageByName(nova, projectId);
  const absolute: Record<string, number> = {};
  for (const name of shownQuotas(call.version)) {
    for (const limit of LIMIT_NAMES[name] ?? []) {
      if (limit === 'maxImageMeta' && call.version >= 39) continue;
      absolute[limit] = limits[name];
    }
    const usedName = USED_NAMES[name];
    if (usedName !== undefined) absolute[usedName] = used[name] ?? 0;
  }
  return { limits: { rate: [], absolute } };
}

function quotaView(call: Call, limits: Limits, projectId?: string): object {
  const shown = shownQuotas(call.version).map((name) => [name, limits[name]]);
  return {
    quota_set: { ...(projectId === undefined ? {} : { id: projectId }), ...Object.fromEntries(shown) },
  };
}

const projectOf = (call: Call): string => call.params['project'] ?? '';

async function showQuotas(nova: Nova, call: Call): Promise<object> {
  requireProject(call.context, projectOf(call), 'os-quota-sets:show');
  return quotaView(call, await limitsOf(nova.db, projectOf(call), nova.config), projectOf(call));
}

async function showUsage(nova: Nova, call: Call): Promise<object> {
  const projectId = projectOf(call);
  requireProject(call.context, projectId, 'os-quota-sets:detail');
  const limits = await limitsOf(nova.db, projectId, nova.config);
  const used = await usageByName(nova, projectId);
  const entries = shownQuotas(call.version).map((name) => [
    name,
    { in_use: used[name] ?? 0, limit: limits[name], reserved: 0 },
  ]);
  return { quota_set: { id: projectId, ...Object.fromEntries(entries) } };
}

const limit = integer(-1);
const UPDATE = z.strictObject({
  quota_set: z.strictObject({
    ...Object.fromEntries(QUOTA_NAMES.map((name) => [name, limit.optional()])),
    force: boolean.optional(),
    tenant_id: z.string().optional(),
  }),
});

async function updateQuotas(nova: Nova, call: Call): Promise<object> {
  const projectId = projectOf(call);
  const body: Readonly<Record<string, unknown>> = parse(UPDATE, call.body).quota_set;
  const force = body['force'] === true;
  const shown = shownQuotas(call.version);
  await nova.db.transaction().execute(async (trx) => {
    const usage = await usageOf(trx, projectId);
    for (const name of QUOTA_NAMES) {
      const wanted = body[name];
      if (typeof wanted !== 'number') continue;
      if (!shown.includes(name)) {
        throw badRequest(`Additional properties are not allowed ('${name}' was unexpected)`);
      }
      const used = name === 'instances' || name === 'cores' || name === 'ram' ? usage[name] : 0;
      if (!force && wanted >= 0 && wanted < used) {
        throw badRequest(
          `Quota limit ${wanted} for ${name} must be greater than or equal to already used and reserved ${used}.`,
        );
      }
      await setQuota(trx, projectId, name, wanted);
    }
  });
  return quotaView(call, await limitsOf(nova.db, projectId, nova.config));
}

export function registerLimits(route: Route, nova: Nova): void {
  route('GET', '/limits', (call) => showLimits(nova, call), { query: ['reserved', 'tenant_id', 'user_id'] });
  const base = '/os-quota-sets/:project';
  const query = ['user_id'];
  route('GET', base, (call) => showQuotas(nova, call), { query });
  route('GET', `${base}/detail`, (call) => showUsage(nova, call), { query });
  route('GET', `${base}/defaults`, async (call) => quotaView(call, nova.config.quotas, projectOf(call)));
  route('PUT', base, (call) => updateQuotas(nova, call), { admin: 'os-quota-sets:update', query });
  route('DELETE', base, (call) => clearQuotas(nova.db, projectOf(call)), {
    admin: 'os-quota-sets:delete',
    status: 202,
  });
  route('GET', '/os-quota-class-sets/:name', async (call) => {
    requireAdmin(call.context, 'os-quota-class-sets:show');
    const name = call.params['name'] ?? '';
    const entries = shownQuotas(call.version).map((quota) => [quota, nova.config.quotas[quota]]);
    return { quota_class_set: { id: name, ...Object.fromEntries(entries) } };
  });
}
