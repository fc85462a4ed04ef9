import { imageOf, UnexpectedTaskStateError, type MigrationInstanceRequest } from '@nova-hyperv/compute';
import type { Flavor } from '@nova-hyperv/driver';
import type { Transaction } from 'kysely';
import { z } from 'zod';
import { ApiError, badRequest, conflict } from '../../kernel/errors.js';
import { parse } from '../../kernel/validate.js';
import type { Call } from '../api/call.js';
import type { Nova } from '../deps.js';
import { visibleFlavor } from '../flavors/routes.js';
import type { Conductor } from '../scheduler/conductor.js';
import { checkTraits } from '../scheduler/resources.js';
import { failAction, recordAction } from '../store/actions.js';
import { driverFlavor, type FlavorRecord } from '../store/flavors.js';
import { saveIn } from '../store/instance-store.js';
import { migrationWithStatus, saveMigration, type MigrationView } from '../store/instance-migrations.js';
import { limitsOf, usageOf } from '../store/quotas.js';
import { refuseQuota } from '../store/server-writes.js';
import type { ServerRecord } from '../store/records.js';
import type { ComputeTables } from '../store/tables.js';
import { toApiError } from './compute-errors.js';
import { checkImage, checkNuma } from './image-checks.js';
import { checkPciRequests } from './pci-checks.js';
import { computeOf } from './power.js';
import { checkLock, checkState, STATE_RULES } from './states.js';

const RESIZE = z.strictObject({
  flavorRef: z.union([z.string().min(1).max(255), z.number().transform(String)]),
  'OS-DCF:diskConfig': z.enum(['AUTO', 'MANUAL']).optional(),
});

/** `POST /servers/{id}/action` with `resize`. nova/compute/api.py, resize */
export async function resizeServer(
  nova: Nova,
  conductor: Conductor,
  call: Call,
  server: ServerRecord,
  body: unknown,
): Promise<void> {
  const { flavorRef, 'OS-DCF:diskConfig': diskConfig } = parse(RESIZE, body);
  checkLock(server, call.context);
  computeOf(nova, server);
  checkState(server, STATE_RULES.resize);
  const flavor = await newFlavor(nova, call, flavorRef.split('/').at(-1) ?? '');
  checkFlavor(nova, call, server, flavor);
  await begin(nova, server, 'resize', async (trx) => {
    await checkQuota(nova, trx, server, { from: server.flavor, to: flavor });
    await saveIn(trx, server.uuid, { taskState: 'resize_prep' }, [null]);
    if (diskConfig !== undefined) {
      await trx
        .updateTable('compute_instance')
        .set({ disk_config: diskConfig })
        .where('uuid', '=', server.uuid)
        .execute();
    }
    await record(trx, call, server, 'resize');
  });
  const { requestId, userId, projectId } = call.context;
  conductor.migrateServer({
    instanceUuid: server.uuid,
    requestId,
    userId,
    projectId,
    flavor: driverFlavor(flavor),
  });
}

async function newFlavor(nova: Nova, call: Call, flavorId: string): Promise<FlavorRecord> {
  try {
    return await visibleFlavor(nova, call, flavorId);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404)
      throw badRequest('Unable to locate requested flavor.');
    throw error;
  }
}

function checkFlavor(nova: Nova, call: Call, server: ServerRecord, flavor: FlavorRecord): void {
  const bootsFrom = server.imageRef === '' ? 'volume' : 'image';
  if (bootsFrom === 'image' && flavor.rootGb === 0 && server.flavor.rootGb !== 0) {
    throw badRequest(
      'Server disk was unable to be resized because: Resize to zero disk flavor is not allowed.',
    );
  }
  if (flavor.flavorId === server.flavor.flavorId)
    throw badRequest('When resizing, instances must change flavor!');
  const image = { ...imageOf(server), status: 'active' };
  checkImage(image, flavor, call.context, bootsFrom);
  checkTraits(flavor.extraSpecs, image.properties);
  checkNuma(driverFlavor(flavor), image.properties);
  checkPciRequests(nova, flavor);
}

