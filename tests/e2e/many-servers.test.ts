import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestCloud } from '../support/test-cloud.js';

let cloud: TestCloud;

beforeAll(async () => {
  cloud = await TestCloud.prepare({ engine: 'none', hosts: ['hv1:2016', 'hv2:2022'] });
  await cloud.up();
});
afterAll(() => cloud?.destroy());

it('20 machines created at once all become ACTIVE and are deleted cleanly', async () => {
  const rest = await cloud.rest();
  const image = await rest.uploadImage(
    'gen2',
    'vhdx',
    await readFile(join(process.env['NOVA_HYPERV_GUESTS'] ?? '', 'gen2.vhdx')),
    {
      hw_machine_type: 'hyperv-gen2',
    },
  );
  await Promise.all(Array.from({ length: 20 }, (_, i) => rest.createServers(`many-${i}`, image, 1)));
  const servers = await rest.waitServers((server) => server.status !== 'BUILD', 120_000);
  expect(servers.map((server) => [server.status, server.fault?.message])).toEqual(
    servers.map(() => ['ACTIVE', undefined]),
  );
  expect(servers).toHaveLength(20);
  const machines = [...(await cloud.machines('hv1')), ...(await cloud.machines('hv2'))];
  expect(new Set(machines).size).toBe(20);
  expect(await rest.ports()).toHaveLength(20);
  expect(await rest.consumers()).toEqual(servers.map((server) => server.id).toSorted());

  await Promise.all(servers.map((server) => rest.deleteServer(server.id)));
  await expect.poll(async () => (await rest.servers()).length, { timeout: 60_000 }).toBe(0);
  for (const host of ['hv1', 'hv2']) {
    expect(await cloud.machines(host)).toEqual([]);
    expect(await cloud.instanceFiles(host)).toEqual([]);
  }
  expect(await rest.ports()).toEqual([]);
  expect(await rest.consumers()).toEqual([]);
});

it('several in one request are named and numbered as Nova does', async () => {
  const rest = await cloud.rest();
  const { images } = await rest.call<{ images: { id: string }[] }>('GET', '/image/v2/images');
  await rest.createServers('set', images[0]!.id, 3);
  const servers = await rest.waitServers((server) => server.status !== 'BUILD', 60_000);
  expect(servers.map((server) => server.name).toSorted()).toEqual(['set-1', 'set-2', 'set-3']);
  await Promise.all(servers.map((server) => rest.deleteServer(server.id)));
  await expect.poll(async () => (await rest.servers()).length, { timeout: 60_000 }).toBe(0);
});
