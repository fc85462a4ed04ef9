/** Booleans are 0 or 1, times are ISO 8601 text. */
export type NetworkTables = {
  network_network: NetworkRow;
  network_subnet: SubnetRow;
  network_port: PortRow;
  network_fixed_ip: { port_id: string; subnet_id: string; ip_address: string };
  network_port_group: { port_id: string; group_id: string };
  network_group: GroupRow;
  network_rule: RuleRow;
};

interface Standard {
  id: string;
  project_id: string;
  description: string;
  created_at: string;
  updated_at: string;
  revision: number;
}

export interface NetworkRow extends Standard {
  name: string;
  admin_state_up: number;
  shared: number;
  external: number;
  mtu: number;
  port_security_enabled: number;
  physical_network: string;
}

export interface SubnetRow extends Standard {
  name: string;
  network_id: string;
  ip_version: number;
  cidr: string;
  gateway_ip: string | null;
  enable_dhcp: number;
  /** JSON: `[{"start", "end"}]` */
  allocation_pools: string;
  /** JSON: `["10.0.0.1"]` */
  dns_nameservers: string;
  /** JSON: `[{"destination", "nexthop"}]` */
  host_routes: string;
}

export interface PortRow extends Standard {
  name: string;
  network_id: string;
  mac_address: string;
  admin_state_up: number;
  device_id: string;
  device_owner: string;
  /** `binding:host_id`; empty: unbound */
  host_id: string;
  vnic_type: string;
  /** JSON: `binding:profile` */
  profile: string;
  port_security_enabled: number;
  /** JSON */
  allowed_address_pairs: string;
  /** JSON */
  extra_dhcp_opts: string;
}

export interface GroupRow extends Standard {
  name: string;
}

export interface RuleRow extends Standard {
  group_id: string;
  direction: 'ingress' | 'egress';
  ethertype: 'IPv4' | 'IPv6';
  protocol: string | null;
  port_range_min: number | null;
  port_range_max: number | null;
  remote_ip_prefix: string | null;
  remote_group_id: string | null;
}
