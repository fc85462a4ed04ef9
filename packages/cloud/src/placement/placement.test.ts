import { randomUUID } from 'node:crypto';
import type { LightMyRequestResponse } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestCloud, type TestCloud } from '../testing/test-cloud.js';

interface Errors {
  errors: { status: number; code: string; detail: string }[];
}

const code = (response: LightMyRequestResponse): string => response.json<Errors>().errors[0]?.code ?? '';

const wants = (uuid: string, resources: object, generation: number | null = null): object => ({
  allocations: { [uuid]: { resources } },
  project_id: 'p',
  user_id: 'u',
  consumer_generation: generation,
  consumer_type: 'INSTANCE',
});

describe('placement', () => {
  let cloud: TestCloud;
  beforeAll(async () => {
    cloud = await createTestCloud();
  });
  afterAll(() => cloud[Symbol.asyncDispose]());

  const ask = async (
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    path: string,
    body?: unknown,
    version = '1.39',
  ): ReturnType<TestCloud['request']> =>
    cloud.request(method, `/placement/${path}`, {
      ...(body === undefined ? {} : { body }),
      headers: { 'openstack-api-version': `placement ${version}` },
    });

  /** A provider with an inventory; its UUID. */
  const provider = async (inventories: object, traits: readonly string[] = []): Promise<string> => {
    const uuid = randomUUID();
    expect((await ask('POST', 'resource_providers', { uuid, name: uuid })).statusCode).toBe(200);
    const put = await ask('PUT', `resource_providers/${uuid}/inventories`, {
      resource_provider_generation: 0,
      inventories,
    });
    expect(put.statusCode).toBe(200);
    await ask('PUT', `resource_providers/${uuid}/traits`, { resource_provider_generation: 1, traits });
    return uuid;
  };
  const usages = async (uuid: string): Promise<unknown> =>
    (await ask('GET', `resource_providers/${uuid}/usages`)).json<{ usages: unknown }>().usages;

  it('speaks microversions', async () => {
    const root = await cloud.request('GET', '/placement/', { token: '' });
    expect(root.json()).toMatchObject({ versions: [{ min_version: '1.0', max_version: '1.39' }] });
    const old = await cloud.request('GET', '/placement/resource_providers');
    expect(old.headers['openstack-api-version']).toBe('placement 1.0');
    expect((await ask('GET', 'traits', undefined, '1.5')).statusCode).toBe(404);
    const beyond = await ask('GET', 'resource_providers', undefined, '1.40');
    expect(beyond.statusCode).toBe(406);
    expect(beyond.json<Errors>().errors[0]).toMatchObject({ status: 406, code: 'placement.undefined_code' });
    expect(
      (await ask('GET', 'resource_providers', undefined, 'latest')).headers['openstack-api-version'],
    ).toBe('placement 1.39');
  });

  it('is for administrators and services', async () => {
    const { token } = await cloud.tenant('nosy');
    expect((await cloud.request('GET', '/placement/resource_providers', { token })).statusCode).toBe(403);
    expect((await cloud.request('GET', '/placement/resource_providers', { token: '' })).statusCode).toBe(401);
  });

  it('makes, names, finds and deletes providers', async () => {
    const uuid = await provider({ VCPU: { total: 4 } });
    const other = await ask('POST', 'resource_providers', { name: uuid });
    expect([other.statusCode, code(other)]).toEqual([409, 'placement.duplicate_name']);
    const child = randomUUID();
    await ask('POST', 'resource_providers', { uuid: child, name: 'child', parent_provider_uuid: uuid });
    const tree = await ask('GET', `resource_providers?in_tree=${child}`);
    const found = tree.json<{ resource_providers: { uuid: string }[] }>().resource_providers;
    expect(found).toHaveLength(2);
    expect(found).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ uuid, parent_provider_uuid: null, root_provider_uuid: uuid }),
        expect.objectContaining({ uuid: child, parent_provider_uuid: uuid, root_provider_uuid: uuid }),
      ]),
    );
    expect(code(await ask('DELETE', `resource_providers/${uuid}`))).toBe(
      'placement.resource_provider.cannot_delete_parent',
    );
    expect((await ask('DELETE', `resource_providers/${child}`)).statusCode).toBe(204);
    expect((await ask('DELETE', `resource_providers/${uuid}`)).statusCode).toBe(204);
    expect(code(await ask('GET', `resource_providers/${uuid}`))).toBe(
      'placement.resource_provider.not_found',
    );
  });

  it('refuses writers that have not seen the last change', async () => {
    const uuid = await provider({ VCPU: { total: 4 } });
    const stale = { resource_provider_generation: 1, inventories: { VCPU: { total: 8 } } };
    const refused = await ask('PUT', `resource_providers/${uuid}/inventories`, stale);
    expect([refused.statusCode, code(refused)]).toEqual([409, 'placement.concurrent_update']);
    const seen = await Promise.all(
      [8, 16].map((total) =>
        ask('PUT', `resource_providers/${uuid}/inventories`, {
          resource_provider_generation: 2,
          inventories: { VCPU: { total } },
        }),
      ),
    );
    expect(seen.map((response) => response.statusCode).toSorted((a, b) => a - b)).toEqual([200, 409]);
  });

  it('never gives out more than there is, however many ask at once', async () => {
    const uuid = await provider({
      VCPU: { total: 4, allocation_ratio: 2 },
      MEMORY_MB: { total: 1024, reserved: 512 },
    });
    const answers = await Promise.all(
      Array.from({ length: 12 }, () =>
        ask('PUT', `allocations/${randomUUID()}`, wants(uuid, { VCPU: 1, MEMORY_MB: 64 })),
      ),
    );
    expect(answers.filter((answer) => answer.statusCode === 204)).toHaveLength(8);
    expect(answers.filter((answer) => answer.statusCode === 409)).toHaveLength(4);
    expect(await usages(uuid)).toEqual({ VCPU: 8, MEMORY_MB: 512 });
  });

  it('keeps to units, replaces and frees allocations, by consumer generation', async () => {
    const uuid = await provider({ DISK_GB: { total: 100, min_unit: 10, max_unit: 40, step_size: 10 } });
    const consumer = randomUUID();
    const put = async (amount: number, generation: number | null): Promise<number> =>
      (await ask('PUT', `allocations/${consumer}`, wants(uuid, { DISK_GB: amount }, generation))).statusCode;
    expect([await put(5, null), await put(50, null), await put(15, null)]).toEqual([409, 409, 409]);
    expect((await ask('GET', `allocations/${consumer}`)).json()).toEqual({ allocations: {} });
    expect(await put(20, null)).toBe(204);
    expect(await put(30, null)).toBe(409);
    expect(await put(30, 1)).toBe(204);
    expect((await ask('GET', `allocations/${consumer}`)).json()).toMatchObject({
      allocations: { [uuid]: { resources: { DISK_GB: 30 } } },
      project_id: 'p',
      user_id: 'u',
      consumer_generation: 2,
      consumer_type: 'INSTANCE',
    });
    const inUse = await ask('DELETE', `resource_providers/${uuid}/inventories`);
    expect([inUse.statusCode, code(inUse)]).toEqual([409, 'placement.inventory.inuse']);
    expect(code(await ask('DELETE', `resource_providers/${uuid}`))).toBe('placement.resource_provider.inuse');
    expect((await ask('GET', 'usages?project_id=p')).json()).toMatchObject({
      usages: { INSTANCE: { DISK_GB: 30 } },
    });
    expect((await ask('DELETE', `allocations/${consumer}`)).statusCode).toBe(204);
    expect((await ask('DELETE', `allocations/${consumer}`)).statusCode).toBe(404);
    expect(await usages(uuid)).toEqual({ DISK_GB: 0 });
  });

  it('moves allocations between consumers in one step, or not at all', async () => {
    const [from, to] = [await provider({ VCPU: { total: 2 } }), await provider({ VCPU: { total: 1 } })];
    const [instance, migration] = [randomUUID(), randomUUID()];
    await ask('PUT', `allocations/${instance}`, wants(from, { VCPU: 2 }));
    const move = (amount: number): unknown => ({
      [migration]: wants(from, { VCPU: 2 }),
      [instance]: wants(to, { VCPU: amount }, 1),
    });
    expect((await ask('POST', 'allocations', move(2))).statusCode).toBe(409);
    expect([await usages(from), await usages(to)]).toEqual([{ VCPU: 2 }, { VCPU: 0 }]);
    expect((await ask('POST', 'allocations', move(1))).statusCode).toBe(204);
    expect([await usages(from), await usages(to)]).toEqual([{ VCPU: 2 }, { VCPU: 1 }]);
    const gone = { ...wants(from, {}), allocations: {}, consumer_generation: 1 };
    expect((await ask('PUT', `allocations/${migration}`, gone)).statusCode).toBe(204);
    expect(await usages(from)).toEqual({ VCPU: 0 });
  });

  it('finds candidates by room and traits', async () => {
    const room = { VCPU: { total: 64 }, MEMORY_MB: { total: 65_536 } };
    const plain = await provider(room, ['COMPUTE_IMAGE_TYPE_VHD', 'HW_CPU_X86_AVX512F']);
    const off = await provider(room, [
      'COMPUTE_IMAGE_TYPE_VHD',
      'HW_CPU_X86_AVX512F',
      'COMPUTE_STATUS_DISABLED',
    ]);
    const small = await provider({ VCPU: { total: 64 }, MEMORY_MB: { total: 10 } }, ['HW_CPU_X86_AVX512F']);
    const find = async (query: string, version?: string): Promise<string[]> => {
      const response = await ask(
        'GET',
        `allocation_candidates?resources=VCPU:33,MEMORY_MB:512&required=HW_CPU_X86_AVX512F${query}`,
        undefined,
        version,
      );
      return response
        .json<{ allocation_requests: { allocations: object }[] }>()
        .allocation_requests.flatMap((request) => Object.keys(request.allocations));
    };
    expect((await find('')).toSorted()).toEqual([plain, off].toSorted());
    expect(await find(',!COMPUTE_STATUS_DISABLED')).toEqual([plain]);
    expect(await find('&required=in:COMPUTE_STATUS_DISABLED,COMPUTE_NODE')).toEqual([off]);
    expect(await find('&limit=1')).toHaveLength(1);
    expect(await find(`&in_tree=${small}`)).toEqual([]);
    const full = await ask('GET', `allocation_candidates?resources=VCPU:33&in_tree=${plain}`);
    expect(full.json()).toEqual({
      allocation_requests: [
        { allocations: { [plain]: { resources: { VCPU: 33 } } }, mappings: { '': [plain] } },
      ],
      provider_summaries: {
        [plain]: {
          resources: { VCPU: { capacity: 64, used: 0 }, MEMORY_MB: { capacity: 65_536, used: 0 } },
          traits: ['COMPUTE_IMAGE_TYPE_VHD', 'HW_CPU_X86_AVX512F'],
          parent_provider_uuid: null,
          root_provider_uuid: plain,
        },
      },
    });
    for (const query of [
      'resources=VCPU',
      'resources=WISH:1',
      'resources=VCPU:1&required=NO_SUCH',
      'resources1=VCPU:1&resources=VCPU:1',
      'resources=VCPU:1&limit=0',
      'required=COMPUTE_NODE',
    ]) {
      expect((await ask('GET', `allocation_candidates?${query}`)).statusCode).toBe(400);
    }
  });

  it('has traits and classes of its own and of the deployment', async () => {
    expect((await ask('PUT', 'traits/COMPUTE_MINE')).statusCode).toBe(400);
    expect((await ask('PUT', 'traits/CUSTOM_GOLD')).statusCode).toBe(201);
    expect((await ask('PUT', 'traits/CUSTOM_GOLD')).statusCode).toBe(204);
    const uuid = await provider({}, ['CUSTOM_GOLD']);
    expect((await ask('GET', 'traits?name=startswith:CUSTOM_&associated=true')).json()).toEqual({
      traits: ['CUSTOM_GOLD'],
    });
    expect((await ask('DELETE', 'traits/CUSTOM_GOLD')).statusCode).toBe(409);
    await ask('DELETE', `resource_providers/${uuid}/traits`);
    expect((await ask('DELETE', 'traits/CUSTOM_GOLD')).statusCode).toBe(204);
    const unknown = await ask('PUT', `resource_providers/${uuid}/traits`, {
      resource_provider_generation: 4,
      traits: ['CUSTOM_GOLD'],
    });
    expect(unknown.statusCode).toBe(409);
    expect((await ask('PUT', 'resource_classes/CUSTOM_GPU')).statusCode).toBe(201);
    expect((await ask('PUT', 'resource_classes/VCPU')).statusCode).toBe(400);
    const gpu = await provider({ CUSTOM_GPU: { total: 1 } });
    expect((await ask('DELETE', 'resource_classes/CUSTOM_GPU')).statusCode).toBe(409);
    await ask('DELETE', `resource_providers/${gpu}/inventories/CUSTOM_GPU`);
    expect((await ask('DELETE', 'resource_classes/CUSTOM_GPU')).statusCode).toBe(204);
  });

  it('keeps aggregates', async () => {
    const uuid = await provider({ VCPU: { total: 1 } });
    const aggregate = randomUUID();
    expect((await ask('GET', `resource_providers/${uuid}/aggregates`)).json()).toMatchObject({
      aggregates: [],
    });
    await ask('PUT', `resource_providers/${uuid}/aggregates`, {
      aggregates: [aggregate],
      resource_provider_generation: 2,
    });
    const found = await ask('GET', `resource_providers?member_of=${aggregate}`);
    expect(found.json()).toMatchObject({ resource_providers: [{ uuid }] });
  });
});
