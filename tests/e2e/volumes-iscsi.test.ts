import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Rest } from '../support/rest.js';
import { run } from '../support/run.js';
import { TestCloud } from '../support/test-cloud.js';

// A volume of the cloud's own iSCSI target in a running guest: the driver, the host's initiator, QEMU's and tgtd together.
const GUESTS = process.env['NOVA_HYPERV_GUESTS'] ?? '';
const GIB = 2 ** 30;
const EXTENDING = { 'OpenStack-API-Version': 'volume 3.59' };
let cloud: TestCloud;

beforeAll(async () => {
  cloud = await TestCloud.prepare({ engine: 'qemu', hosts: ['hv1:2022'] });
  await cloud.up();
});
afterAll(() => cloud?.destroy());

async function consoleLog(id: string): Promise<string> {
  const rest = await cloud.rest();
  const path = `/compute/v2.1/servers/${id}/action`;
  const { output } = await rest.call<{ output: string }>('POST', path, { 'os-getConsoleOutput': {} });
  return output.replaceAll('\r', '');
}

/** Types a line at the guest's COM1, in pieces that fit the UART's FIFO, and waits for what it says to it. */
async function command(id: string, line: string, answer: RegExp): Promise<string> {
  const before = (await consoleLog(id)).length;
  const { hosts } = await cloud.running();
  const pipe = connect(join(hosts[0]!.pipes, `${id}_rw`));
  await new Promise<void>((connected, failed) => pipe.once('connect', connected).once('error', failed));
  for (const piece of `${line}\n`.match(/[^]{1,16}/g) ?? []) {
    pipe.write(piece);
    await setTimeout(30);
  }
  pipe.end();
  const said = async (): Promise<string> => (await consoleLog(id)).slice(before);
  await expect.poll(said, { timeout: 60_000, interval: 300 }).toMatch(answer);
  return said();
}

/** Address and size of the guest's disks. */
async function disksOf(id: string): Promise<ReadonlyMap<string, number>> {
  await command(id, 'rescan', /HVG done cmd=rescan/);
  const text = await command(id, 'report', /HVG done cmd=report/);
  return new Map(
    [...text.matchAll(/HVG block .*hctl=(\S+) size=(\d+)/g)].map(([, at, size]) => [at!, Number(size)]),
  );
}

interface Volume {
  readonly id: string;
  readonly status: string;
  readonly size: number;
}

async function volumesPath(rest: Rest): Promise<string> {
  const { projects } = await rest.call<{ projects: { id: string }[] }>('GET', '/identity/v3/auth/projects');
  return `/volume/v3/${projects[0]!.id}/volumes`;
}

async function waitVolume(id: string, status: string): Promise<Volume> {
  const rest = await cloud.rest();
  const path = `${await volumesPath(rest)}/${id}`;
  const now = async (): Promise<Volume> => (await rest.call<{ volume: Volume }>('GET', path)).volume;
  await expect.poll(async () => (await now()).status, { timeout: 60_000, interval: 300 }).toBe(status);
  return now();
}

it('a volume over iSCSI outlives a killed cloud and grows in a running guest', async () => {
  const rest = await cloud.rest();
  const bytes = await readFile(join(GUESTS, 'gen2.vhdx'));
  const image = await rest.uploadImage('gen2', 'vhdx', bytes, { hw_machine_type: 'hyperv-gen2' });
  await rest.createServers('with-volume', image, 1);
  const [server] = await rest.waitServers(({ status }) => status === 'ACTIVE', 60_000);
  const { id } = server!;
  const path = await volumesPath(rest);
  const wanted = { volume: { name: 'data', size: 1, volume_type: 'iscsi' } };
  const { volume } = await rest.call<{ volume: Volume }>('POST', path, wanted);
  await waitVolume(volume.id, 'available');
  await expect.poll(() => consoleLog(id), { timeout: 120_000, interval: 500 }).toMatch(/^HVG ready/m);

  const attachments = `/compute/v2.1/servers/${id}/os-volume_attachments`;
  await rest.call('POST', attachments, { volumeAttachment: { volumeId: volume.id } });
  await waitVolume(volume.id, 'in-use');
  const disks = await disksOf(id);
  const [address] = [...disks].find(([, size]) => size === GIB) ?? [];
  expect(address, JSON.stringify([...disks])).toBeDefined();
  await command(id, `wblk ${address} 60000 before-the-kill`, /HVG done cmd=wblk rc=0/);

  await cloud.kill();
  await setTimeout(500);
  await upAgain();
  await command(id, `rblk ${address} 60000`, /HVG data before-the-kill/);

  const again = await cloud.rest();
  await again.call('POST', `${path}/${volume.id}/action`, { 'os-extend': { new_size: 2 } }, EXTENDING);
  expect((await waitVolume(volume.id, 'in-use')).size).toBe(2);
  await expect.poll(async () => (await disksOf(id)).get(address!), { timeout: 60_000 }).toBe(2 * GIB);
  await command(id, `wblk ${address} 3000000 in-what-is-new`, /HVG done cmd=wblk rc=0/);
  await command(id, `rblk ${address} 60000`, /HVG data before-the-kill/);

  await again.call('DELETE', `${attachments}/${volume.id}`);
  await waitVolume(volume.id, 'available');
  await expect.poll(async () => [...(await disksOf(id)).keys()], { timeout: 30_000 }).not.toContain(address);
  await again.call('DELETE', `${path}/${volume.id}`);
  const port = (await readFile(join(cloud.state, 'cloud/volumes/iscsi/tgtd/port'), 'utf8')).trim();
  await cloud.down();
  expect((await run('pgrep', ['-f', `tgtd .*portal=127.0.0.1:${port}`])).stdout).toBe('');
});

async function upAgain(): Promise<void> {
  await cloud.up();
  const rest = await cloud.rest();
  await rest.waitServers(
    ({ status, 'OS-EXT-STS:task_state': task }) => status === 'ACTIVE' && task === null,
    30_000,
  );
}
