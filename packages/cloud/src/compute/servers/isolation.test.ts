import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ALICE, BOB, NovaBench } from '../testing/bench.js';

const SERVICE = 'neutron:service:service';
const UUID = '11111111-2222-4333-8444-555555555555';

describe('a member of another project', () => {
  let bench: NovaBench;
  let server = '';
  let request = '';
  beforeAll(async () => {
    bench = await NovaBench.create();
    await bench.addHost('hv1');
    server = await bench.bootId({ metadata: { role: 'db' } }, { as: ALICE });
    const actions = await bench.ask('GET', `/servers/${server}/os-instance-actions`, { as: ALICE });
    request =
      actions.json<{ instanceActions: { request_id: string }[] }>().instanceActions[0]?.request_id ?? '';
    expect(request).toMatch(/^req-/u);
  });
  afterAll(() => bench.close());

  it('gets 404 for everything of a server', async () => {
    const reads = [
      '',
      '/metadata',
      '/metadata/role',
      '/tags',
      '/tags/x',
      '/ips',
      '/ips/x',
      '/os-interface',
      `/os-interface/${UUID}`,
      '/os-security-groups',
      '/os-instance-actions',
      `/os-instance-actions/${request}`,
      '/os-volume_attachments',
      '/migrations',
    ];
    for (const path of reads) {
      const answer = await bench.ask('GET', `/servers/${server}${path}`, { as: BOB, version: '2.79' });
      expect([path, answer.status]).toEqual([path, 404]);
    }
    const writes = [
      ['PUT', '', { server: { name: 'mine' } }],
      ['DELETE', '', undefined],
      ['POST', '/metadata', { metadata: { a: 'b' } }],
      ['PUT', '/metadata', { metadata: { a: 'b' } }],
      ['PUT', '/metadata/a', { meta: { a: 'b' } }],
      ['DELETE', '/metadata/role', undefined],
      ['PUT', '/tags', { tags: ['a'] }],
      ['PUT', '/tags/a', undefined],
      ['DELETE', '/tags', undefined],
    ] as const;
    for (const [method, path, body] of writes) {
      const ask = { as: BOB, version: '2.79', ...(body === undefined ? {} : { body }) };
      const answer = await bench.ask(method, `/servers/${server}${path}`, ask);
      expect([method, path, answer.status]).toEqual([method, path, 404]);
    }
    const actions = [
      { 'os-start': null },
      { 'os-stop': null },
      { reboot: { type: 'HARD' } },
      { 'os-getConsoleOutput': {} },
      { 'os-resetState': { state: 'error' } },
      { lock: null },
      { unlock: null },
      { addSecurityGroup: { name: 'default' } },
      { removeSecurityGroup: { name: 'default' } },
      { forceDelete: null },
    ];
    for (const action of actions) {
      expect([action, (await bench.act(server, action, { as: BOB })).status]).toEqual([action, 404]);
    }
    await bench.show(server, { as: ALICE }, (shown: { metadata: object }) =>
      expect(shown.metadata).toEqual({ role: 'db' }),
    );
  });

  it('finds it in no list, whatever the filters', async () => {
    for (const query of [
      '',
      '?all_tenants=0',
      '?project_id=p-alice',
      '?tenant_id=p-alice',
      '?name=.*',
      '?host=hv1',
    ]) {
      const answer = await bench.ask('GET', `/servers/detail${query}`, { as: BOB });
      expect([query, answer.status]).toEqual([query, 200]);
      expect(answer.text).not.toContain(server);
    }
    expect((await bench.ask('GET', '/servers?all_tenants=1', { as: BOB })).status).toBe(403);
    expect((await bench.ask('GET', '/servers?status=deleted', { as: BOB })).status).toBe(403);
    expect(
      (await bench.ask('GET', '/compute/v2.1/'.concat('a'.repeat(32), '/servers'), { as: BOB })).status,
    ).toBe(400);
  });

  it("reads and writes no other user's keypairs, no private flavor, no other project's quotas and usage", async () => {
    await bench.ask('POST', '/os-keypairs', { as: ALICE, body: { keypair: { name: 'k' } } });
    const statusOf = async (path: string, ask: object = {}): Promise<number> =>
      (await bench.ask('GET', path, { as: BOB, version: '2.79', ...ask })).status;
    expect(await statusOf('/os-keypairs/k')).toBe(404);
    expect(await statusOf('/os-keypairs/k?user_id=alice')).toBe(403);
    expect(await statusOf('/os-keypairs?user_id=alice')).toBe(403);
    expect((await bench.ask('DELETE', '/os-keypairs/k', { as: BOB })).status).toBe(404);
    const flavor = {
      name: 'private',
      id: 'secret',
      ram: 64,
      vcpus: 1,
      disk: 0,
      'os-flavor-access:is_public': false,
    };
    expect((await bench.ask('POST', '/flavors', { body: { flavor } })).status).toBe(200);
    for (const path of ['', '/os-extra_specs', '/os-extra_specs/x']) {
      expect(await statusOf(`/flavors/secret${path}`)).toBe(404);
    }
    expect((await bench.ask('GET', '/flavors?is_public=None', { as: BOB })).text).not.toContain('secret');
    expect((await bench.boot({ flavorRef: 'secret' }, { as: BOB })).status).toBe(400);
    for (const path of [
      '/os-quota-sets/p-alice',
      '/os-quota-sets/p-alice/detail',
      '/os-simple-tenant-usage/p-alice',
    ]) {
      expect([path, await statusOf(path)]).toEqual([path, 403]);
    }
    expect(await statusOf('/limits?tenant_id=p-alice')).toBe(403);
  });

  it('does nothing that is for administrators', async () => {
    const calls = [
      ['GET', '/os-hypervisors'],
      ['GET', '/os-hypervisors/detail'],
      ['GET', `/os-hypervisors/${UUID}`],
      ['GET', '/os-services'],
      ['PUT', `/os-services/${UUID}`],
      ['DELETE', `/os-services/${UUID}`],
      ['GET', '/os-availability-zone/detail'],
      ['GET', '/os-simple-tenant-usage'],
      ['PUT', '/os-quota-sets/p-bob'],
      ['DELETE', '/os-quota-sets/p-bob'],
      ['POST', '/flavors'],
      ['DELETE', '/flavors/1'],
      ['POST', '/flavors/1/action'],
      ['POST', '/flavors/1/os-extra_specs'],
      ['PUT', '/flavors/1/os-extra_specs/a'],
      ['DELETE', '/flavors/1/os-extra_specs/a'],
      ['GET', '/flavors/1/os-flavor-access'],
      ['POST', '/os-server-external-events'],
    ] as const;
    for (const [method, path] of calls) {
      const ask = { as: BOB, version: '2.79', ...(method === 'GET' ? {} : { body: {} }) };
      expect([method, path, (await bench.ask(method, path, ask)).status]).toEqual([method, path, 403]);
    }
    // The service role alone is no licence to read servers.
    expect((await bench.ask('GET', `/servers/${server}`, { as: SERVICE })).status).toBe(404);
  });

  it('reaches no member of a prototype by a name in a path or a query', async () => {
    for (const name of ['constructor', '__proto__', 'toString']) {
      const statusOf = async (path: string, version = '2.79'): Promise<number> =>
        (await bench.ask('GET', path, { as: ALICE, version })).status;
      expect(await statusOf(`/servers/${server}/metadata/${name}`)).toBe(404);
      expect(await statusOf(`/servers/${server}/ips/${name}`)).toBe(404);
      expect(await statusOf(`/flavors/1/os-extra_specs/${name}`)).toBe(404);
      expect(await statusOf(`/flavors?sort_key=${name}`)).toBe(400);
      expect(await statusOf(`/servers?sort_key=${name}`)).toBe(400);
      const body = { meta: { a: 'b' } };
      const put = await bench.ask('PUT', `/servers/${server}/metadata/${name}`, { as: ALICE, body });
      expect(put.status).toBe(400);
      const action = await bench.act(server, { [name]: null }, { as: ALICE });
      expect(action.status).toBe(400);
    }
    const own = { metadata: { constructor: 'c', toString: 't' } };
    await bench.ask('PUT', `/servers/${server}/metadata`, { as: ALICE, body: own });
    const read = await bench.ask('GET', `/servers/${server}/metadata/constructor`, { as: ALICE });
    expect(read.json<object>()).toEqual({ meta: { constructor: 'c' } });
  });

  it('stops no other request for long with a pattern of exponential time, and stores no key of megabytes', async () => {
    const name = 'a'.repeat(40);
    await bench.bootId({ name }, { as: BOB });
    const started = performance.now();
    const slow = await bench.ask('GET', `/servers?name=${encodeURIComponent('^(a+)+$b')}`, { as: BOB });
    expect([200, 400]).toContain(slow.status);
    expect(performance.now() - started).toBeLessThan(2000);
    const body = { keypair: { name: 'big', public_key: `ssh-rsa ${'A'.repeat(100_000)}` } };
    expect((await bench.ask('POST', '/os-keypairs', { as: BOB, body })).status).toBe(400);
  });
});
