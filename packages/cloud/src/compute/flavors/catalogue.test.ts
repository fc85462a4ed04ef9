import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ALICE, BOB, NovaBench } from '../testing/bench.js';

interface Flavor {
  readonly id: string;
  readonly name: string;
  readonly [key: string]: unknown;
}

let bench: NovaBench;
beforeEach(async () => {
  bench = await NovaBench.create();
});
afterEach(() => bench.close());

const flavors = async (query = '', as = ALICE): Promise<readonly Flavor[]> =>
  (await bench.ask('GET', `/flavors/detail${query}`, { as, version: '2.61' })).json<{ flavors: Flavor[] }>()
    .flavors;

describe('flavors', () => {
  it('are five at first, and not again once deleted', async () => {
    expect((await flavors()).map((one) => [one.id, one.name, one['ram'], one['vcpus'], one['disk']])).toEqual(
      [
        ['1', 'm1.tiny', 512, 1, 1],
        ['2', 'm1.small', 2048, 1, 20],
        ['3', 'm1.medium', 4096, 2, 40],
        ['4', 'm1.large', 8192, 4, 80],
        ['5', 'm1.xlarge', 16_384, 8, 160],
      ],
    );
    for (const { id } of await flavors())
      expect((await bench.ask('DELETE', `/flavors/${id}`)).status).toBe(202);
    await bench.nova.start?.();
    expect(await flavors()).toEqual([]);
  });

  it('are made by administrators, by number or by text', async () => {
    const flavor = {
      name: 'big',
      ram: '64',
      vcpus: 1,
      disk: 1,
      swap: 0,
      'OS-FLV-EXT-DATA:ephemeral': 0,
      rxtx_factor: '1.0',
      id: null,
    };
    expect((await bench.ask('POST', '/flavors', { as: ALICE, body: { flavor } })).status).toBe(403);
    const made = await bench.ask('POST', '/flavors', { body: { flavor } });
    expect([made.status, made.json()]).toEqual([
      200,
      { flavor: expect.objectContaining({ name: 'big', ram: 64, swap: '' }) },
    ]);
    const again = await bench.ask('POST', '/flavors', { body: { flavor } });
    expect(again.json()).toMatchObject({
      conflictingRequest: { message: 'Flavor with name big already exists.' },
    });
    expect((await bench.ask('POST', '/flavors', { body: { flavor: { ...flavor, ram: 0 } } })).status).toBe(
      400,
    );
    expect(
      (await bench.ask('POST', '/flavors', { body: { flavor: { ...flavor, description: 'x' } } })).status,
    ).toBe(400);
    const described = { ...flavor, name: 'other', description: 'why' };
    const late = await bench.ask('POST', '/flavors', { body: { flavor: described }, version: '2.75' });
    expect(late.json()).toMatchObject({ flavor: { description: 'why', swap: 0, extra_specs: {} } });
  });

  it('are filtered, sorted and paged', async () => {
    expect((await flavors('?minRam=8192')).map((one) => one.id)).toEqual(['4', '5']);
    expect((await flavors('?sort_key=memory_mb&sort_dir=desc&limit=2')).map((one) => one.id)).toEqual([
      '5',
      '4',
    ]);
    expect((await flavors('?marker=4')).map((one) => one.id)).toEqual(['5']);
    expect((await bench.ask('GET', '/flavors?sort_key=colour')).status).toBe(400);
  });

  it('that are private are for their projects', async () => {
    const flavor = {
      id: 'p',
      name: 'private',
      ram: 64,
      vcpus: 1,
      disk: 1,
      'os-flavor-access:is_public': false,
    };
    await bench.ask('POST', '/flavors', { body: { flavor } });
    expect((await bench.ask('GET', '/flavors/p', { as: ALICE })).status).toBe(404);
    const action = { addTenantAccess: { tenant: 'p-alice' } };
    expect((await bench.ask('POST', '/flavors/p/action', { body: action })).status).toBe(200);
    expect((await bench.ask('POST', '/flavors/p/action', { body: action })).status).toBe(409);
    expect((await bench.ask('GET', '/flavors/p', { as: ALICE })).status).toBe(200);
    expect((await bench.ask('GET', '/flavors/p', { as: BOB })).status).toBe(404);
    expect((await flavors('?is_public=none', 'root:admin:admin')).map((one) => one.id)).toContain('p');
    expect((await bench.ask('GET', '/flavors/p/os-flavor-access')).json()).toEqual({
      flavor_access: [{ flavor_id: 'p', tenant_id: 'p-alice' }],
    });
    await bench.ask('POST', '/flavors/p/action', { body: { removeTenantAccess: { tenant: 'p-alice' } } });
    expect((await bench.ask('GET', '/flavors/p', { as: ALICE })).status).toBe(404);
  });

  it('have extra specs, which 2.86 checks', async () => {
    const base = '/flavors/1/os-extra_specs';
    const specs = { 'os:secure_boot': 'required', 'hw:numa_nodes': '2', 'my:own': 'x' };
    expect((await bench.ask('POST', base, { as: ALICE, body: { extra_specs: specs } })).status).toBe(403);
    expect((await bench.ask('POST', base, { body: { extra_specs: specs }, version: '2.86' })).json()).toEqual(
      { extra_specs: specs },
    );
    expect((await bench.ask('GET', base, { as: ALICE })).json()).toEqual({ extra_specs: specs });
    for (const bad of [{ 'hw:numa_nodes': 'two' }, { 'hw:nonsense': '1' }, { 'trait:X': 'maybe' }]) {
      expect((await bench.ask('POST', base, { body: { extra_specs: bad }, version: '2.86' })).status).toBe(
        400,
      );
    }
    expect((await bench.ask('PUT', `${base}/my:own`, { body: { 'my:own': 'y' } })).json()).toEqual({
      'my:own': 'y',
    });
    expect((await bench.ask('PUT', `${base}/my:own`, { body: { other: 'y' } })).status).toBe(400);
    expect((await bench.ask('DELETE', `${base}/my:own`)).status).toBe(200);
    expect((await bench.ask('GET', `${base}/my:own`)).status).toBe(404);
    expect((await flavors()).find((one) => one.id === '1')).toMatchObject({
      extra_specs: { 'os:secure_boot': 'required', 'hw:numa_nodes': '2' },
    });
  });
});

