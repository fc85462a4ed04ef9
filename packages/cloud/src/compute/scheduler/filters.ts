import { assignDevices } from '@nova-hyperv/compute';
import { missingCapability } from './capabilities.js';
import type { HostState, SchedulingRequest } from './host-state.js';
import { hypervisorVersion, parseVersionPredicate, satisfies } from './version-predicate.js';

/** A pure test of one host for one request. */
export interface HostFilter {
  /** Nova's name. */
  readonly name: string;
  /** Why the host is out, for administrators; null when it passes. */
  readonly reject: (host: HostState, request: SchedulingRequest) => string | null;
  /** What a user may know when this filter removed the last host. */
  readonly advice: (request: SchedulingRequest) => string;
}

/** Hosts that an attempt failed on are not tried again. */
const excluded: HostFilter = {
  name: 'RetryFilter',
  reject: (host, { excludedHosts }) =>
    excludedHosts.includes(host.host) ? 'an earlier attempt of this build failed there' : null,
  advice: () => 'Building failed on every host that could have taken it.',
};

const requested: HostFilter = {
  name: 'RequestedHost',
  reject: (host, { requestedHost, requestedNode }) => {
    if (requestedHost !== null && host.host !== requestedHost)
      return `the request names the host ${requestedHost}`;
    if (requestedNode !== null && host.node.hypervisorHostname !== requestedNode) {
      return `the request names the node ${requestedNode}`;
    }
    return null;
  },
  advice: () => 'The host that the request names cannot take it.',
};

export const COMPUTE_FILTER = 'ComputeFilter';

/** nova/scheduler/filters/compute_filter.py */
const compute: HostFilter = {
  name: COMPUTE_FILTER,
  reject: (host) => {
    if (host.disabled)
      return `its compute service is disabled${host.disabledReason === null ? '' : `: ${host.disabledReason}`}`;
    if (host.forcedDown) return 'its compute service is forced down';
    return host.up ? null : 'its compute service has not reported within the last minute';
  },
  advice: () => 'No compute service that could take it is up and enabled.',
};

const zone: HostFilter = {
  name: 'AvailabilityZoneFilter',
  reject: (host, { availabilityZone }) =>
    availabilityZone === null || host.availabilityZone === availabilityZone
      ? null
      : `it is in the zone ${host.availabilityZone}, asked for is ${availabilityZone}`,
  advice: ({ availabilityZone }) => `The availability zone ${availabilityZone} has no host for it.`,
};

/** [architecture, hypervisor type, vm mode] of a host against the image's; null says nothing. */
function supportsImage(host: HostState, { image }: SchedulingRequest): string | null {
  const wanted = [image.architecture, image.hypervisorType, image.vmMode];
  const asked = wanted.filter((word) => word !== null);
  if (asked.length === 0) return null;
  const fits = host.node.supportedInstances.some((supported) =>
    asked.every((word) => supported.includes(word)),
  );
  if (fits) return null;
  const offered = host.node.supportedInstances.map((supported) => supported.join('/')).join(', ');
  return `the image asks for ${asked.join(', ')}; the host offers ${offered === '' ? 'nothing' : offered}`;
}

function versionOf(host: HostState, { image }: SchedulingRequest): string | null {
  // As in Nova, the version counts only beside an architecture, a type or a mode; ours has no reason to ignore it alone.
  if (image.versionRequired === null || host.node.hypervisorVersion === 0) return null;
  const version = hypervisorVersion(host.node.hypervisorVersion);
  if (satisfies(version, parseVersionPredicate(image.versionRequired))) return null;
  return `the image asks for hypervisor version ${image.versionRequired}, it is ${version.join('.')}`;
}

/** nova/scheduler/filters/image_props_filter.py */
const imageProperties: HostFilter = {
  name: 'ImagePropertiesFilter',
  reject: (host, request) => supportsImage(host, request) ?? versionOf(host, request),
  advice: ({ image }) => {
    const asked = [
      image.architecture === null ? '' : `architecture ${image.architecture}`,
      image.hypervisorType === null ? '' : `hypervisor type ${image.hypervisorType}`,
      image.vmMode === null ? '' : `VM mode ${image.vmMode}`,
      image.versionRequired === null ? '' : `hypervisor version ${image.versionRequired}`,
    ].filter((text) => text !== '');
    return `The image asks for ${asked.join(', ')}: no host that is up has it.`;
  },
};

const capabilities: HostFilter = {
  name: 'ComputeCapabilitiesFilter',
  reject: (host, { flavor }) => missingCapability(flavor.extraSpecs, host.node),
  advice: () => 'No host has the capabilities that the flavor asks for.',
};

/** nova/scheduler/filters/pci_passthrough_filter.py */
const pciPassthrough: HostFilter = {
  name: 'PciPassthroughFilter',
  reject: ({ freePciDevices }, { pciRequests }) => {
    if (pciRequests.length === 0 || assignDevices(freePciDevices, pciRequests) !== undefined) return null;
    const free = freePciDevices.map(({ vendorId, productId }) => `${vendorId}:${productId}`);
    return `${wordsOf(pciRequests)} is asked for; its free PCI devices are ${free.length === 0 ? 'none' : free.join(', ')}`;
  },
  advice: ({ pciRequests }) => `No host has free PCI devices for ${wordsOf(pciRequests)}.`,
};

const wordsOf = (requests: SchedulingRequest['pciRequests']): string =>
  requests.map(({ aliasName, count }) => `${aliasName}:${count}`).join(',');

const hinted = (value: unknown): readonly string[] =>
  Array.isArray(value)
    ? value.filter((one) => typeof one === 'string')
    : typeof value === 'string'
      ? [value]
      : [];

function hostsOf(request: SchedulingRequest, hint: string): readonly string[] {
  return hinted(request.hints[hint])
    .map((uuid) => request.hostsOfServers.get(uuid) ?? null)
    .filter((host) => host !== null);
}

/** nova/scheduler/filters/affinity_filter.py */
const sameHost: HostFilter = {
  name: 'SameHostFilter',
  reject: (host, request) => {
    if (hinted(request.hints['same_host']).length === 0) return null;
    return hostsOf(request, 'same_host').includes(host.host)
      ? null
      : 'none of the servers of same_host is there';
  },
  advice: () => 'The hosts of the servers that the hint same_host names cannot take it.',
};

const differentHost: HostFilter = {
  name: 'DifferentHostFilter',
  reject: (host, request) =>
    hostsOf(request, 'different_host').includes(host.host) ? 'a server of different_host is there' : null,
  advice: () => 'Every host has one of the servers that the hint different_host names.',
};

/** In order: the cheap and telling ones first. */
export const FILTERS: readonly HostFilter[] = [
  requested,
  excluded,
  compute,
  zone,
  imageProperties,
  capabilities,
  pciPassthrough,
  sameHost,
  differentHost,
];

/** What `zone:host:node` still has to pass: an administrator's word stands above the others. */
export const FORCED_FILTERS: readonly HostFilter[] = [requested, excluded, compute];
