import type { RequestedNetwork } from '@nova-hyperv/compute';
import { badRequest, conflict } from '../../kernel/errors.js';
import { isUuid } from '../../kernel/ids.js';
import type { Nova } from '../deps.js';
import type { NetworkView, ResolvedNetworks } from '../ports.js';
import type { NetworkRequest, ServerBody } from './create-schema.js';

/** On whose behalf networks are looked for. */
export interface Asker {
  readonly projectId: string;
  readonly token: string;
}

/**
 * Networks that the project's servers can be put on: its own and shared ones, not external, administratively up.
 * An administrator sees those of other projects too, which have to be named.
 */
async function usable(nova: Nova, { token }: Asker): Promise<readonly NetworkView[]> {
  return (await nova.networks.networks(token)).filter((network) => !network.external && network.adminStateUp);
}

/** The only network of the project, for requests that name none. Throws 409 when there are several. */
async function only(nova: Nova, asker: Asker): Promise<NetworkView | null> {
  const found = (await usable(nova, asker)).filter(
    (network) => network.subnetIds.length > 0 && (network.shared || network.projectId === asker.projectId),
  );
  if (found.length > 1)
    throw conflict('Multiple possible networks found, use a Network ID to be more specific.');
  return found[0] ?? null;
}

async function checkPort(nova: Nova, { token }: Asker, portId: string, taken: Set<string>): Promise<void> {
  if (taken.has(portId)) {
    throw badRequest(`Port ID '${portId}' was specified twice: you cannot attach a port multiple times.`);
  }
  taken.add(portId);
  const port = await nova.networks.port(portId, token);
  if (port === null) throw badRequest(`Port id ${portId} could not be found.`);
  if (port.deviceId !== '') throw conflict(`Port ${portId} is still in use.`);
  if (port.fixedIps.length === 0) throw badRequest(`Port ${portId} requires a FixedIP in order to be used.`);
}

function checkNetwork(request: NetworkRequest, networks: readonly NetworkView[]): string {
  const id = request.uuid;
  if (id === undefined) throw badRequest("Bad network format: missing 'uuid'");
  if (!isUuid(id)) throw badRequest(`Bad networks format: network uuid is not in proper format (${id})`);
  const network = networks.find((one) => one.id === id);
  if (network === undefined) throw badRequest(`Network ${id} could not be found.`);
  if (network.subnetIds.length === 0)
    throw badRequest(`Network ${id} requires a subnet in order to boot instances on.`);
  return id;
}

async function checkList(
  nova: Nova,
  asker: Asker,
  requests: readonly NetworkRequest[],
  count: number,
): Promise<readonly RequestedNetwork[]> {
  const networks = requests.some((request) => !request.port) ? await usable(nova, asker) : [];
  const ports = new Set<string>();
  const resolved: RequestedNetwork[] = [];
  for (const request of requests) {
    const tagged = request.tag === undefined ? {} : { tag: request.tag };
    if (request.port) {
      if (request.fixed_ip !== undefined) {
        throw badRequest(
          `Specified Fixed IP '${request.fixed_ip}' cannot be used with port '${request.port}': the two cannot be specified together.`,
        );
      }
      if (count > 1)
        throw badRequest('Unable to launch multiple instances with a single configured port ID.');
      await checkPort(nova, asker, request.port, ports);
      resolved.push({ portId: request.port, ...tagged });
    } else {
      const networkId = checkNetwork(request, networks);
      if (count > 1 && request.fixed_ip !== undefined) {
        throw badRequest(
          `Invalid fixed IPs: max_count must be 1 if a fixed IP is specified (${request.fixed_ip})`,
        );
      }
      resolved.push({
        networkId,
        ...(request.fixed_ip === undefined ? {} : { fixedIp: request.fixed_ip }),
        ...tagged,
      });
    }
  }
  return resolved;
}

/**
 * What a build's NICs will be. Throws 400 or 409 for what cannot be; nothing is made yet.
 * @param count servers that are asked for at once
 */
export async function resolveNetworks(
  nova: Nova,
  asker: Asker,
  requested: ServerBody['networks'],
  count: number,
): Promise<ResolvedNetworks> {
  if (requested === 'none') return 'none';
  if (requested === 'auto') {
    const network = await only(nova, asker);
    if (network === null) {
      throw badRequest(
        'Unable to automatically allocate a network: the project has none. Create one, or ask for none.',
      );
    }
    return [{ networkId: network.id }];
  }
  if (requested === undefined || requested.length === 0) {
    const network = await only(nova, asker);
    return network === null ? 'none' : [{ networkId: network.id }];
  }
  return checkList(nova, asker, requested, count);
}
