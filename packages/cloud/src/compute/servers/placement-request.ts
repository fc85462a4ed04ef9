import { badRequest } from '../../kernel/errors.js';
import { requireAdmin, type Call } from '../api/call.js';
import type { Nova } from '../deps.js';
import { listNodes, listServices } from '../store/service-store.js';
import { zoneOf } from '../services/zones.js';
import type { ServerBody } from './create-schema.js';

/** Where a request wants its server. */
export interface Destination {
  readonly availabilityZone: string | null;
  readonly requestedHost: string | null;
  readonly requestedNode: string | null;
  readonly forced: boolean;
}

/** `zone`, `zone:host`, `zone:host:node` or `zone::node`. nova/compute/api.py, parse_availability_zone */
function parseZone(text: string | undefined): {
  zone: string | null;
  host: string | null;
  node: string | null;
} {
  const parts = (text ?? '').split(':');
  if (parts.length > 3) throw badRequest(`Unable to parse availability_zone: ${text}`);
  const [zone, host, node] = parts.map((part) => (part === '' ? null : part));
  return { zone: zone ?? null, host: host ?? null, node: node ?? null };
}

async function checkHost(nova: Nova, host: string | null, node: string | null): Promise<void> {
  if (host === null && node === null) return;
  const nodes = await listNodes(nova.db);
  const fits = nodes.some(
    (one) => (host === null || one.host === host) && (node === null || one.hypervisorHostname === node),
  );
  if (!fits) throw badRequest(`Compute host ${host ?? node} could not be found.`);
}

/** Throws 400 for zones and hosts that are not there, 403 for hosts named by others than administrators. */
export async function resolveDestination(nova: Nova, call: Call, server: ServerBody): Promise<Destination> {
  const { zone, host, node } = parseZone(server.availability_zone);
  const [namedHost, namedNode] = [server.host ?? null, server.hypervisor_hostname ?? null];
  const forced = host !== null || node !== null;
  if (forced) requireAdmin(call.context, 'servers:create:forced_host');
  if (namedHost !== null || namedNode !== null) {
    requireAdmin(call.context, 'compute:servers:create:requested_destination');
    if (forced) {
      throw badRequest(
        'One mechanism with host and/or hypervisor_hostname and another mechanism with zone:host:node are mutually exclusive.',
      );
    }
  }
  if (zone !== null) {
    const services = (await listServices(nova.db)).filter((service) => service.binary === 'nova-compute');
    const known = new Set([
      nova.config.defaultAvailabilityZone,
      ...services.map((one) => zoneOf(one, nova.config)),
    ]);
    if (!known.has(zone)) throw badRequest('The requested availability zone is not available');
  }
  await checkHost(nova, host ?? namedHost, node ?? namedNode);
  return {
    availabilityZone: zone,
    requestedHost: host ?? namedHost,
    requestedNode: node ?? namedNode,
    forced,
  };
}
