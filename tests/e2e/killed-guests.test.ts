import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestCloud } from '../support/test-cloud.js';
import { run } from '../support/run.js';

const GUESTS = process.env['NOVA_HYPERV_GUESTS'] ?? '';
let cloud: TestCloud;

beforeAll(async () => {
  cloud = await TestCloud.prepare({ engine: 'qemu', hosts: ['hv1:2019'] });
  await cloud.up();
});
afterAll(() => cloud?.destroy());

async function consoleLog(id: string): Promise<string> {
  const rest = await cloud.rest();
  const { output } = await rest.call<{ output: string }>('POST', `/compute/v2.1/servers/${id}/action`, {
    'os-getConsoleOutput': {},
  });
  return output.replaceAll('\r', '');
}

/** Types a line at the guest's COM1, as anyone with the pipe may, in pieces that fit the UART's FIFO. */
async function type(id: string, line: string): Promise<void> {
  const { hosts } = await cloud.running();
  const pipe = connect(join(hosts[0]!.pipes, `${id}_rw`));
  await new Promise<void>((connected, failed) => pipe.once('connect', connected).once('error', failed));
  for (const piece of `${line}\n`.match(/[^]{1,16}/g) ?? []) {
    pipe.write(piece);
    await setTimeout(30);
  }
  pipe.end();
}

async function createSurvivor(name: string): Promise<string> {
  const rest = await cloud.rest();
  const { images } = await rest.call<{ images: { id: string }[] }>('GET', '/image/v2/images');
  const bytes = await readFile(join(GUESTS, 'gen2.vhdx'));
  const image =
    images[0]?.id ?? (await rest.uploadImage('gen2', 'vhdx', bytes, { hw_machine_type: 'hyperv-gen2' }));
  await rest.createServers(name, image, 1);
  const servers = await rest.waitServers(({ status }) => status === 'ACTIVE', 60_000);
  const { id } = servers.find((server) => server.name === name)!;
  await expect.poll(() => consoleLog(id), { timeout: 120_000, interval: 500 }).toMatch(/^HVG ready/m);
  return id;
}

async function deleteAll(): Promise<void> {
  const rest = await cloud.rest();
  await Promise.all((await rest.servers()).map((server) => rest.deleteServer(server.id)));
  await expect.poll(async () => (await rest.servers()).length, { timeout: 60_000 }).toBe(0);
  expect(await cloud.machines('hv1')).toEqual([]);
  const { stdout } = await run('pgrep', ['-f', `qemu-system.*${cloud.state}`]);
  expect(stdout).toBe('');
}

it('guests outlive the process that is killed, with their disks and their console', async () => {
  const id = await createSurvivor('survivor');
  await type(id, 'wblk 0:0:0:0 60000 before-the-kill');
  await expect.poll(() => consoleLog(id), { timeout: 20_000 }).toMatch(/HVG done cmd=wblk rc=0/);

  await cloud.kill();
  await setTimeout(1000);
  await cloud.up();

  const again = await cloud.rest();
  await again.waitServers(
    ({ status, 'OS-EXT-STS:task_state': task }) => status === 'ACTIVE' && task === null,
    30_000,
  );
  await type(id, 'rblk 0:0:0:0 60000');
  await expect
    .poll(() => consoleLog(id), { timeout: 30_000, interval: 300 })
    .toMatch(/HVG data before-the-kill/);
  // It went on; it did not boot again.
  expect((await consoleLog(id)).match(/^HVG ready/gm)).toHaveLength(1);

  await deleteAll();
});

it('guests are shut down with the cloud, and started again with it', async () => {
  const id = await createSurvivor('resumed');
  await cloud.down();
  const { stdout } = await run('pgrep', ['-f', `qemu-system.*${cloud.state}`]);
  expect(stdout).toBe('');
  // Nobody reads the pipe any more; what the guest said last stands in the engine's own log.
  const machines = join(cloud.state, 'hosts/hv1/engine/machines');
  const [machine] = await readdir(machines);
  expect(await readFile(join(machines, machine!, 'com1.log'), 'utf8')).toMatch(/HVG powerbutton pressed/);

  await cloud.up();
  const rest = await cloud.rest();
  await rest.waitServers(
    ({ status, 'OS-EXT-STS:task_state': task }) => status === 'ACTIVE' && task === null,
    60_000,
  );
  await expect
    .poll(async () => (await consoleLog(id)).match(/^HVG ready/gm)?.length, {
      timeout: 120_000,
      interval: 500,
    })
    .toBe(2);
  await deleteAll();
});
