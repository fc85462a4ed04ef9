import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cloudsYaml } from '../kernel/client-config.js';
import { type OpenStackClient, openStackClient } from './openstack-client.js';
import { createTestCloud, type TestCloud } from './test-cloud.js';

const run = promisify(execFile);

/** Debian's unmodified clients against a cloud that listens. Each call takes a second or two of processor time. */
describe("OpenStack's own clients", () => {
  let cloud: TestCloud;
  let openstack: OpenStackClient;
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'nova-hyperv-clients-'));
    cloud = await createTestCloud();
    await cloud.cloud.start();
    openstack = openStackClient({ url: cloud.cloud.url, password: cloud.cloud.adminPassword });
  });
  afterAll(async () => {
    await cloud[Symbol.asyncDispose]();
    await rm(dir, { recursive: true, force: true });
  });

  it('log in by clouds.yaml and read the catalogue', async () => {
    const file = join(dir, 'clouds.yaml');
    const access = {
      url: cloud.cloud.url,
      username: 'admin',
      password: cloud.cloud.adminPassword,
      projectName: 'admin',
      region: 'RegionOne',
    };
    await writeFile(file, cloudsYaml(access), { mode: 0o600 });
    const { stdout } = await run('openstack', ['catalog', 'list', '-f', 'json'], {
      env: { PATH: process.env.PATH, OS_CLIENT_CONFIG_FILE: file, OS_CLOUD: 'nova-hyperv' },
    });
    const types: unknown = JSON.parse(stdout);
    expect(types).toEqual(
      expect.arrayContaining([expect.objectContaining({ Type: 'image', Name: 'glance' })]),
    );
  });

  it('make projects, users and role assignments that work', async () => {
    await openstack.json('project', 'create', 'team');
    await openstack.json('user', 'create', '--password', 'secret words', '--project', 'team', 'mia');
    expect(await openstack.run('role', 'add', '--user', 'mia', '--project', 'team', 'member')).toMatchObject({
      code: 0,
    });
    const assignments = await openstack.json('role', 'assignment', 'list', '--names', '--user', 'mia');
    expect(assignments).toMatchObject([{ Role: 'member', User: 'mia@Default', Project: 'team@Default' }]);
    const mia = openStackClient({
      url: cloud.cloud.url,
      user: 'mia',
      password: 'secret words',
      project: 'team',
    });
    expect(await mia.json('token', 'issue')).toHaveProperty('project_id');
    const refused = await mia.run('user', 'list');
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('not authorized to perform the requested action: identity:list_users');
  });

  it('upload, change, download and delete an image', async () => {
    const [source, target] = [join(dir, 'image.bin'), join(dir, 'image.out')];
    await writeFile(source, randomBytes(3_000_000));
    await openstack.json(
      'image',
      'create',
      '--disk-format',
      'vhd',
      '--container-format',
      'bare',
      '--file',
      source,
      '--property',
      'hypervisor_type=hyperv',
      '--property',
      'hypervisor_version_requires=>=6.3',
      'gen2',
    );
    const set = await openstack.run(
      'image',
      'set',
      '--property',
      'a/b~c=x',
      '--tag',
      'mine',
      '--protected',
      'gen2',
    );
    expect(set).toMatchObject({ code: 0 });
    const shown = await openstack.json('image', 'show', 'gen2');
    expect(shown).toMatchObject({
      status: 'active',
      size: 3_000_000,
      protected: true,
      tags: ['mine'],
      properties: { hypervisor_version_requires: '>=6.3', 'a/b~c': 'x' },
    });
    const refused = await openstack.run('image', 'delete', 'gen2');
    expect(refused.stderr).toContain('is protected and cannot be deleted');
    expect(await openstack.run('image', 'save', '--file', target, 'gen2')).toMatchObject({ code: 0 });
    expect((await readFile(target)).equals(await readFile(source))).toBe(true);
    const glance = async (...args: string[]): Promise<string> =>
      (await run('glance', args, { env: openstack.env })).stdout;
    const id = /\| id +\| ([0-9a-f-]{36}) /.exec(
      await glance(
        'image-create',
        '--name',
        'g',
        '--disk-format',
        'vhdx',
        '--container-format',
        'bare',
        '--file',
        source,
      ),
    )?.[1];
    expect(await glance('image-list')).toContain(String(id));
    await glance('image-delete', String(id));
    expect(await glance('image-list')).not.toContain(String(id));
  });

  it('make networks, subnets, ports and security group rules', async () => {
    await openstack.json('network', 'create', 'n1');
    await openstack.json('subnet', 'create', '--network', 'n1', '--subnet-range', '192.168.5.0/24', 's1');
    const port = await openstack.json(
      'port',
      'create',
      '--network',
      'n1',
      '--fixed-ip',
      'subnet=s1,ip-address=192.168.5.12',
      '--host',
      'hv1',
      'p1',
    );
    expect(port).toMatchObject({
      status: 'ACTIVE',
      binding_vif_type: 'hyperv',
      fixed_ips: [{ ip_address: '192.168.5.12' }],
    });
    const refused = await openstack.run('network', 'delete', 'n1');
    expect(refused.stderr).toContain('ports still in use');
    expect(await openstack.run('port', 'delete', 'p1')).toMatchObject({ code: 0 });
    expect(await openstack.run('network', 'delete', 'n1')).toMatchObject({ code: 0 });
    const rule = await openstack.json(
      'security',
      'group',
      'rule',
      'create',
      '--proto',
      'tcp',
      '--dst-port',
      '22',
      'default',
    );
    expect(rule).toMatchObject({ direction: 'ingress', port_range_min: 22, remote_ip_prefix: '0.0.0.0/0' });
    expect(await openstack.json('network', 'list')).toMatchObject([{ Name: 'private' }]);
  });

  it('are told why a password is refused', async () => {
    const wrong = openStackClient({ url: cloud.cloud.url, password: 'wrong' });
    const result = await wrong.run('token', 'issue');
    expect(result.code).not.toBe(0);
    expect(result.stderr).toContain('The request you have made requires authentication. (HTTP 401)');
  });
});
