import { z } from 'zod';
import { RestClient, segment, type CallOptions, type Query, type RestClientOptions } from './rest-client.js';

/** A Neutron network, as far as Nova reads it. */
export interface NeutronNetwork {
  readonly id: string;
  readonly name: string;
  readonly projectId: string;
  readonly adminStateUp: boolean;
  readonly shared: boolean;
  readonly external: boolean;
  readonly mtu: number;
  readonly subnets: readonly string[];
  /** `provider:segmentation_id`, `provider:network_type`, `provider:physical_network` where the caller may see them. */
  readonly segmentationId: number | null;
  readonly networkType: string | null;
  readonly physicalNetwork: string | null;
}

/** A Neutron port with its binding (extension `binding`). */
export interface NeutronPort {
  readonly id: string;
  readonly name: string;
  readonly networkId: string;
  readonly projectId: string;
  readonly macAddress: string;
  /** ACTIVE, DOWN, BUILD */
  readonly status: string;
  readonly adminStateUp: boolean;
  readonly deviceId: string;
  readonly deviceOwner: string;
  readonly fixedIps: readonly { readonly subnetId: string; readonly ipAddress: string }[];
  readonly securityGroups: readonly string[];
  /** False: any address may be used. True where Neutron does not tell (extension `port-security` not loaded). */
  readonly portSecurityEnabled: boolean;
  readonly bindingHostId: string;
  readonly bindingVifType: string;
  readonly bindingVnicType: string;
  readonly bindingVifDetails: Readonly<Record<string, unknown>>;
}

/** What a port is created with or changed to; absent = left alone. */
export interface PortChanges {
  readonly name?: string;
  readonly adminStateUp?: boolean;
  readonly deviceId?: string;
  readonly deviceOwner?: string;
  readonly fixedIps?: readonly { readonly subnetId?: string; readonly ipAddress?: string }[];
  readonly securityGroups?: readonly string[];
  /** null unbinds. */
  readonly bindingHostId?: string | null;
  readonly bindingProfile?: Readonly<Record<string, unknown>>;
}

export interface NewPort extends PortChanges {
  readonly networkId: string;
  readonly projectId: string;
  readonly macAddress?: string;
}

/** A Neutron subnet, as far as guests are told of it. */
export interface NeutronSubnet {
  readonly id: string;
  readonly networkId: string;
  readonly ipVersion: 4 | 6;
  readonly cidr: string;
  readonly gatewayIp: string | null;
  readonly enableDhcp: boolean;
  readonly dnsNameservers: readonly string[];
  readonly hostRoutes: readonly { readonly destination: string; readonly nexthop: string }[];
  readonly ipv6AddressMode: string | null;
}

export interface NetworkFilter {
  readonly ids?: readonly string[];
  readonly projectId?: string;
  readonly shared?: boolean;
  readonly name?: string;
}

export interface PortFilter {
  readonly deviceId?: string;
  readonly projectId?: string;
  readonly networkId?: string;
  readonly networkIds?: readonly string[];
  readonly deviceOwner?: string;
  readonly bindingHostId?: string;
}

export interface NeutronSecurityGroup {
  readonly id: string;
  readonly name: string;
}

export interface NeutronClient {
  networks(filter: NetworkFilter, options?: CallOptions): Promise<readonly NeutronNetwork[]>;
  showNetwork(id: string, options?: CallOptions): Promise<NeutronNetwork>;
  subnets(
    filter: { readonly ids: readonly string[] },
    options?: CallOptions,
  ): Promise<readonly NeutronSubnet[]>;
  ports(filter: PortFilter, options?: CallOptions): Promise<readonly NeutronPort[]>;
  showPort(id: string, options?: CallOptions): Promise<NeutronPort>;
  createPort(port: NewPort, options?: CallOptions): Promise<NeutronPort>;
  updatePort(id: string, changes: PortChanges, options?: CallOptions): Promise<NeutronPort>;
  /** A port that is gone already is a RestError with status 404. */
  deletePort(id: string, options?: CallOptions): Promise<void>;
  securityGroups(
    filter: { readonly projectId: string },
    options?: CallOptions,
  ): Promise<readonly NeutronSecurityGroup[]>;
  close(): Promise<void>;
}

