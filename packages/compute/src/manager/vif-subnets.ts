import type { Vif, VifSubnet } from '@nova-hyperv/driver';
import type { NeutronPort, NeutronSubnet } from '../rest/neutron.js';
import type { CallOptions } from '../rest/rest-client.js';
import type { ComputeContext } from './context.js';

const DHCP_OWNER = 'network:dhcp';

/** The interfaces with the subnets of their addresses, which guests are told of. Source: nova/network/neutron.py, _get_subnets_from_port. */
export async function withSubnets(
  ctx: ComputeContext,
  vifs: readonly Vif[],
  call: CallOptions,
): Promise<readonly Vif[]> {
  const ids = [...new Set(vifs.flatMap(({ fixedIps }) => fixedIps.map(({ subnetId }) => subnetId)))];
  if (ids.length === 0) return vifs;
  const networkIds = [...new Set(vifs.map(({ networkId }) => networkId))];
  const subnets = await ctx.network.subnets({ ids }, call);
  const dhcpPorts = await ctx.network.ports({ networkIds, deviceOwner: DHCP_OWNER }, call);
  const known = new Map(subnets.map((subnet) => [subnet.id, vifSubnet(subnet, dhcpPorts)]));
  return vifs.map((vif) => ({
    ...vif,
    subnets: [...new Set(vif.fixedIps.map(({ subnetId }) => known.get(subnetId)))].filter(
      (subnet) => subnet !== undefined,
    ),
  }));
}

function vifSubnet(subnet: NeutronSubnet, dhcpPorts: readonly NeutronPort[]): VifSubnet {
  const { id, cidr, gatewayIp, dnsNameservers, hostRoutes, enableDhcp, ipv6AddressMode } = subnet;
  const dhcp = dhcpPorts.flatMap(({ fixedIps }) => fixedIps).find(({ subnetId }) => subnetId === id);
  return {
    id,
    version: subnet.ipVersion,
    cidr,
    gateway: gatewayIp,
    dns: dnsNameservers,
    routes: hostRoutes.map(({ destination, nexthop }) => ({ cidr: destination, gateway: nexthop })),
    enableDhcp,
    dhcpServer: dhcp?.ipAddress ?? null,
    ipv6AddressMode,
  };
}
