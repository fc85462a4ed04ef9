import { forbidden } from '../../kernel/errors.js';
import type { RequestContext } from '../../kernel/service.js';
import type { BlockDeviceRecord } from '@nova-hyperv/compute';
import type { Nova } from '../deps.js';
import { recordAction } from './actions.js';
import { insertBlockDevices } from './block-devices.js';
import { limitsOf, usageOf, type Usage } from './quotas.js';
import { toRow, toServer, type NewServer, type ServerRecord } from './records.js';
import { insertRequestSpec, type RequestSpec } from './request-specs.js';

interface NewBuilds {
  readonly servers: readonly NewServer[];
  /** Fewer than this are refused; between it and all, as many as the quota allows. */
  readonly minimum: number;
  readonly context: RequestContext;
  readonly spec: (server: NewServer) => RequestSpec;
  readonly devices: (server: NewServer) => readonly BlockDeviceRecord[];
}

/** How many of `wanted` the limit leaves room for; -1 is no limit. */
const room = (limit: number, used: number, each: number, wanted: number): number =>
  limit < 0 || each === 0 ? wanted : Math.max(0, Math.min(wanted, Math.floor((limit - used) / each)));

/** Nova's 403: `Quota exceeded for cores: Requested 4, but already used 8 of 10 cores`. */
export function refuseQuota(over: keyof Usage, limit: number, used: number, requested: number): never {
  throw forbidden(
    `Quota exceeded for ${over}: Requested ${requested}, but already used ${used} of ${limit} ${over}`,
  );
}

/**
 * Stores builds with their requests and actions in one transaction, which also counts against the quota: two
 * requests at once cannot both take the last place. Throws 403 when the quota does not allow the minimum.
 */
export async function insertServers(nova: Nova, builds: NewBuilds): Promise<readonly ServerRecord[]> {
  const { context, servers, minimum } = builds;
  return nova.db.transaction().execute(async (trx) => {
    const limits = await limitsOf(trx, context.projectId, nova.config);
    const used = await usageOf(trx, context.projectId);
    const flavor = servers[0]?.flavor;
    const each: Usage = { instances: 1, cores: flavor?.vcpus ?? 0, ram: flavor?.memoryMb ?? 0 };
    let count = servers.length;
    for (const resource of ['instances', 'cores', 'ram'] as const) {
      count = room(limits[resource], used[resource], each[resource], count);
      if (count < minimum) refuseQuota(resource, limits[resource], used[resource], each[resource] * minimum);
    }
    const stored: ServerRecord[] = [];
    for (const server of servers.slice(0, count)) {
      const row = await trx
        .insertInto('compute_instance')
        .values(toRow(server, nova.now()))
        .returningAll()
        .executeTakeFirstOrThrow();
      await insertRequestSpec(trx, builds.spec(server));
      await insertBlockDevices(trx, builds.devices(server));
      await recordAction(trx, {
        instanceUuid: server.uuid,
        requestId: context.requestId,
        userId: context.userId,
        projectId: context.projectId,
        action: 'create',
      });
      stored.push(toServer(row));
    }
    return stored;
  });
}
