import type { LightMyRequestResponse } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestCloud, type Tenant, type TestCloud } from '../testing/test-cloud.js';

interface Port {
  id: string;
  mac_address: string;
  status: string;
  fixed_ips: { subnet_id: string; ip_address: string }[];
  security_groups: string[];
  [name: string]: unknown;
}
interface Group {
  id: string;
  name: string;
  security_group_rules: { direction: string; ethertype: string; remote_group_id: string | null }[];
}

const errorType = (response: LightMyRequestResponse): string =>
  response.json<{ NeutronError: { type: string } }>().NeutronError.type;

const pools = (start: string, end: string): object => ({
  cidr: '10.8.0.0/24',
  allocation_pools: [{ start, end }],
});

describe('network', () => {
  let cloud: TestCloud;
  let tenant: Tenant;
  let other: Tenant;
  beforeAll(async () => {
    cloud = await createTestCloud();
    tenant = await cloud.tenant('one');
    other = await cloud.tenant('two');
  });
  afterAll(() => cloud[Symbol.asyncDispose]());

  const ask = async (
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    path: string,
    body?: unknown,
    token = tenant.token,
  ): ReturnType<TestCloud['request']> =>
    cloud.request(method, `/network/v2.0/${path}`, { token, ...(body === undefined ? {} : { body }) });

  let count = 0;
  /** A network of `tenant` with a subnet. */
  const network = async (cidr: string, more: object = {}): Promise<{ network: string; subnet: string }> => {
    count += 1;
    const made = await ask('POST', 'networks', { network: { name: `n${count}` } });
    const id = made.json<{ network: { id: string } }>().network.id;
    const subnet = await ask('POST', 'subnets', {
      subnet: { network_id: id, cidr, ip_version: cidr.includes(':') ? 6 : 4, ...more },
    });
    expect(subnet.statusCode).toBe(201);
    return { network: id, subnet: subnet.json<{ subnet: { id: string } }>().subnet.id };
  };
  const port = async (fields: object, token?: string): Promise<Port> => {
    const response = await ask('POST', 'ports', { port: fields }, token);
    expect(response.body).toContain('"port"');
    return response.json<{ port: Port }>().port;
  };

  it('has the network `private` with its subnet, for every project, once', async () => {
    const networks = (await ask('GET', 'networks?name=private')).json<{
      networks: { shared: boolean; subnets: string[] }[];
    }>();
    expect(networks.networks).toHaveLength(1);
    expect(networks.networks[0]).toMatchObject({ shared: true, status: 'ACTIVE', mtu: 1500 });
    expect(networks.networks[0]).not.toHaveProperty('provider:network_type');
    const subnet = (await ask('GET', `subnets/${networks.networks[0]?.subnets[0]}`)).json();
    expect(subnet).toMatchObject({
      subnet: {
        name: 'private-subnet',
        cidr: '10.10.0.0/24',
        gateway_ip: '10.10.0.1',
        allocation_pools: [{ start: '10.10.0.2', end: '10.10.0.254' }],
      },
    });
  });

  it('binds a port for a host as Hyper-V, and shows bindings to administrators only', async () => {
    const { network: id, subnet } = await network('10.1.0.0/24');
    const made = await port({ network_id: id, device_id: 'vm1' });
    expect(made.mac_address).toMatch(/^fa:16:3e(:[0-9a-f]{2}){3}$/);
    expect(made.fixed_ips).toEqual([{ subnet_id: subnet, ip_address: '10.1.0.2' }]);
    expect(made.status).toBe('DOWN');
    expect(made).not.toHaveProperty('binding:host_id');
    const denied = await ask('PUT', `ports/${made.id}`, { port: { 'binding:host_id': 'hv1' } });
    expect(denied.statusCode).toBe(403);
    expect(errorType(denied)).toBe('PolicyNotAuthorized');
    const admin = await cloud.cloud.kernel.serviceToken();
    const bound = await ask('PUT', `ports/${made.id}`, { port: { 'binding:host_id': 'hv1' } }, admin);
    expect(bound.json()).toMatchObject({
      port: { status: 'ACTIVE', 'binding:vif_type': 'hyperv', 'binding:host_id': 'hv1', revision_number: 1 },
    });
    const unbound = await ask('PUT', `ports/${made.id}`, { port: { 'binding:host_id': '' } }, admin);
    expect(unbound.json()).toMatchObject({
      port: { status: 'DOWN', 'binding:vif_type': 'unbound', 'binding:vif_details': {} },
    });
  });

  it('gives every one of many simultaneous ports an address and a MAC of its own, then says that there are no more', async () => {
    const { network: id } = await network('10.2.0.0/27');
    const made = await Promise.all(Array.from({ length: 29 }, () => port({ network_id: id })));
    expect(new Set(made.map((each) => each.fixed_ips[0]?.ip_address)).size).toBe(29);
    expect(new Set(made.map((each) => each.mac_address)).size).toBe(29);
    const full = await ask('POST', 'ports', { port: { network_id: id } });
    expect(full.statusCode).toBe(409);
    expect(errorType(full)).toBe('IpAddressGenerationFailure');
    await ask('DELETE', `ports/${made[3]?.id}`);
    expect((await port({ network_id: id })).fixed_ips[0]?.ip_address).toBe(made[3]?.fixed_ips[0]?.ip_address);
  });

  it('makes all of a bulk request or nothing', async () => {
    const { network: id } = await network('10.3.0.0/29');
    const many = (n: number): unknown => ({ ports: Array.from({ length: n }, () => ({ network_id: id })) });
    expect((await ask('POST', 'ports', many(6))).statusCode).toBe(409);
    expect((await ask('GET', `ports?network_id=${id}`)).json()).toEqual({ ports: [] });
    expect((await ask('POST', 'ports', many(5))).json<{ ports: Port[] }>().ports).toHaveLength(5);
  });

  it('takes wished addresses that are free and in the subnet', async () => {
    const { network: id, subnet } = await network('10.4.0.0/24');
    const fixed = (ip_address: string): object => ({ network_id: id, fixed_ips: [{ ip_address }] });
    const first = await port(fixed('10.4.0.77'));
    expect(first.fixed_ips).toEqual([{ subnet_id: subnet, ip_address: '10.4.0.77' }]);
    const taken = await ask('POST', 'ports', { port: fixed('10.4.0.77') });
    expect([taken.statusCode, errorType(taken)]).toEqual([409, 'IpAddressAlreadyAllocated']);
    for (const [ip, type] of [
      ['10.5.0.1', 'InvalidIpForNetwork'],
      ['10.4.0.255', 'InvalidIpForSubnet'],
    ] as const) {
      const refused = await ask('POST', 'ports', { port: fixed(ip) });
      expect([refused.statusCode, errorType(refused)]).toEqual([400, type]);
    }
    const found = await ask('GET', `ports?fixed_ips=ip_address%3D10.4.0.77&network_id=${id}`);
    expect(found.json<{ ports: Port[] }>().ports.map((each) => each.id)).toEqual([first.id]);
    const moved = await ask('PUT', `ports/${first.id}`, {
      port: { fixed_ips: [{ ip_address: '10.4.0.78' }, { subnet_id: subnet }] },
    });
    expect(moved.json<{ port: Port }>().port.fixed_ips.map((ip) => ip.ip_address)).toEqual([
      '10.4.0.78',
      '10.4.0.77',
    ]);
    expect((await port({ network_id: id, fixed_ips: [] })).fixed_ips).toEqual([]);
  });

  it('gives one address of each version', async () => {
    const { network: id } = await network('10.6.0.0/24');
    await ask('POST', 'subnets', { subnet: { network_id: id, cidr: '2001:db8::/64', ip_version: 6 } });
    const made = await port({ network_id: id });
    expect(made.fixed_ips.map((ip) => ip.ip_address)).toEqual(['10.6.0.2', '2001:db8::2']);
  });

  it('checks subnets', async () => {
    const { network: id } = await network('10.7.0.0/24');
    const create = async (fields: object): Promise<readonly [number, string]> => {
      const response = await ask('POST', 'subnets', { subnet: { network_id: id, ip_version: 4, ...fields } });
      return [response.statusCode, errorType(response)];
    };
    expect(await create({ cidr: '10.7.0.128/25' })).toEqual([400, 'InvalidInput']);
    expect(await create({ cidr: '2001:db8::/64' })).toEqual([400, 'InvalidInput']);
    expect(await create({ cidr: 'nonsense' })).toEqual([400, 'HTTPBadRequest']);
    expect(await create(pools('10.8.0.5', '10.8.1.9'))).toEqual([409, 'OutOfBoundsAllocationPool']);
    expect(await create(pools('10.8.0.1', '10.8.0.9'))).toEqual([409, 'GatewayConflictWithAllocationPools']);
    expect(await create({ cidr: '10.8.0.0/24', segment_id: 'x' })).toEqual([400, 'HTTPBadRequest']);
  });

  it('does not delete what is in use', async () => {
    const { network: id, subnet } = await network('10.9.0.0/24');
    const made = await port({ network_id: id });
    expect(errorType(await ask('DELETE', `networks/${id}`))).toBe('NetworkInUse');
    expect(errorType(await ask('DELETE', `subnets/${subnet}`))).toBe('SubnetInUse');
    const [group] = made.security_groups;
    const admin = await cloud.login('admin', cloud.cloud.adminPassword, 'admin');
    expect(errorType(await ask('DELETE', `security-groups/${group}`, undefined, admin))).toBe(
      'SecurityGroupInUse',
    );
    await ask('DELETE', `ports/${made.id}`);
    expect((await ask('DELETE', `networks/${id}`)).statusCode).toBe(204);
    expect((await ask('GET', `subnets/${subnet}`)).statusCode).toBe(404);
  });

  it('keeps projects apart', async () => {
    const { network: id, subnet } = await network('10.11.0.0/24');
    const made = await port({ network_id: id });
    for (const path of [
      `networks/${id}`,
      `subnets/${subnet}`,
      `ports/${made.id}`,
      `security-groups/${made.security_groups[0]}`,
    ]) {
      for (const method of ['GET', 'DELETE'] as const) {
        expect((await ask(method, path, undefined, other.token)).statusCode).toBe(404);
      }
    }
    expect((await ask('POST', 'ports', { port: { network_id: id } }, other.token)).statusCode).toBe(404);
    expect((await ask('POST', 'networks', { network: { name: 'x', shared: true } })).statusCode).toBe(403);
    expect(
      (await ask('POST', 'networks', { network: { name: 'x', project_id: other.projectId } })).statusCode,
    ).toBe(403);
    expect((await ask('GET', 'networks', undefined, '')).statusCode).toBe(401);
  });

  it('makes the default security group once, with its four rules, also when asked for it many times at once', async () => {
    const fresh = await cloud.tenant('fresh');
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => ask('GET', 'security-groups?name=default', undefined, fresh.token)),
    );
    const groups = answers.map((answer) => answer.json<{ security_groups: Group[] }>().security_groups);
    expect(new Set(groups.flat().map((group) => group.id)).size).toBe(1);
    const rules = groups[0]?.[0]?.security_group_rules ?? [];
    expect(
      rules
        .map(
          (rule) => `${rule.direction} ${rule.ethertype} ${rule.remote_group_id === null ? 'all' : 'group'}`,
        )
        .toSorted(),
    ).toEqual(['egress IPv4 all', 'egress IPv6 all', 'ingress IPv4 group', 'ingress IPv6 group']);
    expect(
      errorType(await ask('DELETE', `security-groups/${groups[0]?.[0]?.id}`, undefined, fresh.token)),
    ).toBe('SecurityGroupCannotRemoveDefault');
  });

  it('checks rules of security groups', async () => {
    const made = await ask('POST', 'security-groups', { security_group: { name: 'web' } });
    const group = made.json<{ security_group: Group }>().security_group;
    expect(group.security_group_rules).toHaveLength(2);
    const rule = async (fields: object): Promise<readonly [number, unknown]> => {
      const body = { security_group_rule: { security_group_id: group.id, direction: 'ingress', ...fields } };
      const response = await ask('POST', 'security-group-rules', body);
      return [response.statusCode, response.statusCode === 201 ? response.json() : errorType(response)];
    };
    const ssh = { protocol: 'tcp', port_range_min: 22, port_range_max: 22, remote_ip_prefix: '10.0.0.9/8' };
    expect(await rule(ssh)).toMatchObject([
      201,
      { security_group_rule: { remote_ip_prefix: '10.0.0.0/8', ethertype: 'IPv4' } },
    ]);
    expect(await rule(ssh)).toEqual([409, 'SecurityGroupRuleExists']);
    expect(await rule({ protocol: 'tcp', port_range_min: 80, port_range_max: 22 })).toEqual([
      400,
      'SecurityGroupInvalidPortRange',
    ]);
    expect(await rule({ protocol: 'carrier-pigeon' })).toEqual([400, 'SecurityGroupInvalidProtocolType']);
    expect(await rule({ protocol: 'icmp', port_range_min: 300 })).toEqual([
      400,
      'SecurityGroupInvalidIcmpValue',
    ]);
    expect(await rule({ port_range_min: 1, port_range_max: 2 })).toEqual([400, 'HTTPBadRequest']);
    expect(await rule({ ethertype: 'IPv6', remote_ip_prefix: '10.0.0.0/8' })).toEqual([
      400,
      'HTTPBadRequest',
    ]);
    expect(await rule({ remote_group_id: group.id, protocol: 58, ethertype: 'ipv6' })).toMatchObject([
      201,
      {},
    ]);
  });

  it('pages, sorts and chooses fields', async () => {
    const { network: id } = await network('10.12.0.0/24');
    for (const name of ['c', 'a', 'b']) await port({ network_id: id, name });
    const path = `ports?network_id=${id}&sort_key=name&sort_dir=desc&fields=id&fields=name&limit=2`;
    const first = (await ask('GET', path)).json<{ ports: Port[]; ports_links: { href: string }[] }>();
    expect(first.ports.map((each) => each.name)).toEqual(['c', 'b']);
    expect(Object.keys(first.ports[0] ?? {}).toSorted()).toEqual(['id', 'name']);
    const next = new URL(first.ports_links[0]?.href ?? '');
    const second = await cloud.request('GET', next.pathname + next.search, { token: tenant.token });
    expect(second.json<{ ports: Port[] }>().ports.map((each) => each.name)).toEqual(['a']);
  });

  it('says which extensions there are', async () => {
    const aliases = (await ask('GET', 'extensions')).json<{ extensions: { alias: string }[] }>();
    expect(aliases.extensions.map((each) => each.alias)).toEqual(
      expect.arrayContaining(['binding', 'security-group', 'port-security']),
    );
    const missing = await ask('GET', 'extensions/trunk');
    expect([missing.statusCode, errorType(missing)]).toEqual([404, 'ExtensionNotFound']);
    expect((await ask('POST', 'routers', { router: {} })).statusCode).toBe(404);
  });
});
