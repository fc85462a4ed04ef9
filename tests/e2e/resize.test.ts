import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { novaClient, openstackClient, words, type Client } from '../support/clients.js';
import type { Rest } from '../support/rest.js';
import { TestCloud } from '../support/test-cloud.js';

const GUESTS = process.env['NOVA_HYPERV_GUESTS'] ?? '';
const GIB = 1024 ** 3;

let cloud: TestCloud;
let openstack: Client;
let nova: Client;
let rest: Rest;

beforeAll(async () => {
  cloud = await TestCloud.prepare({ engine: 'qemu', hosts: ['hv1:2022'] });
  await cloud.up();
  openstack = openstackClient(cloud);
  rest = await cloud.rest();
  nova = novaClient(cloud, {
    OS_AUTH_URL: `${(await cloud.running()).url}/identity/v3`,
    OS_USERNAME: 'admin',
    OS_PASSWORD: await cloud.adminPassword(),
    OS_PROJECT_NAME: 'admin',
    OS_USER_DOMAIN_ID: 'default',
    OS_PROJECT_DOMAIN_ID: 'default',
  });
  const flavor = 'flavor create --ram 512 --vcpus 1 --disk 1';
  await openstack.ok(...words(`${flavor} before`));
  await openstack.ok(...words('flavor create --ram 768 --vcpus 2 --disk 2 --ephemeral 1 larger'));
  await openstack.ok(...words('flavor create --ram 512 --vcpus 1 --disk 2 only-the-disk'));
  await openstack.ok(
    ...words(
      `image create --property hw_machine_type=hyperv-gen2 --disk-format vhdx --container-format bare --file ${join(GUESTS, 'gen2.vhdx')} gen2`,
    ),
  );
  await openstack.ok(...words('server create --image gen2 --flavor before --network private --wait vm'));
});

afterAll(() => cloud?.destroy());

/** Asked over REST: the clients take seconds to start. */
async function server(): Promise<{ readonly id: string; readonly status: string }> {
  const [only] = await rest.servers();
  if (only === undefined) throw new Error('there is no server');
  return only;
}

const status = async () => (await server()).status;

async function consoleLog(): Promise<string> {
  const { id } = await server();
  const { output } = await rest.call<{ output: string }>('POST', `/compute/v2.1/servers/${id}/action`, {
    'os-getConsoleOutput': {},
  });
  return output.replaceAll('\r', '');
}

/** Boots are counted: a guest that goes on has none more. */
async function booted(times: number): Promise<void> {
  await expect
    .poll(async () => (await consoleLog()).match(/^HVG ready/gm)?.length ?? 0, {
      timeout: 150_000,
      interval: 1000,
    })
    .toBe(times);
}

/** Types a line at the guest's COM1 and gives what it says until the command is done. */
async function ask(line: string): Promise<string> {
  const { id } = await server();
  const { hosts } = await cloud.running();
  const done = new RegExp(`^HVG done cmd=${line.split(' ')[0]} rc=`, 'gm');
  const before = await consoleLog();
  const count = before.match(done)?.length ?? 0;
  const pipe = connect(join(hosts[0]!.pipes, `${id}_rw`));
  await new Promise<void>((connected, failed) => pipe.once('connect', connected).once('error', failed));
  for (const piece of `${line}\n`.match(/[^]{1,16}/g) ?? []) {
    pipe.write(piece);
    await setTimeout(30);
  }
  pipe.end();
  await expect
    .poll(async () => (await consoleLog()).match(done)?.length ?? 0, { timeout: 60_000, interval: 500 })
    .toBe(count + 1);
  return (await consoleLog()).slice(before.length);
}

/** What the guest has of memory (MiB), processors, and its disks (bytes by SCSI address). */
async function size() {
  const memory = Number(/total_kb=(\d+)/.exec(await ask('mem'))?.[1]) / 1024;
  const cpus = Number(/cpu count=(\d+)/.exec(await ask('cpu'))?.[1]);
  const disks = [...(await ask('disks')).matchAll(/^HVG block .*$/gm)].map(([text]) => ({
    address: /hctl=(\S+)/.exec(text)?.[1],
    bytes: Number(/size=(\d+)/.exec(text)?.[1]),
  }));
  return { memory, cpus, disks: Object.fromEntries(disks.map(({ address, bytes }) => [address, bytes])) };
}

