import type { Call } from '../api/call.js';
import type { NodeView, ServiceView } from '../store/service-store.js';

/** A node with its service and, where asked for, its servers. */
export interface Hypervisor {
  readonly node: NodeView;
  readonly service: ServiceView;
  readonly up: boolean;
  readonly servers: readonly { readonly uuid: string; readonly name: string; readonly busy: boolean }[];
}

/** 2.53 identifies by UUID, 2.75 shows an empty list of servers too. */
export function hypervisorSummary(call: Call, one: Hypervisor, withServers: boolean): object {
  const servers = one.servers.map(({ uuid, name }) => ({ uuid, name }));
  const shown = withServers && (servers.length > 0 || call.version >= 75);
  return {
    id: call.version >= 53 ? one.node.uuid : one.node.id,
    hypervisor_hostname: one.node.hypervisorHostname,
    state: one.up ? 'up' : 'down',
    status: one.service.disabled ? 'disabled' : 'enabled',
    ...(shown ? { servers } : {}),
  };
}

/** The amounts, which 2.88 dropped; cpu_info is text before 2.28. */
function statistics(call: Call, { node, servers }: Hypervisor): object {
  const cpuInfo = node.cpuInfo ?? {};
  return {
    vcpus: node.vcpus,
    memory_mb: node.memoryMb,
    local_gb: node.localGb,
    vcpus_used: node.vcpusUsed,
    memory_mb_used: node.memoryMbUsed,
    local_gb_used: node.localGbUsed,
    free_ram_mb: node.memoryMb - node.memoryMbUsed,
    free_disk_gb: node.localGb - node.localGbUsed,
    current_workload: servers.filter((server) => server.busy).length,
    running_vms: node.runningVms,
    disk_available_least: node.diskAvailableLeastGb,
    cpu_info: call.version >= 28 ? cpuInfo : JSON.stringify(cpuInfo),
  };
}

/** Only of hosts that have some: the pools under the name that Nova's extension gave them, and the graphics processors. */
function devices({ pciDevices, gpus }: NodeView): object {
  const pools = new Map<string, { vendor_id: string; product_id: string; count: number }>();
  for (const { vendorId, productId, tags } of pciDevices) {
    const key = JSON.stringify([vendorId, productId, tags]);
    const pool = pools.get(key) ?? { ...tags, vendor_id: vendorId, product_id: productId, count: 0 };
    pools.set(key, { ...pool, count: pool.count + 1 });
  }
  return {
    ...(pools.size === 0 ? {} : { 'os-pci:pci_stats': [...pools.values()] }),
    ...(gpus.length === 0
      ? {}
      : {
          gpu_info: gpus.map((gpu) => ({
            name: gpu.name,
            driver_version: gpu.driverVersion,
            total_video_ram: gpu.totalVideoRamMb,
            available_video_ram: gpu.availableVideoRamMb,
            directx_version: gpu.directXVersion,
          })),
        }),
  };
}

/** 2.88 has the uptime in place of the amounts. */
export function hypervisorDetail(call: Call, one: Hypervisor, withServers: boolean): object {
  const { node, service, up } = one;
  return {
    ...hypervisorSummary(call, one, withServers),
    hypervisor_type: node.hypervisorType,
    hypervisor_version: node.hypervisorVersion,
    host_ip: node.hostIp,
    service: {
      id: call.version >= 53 ? service.uuid : service.id,
      host: service.host,
      disabled_reason: service.disabledReason,
    },
    ...devices(node),
    ...(call.version >= 88 ? { uptime: up ? node.uptime : null } : statistics(call, one)),
  };
}

/** `GET /os-hypervisors/{id}/uptime`, until 2.87. */
export function hypervisorUptime(call: Call, one: Hypervisor): object {
  return { ...hypervisorSummary(call, one, false), uptime: one.node.uptime };
}

/** `GET /os-hypervisors/statistics`, until 2.87: sums over hosts whose service is enabled. */
export function hypervisorTotals(hypervisors: readonly Hypervisor[]): object {
  const enabled = hypervisors.filter((one) => !one.service.disabled);
  const sum = (of: (node: NodeView) => number): number =>
    enabled.reduce((total, { node }) => total + of(node), 0);
  return {
    count: enabled.length,
    vcpus: sum((node) => node.vcpus),
    memory_mb: sum((node) => node.memoryMb),
    local_gb: sum((node) => node.localGb),
    vcpus_used: sum((node) => node.vcpusUsed),
    memory_mb_used: sum((node) => node.memoryMbUsed),
    local_gb_used: sum((node) => node.localGbUsed),
    free_ram_mb: sum((node) => node.memoryMb - node.memoryMbUsed),
    free_disk_gb: sum((node) => node.localGb - node.localGbUsed),
    current_workload: enabled.reduce((total, one) => total + one.servers.filter((s) => s.busy).length, 0),
    running_vms: sum((node) => node.runningVms),
    disk_available_least: sum((node) => node.diskAvailableLeastGb),
  };
}
