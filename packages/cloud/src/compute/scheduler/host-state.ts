import type { Flavor } from '@nova-hyperv/driver';
import type { Nova } from '../deps.js';
import { zoneOf } from '../services/zones.js';
import { isUp, listNodes, listServices, type NodeView } from '../store/service-store.js';
import type { ImageRequirements } from './image-properties.js';

/** One host as the filters see it. */
export interface HostState {
  readonly host: string;
  readonly node: NodeView;
  readonly availabilityZone: string;
  readonly up: boolean;
  readonly disabled: boolean;
  readonly disabledReason: string | null;
  readonly forcedDown: boolean;
}

/** What is looked for. */
export interface SchedulingRequest {
  readonly flavor: Flavor;
  readonly image: ImageRequirements;
  readonly availabilityZone: string | null;
  readonly requestedHost: string | null;
  readonly requestedNode: string | null;
  readonly excludedHosts: readonly string[];
  readonly hints: Readonly<Record<string, unknown>>;
  /** Hosts of the servers that hints name, by their UUIDs. */
  readonly hostsOfServers: ReadonlyMap<string, string | null>;
}

export async function loadHostStates(nova: Nova): Promise<readonly HostState[]> {
  const services = (await listServices(nova.db)).filter((service) => service.binary === 'nova-compute');
  const states: HostState[] = [];
  for (const node of await listNodes(nova.db)) {
    const service = services.find((one) => one.host === node.host);
    if (service === undefined) continue;
    states.push({
      host: node.host,
      node,
      availabilityZone: zoneOf(service, nova.config),
      up: isUp(service, nova.now(), nova.config.serviceDownTimeS),
      disabled: service.disabled,
      disabledReason: service.disabledReason,
      forcedDown: service.forcedDown,
    });
  }
  return states;
}
