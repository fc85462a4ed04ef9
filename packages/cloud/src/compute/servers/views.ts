import type { BlockDeviceRecord } from '@nova-hyperv/compute';
import type { Flavor } from '@nova-hyperv/driver';
import { isoSeconds } from '../../kernel/time.js';
import { bookmark, links, type Call } from '../api/call.js';
import { novaTime } from '../api/times.js';
import type { Fault } from '../store/faults.js';
import type { ServerRecord } from '../store/records.js';
import type { RequestSpec } from '../store/request-specs.js';
import { hostId } from './instance-actions.js';
import { statusOf } from './states.js';

/** `UP`, `DOWN` (forced down), `MAINTENANCE` (disabled), `UNKNOWN` (silent), or empty without a host. */
export type HostStatus = 'UP' | 'DOWN' | 'MAINTENANCE' | 'UNKNOWN' | '';

/** What a detailed view shows beside the record itself. */
export interface ServerExtras {
  readonly fault: Fault | null;
  readonly spec: RequestSpec | null;
  readonly devices: readonly BlockDeviceRecord[];
  readonly hostStatus: HostStatus;
}

export const serverSummary = (call: Call, server: ServerRecord): object => ({
  id: server.uuid,
  name: server.displayName,
  links: links(call, 'servers', server.uuid),
});

/** Addresses by network: the shape of `addresses` and of `/servers/{id}/ips`. */
export function addressesOf(server: ServerRecord, extended: boolean): Record<string, object[]> {
  // A network may be called anything, `constructor` too.
  const networks = new Map<string, object[]>();
  for (const vif of server.networkInfo) {
    const addresses = networks.get(vif.networkLabel) ?? [];
    networks.set(vif.networkLabel, addresses);
    for (const { address } of vif.fixedIps) {
      const extra = { 'OS-EXT-IPS:type': 'fixed', 'OS-EXT-IPS-MAC:mac_addr': vif.mac };
      addresses.push({ version: address.includes(':') ? 6 : 4, addr: address, ...(extended ? extra : {}) });
    }
  }
  return Object.fromEntries(networks);
}

/** 2.47 embeds what the flavor was when the server was made, in place of a link. */
function flavorView(call: Call, flavor: Flavor): object {
  if (call.version < 47) return { id: flavor.flavorId, links: [bookmark(call, 'flavors', flavor.flavorId)] };
  return {
    vcpus: flavor.vcpus,
    ram: flavor.memoryMb,
    disk: flavor.rootGb,
    ephemeral: flavor.ephemeralGb,
    swap: flavor.swapMb,
    original_name: flavor.name,
    extra_specs: flavor.extraSpecs,
  };
}

function faultView(call: Call, fault: Fault): object {
  // An unexpected error's details may tell of the host's inside; of others the user may know them.
  const detailed = fault.details !== '' && (call.context.isAdmin || fault.code !== 500);
  return {
    code: fault.code,
    created: isoSeconds(fault.createdAt),
    message: fault.message,
    ...(detailed ? { details: fault.details } : {}),
  };
}

/** What only administrators see, but for the host name, which 2.90 shows to users. Hyper-V boots no kernels of its own. */
function adminView(call: Call, server: ServerRecord): object {
  if (!call.context.isAdmin) {
    return call.version >= 90 ? { 'OS-EXT-SRV-ATTR:hostname': server.hostname } : {};
  }
  const old = {
    'OS-EXT-SRV-ATTR:host': server.host,
    'OS-EXT-SRV-ATTR:instance_name': server.name,
    'OS-EXT-SRV-ATTR:hypervisor_hostname': server.node,
  };
  if (call.version < 3) return old;
  return {
    ...old,
    'OS-EXT-SRV-ATTR:hostname': server.hostname,
    'OS-EXT-SRV-ATTR:kernel_id': '',
    'OS-EXT-SRV-ATTR:launch_index': server.launchIndex,
    'OS-EXT-SRV-ATTR:ramdisk_id': '',
    'OS-EXT-SRV-ATTR:reservation_id': server.reservationId,
    'OS-EXT-SRV-ATTR:root_device_name': '/dev/sda',
    'OS-EXT-SRV-ATTR:user_data': server.userData,
  };
}

/** 2.3 adds what becomes of a volume when its server goes. */
function volumesView(call: Call, devices: readonly BlockDeviceRecord[]): readonly object[] {
  return devices
    .filter(({ volumeId }) => volumeId !== null)
    .map(({ volumeId, deleteOnTermination }) => ({
      id: volumeId,
      ...(call.version >= 3 ? { delete_on_termination: deleteOnTermination } : {}),
    }));
}

/** Fields that came with a microversion. */
function laterFields(call: Call, server: ServerRecord, extras: ServerExtras, single: boolean): object {
  const fields: readonly (readonly [since: number, field: object])[] = [
    [9, { locked: server.lockedBy !== null }],
    [16, call.context.isAdmin ? { host_status: extras.hostStatus } : {}],
    [19, { description: server.displayDescription }],
    [26, { tags: server.tags }],
    [63, { trusted_image_certificates: null }],
    [71, single ? { server_groups: [] } : {}],
    [73, { locked_reason: server.lockedReason }],
    [96, { pinned_availability_zone: extras.spec?.availabilityZone ?? null }],
  ];
  return fields.reduce((all, [since, field]) => (call.version >= since ? { ...all, ...field } : all), {});
}

const PROGRESS = new Set(['ACTIVE', 'BUILD', 'DELETED', 'REBUILD', 'RESIZE', 'VERIFY_RESIZE', 'MIGRATING']);

/**
 * The detailed view. nova/api/openstack/compute/views/servers.py
 * @param single true for one server, false in lists: some fields are shown only then.
 */
export function serverDetail(
  call: Call,
  server: ServerRecord,
  extras: ServerExtras,
  single: boolean,
): object {
  const status = statusOf(server);
  const groups = extras.spec?.securityGroupNames ?? [];
  const showFault = extras.fault !== null && (status === 'ERROR' || status === 'DELETED');
  return {
    ...serverSummary(call, server),
    status,
    tenant_id: server.projectId,
    user_id: server.userId,
    metadata: server.metadata,
    hostId: hostId(server.host, server.projectId),
    image:
      server.imageRef === ''
        ? ''
        : { id: server.imageRef, links: [bookmark(call, 'images', server.imageRef)] },
    flavor: flavorView(call, server.flavor),
    created: isoSeconds(server.createdAt),
    updated: isoSeconds(server.updatedAt ?? server.createdAt),
    addresses: server.vmState === 'building' ? {} : addressesOf(server, true),
    accessIPv4: '',
    accessIPv6: '',
    'OS-DCF:diskConfig': server.diskConfig,
    ...(PROGRESS.has(status) ? { progress: 0 } : {}),
    'OS-EXT-AZ:availability_zone': server.availabilityZone ?? '',
    config_drive: server.configDrive ? 'True' : '',
    key_name: server.keyName,
    'OS-SRV-USG:launched_at': novaTime(server.launchedAt),
    'OS-SRV-USG:terminated_at': novaTime(server.terminatedAt),
    ...adminView(call, server),
    'OS-EXT-STS:task_state': server.taskState,
    'OS-EXT-STS:vm_state': server.vmState,
    'OS-EXT-STS:power_state': server.powerState,
    'os-extended-volumes:volumes_attached': volumesView(call, extras.devices),
    ...(groups.length > 0 ? { security_groups: groups.map((name) => ({ name })) } : {}),
    ...(showFault && extras.fault !== null ? { fault: faultView(call, extras.fault) } : {}),
    ...laterFields(call, server, extras, single),
  };
}
