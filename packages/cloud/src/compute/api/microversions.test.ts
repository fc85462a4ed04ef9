import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ALICE, NovaBench } from '../testing/bench.js';

let bench: NovaBench;
beforeEach(async () => {
  bench = await NovaBench.create();
  await bench.addHost('hv1');
});
afterEach(() => bench.close());

describe('negotiation', () => {
  it('documents what there is, without a token', async () => {
    const root = (await bench.ask('GET', '/compute/', { as: '' })).json<{ versions: object[] }>();
    expect(root.versions).toMatchObject([
      { id: 'v2.0' },
      { id: 'v2.1', status: 'CURRENT', version: '2.96', min_version: '2.1' },
    ]);
    for (const path of ['/compute/v2.1', '/compute/v2.1/']) {
      const answer = await bench.ask('GET', path, { as: '' });
      expect(answer.json()).toMatchObject({
        version: { id: 'v2.1', links: [{ href: 'http://cloud/compute/v2.1/' }, {}] },
      });
    }
  });

  it.each([
    [{}, 200, '2.1'],
    [{ 'openstack-api-version': 'compute 2.60' }, 200, '2.60'],
    [{ 'openstack-api-version': 'identity 3.1, compute 2.61' }, 200, '2.61'],
    [{ 'openstack-api-version': 'compute latest' }, 200, '2.96'],
    [{ 'x-openstack-nova-api-version': '2.3' }, 200, '2.3'],
    [{ 'openstack-api-version': 'compute 2.97' }, 406, undefined],
    [{ 'openstack-api-version': 'compute 3.1' }, 406, undefined],
    [{ 'openstack-api-version': 'compute two' }, 400, undefined],
  ])('%j', async (headers, status, version) => {
    const answer = await bench.ask('GET', '/flavors', { headers });
    expect(answer.status).toBe(status);
    expect(answer.headers['openstack-api-version']).toBe(
      version === undefined ? undefined : `compute ${version}`,
    );
    expect(answer.headers['x-openstack-nova-api-version']).toBe(version);
    if (status === 200) expect(answer.headers['vary']).toContain('OpenStack-API-Version');
    if (status === 406)
      expect(answer.json()).toMatchObject({
        computeFault: { code: 406, message: expect.stringContaining('maximum is 2.96') },
      });
  });

  it('has none in /v2, and takes the project in the path', async () => {
    const old = await bench.ask('GET', '/compute/v2/flavors', { version: '2.60' });
    expect([old.status, old.headers['openstack-api-version']]).toEqual([200, undefined]);
    const project = 'a'.repeat(32);
    const as = `u:${project}:member`;
    expect((await bench.ask('GET', `/${project}/flavors`, { as })).status).toBe(200);
    expect((await bench.ask('GET', `/${project}/flavors`, { as: ALICE })).status).toBe(400);
    expect((await bench.ask('GET', '/nothing')).json()).toMatchObject({ itemNotFound: { code: 404 } });
  });
});

describe('servers by microversion', () => {
  it.each([
    ['2.1', ['flavor.id'], ['locked', 'description', 'tags', 'host_status']],
    ['2.9', ['locked'], ['description']],
    ['2.16', ['host_status'], ['description']],
    ['2.19', ['description'], ['tags']],
    ['2.26', ['tags'], ['trusted_image_certificates']],
    ['2.47', ['flavor.original_name', 'flavor.extra_specs'], ['flavor.id']],
    ['2.63', ['trusted_image_certificates'], ['server_groups']],
    ['2.71', ['server_groups'], ['locked_reason']],
    ['2.73', ['locked_reason'], ['pinned_availability_zone']],
    ['2.96', ['pinned_availability_zone'], []],
  ])('%s', async (version, present, absent) => {
    const server = await bench.show(await bench.bootId(), { version });
    for (const path of present) expect(server).toHaveProperty(path);
    for (const path of absent) expect(server).not.toHaveProperty(path);
  });

  it('host names for users from 2.90 on, host status of the service', async () => {
    const id = await bench.bootId({ name: 'My VM.x' }, { as: ALICE });
    expect(await bench.show(id, { as: ALICE, version: '2.90' })).toHaveProperty(
      'OS-EXT-SRV-ATTR:hostname',
      'my-vm-x',
    );
    expect(await bench.show(id, { as: ALICE, version: '2.89' })).not.toHaveProperty(
      'OS-EXT-SRV-ATTR:hostname',
    );
    expect(await bench.show(id, { version: '2.16' })).toHaveProperty('host_status', 'UP');
    bench.now = () => new Date(Date.now() + 61_000);
    expect(await bench.show(id, { version: '2.16' })).toHaveProperty('host_status', 'UNKNOWN');
  });
});

