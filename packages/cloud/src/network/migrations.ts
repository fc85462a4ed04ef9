import { sql, type Kysely, type Migration } from 'kysely';

const STANDARD =
  'project_id text not null, description text not null, created_at text not null, updated_at text not null, revision integer not null';

const TABLES = [
  `create table network_network (
    id text primary key, ${STANDARD}, name text not null, admin_state_up integer not null, shared integer not null,
    external integer not null, mtu integer not null, port_security_enabled integer not null,
    physical_network text not null) strict`,
  `create table network_subnet (
    id text primary key, ${STANDARD}, name text not null,
    network_id text not null references network_network (id) on delete cascade, ip_version integer not null,
    cidr text not null, gateway_ip text, enable_dhcp integer not null, allocation_pools text not null,
    dns_nameservers text not null, host_routes text not null) strict`,
  `create table network_port (
    id text primary key, ${STANDARD}, name text not null, network_id text not null references network_network (id),
    mac_address text not null, admin_state_up integer not null, device_id text not null, device_owner text not null,
    host_id text not null, vnic_type text not null, profile text not null, port_security_enabled integer not null,
    allowed_address_pairs text not null, extra_dhcp_opts text not null, unique (network_id, mac_address)) strict`,
  `create index network_port_device on network_port (device_id)`,
  `create table network_fixed_ip (
    port_id text not null references network_port (id) on delete cascade,
    subnet_id text not null references network_subnet (id), ip_address text not null,
    primary key (subnet_id, ip_address)) strict`,
  `create index network_fixed_ip_port on network_fixed_ip (port_id)`,
  `create table network_group (id text primary key, ${STANDARD}, name text not null) strict`,
  `create unique index network_group_default on network_group (project_id) where name = 'default'`,
  `create table network_port_group (
    port_id text not null references network_port (id) on delete cascade,
    group_id text not null references network_group (id), primary key (port_id, group_id)) strict`,
  `create table network_rule (
    id text primary key, ${STANDARD}, group_id text not null references network_group (id) on delete cascade,
    direction text not null, ethertype text not null, protocol text, port_range_min integer, port_range_max integer,
    remote_ip_prefix text, remote_group_id text references network_group (id) on delete cascade) strict`,
];

export const networkMigrations: Readonly<Record<string, Migration>> = {
  'network-0001-tables': {
    async up(db: Kysely<unknown>): Promise<void> {
      for (const table of TABLES) await sql.raw(table).execute(db);
    },
  },
};
