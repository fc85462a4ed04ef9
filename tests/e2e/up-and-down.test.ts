import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openstackClient } from '../support/clients.js';
import { ROOT, run, runOk } from '../support/run.js';
import { TestCloud } from '../support/test-cloud.js';

describe('script/up and script/down', () => {
  let cloud: TestCloud;
  beforeAll(async () => {
    cloud = await TestCloud.prepare({ engine: 'none', hosts: ['hv1:2019'] });
  });
  afterAll(() => cloud?.destroy());

  it('return when ready, keep what was made over a restart, and keep the password to their owner', async () => {
    const port = '18780';
    const up = ['--detach', '--state', cloud.state, '--engine', 'none', '--host', 'hv1:2019', '--port', port];
    const printed = await runOk(join(ROOT, 'script/up'), up, { timeoutMs: 300_000 });
    expect(printed).toContain(`http://127.0.0.1:${port}/identity`);
    expect(printed).toContain('openstack server create');
    for (const file of ['clouds.yaml', 'openrc', 'settings.json', 'cloud/secrets/admin-password']) {
      expect((await stat(join(cloud.state, file))).mode & 0o077).toBe(0);
    }
    for (const file of ['guests/gen1.vhd', 'guests/gen2.vhdx'])
      expect((await stat(join(cloud.state, file))).size).toBeGreaterThan(0);
    const adminPassword = await cloud.adminPassword();
    expect(adminPassword.length).toBeGreaterThanOrEqual(16);

    const openstack = openstackClient(cloud);
    await openstack.ok('flavor', 'create', '--ram', '64', '--disk', '1', '--vcpus', '1', 'kept');
    const second = await run(join(ROOT, 'script/up'), up, { timeoutMs: 120_000 });
    expect(second.code).not.toBe(0);
    expect(second.stderr).toMatch(/already runs this state folder/);

    await runOk(join(ROOT, 'script/down'), ['--state', cloud.state]);
    await runOk(join(ROOT, 'script/up'), [...up, '--host', 'hv2:2025'], { timeoutMs: 120_000 });
    expect(await cloud.adminPassword()).toBe(adminPassword);
    const flavors = await openstack.json<{ Name: string }[]>('flavor', 'list');
    expect(flavors.map((flavor) => flavor.Name)).toContain('kept');
    const hosts = await openstack.json<{ 'Hypervisor Hostname': string }[]>('hypervisor', 'list');
    expect(hosts.map((host) => host['Hypervisor Hostname']).toSorted()).toEqual(['hv1', 'hv2']);
    await runOk(join(ROOT, 'script/down'), ['--state', cloud.state]);
    expect(await cloud.readLog()).not.toContain(adminPassword);
  });
});
