import type { OfferedPciDevice, PciRequest } from '@nova-hyperv/compute';
import type { Flavor } from '@nova-hyperv/driver';
import type { Nova } from '../deps.js';
import { zoneOf } from '../services/zones.js';
import { readPciDevices } from '../store/columns.js';
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
  /** Devices that no instance holds. */
  readonly freePciDevices: readonly OfferedPciDevice[];
}

/** What is looked for. */
export interface SchedulingRequest {
  readonly flavor: Flavor;
  readonly image: ImageRequirements;
  readonly availabilityZone: string | null;
  readonly requestedHost: string | null;
  readonly requestedNode: string | null;
  readonly excludedHosts: readonly string[];
  readonly pciRequests: readonly PciRequest[];
  readonly hints: Readonly<Record<string, unknown>>;
  /** Hosts of the servers that hints name, by their UUIDs. */
  readonly hostsOfServers: ReadonlyMap<string, string | null>;
}

/** `host address` of every device that another instance holds. */
async function heldPciDevices(nova: Nova, instanceUuid: string): Promise<ReadonlySet<string>> {
  const rows = await nova.db
    .selectFrom('compute_instance')
    .select(['host', 'pci_devices'])
    .where('deleted', '=', 0)
    .where('host', 'is not', null)
    .where('pci_devices', '!=', '[]')
    .where('uuid', '!=', instanceUuid)
    .execute();
  return new Set(
    rows.flatMap((row) => readPciDevices(row.pci_devices).map(({ address }) => `${row.host} ${address}`)),
  );
}

const freeOf = (node: NodeView, held: ReadonlySet<string>): readonly OfferedPciDevice[] =>
  node.pciDevices.filter(({ address }) => !held.has(`${node.host} ${address}`));

/** @param instanceUuid who asks: what it holds is free for it */
export async function loadHostStates(nova: Nova, instanceUuid: string): Promise<readonly HostState[]> {
  const services = (await listServices(nova.db)).filter((service) => service.binary === 'nova-compute');
  const held = await heldPciDevices(nova, instanceUuid);
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
      freePciDevices: freeOf(node, held),
    });
  }
  return states;
}