describe('hypervisors', () => {
  it('by number and by UUID, with and without amounts', async () => {
    await bench.bootId();
    const list = async <T>(path: string, version: string): Promise<T> =>
      (await bench.ask('GET', path, { version })).json<T>();
    const old = await list<{ hypervisors: Record<string, unknown>[] }>('/os-hypervisors/detail', '2.1');
    expect(old.hypervisors[0]).toMatchObject({
      id: 1,
      hypervisor_type: 'hyperv',
      hypervisor_version: 10_000,
      free_ram_mb: 15_872,
      running_vms: 1,
      cpu_info: '{"arch":"x86_64","vendor":"Intel"}',
      service: { host: 'hv1', disabled_reason: null },
    });
    const byUuid = await list<{ hypervisors: { id: string; cpu_info: object }[] }>(
      '/os-hypervisors/detail',
      '2.53',
    );
    expect(byUuid.hypervisors[0]).toMatchObject({ cpu_info: { arch: 'x86_64' } });
    const uuid = byUuid.hypervisors[0]?.id ?? '';
    expect(uuid).toMatch(/^[0-9a-f-]{36}$/);
    const late = await list<{ hypervisors: object[] }>('/os-hypervisors/detail', '2.88');
    expect(late.hypervisors[0]).toHaveProperty('uptime');
    expect(late.hypervisors[0]).not.toHaveProperty('vcpus');
    expect(
      (await list<{ hypervisor: object }>(`/os-hypervisors/${uuid}?with_servers=true`, '2.75')).hypervisor,
    ).toMatchObject({
      servers: [{ name: 'instance-00000001' }],
    });
    expect((await bench.ask('GET', '/os-hypervisors/1', { version: '2.53' })).status).toBe(400);
    expect((await bench.ask('GET', '/os-hypervisors/1')).status).toBe(200);
    expect((await bench.ask('GET', '/os-hypervisors/1/uptime')).status).toBe(200);
    expect((await bench.ask('GET', '/os-hypervisors/hv/search')).status).toBe(200);
    expect((await bench.ask('GET', '/os-hypervisors/hv/search', { version: '2.53' })).status).toBe(404);
    expect((await bench.ask('GET', '/os-hypervisors/statistics')).json()).toMatchObject({
      hypervisor_statistics: { count: 1, vcpus: 8, memory_mb: 16_384 },
    });
    expect((await bench.ask('GET', '/os-hypervisors/statistics', { version: '2.88' })).status).toBe(404);
    expect((await bench.ask('GET', '/os-hypervisors', { as: ALICE })).status).toBe(403);
    expect(
      (await bench.ask('GET', '/os-hypervisors?hypervisor_hostname_pattern=nope', { version: '2.53' }))
        .status,
    ).toBe(404);
  });
});

describe('services and zones', () => {
  it('are listed, disabled by name and by UUID, forced down, deleted', async () => {
    const services = async (version: string) =>
      (await bench.ask('GET', '/os-services?binary=nova-compute', { version })).json<{
        services: { id: unknown; [key: string]: unknown }[];
      }>().services;
    expect((await services('2.1'))[0]).toMatchObject({
      id: expect.any(Number),
      zone: 'nova',
      status: 'enabled',
      state: 'up',
    });
    expect((await services('2.1'))[0]).not.toHaveProperty('forced_down');
    const all = (await bench.ask('GET', '/os-services')).json<{
      services: { binary: string; zone: string }[];
    }>().services;
    expect(all.map((one) => [one.binary, one.zone])).toEqual([
      ['nova-scheduler', 'internal'],
      ['nova-conductor', 'internal'],
      ['nova-compute', 'nova'],
    ]);
    const target = { host: 'hv1', binary: 'nova-compute' };
    const disabled = await bench.ask('PUT', '/os-services/disable-log-reason', {
      body: { ...target, disabled_reason: 'disks' },
    });
    expect(disabled.json()).toEqual({ service: { ...target, status: 'disabled', disabled_reason: 'disks' } });
    expect((await services('2.11'))[0]).toMatchObject({
      status: 'disabled',
      disabled_reason: 'disks',
      forced_down: false,
    });
    expect((await bench.ask('GET', '/os-availability-zone')).json()).toEqual({
      availabilityZoneInfo: [{ zoneName: 'nova', zoneState: { available: false }, hosts: null }],
    });
    expect((await bench.ask('PUT', '/os-services/enable', { body: target })).status).toBe(200);
    expect((await bench.ask('PUT', '/os-services/explode', { body: target })).status).toBe(404);
    const id = String((await services('2.53'))[0]?.id);
    const version = '2.53';
    const down = await bench.ask('PUT', `/os-services/${id}`, { version, body: { forced_down: true } });
    expect(down.json()).toMatchObject({ service: { id, state: 'down', forced_down: true } });
    expect((await bench.ask('PUT', `/os-services/${id}`, { version, body: {} })).status).toBe(400);
    expect((await bench.ask('PUT', '/os-services/enable', { version, body: target })).status).toBe(400);
    const detail = (await bench.ask('GET', '/os-availability-zone/detail')).json<{
      availabilityZoneInfo: { hosts: object }[];
    }>();
    expect(detail.availabilityZoneInfo[1]?.hosts).toMatchObject({
      hv1: { 'nova-compute': { available: false, active: true } },
    });
    expect((await bench.ask('GET', '/os-availability-zone/detail', { as: ALICE })).status).toBe(403);
    expect((await bench.ask('DELETE', `/os-services/${id}`, { version })).status).toBe(204);
    expect(await services('2.53')).toEqual([]);
  });

  it('with servers stay', async () => {
    await bench.bootId();
    const [service] = (await bench.ask('GET', '/os-services?host=hv1')).json<{ services: { id: number }[] }>()
      .services;
    expect((await bench.ask('DELETE', `/os-services/${service?.id}`)).status).toBe(409);
  });
});
