import type { HostResources } from '@nova-hyperv/driver';
import type { ComputeNodeReport, InstanceRecord } from '../ports.js';
import type { ComputeContext } from './context.js';
import { nodeInventories, nodeTraits } from './provider-tree.js';
import type { ResourceTracker, TrackedUsage } from './resource-tracker.js';

/** Who we are in the cloud, as the service store said at start. */
export interface NodeIdentity {
  readonly nodeUuid: string;
  readonly disabled: boolean;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

/** `HH:MM:SS up 1 day, 2:03:04,  0 users,  load average: 0, 0, 0`: the time of the host's uptime(1). */
export function uptimeText(now: Date, uptimeSeconds: number): string {
  const seconds = Math.max(0, Math.floor(uptimeSeconds));
  const days = Math.floor(seconds / 86_400);
  const clock = `${Math.floor((seconds % 86_400) / 3600)}:${two(Math.floor((seconds % 3600) / 60))}:${two(seconds % 60)}`;
  const delta = days === 0 ? clock : `${days} day${days === 1 ? '' : 's'}, ${clock}`;
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map(two).join(':');
  return `${time} up ${delta},  0 users,  load average: 0, 0, 0`;
}

/** What `openstack hypervisor show` tells: the host's size, and what our instances take of it. */
export function nodeReport(
  ctx: ComputeContext,
  nodeUuid: string,
  resources: HostResources,
  used: TrackedUsage,
  pciDevices: ComputeNodeReport['pciDevices'],
): ComputeNodeReport {
  return {
    uuid: nodeUuid,
    host: ctx.host,
    hypervisorHostname: resources.hypervisorHostname,
    hypervisorType: resources.hypervisorType,
    hypervisorVersion: resources.hypervisorVersion,
    hostIp: ctx.config.myIp,
    vcpus: resources.vcpus,
    memoryMb: resources.memoryMb,
    localGb: resources.localGb,
    vcpusUsed: used.vcpus,
    memoryMbUsed: ctx.config.reservedHostMemoryMb + used.memoryMb,
    localGbUsed: Math.ceil(ctx.config.reservedHostDiskMb / 1024) + used.diskGb,
    diskAvailableLeastGb: resources.diskAvailableLeastGb,
    runningVms: used.instances,
    uptime: uptimeText(ctx.clock.now(), resources.uptimeSeconds),
    cpuInfo: resources.cpuInfo,
    supportedInstances: resources.supportedInstances,
    pciDevices,
    gpus: resources.gpus ?? [],
  };
}

/** Tells Placement and the cloud what the host has, and what is used of it. */
export class NodeReporter {
  readonly #ctx: ComputeContext;
  readonly #tracker: ResourceTracker;
  readonly #isBusy: (uuid: string) => boolean;
  #unknownTraits = '';

  constructor(ctx: ComputeContext, tracker: ResourceTracker, isBusy: (uuid: string) => boolean) {
    this.#ctx = ctx;
    this.#tracker = tracker;
    this.#isBusy = isBusy;
  }

  /** @throws what the host, the store or Placement throws; the parts that can be done are done */
  async update(identity: NodeIdentity): Promise<void> {
    const { driver, instances, services, host } = this.#ctx;
    const resources = await driver.hostResources();
    const records = await instances.listByHost(host);
    this.#tracker.pci.setDevices(resources.pciDevices ?? []);
    let placementError: unknown = null;
    try {
      await this.#updateProvider(identity, resources, records);
    } catch (error) {
      placementError = error;
      const inventories = nodeInventories(resources, this.#ctx.config, {});
      this.#tracker.refresh(inventories, records, this.#isBusy);
    }
    const report = nodeReport(
      this.#ctx,
      identity.nodeUuid,
      resources,
      this.#tracker.usage(),
      this.#tracker.pci.offered(),
    );
    await services.saveNode(report);
    if (placementError !== null) throw placementError;
  }

  async #updateProvider(
    identity: NodeIdentity,
    resources: HostResources,
    records: readonly InstanceRecord[],
  ): Promise<void> {
    const { placement, config, driver, log } = this.#ctx;
    const { nodeUuid, disabled } = identity;
    await placement.ensureProvider(nodeUuid, resources.hypervisorHostname);
    await placement.updateInventories(nodeUuid, (present) => {
      const wanted = nodeInventories(resources, config, present);
      this.#tracker.refresh(wanted, records, this.#isBusy);
      return wanted;
    });
    const unknown = await placement.updateTraits(nodeUuid, (present) =>
      nodeTraits(driver.traits(), disabled, present),
    );
    const text = unknown.join(', ');
    if (text !== '' && text !== this.#unknownTraits) {
      log.warn({ traits: text }, 'Placement does not know these traits of the host; they are left out');
    }
    this.#unknownTraits = text;
  }
}
