import type { Vif, VifSubnet } from '@nova-hyperv/driver';
import { networkOf, netmaskOf } from './netmask.js';

export interface NetworkData {
  readonly links: readonly Readonly<Record<string, unknown>>[];
  readonly networks: readonly Readonly<Record<string, unknown>>[];
  readonly services: readonly DnsService[];
}

interface DnsService {
  readonly type: 'dns';
  readonly address: string;
}

/** Types of interfaces that guests are told by name; others are physical to them. Source: nova/network/model.py. */
const EXPOSED_VIF_TYPES: ReadonlySet<string> = new Set([
  'bridge',
  'dvs',
  'hw_veb',
  'hyperv',
  'ovs',
  'tap',
  'vhostuser',
  'vif',
]);

const DEFAULT_ROUTE = { 4: '0.0.0.0', 6: '::' } as const;

/** What network_data.json holds; undefined without any network. Source: nova/virt/netutils.py, get_network_metadata. */
export function networkData(vifs: readonly Vif[]): NetworkData | undefined {
  if (vifs.length === 0) return undefined;
  const links: Record<string, unknown>[] = [];
  const networks: Record<string, unknown>[] = [];
  const services = new Map<string, DnsService>();
  for (const vif of vifs) {
    const { subnets = [] } = vif;
    if (subnets.length === 0) continue;
    const link = { ...linkOf(vif, subnets), id: `interface${links.length}` };
    links.push(link);
    for (const version of [4, 6] as const) {
      // The first of each kind alone, as Nova does.
      const subnet = subnets.find((one) => one.version === version);
      const address = subnet && vif.fixedIps.find(({ subnetId }) => subnetId === subnet.id)?.address;
      if (subnet === undefined || address === undefined) continue;
      const id = `network${networks.length}`;
      networks.push({ id, link: link.id, network_id: vif.networkId, ...networkFields(subnet, address) });
      for (const service of dnsServices(subnet)) services.set(service.address, service);
    }
  }
  return { links, networks, services: [...services.values()] };
}

function linkOf(vif: Vif, subnets: readonly VifSubnet[]): Record<string, unknown> {
  return {
    vif_id: vif.portId,
    type: EXPOSED_VIF_TYPES.has(vif.vifType) ? vif.vifType : 'phy',
    // A DHCP server tells it.
    mtu: subnets.some(({ dhcpServer }) => dhcpServer !== null) ? null : vif.mtu,
    ethernet_mac_address: vif.mac,
  };
}

function networkFields(subnet: VifSubnet, address: string): Record<string, unknown> {
  const { version, ipv6AddressMode } = subnet;
  if (ipv6AddressMode === null && (subnet.dhcpServer !== null || subnet.enableDhcp)) {
    return { type: `ipv${version}_dhcp` };
  }
  return {
    type: ipv6AddressMode === null ? `ipv${version}` : `ipv${version}_${ipv6AddressMode}`,
    ip_address: address,
    netmask: netmaskOf(subnet.cidr),
    routes: routes(subnet),
    services: dnsServices(subnet),
  };
}

function routes({ version, gateway, routes: more }: VifSubnet): readonly unknown[] {
  const anywhere = DEFAULT_ROUTE[version];
  return [
    ...(gateway === null ? [] : [{ network: anywhere, netmask: anywhere, gateway }]),
    ...more.map((route) => ({
      network: networkOf(route.cidr),
      netmask: netmaskOf(route.cidr),
      gateway: route.gateway,
    })),
  ];
}

function dnsServices({ dns }: VifSubnet): readonly DnsService[] {
  return dns.map((address) => ({ type: 'dns', address }));
}