const ED25519 = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me@here';

describe('keypairs', () => {
  it('are imported, shown, listed, deleted, and each user has their own', async () => {
    const keypair = { name: 'k', public_key: ED25519 };
    const made = await bench.ask('POST', '/os-keypairs', { as: ALICE, body: { keypair } });
    expect([made.status, made.json()]).toEqual([
      200,
      {
        keypair: {
          name: 'k',
          public_key: ED25519,
          user_id: 'alice',
          fingerprint: expect.stringMatching(/^([0-9a-f]{2}:){15}[0-9a-f]{2}$/),
        },
      },
    ]);
    expect((await bench.ask('POST', '/os-keypairs', { as: ALICE, body: { keypair } })).status).toBe(409);
    expect(
      (await bench.ask('POST', '/os-keypairs', { as: BOB, body: { keypair }, version: '2.2' })).status,
    ).toBe(201);
    expect((await bench.ask('GET', '/os-keypairs/k', { as: ALICE, version: '2.2' })).json()).toMatchObject({
      keypair: { type: 'ssh', user_id: 'alice' },
    });
    expect((await bench.ask('GET', '/os-keypairs?user_id=bob', { as: ALICE, version: '2.10' })).status).toBe(
      403,
    );
    expect(
      (await bench.ask('GET', '/os-keypairs?user_id=bob', { version: '2.10' })).json<{ keypairs: object[] }>()
        .keypairs,
    ).toHaveLength(1);
    await bench.addHost('hv1');
    const id = await bench.bootId({ key_name: 'k' }, { as: ALICE });
    expect(await bench.instances.get(id)).toMatchObject({ keyName: 'k', keyData: ED25519 });
    expect((await bench.ask('DELETE', '/os-keypairs/k', { as: ALICE })).status).toBe(202);
    expect((await bench.ask('DELETE', '/os-keypairs/k', { as: ALICE, version: '2.2' })).status).toBe(404);
  });

  it.each([
    ['no key', { public_key: 'hello' }, '2.1'],
    ['another type inside', { public_key: ED25519.replace('ssh-ed25519', 'ssh-rsa') }, '2.1'],
    ['a certificate', { public_key: ED25519, type: 'x509' }, '2.2'],
    ['none, from 2.92 on', {}, '2.92'],
    ['a name with a slash', { name: 'a/b', public_key: ED25519 }, '2.92'],
  ])('refuse %s', async (_, fields, version) => {
    const body = { keypair: { name: 'k', ...fields } };
    expect((await bench.ask('POST', '/os-keypairs', { body, version })).status).toBe(400);
  });

  it.runIf(existsSync('/usr/bin/ssh-keygen'))('are generated as ssh-keygen reads them', async () => {
    const made = await bench.ask('POST', '/os-keypairs', { body: { keypair: { name: 'k' } } });
    const { keypair } = made.json<{
      keypair: { public_key: string; private_key: string; fingerprint: string };
    }>();
    const folder = mkdtempSync(join(tmpdir(), 'nova-hyperv-key-'));
    try {
      const file = join(folder, 'key');
      writeFileSync(file, keypair.private_key, { mode: 0o600 });
      const derived = execFileSync('ssh-keygen', ['-y', '-f', file]).toString();
      expect(keypair.public_key.startsWith(derived.trim().split(' ').slice(0, 2).join(' '))).toBe(true);
      writeFileSync(`${file}.pub`, keypair.public_key);
      expect(execFileSync('ssh-keygen', ['-l', '-E', 'md5', '-f', `${file}.pub`]).toString()).toContain(
        keypair.fingerprint,
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('the rest', () => {
  it('is listed, empty where there is nothing', async () => {
    for (const [path, key] of [
      ['/os-aggregates', 'aggregates'],
      ['/os-server-groups', 'server_groups'],
    ] as const) {
      expect((await bench.ask('GET', path)).json()).toEqual({ [key]: [] });
    }
    expect((await bench.ask('GET', '/extensions/servers')).status).toBe(200);
    expect((await bench.ask('GET', '/os-quota-sets/p-alice', { as: BOB })).status).toBe(403);
    expect(
      (await bench.ask('GET', '/os-quota-sets/p-alice', { as: ALICE, version: '2.57' })).json(),
    ).toMatchObject({
      quota_set: { id: 'p-alice', instances: -1, key_pairs: 100 },
    });
    const limits = (await bench.ask('GET', '/limits', { version: '2.57' })).json<{
      limits: { absolute: object };
    }>().limits.absolute;
    expect(limits).toMatchObject({ maxServerMeta: 128 });
    expect(limits).not.toHaveProperty('maxPersonality');
  });
});