/** More than before counts against the project's quota. */
async function checkQuota(
  nova: Nova,
  trx: Transaction<ComputeTables>,
  { projectId }: ServerRecord,
  { from, to }: { readonly from: Flavor; readonly to: Flavor },
): Promise<void> {
  const limits = await limitsOf(trx, projectId, nova.config);
  const used = await usageOf(trx, projectId);
  const deltas = { cores: to.vcpus - from.vcpus, ram: to.memoryMb - from.memoryMb };
  for (const resource of ['cores', 'ram'] as const) {
    const delta = deltas[resource];
    const limit = limits[resource];
    if (delta > 0 && limit >= 0 && used[resource] + delta > limit)
      refuseQuota(resource, limit, used[resource], delta);
  }
}

function record(
  trx: Transaction<ComputeTables>,
  call: Call,
  server: ServerRecord,
  action: string,
): Promise<void> {
  const { requestId, userId, projectId } = call.context;
  return recordAction(trx, { instanceUuid: server.uuid, requestId, userId, projectId, action });
}

/** One transaction; whoever was faster wins. */
async function begin<T>(
  nova: Nova,
  server: ServerRecord,
  action: string,
  work: (trx: Transaction<ComputeTables>) => Promise<T>,
): Promise<T> {
  try {
    return await nova.db.transaction().execute(work);
  } catch (error) {
    if (!(error instanceof UnexpectedTaskStateError)) throw error;
    throw conflict(
      `Cannot '${action}' instance ${server.uuid} while it is in task_state ${String(error.actual)}`,
    );
  }
}

async function finished(trx: Transaction<ComputeTables>, server: ServerRecord): Promise<MigrationView> {
  const migration = await migrationWithStatus(trx, server.uuid, ['finished']);
  if (migration === null) throw badRequest('Instance has not been resized.');
  return migration;
}

interface Settling {
  readonly action: 'confirmResize' | 'revertResize';
  readonly status: 'confirming' | 'reverting';
  readonly taskState: null | 'resize_reverting';
  /** On the way: the compute service that is asked. */
  readonly host: (migration: MigrationView) => string;
  readonly check?: (trx: Transaction<ComputeTables>, migration: MigrationView) => Promise<void>;
  readonly cast: (compute: ReturnType<typeof computeOf>, request: MigrationInstanceRequest) => Promise<void>;
}

async function settle(
  nova: Nova,
  call: Call,
  server: ServerRecord,
  body: unknown,
  settling: Settling,
): Promise<void> {
  if (body !== null)
    throw badRequest(`Invalid input for field/attribute ${settling.action}: it has to be null.`);
  checkLock(server, call.context);
  checkState(server, STATE_RULES[settling.action]);
  const { action, status, taskState } = settling;
  const { migration, compute } = await begin(nova, server, action, async (trx) => {
    const found = await finished(trx, server);
    const service = computeOf(nova, { ...server, host: settling.host(found) });
    await settling.check?.(trx, found);
    await saveIn(trx, server.uuid, { taskState }, [null]);
    await saveMigration(trx, found.uuid, { status });
    await record(trx, call, server, action);
    return { migration: found, compute: service };
  });
  const { requestId } = call.context;
  try {
    await settling.cast(compute, { instanceUuid: server.uuid, requestId, migrationUuid: migration.uuid });
  } catch (error) {
    // Not taken: all is as it was.
    await nova.db
      .transaction()
      .execute(async (trx) => {
        await saveIn(trx, server.uuid, { taskState: null }, [taskState]);
        await saveMigration(trx, migration.uuid, { status: 'finished' });
      })
      .catch(() => undefined);
    await failAction(nova.db, server.uuid, requestId);
    throw toApiError(error);
  }
}

/** The new size stays. nova/compute/api.py, confirm_resize */
export const confirmResize = (nova: Nova, call: Call, server: ServerRecord, body: unknown): Promise<void> =>
  settle(nova, call, server, body, {
    action: 'confirmResize',
    status: 'confirming',
    taskState: null,
    host: ({ sourceCompute }) => sourceCompute,
    cast: (compute, request) => compute.confirmResize(request),
  });

/** Back to the old size. nova/compute/api.py, revert_resize */
export const revertResize = (nova: Nova, call: Call, server: ServerRecord, body: unknown): Promise<void> =>
  settle(nova, call, server, body, {
    action: 'revertResize',
    status: 'reverting',
    taskState: 'resize_reverting',
    host: ({ destCompute, sourceCompute }) => destCompute ?? sourceCompute,
    check: (trx, { oldFlavor, newFlavor: now }) =>
      checkQuota(nova, trx, server, { from: now, to: oldFlavor }),
    cast: (compute, request) => compute.revertResize(request),
  });