const networkSchema = z.looseObject({
  id: z.string(),
  name: z.string().nullish(),
  tenant_id: z.string().nullish(),
  project_id: z.string().nullish(),
  admin_state_up: z.boolean().nullish(),
  shared: z.boolean().nullish(),
  'router:external': z.boolean().nullish(),
  mtu: z.number().nullish(),
  subnets: z.array(z.string()).nullish(),
  'provider:segmentation_id': z.number().nullish(),
  'provider:network_type': z.string().nullish(),
  'provider:physical_network': z.string().nullish(),
});

const portSchema = z.looseObject({
  id: z.string(),
  name: z.string().nullish(),
  network_id: z.string(),
  tenant_id: z.string().nullish(),
  project_id: z.string().nullish(),
  mac_address: z.string(),
  status: z.string().nullish(),
  admin_state_up: z.boolean().nullish(),
  device_id: z.string().nullish(),
  device_owner: z.string().nullish(),
  fixed_ips: z.array(z.object({ subnet_id: z.string(), ip_address: z.string() })).nullish(),
  security_groups: z.array(z.string()).nullish(),
  port_security_enabled: z.boolean().nullish(),
  'binding:host_id': z.string().nullish(),
  'binding:vif_type': z.string().nullish(),
  'binding:vnic_type': z.string().nullish(),
  'binding:vif_details': z.record(z.string(), z.unknown()).nullish(),
});

const subnetSchema = z.looseObject({
  id: z.string(),
  network_id: z.string(),
  ip_version: z.union([z.literal(4), z.literal(6)]),
  cidr: z.string(),
  gateway_ip: z.string().nullish(),
  enable_dhcp: z.boolean().nullish(),
  dns_nameservers: z.array(z.string()).nullish(),
  host_routes: z.array(z.object({ destination: z.string(), nexthop: z.string() })).nullish(),
  ipv6_address_mode: z.string().nullish(),
});

const manySubnets = z.object({ subnets: z.array(subnetSchema) });
const oneNetwork = z.object({ network: networkSchema });
const manyNetworks = z.object({ networks: z.array(networkSchema) });
const onePort = z.object({ port: portSchema });
const manyPorts = z.object({ ports: z.array(portSchema) });
const manyGroups = z.object({
  security_groups: z.array(z.looseObject({ id: z.string(), name: z.string() })),
});

/** Ethernet's, for a Neutron that does not tell. */
const DEFAULT_MTU = 1500;

function toNetwork(network: z.infer<typeof networkSchema>): NeutronNetwork {
  return {
    id: network.id,
    name: network.name ?? '',
    projectId: network.project_id ?? network.tenant_id ?? '',
    adminStateUp: network.admin_state_up ?? true,
    shared: network.shared ?? false,
    external: network['router:external'] ?? false,
    mtu: network.mtu ?? DEFAULT_MTU,
    subnets: network.subnets ?? [],
    segmentationId: network['provider:segmentation_id'] ?? null,
    networkType: network['provider:network_type'] ?? null,
    physicalNetwork: network['provider:physical_network'] ?? null,
  };
}

function toSubnet(subnet: z.infer<typeof subnetSchema>): NeutronSubnet {
  return {
    id: subnet.id,
    networkId: subnet.network_id,
    ipVersion: subnet.ip_version,
    cidr: subnet.cidr,
    gatewayIp: subnet.gateway_ip ?? null,
    enableDhcp: subnet.enable_dhcp ?? false,
    dnsNameservers: subnet.dns_nameservers ?? [],
    hostRoutes: subnet.host_routes ?? [],
    ipv6AddressMode: subnet.ipv6_address_mode ?? null,
  };
}

