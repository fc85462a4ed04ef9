import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Rest, Server } from '../support/rest.js';
import { TestCloud } from '../support/test-cloud.js';

const ROUNDS = 12;
const HOSTS = ['hv1', 'hv2'] as const;

let cloud: TestCloud;
let image: string;

beforeAll(async () => {
  cloud = await TestCloud.prepare({ engine: 'none', hosts: ['hv1:2016', 'hv2:2022'] });
  await cloud.up();
  const bytes = await readFile(join(process.env['NOVA_HYPERV_GUESTS'] ?? '', 'gen2.vhdx'));
  image = await (await cloud.rest()).uploadImage('gen2', 'vhdx', bytes, { hw_machine_type: 'hyperv-gen2' });
});
afterAll(() => cloud?.destroy());

const settled = (server: Server): boolean =>
  (server.status === 'ACTIVE' || server.status === 'ERROR') && server['OS-EXT-STS:task_state'] === null;

/** No machine, file, port or allocation belongs to nobody; every ACTIVE server has its machine. */
async function expectNothingOrphaned(rest: Rest, servers: readonly Server[]): Promise<void> {
  const active = servers.filter((server) => server.status === 'ACTIVE');
  const ids = new Set(servers.map((server) => server.id));
  const activeIds = active.map((server) => server.id).toSorted();
  const machines = (await Promise.all(HOSTS.map((host) => cloud.machines(host)))).flat();
  const folders = (await Promise.all(HOSTS.map((host) => cloud.instanceFiles(host))))
    .flat()
    .filter((path) => !path.includes('/'));
  expect(machines).toHaveLength(active.length);
  expect(folders.toSorted()).toEqual(machines.toSorted());
  expect((await rest.ports()).map((port) => port.device_id).toSorted()).toEqual(activeIds);
  expect(await rest.consumers()).toEqual(activeIds);
  expect((await rest.ports()).every((port) => ids.has(port.device_id))).toBe(true);
}

it(`killed ${ROUNDS} times during spawns and deletes, it recovers each time`, async () => {
  const seen = { ACTIVE: 0, ERROR: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    const rest = await cloud.rest();
    const old = await rest.servers();
    const requests = [
      ...Array.from({ length: 4 }, (_, i) => rest.createServers(`r${round}-${i}`, image, 1)),
      ...old.slice(0, 3).map((server) => rest.deleteServer(server.id)),
    ].map((request) => request.catch(() => undefined));
    // The kills walk through the whole of a spawn, with some chance.
    await setTimeout((round / ROUNDS) * 700 + Math.random() * 120);
    await cloud.kill();
    await Promise.all(requests);

    await cloud.up();
    const again = await cloud.rest();
    const servers = await again.waitServers(settled, 60_000);
    for (const server of servers) seen[server.status as keyof typeof seen]++;
    for (const server of servers.filter(({ status }) => status === 'ERROR'))
      expect(server.fault?.message).toMatch(/\S/);
    await expectNothingOrphaned(again, servers);

    await again.createServers(`fresh-${round}`, image, 1);
    const after = await again.waitServers(settled, 60_000);
    expect(after.find((server) => server.name === `fresh-${round}`)?.status).toBe('ACTIVE');
  }
  // Kills that never met a spawn would prove nothing.
  expect(seen.ACTIVE).toBeGreaterThan(0);
  expect(seen.ERROR).toBeGreaterThan(0);
  const rest = await cloud.rest();
  await Promise.all((await rest.servers()).map((server) => rest.deleteServer(server.id)));
  await expect.poll(async () => (await rest.servers()).length, { timeout: 60_000 }).toBe(0);
  await expectNothingOrphaned(rest, []);
}, 600_000);
