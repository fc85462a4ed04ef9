import type { Nova } from '../deps.js';
import { blockDevicesOfAll } from '../store/block-devices.js';
import { latestFaults } from '../store/faults.js';
import type { ServerRecord } from '../store/records.js';
import { requestSpecsOf } from '../store/request-specs.js';
import { isUp, listServices, type ServiceView } from '../store/service-store.js';
import type { HostStatus, ServerExtras } from './views.js';

function hostStatus(nova: Nova, services: readonly ServiceView[], host: string | null): HostStatus {
  if (host === null) return '';
  const service = services.find((one) => one.host === host && one.binary === 'nova-compute');
  if (service === undefined) return 'UNKNOWN';
  if (service.forcedDown) return 'DOWN';
  if (service.disabled) return 'MAINTENANCE';
  return isUp(service, nova.now(), nova.config.serviceDownTimeS) ? 'UP' : 'UNKNOWN';
}

/** What detailed views show beside the records, for all of them at once. */
export async function loadExtras(
  nova: Nova,
  servers: readonly ServerRecord[],
): Promise<(server: ServerRecord) => ServerExtras> {
  const uuids = servers.map((server) => server.uuid);
  const faults = await latestFaults(nova.db, uuids);
  const specs = await requestSpecsOf(nova.db, uuids);
  const devices = await blockDevicesOfAll(nova.db, uuids);
  const services = await listServices(nova.db);
  return (server) => ({
    fault: faults.get(server.uuid) ?? null,
    spec: specs.get(server.uuid) ?? null,
    devices: devices.get(server.uuid) ?? [],
    hostStatus: hostStatus(nova, services, server.host),
  });
}
