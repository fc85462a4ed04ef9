import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startWholeCloud, type WholeCloud } from './testing/whole-cloud.js';

/** The unmodified clients of Debian against the whole cloud: a few well-chosen commands, since each costs seconds. */
let whole: WholeCloud;
let folder: string;

const openstack = async (...args: readonly string[]): Promise<string> => {
  const result = await whole.client.run(...args);
  expect([args.join(' '), result.code, result.stderr]).toEqual([args.join(' '), 0, expect.anything()]);
  return result.stdout;
};
const json = (...args: readonly string[]): Promise<unknown> => whole.client.json(...args);
const nova = async (...args: readonly string[]): Promise<string> =>
  (await promisify(execFile)('nova', [...args], { env: whole.client.env, timeout: 60_000 })).stdout;

beforeAll(async () => {
  whole = await startWholeCloud({ hv2012: 6003, hv2016: 10_000 });
  folder = await mkdtemp(join(tmpdir(), 'nova-hyperv-clients-'));
  const file = join(folder, 'disk.vhd');
  await writeFile(file, Buffer.alloc(4096));
  const format = ['--disk-format', 'vhd', '--container-format', 'bare', '--file', file];
  await openstack(
    'image',
    'create',
    ...format,
    '--property',
    'hypervisor_type=hyperv',
    '--property',
    'hypervisor_version_requires=>=10.0',
    'gen2',
  );
});
afterAll(async () => {
  await whole[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

describe('the openstack client', () => {
  it('boots a server on the host that the image asks for, and takes it through its life', async () => {
    await openstack('keypair', 'create', 'key');
    const create = ['server', 'create', '--image', 'gen2', '--flavor', 'm1.tiny', '--network', 'private'];
    const made = await json(...create, '--key-name', 'key', '--wait', 'vm2');
    expect(made).toMatchObject({
      name: 'vm2',
      status: 'ACTIVE',
      'OS-EXT-SRV-ATTR:host': 'hv2016',
      key_name: 'key',
      addresses: { private: [expect.any(String)] },
    });
    expect(await openstack('console', 'log', 'show', 'vm2')).toContain('boot of vm2');
    await openstack('server', 'stop', 'vm2');
    await whole.managers.get('hv2016')?.idle();
    expect(await json('server', 'list')).toMatchObject([
      { Name: 'vm2', Status: 'SHUTOFF', Image: 'gen2', Flavor: 'm1.tiny' },
    ]);
    await openstack('server', 'start', 'vm2');
    await whole.managers.get('hv2016')?.idle();
    await openstack('server', 'reboot', '--hard', '--wait', 'vm2');
    await openstack('server', 'reboot', '--soft', '--wait', 'vm2');
    expect(await openstack('console', 'log', 'show', '--lines', '2', 'vm2')).toContain('reboot SOFT');
    await openstack('server', 'set', '--name', 'renamed', 'vm2');
    const events = await json('server', 'event', 'list', 'renamed');
    expect(JSON.stringify(events)).toMatch(/reboot.*reboot.*start.*stop.*create/);
    await openstack('server', 'delete', '--wait', 'renamed');
    expect(await json('server', 'list')).toEqual([]);
    expect(await json('port', 'list', '--device-owner', 'compute:nova')).toEqual([]);
  }, 120_000);

  it('shows hosts, services, zones, flavors and limits', async () => {
    expect(await json('hypervisor', 'list')).toMatchObject([
      { 'Hypervisor Hostname': 'hv2012' },
      { 'Hypervisor Hostname': 'hv2016' },
    ]);
    expect(await json('hypervisor', 'show', 'hv2016')).toMatchObject({ hypervisor_version: 10_000 });
    expect(await json('hypervisor', 'stats', 'show')).toMatchObject({ count: 2, vcpus: 16 });
    await openstack(
      'compute',
      'service',
      'set',
      '--disable',
      '--disable-reason',
      'disks',
      'hv2012',
      'nova-compute',
    );
    const services = await json('compute', 'service', 'list', '--service', 'nova-compute', '--long');
    expect(services).toMatchObject([
      { Host: 'hv2012', Status: 'disabled', 'Disabled Reason': 'disks' },
      { Host: 'hv2016', Status: 'enabled', State: 'up' },
    ]);
    expect(await json('availability', 'zone', 'list', '--compute')).toMatchObject([
      { 'Zone Name': 'internal' },
      { 'Zone Name': 'nova' },
    ]);
    await openstack('flavor', 'create', '--ram', '256', '--disk', '1', '--vcpus', '1', 'mine');
    await openstack('flavor', 'set', '--property', 'os:secure_boot=required', 'mine');
    expect(await json('flavor', 'show', 'mine')).toMatchObject({
      properties: { 'os:secure_boot': 'required' },
    });
    expect(JSON.stringify(await json('limits', 'show', '--absolute'))).toContain('maxTotalInstances');
    await openstack('compute', 'service', 'set', '--enable', 'hv2012', 'nova-compute');
  }, 120_000);

  it('at the newest microversion that this client knows, with tags and no network', async () => {
    const newest = ['--os-compute-api-version', '2.92'];
    const create = ['server', 'create', '--image', 'gen2', '--flavor', 'm1.tiny', '--nic', 'none'];
    const made = await json(...newest, ...create, '--description', 'why', '--tag', 'blue', '--wait', 'late');
    expect(made).toMatchObject({ status: 'ACTIVE', description: 'why', tags: ['blue'], locked: false });
    expect(await json(...newest, 'server', 'list', '--tags', 'blue')).toMatchObject([{ Name: 'late' }]);
    expect(await json(...newest, 'hypervisor', 'list')).toHaveLength(2);
    await openstack(...newest, 'server', 'delete', '--wait', 'late');
  }, 120_000);

  it('tells why no host will do', async () => {
    await openstack('image', 'set', '--property', 'hypervisor_version_requires=>=11', 'gen2');
    const create = ['server', 'create', '--image', 'gen2', '--flavor', 'm1.tiny', '--network', 'private'];
    expect((await whole.client.run(...create, '--wait', 'nowhere')).stderr).toContain(
      'Error creating server',
    );
    const shown = JSON.stringify(await json('server', 'show', 'nowhere', '-c', 'status', '-c', 'fault'));
    expect(shown).toMatch(/ERROR/);
    expect(shown).toMatch(
      /No valid host was found. The image asks for hypervisor type hyperv, hypervisor version >=11/,
    );
    expect(shown).toContain('hv2016: ImagePropertiesFilter');
    await openstack('server', 'delete', '--wait', 'nowhere');
    await openstack('image', 'set', '--property', 'hypervisor_version_requires=>=6.3', 'gen2');
  }, 120_000);
});

describe('a resize', () => {
  it('is waited for, confirmed and reverted by both clients, and stands in lists', async () => {
    const create = ['server', 'create', '--image', 'gen2', '--flavor', 'm1.tiny', '--network', 'private'];
    await openstack(...create, '--wait', 'vm');
    await openstack('server', 'resize', '--flavor', 'm1.small', '--wait', 'vm');
    expect(await json('server', 'show', 'vm')).toMatchObject({ status: 'VERIFY_RESIZE' });
    await openstack('server', 'resize', 'revert', 'vm');
    const idle = () => Promise.all([...whole.managers.values()].map((manager) => manager.idle()));
    await idle();
    expect(await json('server', 'show', 'vm')).toMatchObject({
      status: 'ACTIVE',
      flavor: expect.stringContaining('m1.tiny'),
    });
    await nova('resize', '--poll', 'vm', 'm1.small');
    await nova('resize-confirm', 'vm');
    await idle();
    expect(await json('server', 'show', 'vm')).toMatchObject({
      status: 'ACTIVE',
      flavor: expect.stringContaining('m1.small'),
    });
    const migrations = JSON.stringify(await json('server', 'migration', 'list'));
    expect(migrations).toMatch(/confirmed.*reverted/);
    const events = JSON.stringify(await json('server', 'event', 'list', 'vm'));
    expect(events).toMatch(/confirmResize.*resize.*revertResize.*resize.*create/);
    const refused = await whole.client.run('server', 'resize', '--flavor', 'm1.small', 'vm');
    expect(refused.stderr).toContain('When resizing, instances must change flavor!');
    await openstack('server', 'delete', '--wait', 'vm');
  }, 180_000);
});

describe('novaclient', () => {
  it('boots, lists, shows and deletes', async () => {
    const networks = await json('network', 'list', '--name', 'private');
    const [id] = /[0-9a-f-]{36}/.exec(JSON.stringify(networks)) ?? [''];
    await nova('flavor-key', 'm1.tiny', 'set', 'my:own=1');
    expect(await nova('flavor-list', '--extra-specs')).toMatch(/m1\.tiny.*my:own/);
    const boot = await nova(
      'boot',
      '--image',
      'gen2',
      '--flavor',
      'm1.tiny',
      '--nic',
      `net-id=${id}`,
      '--poll',
      '--min-count',
      '2',
      'many',
    );
    expect(boot).toContain('many-1');
    const list = await nova('list');
    expect(list).toMatch(/many-1.*ACTIVE/);
    expect(list).toMatch(/many-2.*(ACTIVE|BUILD)/);
    expect(await nova('show', 'many-1')).toMatch(/private network/);
    expect(await nova('console-log', 'many-1')).toContain('boot of many-1');
    const flat = await nova('--os-compute-api-version', '2.47', 'diagnostics', 'many-1');
    expect(flat).toMatch(/\| cpu_load +\| 12 +\|/);
    const common = await nova('--os-compute-api-version', '2.48', 'diagnostics', 'many-1');
    expect(common).toMatch(/\| driver +\| hyperv +\|/);
    expect(common).toMatch(/\| disk_details +\| .*"read_bytes": 3145728/);
    expect(common).toMatch(/\| nic_details +\| .*"rx_octets": 2097152/);
    expect(await openstack('server', 'show', '--diagnostics', 'many-1')).toMatch(/disk0_read +\| 3145728/);
    const newer = ['--os-compute-api-version', '2.48', 'server', 'show', '--diagnostics', 'many-1'];
    expect(await openstack(...newer)).toMatch(/hypervisor_os +\| Windows 10\.0\.14393/);
    expect(await nova('hypervisor-list')).toContain('hv2012');
    expect(await nova('service-list')).toContain('nova-conductor');
    await nova('delete', 'many-1', 'many-2');
    await Promise.all([...whole.managers.values()].map((manager) => manager.idle()));
    expect(await nova('list')).not.toContain('many');
  }, 120_000);
});
