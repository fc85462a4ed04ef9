import type { InstanceDiagnostics } from '@nova-hyperv/driver';
import { conflict } from '../../kernel/errors.js';
import type { Call, Route } from '../api/call.js';
import type { Nova } from '../deps.js';
import type { ServerRecord } from '../store/records.js';
import { toApiError } from './compute-errors.js';
import { findServer } from './find.js';
import { computeOf } from './power.js';

/** From 2.48 on all drivers answer alike. nova/api/openstack/compute/views/server_diagnostics.py */
const COMMON_FORMAT = 48;

function commonView(facts: InstanceDiagnostics, server: ServerRecord): object {
  return {
    state: facts.state,
    driver: facts.driver,
    hypervisor: facts.hypervisor,
    hypervisor_os: facts.hypervisorOs,
    uptime: facts.uptimeSeconds,
    config_drive: server.configDrive,
    num_cpus: facts.processors,
    num_nics: facts.nics.length,
    num_disks: facts.disks.length,
    // One entry for all processors, which has no id: a host does not tell them apart.
    cpu_details: [{ id: null, time: null, utilisation: facts.processorLoadPercent }],
    memory_details: { maximum: facts.memoryMb.maximum, used: facts.memoryMb.used },
    disk_details: facts.disks.map(({ readBytes, writtenBytes }) => ({
      read_bytes: readBytes,
      read_requests: null,
      write_bytes: writtenBytes,
      write_requests: null,
      errors_count: null,
    })),
    nic_details: facts.nics.map(({ mac, receivedBytes, sentBytes }) => ({
      mac_address: mac,
      ...UNKNOWN_TRAFFIC,
      rx_octets: receivedBytes,
      tx_octets: sentBytes,
    })),
  };
}

const UNKNOWN_TRAFFIC = Object.fromEntries(
  ['rx', 'tx'].flatMap((way) =>
    ['octets', 'errors', 'drop', 'packets', 'rate'].map((what) => [`${way}_${what}`, null]),
  ),
);

/** Before 2.48 each driver had names of its own; KiB of memory as libvirt's, which tools know. */
function olderView(facts: InstanceDiagnostics): object {
  const { maximum, used } = facts.memoryMb;
  return {
    uptime: facts.uptimeSeconds,
    cpu_load: facts.processorLoadPercent,
    memory: maximum === null ? null : maximum * 1024,
    'memory-actual': used * 1024,
    ...Object.fromEntries(
      facts.disks.flatMap(({ readBytes, writtenBytes }, number) => [
        [`disk${number}_read`, readBytes],
        [`disk${number}_write`, writtenBytes],
      ]),
    ),
    ...Object.fromEntries(
      facts.nics.flatMap(({ receivedBytes, sentBytes }, number) => [
        [`nic${number}_rx`, receivedBytes],
        [`nic${number}_tx`, sentBytes],
      ]),
    ),
  };
}

async function show(nova: Nova, call: Call): Promise<object> {
  const server = await findServer(nova, call);
  const compute = computeOf(nova, server);
  if (server.launchedAt === null) throw conflict(`Instance ${server.uuid} is not ready`);
  try {
    const facts = await compute.getInstanceDiagnostics({
      instanceUuid: server.uuid,
      requestId: call.context.requestId,
    });
    return call.version >= COMMON_FORMAT ? commonView(facts, server) : olderView(facts);
  } catch (error) {
    throw toApiError(error);
  }
}

export function registerServerDiagnostics(route: Route, nova: Nova): void {
  route('GET', '/servers/:id/diagnostics', (call) => show(nova, call), { admin: 'os-server-diagnostics' });
}
