import { links, type Call } from '../api/call.js';
import type { FlavorRecord } from '../store/flavors.js';

/** `GET /flavors`: 2.55 adds the description. */
export function flavorSummary(call: Call, flavor: FlavorRecord): object {
  return {
    id: flavor.flavorId,
    name: flavor.name,
    links: links(call, 'flavors', flavor.flavorId),
    ...(call.version >= 55 ? { description: flavor.description } : {}),
  };
}

/** 2.61 adds extra specs, 2.75 makes a missing swap 0. nova/api/openstack/compute/views/flavors.py */
export function flavorDetail(call: Call, flavor: FlavorRecord): object {
  return {
    ...flavorSummary(call, flavor),
    ram: flavor.memoryMb,
    disk: flavor.rootGb,
    swap: flavor.swapMb === 0 ? (call.version >= 75 ? 0 : '') : flavor.swapMb,
    vcpus: flavor.vcpus,
    rxtx_factor: flavor.rxtxFactor,
    'OS-FLV-EXT-DATA:ephemeral': flavor.ephemeralGb,
    'OS-FLV-DISABLED:disabled': false,
    'os-flavor-access:is_public': flavor.isPublic,
    ...(call.version >= 61 ? { extra_specs: flavor.extraSpecs } : {}),
  };
}