function toPort(port: z.infer<typeof portSchema>): NeutronPort {
  return {
    id: port.id,
    name: port.name ?? '',
    networkId: port.network_id,
    projectId: port.project_id ?? port.tenant_id ?? '',
    macAddress: port.mac_address,
    status: port.status ?? 'DOWN',
    adminStateUp: port.admin_state_up ?? true,
    deviceId: port.device_id ?? '',
    deviceOwner: port.device_owner ?? '',
    fixedIps: (port.fixed_ips ?? []).map((ip) => ({ subnetId: ip.subnet_id, ipAddress: ip.ip_address })),
    securityGroups: port.security_groups ?? [],
    portSecurityEnabled: port.port_security_enabled ?? true,
    bindingHostId: port['binding:host_id'] ?? '',
    bindingVifType: port['binding:vif_type'] ?? 'unbound',
    bindingVnicType: port['binding:vnic_type'] ?? 'normal',
    bindingVifDetails: port['binding:vif_details'] ?? {},
  };
}

/** Field names of Neutron's API v2.0 (extensions `binding`, `security-group`). */
function portBody(port: PortChanges & Partial<NewPort>): Record<string, unknown> {
  const fixedIps = port.fixedIps?.map((ip) => ({
    ...(ip.subnetId === undefined ? {} : { subnet_id: ip.subnetId }),
    ...(ip.ipAddress === undefined ? {} : { ip_address: ip.ipAddress }),
  }));
  const body: Record<string, unknown> = {
    network_id: port.networkId,
    tenant_id: port.projectId,
    mac_address: port.macAddress,
    name: port.name,
    admin_state_up: port.adminStateUp,
    device_id: port.deviceId,
    device_owner: port.deviceOwner,
    fixed_ips: fixedIps,
    security_groups: port.securityGroups,
    'binding:host_id': port.bindingHostId,
    'binding:profile': port.bindingProfile,
  };
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
}

function networkQuery(filter: NetworkFilter): Query {
  return { id: filter.ids, tenant_id: filter.projectId, shared: filter.shared, name: filter.name };
}

function portQuery(filter: PortFilter): Query {
  return {
    device_id: filter.deviceId,
    tenant_id: filter.projectId,
    network_id: filter.networkIds ?? filter.networkId,
    device_owner: filter.deviceOwner,
    'binding:host_id': filter.bindingHostId,
  };
}

function portPath(id: string): string {
  return `/v2.0/ports/${segment(id)}`;
}

/** Neutron, API v2.0. Base URL without or with `/v2.0`. All methods throw RestError, or the signal's reason. */
export function createNeutronClient(options: Omit<RestClientOptions, 'service'>): NeutronClient {
  const rest = new RestClient({ ...options, service: 'network' });
  return {
    async networks(filter, call = {}) {
      const query = networkQuery(filter);
      return (
        await rest.json({ ...call, method: 'GET', path: '/v2.0/networks', query }, manyNetworks)
      ).networks.map(toNetwork);
    },
    async showNetwork(id, call = {}) {
      const path = `/v2.0/networks/${segment(id)}`;
      return toNetwork((await rest.json({ ...call, method: 'GET', path }, oneNetwork)).network);
    },
    async subnets({ ids }, call = {}) {
      const request = { ...call, method: 'GET', path: '/v2.0/subnets', query: { id: ids } } as const;
      return (await rest.json(request, manySubnets)).subnets.map(toSubnet);
    },
    async ports(filter, call = {}) {
      const query = portQuery(filter);
      return (await rest.json({ ...call, method: 'GET', path: '/v2.0/ports', query }, manyPorts)).ports.map(
        toPort,
      );
    },
    async showPort(id, call = {}) {
      return toPort((await rest.json({ ...call, method: 'GET', path: portPath(id) }, onePort)).port);
    },
    async createPort(port, call = {}) {
      const body = { port: portBody(port) };
      return toPort((await rest.json({ ...call, method: 'POST', path: '/v2.0/ports', body }, onePort)).port);
    },
    async updatePort(id, changes, call = {}) {
      const body = { port: portBody(changes) };
      return toPort((await rest.json({ ...call, method: 'PUT', path: portPath(id), body }, onePort)).port);
    },
    deletePort: (id, call = {}) => rest.done({ ...call, method: 'DELETE', path: portPath(id) }),
    async securityGroups({ projectId }, call = {}) {
      const path = '/v2.0/security-groups';
      const query = { tenant_id: projectId };
      return (await rest.json({ ...call, method: 'GET', path, query }, manyGroups)).security_groups;
    },
    close: () => rest.close(),
  };
}
