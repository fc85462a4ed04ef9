import {
  ComputeError,
  InstanceNotFoundError,
  type ComputeService,
  type InstanceRequest,
} from '@nova-hyperv/compute';
import type { Call, Route } from '../api/call.js';
import type { Nova } from '../deps.js';
import { recordAction } from '../store/actions.js';
import { saveIn } from '../store/instance-store.js';
import { toServer, type ServerRecord } from '../store/records.js';
import type { Conductor } from '../scheduler/conductor.js';
import { isUp, listServices } from '../store/service-store.js';
import { findServer } from './find.js';
import { checkLock } from './states.js';

/** Marks the server in any state; null when it is gone already. */
async function begin(nova: Nova, call: Call, server: ServerRecord): Promise<ServerRecord | null> {
  try {
    const row = await nova.db.transaction().execute(async (trx) => {
      const saved = await saveIn(trx, server.uuid, { taskState: 'deleting' });
      await recordAction(trx, {
        instanceUuid: server.uuid,
        requestId: call.context.requestId,
        userId: call.context.userId,
        projectId: call.context.projectId,
        action: 'delete',
      });
      return saved;
    });
    return toServer(row);
  } catch (error) {
    if (error instanceof InstanceNotFoundError) return null;
    throw error;
  }
}

async function hostIsUp(nova: Nova, host: string): Promise<boolean> {
  const services = await listServices(nova.db);
  const service = services.find((one) => one.host === host && one.binary === 'nova-compute');
  return service !== undefined && isUp(service, nova.now(), nova.config.serviceDownTimeS);
}

/** What a compute service would have done for the cloud's part. What is left on the host goes when the host comes back. */
async function abandon(nova: Nova, conductor: Conductor, server: ServerRecord): Promise<void> {
  const token = await nova.kernel.serviceToken();
  for (const port of await nova.networks.portsOf(server.uuid, token))
    await nova.networks.deletePort(port.id, token);
  await conductor.deleteLocally(server.uuid, server.host);
}

async function terminate(compute: ComputeService, request: InstanceRequest): Promise<void> {
  try {
    await compute.terminateInstance(request);
  } catch (error) {
    // A service that is only starting finishes what is marked `deleting` by itself.
    if (!(error instanceof ComputeError && error.novaName === 'ComputeServiceUnavailable')) throw error;
  }
}

/**
 * Deletes a server: its compute service does, or the API itself where no host has it or the host's service is gone.
 * A second request for a server that is being deleted does nothing.
 */
export async function deleteServer(
  nova: Nova,
  conductor: Conductor,
  call: Call,
  server: ServerRecord,
): Promise<void> {
  checkLock(server, call.context);
  if (server.taskState === 'deleting' && server.host !== null && (await hostIsUp(nova, server.host))) return;
  const marked = await begin(nova, call, server);
  if (marked === null) return;
  if (marked.host === null) {
    await conductor.deleteLocally(marked.uuid);
    return;
  }
  const compute = nova.compute(marked.host);
  if (compute !== undefined) {
    await terminate(compute, { instanceUuid: marked.uuid, requestId: call.context.requestId });
  } else if (!(await hostIsUp(nova, marked.host))) {
    await abandon(nova, conductor, marked);
  }
}

export function registerServerDelete(route: Route, nova: Nova, conductor: Conductor): void {
  route(
    'DELETE',
    '/servers/:id',
    async (call) => deleteServer(nova, conductor, call, await findServer(nova, call)),
    {
      status: 204,
    },
  );
}