describe('a resize', () => {
  it('gives the guest more memory, processors and disk, and a revert what it had, to the sector', async () => {
    await booted(1);
    const before = await size();
    expect(before.cpus).toBe(1);
    await ask('wblk 0:0:0:0 60000 before-the-resize');
    await openstack.ok(...words('server resize --flavor larger --wait vm'));
    expect(await status()).toBe('VERIFY_RESIZE');
    await booted(2);
    const larger = await size();
    expect(larger.cpus).toBe(2);
    expect(larger.memory).toBeGreaterThan(before.memory + 200);
    expect(larger.disks['0:0:0:0']).toBeGreaterThan(1.9 * GIB);
    expect(larger.disks['0:0:0:1']).toBe(GIB);
    expect(await ask('rblk 0:0:0:0 60000')).toContain('HVG data before-the-resize');
    await ask('wblk 0:0:0:0 60000 after-the-resize');
    await openstack.ok(...words('server resize revert vm'));
    await expect.poll(status, { timeout: 90_000, interval: 500 }).toBe('ACTIVE');
    await booted(3);
    expect(await size()).toEqual({ ...before, memory: expect.closeTo(before.memory, -1) as unknown });
    expect(await ask('rblk 0:0:0:0 60000')).toContain('HVG data before-the-resize');
  }, 600_000);

  it('is confirmed by the nova client, shown by lists, and refused backwards', async () => {
    await nova.ok('resize', '--poll', 'vm', 'larger');
    await booted(4);
    await nova.ok('resize-confirm', 'vm');
    await expect.poll(status, { timeout: 30_000, interval: 500 }).toBe('ACTIVE');
    expect((await size()).cpus).toBe(2);
    expect((await cloud.instanceFiles('hv1')).filter((path) => path.includes('_revert'))).toEqual([]);
    const migrations = await openstack.json<{ Status: string; Type?: string }[]>(
      'server',
      'migration',
      'list',
    );
    expect(migrations.map((migration) => migration.Status)).toEqual(['confirmed', 'reverted']);
    const events = await openstack.json<{ Action: string }[]>('server', 'event', 'list', 'vm');
    expect(events.map((event) => event.Action)).toEqual([
      'confirmResize',
      'resize',
      'revertResize',
      'resize',
      'create',
    ]);
    await openstack.run(...words('server resize --flavor before --wait vm'));
    await expect.poll(status, { timeout: 30_000, interval: 500 }).toBe('ACTIVE');
    expect((await size()).cpus).toBe(2);
    expect(await consoleLog()).toMatch(/HVG ready/);
    await openstack.ok('server', 'delete', '--wait', 'vm');
    expect(await cloud.instanceFiles('hv1')).toEqual([]);
    expect(await rest.consumers()).toEqual([]);
  });

  it('that only makes the root disk larger does not stop the guest, which sees it at once', async () => {
    await openstack.ok(...words('server create --image gen2 --flavor before --network private --wait vm'));
    await booted(1);
    const before = await size();
    await ask('wblk 0:0:0:0 60000 written-before');
    await openstack.ok(...words('server resize --flavor only-the-disk --wait vm'));
    await expect
      .poll(async () => (await ask('rescan'), (await size()).disks['0:0:0:0']), { timeout: 30_000 })
      .toBeGreaterThan(1.9 * GIB);
    expect(before.disks['0:0:0:0']).toBeLessThan(GIB);
    expect(await ask('rblk 0:0:0:0 60000')).toContain('HVG data written-before');
    await openstack.ok(...words('server resize confirm vm'));
    await expect.poll(status, { timeout: 30_000, interval: 500 }).toBe('ACTIVE');
    await booted(1);
  });

  it('is followed by an image of the running guest, from which another server boots', async () => {
    await ask('wblk 0:0:0:0 60000 in-the-image');
    await openstack.ok(...words('server image create --name kept --wait vm'));
    // It goes on, and can write.
    await booted(1);
    await ask('wblk 0:0:0:0 60000 after-the-image');
    expect(await ask('rblk 0:0:0:0 60000')).toContain('HVG data after-the-image');
    expect((await cloud.instanceFiles('hv1')).filter((file) => /avhdx|export/.test(file))).toEqual([]);
    const image = await openstack.json<Record<string, unknown>>('image', 'show', 'kept');
    expect(image).toMatchObject({ status: 'active', disk_format: 'vhdx', visibility: 'private' });
    await openstack.ok('server', 'delete', '--wait', 'vm');
    await openstack.ok(
      ...words('server create --image kept --flavor only-the-disk --network private --wait vm'),
    );
    await booted(1);
    expect(await ask('rblk 0:0:0:0 60000')).toContain('HVG data in-the-image');
  });
});
