import { EventEmitter, once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterEach, describe, expect, it } from 'vitest';
import { NovaBench, type BenchOptions } from '../testing/bench.js';
import { image, IMAGE_ID } from '../testing/fakes.js';

interface Shown {
  readonly status: string;
  readonly fault?: { readonly message: string; readonly details?: string };
  readonly [key: string]: unknown;
}

const benches: NovaBench[] = [];
async function start(options: BenchOptions = {}): Promise<NovaBench> {
  const bench = await NovaBench.create(options);
  benches.push(bench);
  return bench;
}
afterEach(async () => {
  for (const bench of benches.splice(0)) await bench.close();
});

const HOST = 'OS-EXT-SRV-ATTR:host';

describe('scheduling', () => {
  it('without any host ends in ERROR with what to know', async () => {
    const bench = await start();
    const shown = await bench.show<Shown>(await bench.bootId());
    expect(shown).toMatchObject({ status: 'ERROR', [HOST]: null, 'OS-EXT-STS:task_state': null });
    expect(shown.fault).toMatchObject({
      message: 'No valid host was found. There are not enough hosts available.',
      details: 'No compute host has ever reported.',
    });
  });

  it('lands on the host whose version the image asks for, and tells which filter removed the others', async () => {
    const bench = await start();
    await bench.addHost('hv2012', { hypervisorVersion: 6003 });
    const modern = await bench.addHost('hv2016', { hypervisorVersion: 10_000 });
    bench.images.images.set(IMAGE_ID, image({ properties: { hypervisor_version_requires: '>=10.0' } }));
    for (let index = 0; index < 3; index += 1) {
      expect(await bench.show<Shown>(await bench.bootId())).toMatchObject({
        status: 'ACTIVE',
        [HOST]: 'hv2016',
      });
    }
    expect(modern.builds).toHaveLength(3);
    const services = (await bench.ask('GET', '/os-services?host=hv2016', { version: '2.53' })).json<{
      services: { id: string }[];
    }>();
    await bench.ask('PUT', `/os-services/${services.services[0]?.id}`, {
      version: '2.53',
      body: { status: 'disabled' },
    });
    const shown = await bench.show<Shown>(await bench.bootId());
    expect(shown.fault?.message).toBe(
      'No valid host was found. The image asks for hypervisor version >=10.0: no host that is up has it.',
    );
    expect(shown.fault?.details?.split('\n')).toEqual([
      'hv2016: ComputeFilter: its compute service is disabled',
      'hv2012: ImagePropertiesFilter: the image asks for hypervisor version >=10.0, it is 6.3',
    ]);
    const asUser = await bench.show<Shown>(await bench.bootId({}, { as: 'a:p:member' }), {
      as: 'a:p:member',
    });
    expect(asUser.fault).not.toHaveProperty('details');
  });

  it('spreads over equal hosts and stops where there is no room', async () => {
    const bench = await start();
    for (const host of ['hv1', 'hv2']) await bench.addHost(host);
    for (const provider of bench.placement.capacity.keys()) {
      bench.placement.capacity.set(provider, { VCPU: 2, MEMORY_MB: 1024, DISK_GB: 2 });
    }
    await bench.boot({ min_count: 5, max_count: 5 });
    const all = (await bench.ask('GET', '/servers/detail')).json<{ servers: Shown[] }>().servers;
    const on = (host: string | null): number => all.filter((one) => one[HOST] === host).length;
    expect([on('hv1'), on('hv2'), on(null)]).toEqual([2, 2, 1]);
    const failed = all.find((one) => one.status === 'ERROR');
    expect(failed?.fault?.message).toContain('none has room for VCPU 1, MEMORY_MB 512, DISK_GB 1');
    expect(bench.placement.claims.size).toBe(4);
  });

  it('tries the next host when a claim is lost, and waits while Placement is away', async () => {
    const bench = await start();
    await bench.addHost('hv1');
    await bench.addHost('hv2');
    bench.placement.lostRaces = 1;
    expect(await bench.show<Shown>(await bench.bootId())).toMatchObject({ status: 'ACTIVE' });
    bench.placement.failures = 1;
    const id = await bench.bootId();
    expect(await bench.show<Shown>(id)).toMatchObject({ status: 'BUILD' });
    await new Promise((resolve) => {
      setTimeout(resolve, 400);
    });
    await bench.settle();
    expect(await bench.show<Shown>(id)).toMatchObject({ status: 'ACTIVE' });
  });
});

describe('rescheduling', () => {
  it.each(['retry', 'refuse'] as const)('goes on to another host when one fails (%s)', async (outcome) => {
    const bench = await start();
    const bad = await bench.addHost('bad');
    bench.placement.capacity.set([...bench.placement.capacity.keys()][0] ?? '', {
      VCPU: 99,
      MEMORY_MB: 99_999,
      DISK_GB: 999,
    });
    await bench.addHost('good');
    bad.outcome = outcome;
    const id = await bench.bootId();
    expect(await bench.show<Shown>(id)).toMatchObject({ status: 'ACTIVE', [HOST]: 'good' });
    expect(bench.placement.claims.get(id)?.providerUuid).not.toBe([...bench.placement.capacity.keys()][0]);
    expect(bench.placement.claims.size).toBe(1);
  });

  it('gives up after three attempts, with the last error, and leaves no allocation', async () => {
    const bench = await start();
    for (const host of ['a', 'b', 'c', 'd']) (await bench.addHost(host)).outcome = 'retry';
    const shown = await bench.show<Shown>(await bench.bootId());
    expect(shown.status).toBe('ERROR');
    expect(shown.fault?.message).toMatch(
      /^Exceeded maximum number of retries.*Last error: the host is full$/,
    );
    expect([...bench.computes.values()].flatMap((compute) => compute.builds)).toHaveLength(3);
    expect(bench.placement.claims.size).toBe(0);
  });

  it('says why when there is no further host', async () => {
    const bench = await start();
    (await bench.addHost('a')).outcome = 'retry';
    const shown = await bench.show<Shown>(await bench.bootId());
    expect(shown.fault).toMatchObject({
      message:
        'No valid host was found. Building failed on every host that could have taken it. Last error: the host is full',
      details: 'a: RetryFilter: an earlier attempt of this build failed there',
    });
  });

  it('leaves a final failure alone and an instance that is being deleted to its deletion', async () => {
    const bench = await start();
    const compute = await bench.addHost('hv1');
    compute.outcome = 'hang';
    const id = await bench.bootId();
    const [build] = compute.builds;
    if (build === undefined) throw new Error('no build');
    await bench.instances.save(id, { vmState: 'error', taskState: null, host: null, node: null });
    await bench.nova.rescheduler.buildFailed(build, { host: 'hv1', message: 'bad image', retryable: false });
    await bench.settle();
    expect(await bench.show<Shown>(id)).toMatchObject({ status: 'ERROR' });
    expect(bench.placement.claims.size).toBe(0);
    const other = await bench.bootId();
    await bench.instances.save(other, { taskState: 'deleting' });
    const request = { ...build, instanceUuid: other };
    await bench.nova.rescheduler.buildFailed(request, { host: 'hv1', message: 'x', retryable: true });
    await bench.settle();
    expect(await bench.instances.get(other)).toMatchObject({ host: 'hv1', taskState: 'deleting' });
  });
});

describe('after a crash', () => {
  it('builds that were stored are built, lost ones as well, deletions are finished', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nova-hyperv-conductor-'));
    try {
      const path = join(folder, 'cloud.db');
      const first = await start({ path, start: false });
      await sql`insert into compute_flavor values (1, '1', 'm1.tiny', 1, 512, 1, 0, 0, 1, 1, null, '{}', '2026-01-01T00:00:00.000Z')`.execute(
        first.db,
      );
      const [stored, lost, deleting] = await Promise.all(
        ['stored', 'lost', 'deleting'].map((name) => first.bootId({ name }).catch(String)),
      );
      // As if the process had ended between a compute service's giving a build back and the conductor's hearing of it.
      await sql`update compute_request_spec set pending = 0 where instance_uuid = ${lost}`.execute(first.db);
      await first.instances.save(deleting ?? '', { taskState: 'deleting' });
      await first.close();
      benches.splice(benches.indexOf(first), 1);
      const second = await start({ path, start: false });
      await second.addHost('hv1');
      await second.nova.start?.();
      await second.settle();
      for (const id of [stored, lost])
        expect(await second.show<Shown>(id ?? '')).toMatchObject({ status: 'ACTIVE' });
      expect((await second.ask('GET', `/servers/${deleting}`)).status).toBe(404);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('waits for compute services that are starting', async () => {
    const bench = await start({ start: false });
    await sql`insert into compute_flavor values (1, '1', 'm1.tiny', 1, 512, 1, 0, 0, 1, 1, null, '{}', '2026-01-01T00:00:00.000Z')`.execute(
      bench.db,
    );
    const compute = await bench.addHost('hv1');
    bench.computes.clear();
    const body = { server: { name: 'vm', imageRef: IMAGE_ID, flavorRef: '1' } };
    const id = (await bench.ask('POST', '/servers', { body })).json<{ server: { id: string } }>().server.id;
    await bench.nova.start?.();
    await bench.settle();
    expect(await bench.show<Shown>(id)).toMatchObject({ status: 'BUILD', [HOST]: null });
    bench.computes.set('hv1', compute);
    await new Promise((resolve) => {
      setTimeout(resolve, 1500);
    });
    await bench.settle();
    expect(await bench.show<Shown>(id)).toMatchObject({ status: 'ACTIVE', [HOST]: 'hv1' });
  });
});

describe('deleting', () => {
  it('ends what never reached a host here, and the rest on its host', async () => {
    const bench = await start();
    const failed = await bench.bootId();
    expect((await bench.ask('DELETE', `/servers/${failed}`)).status).toBe(204);
    expect((await bench.ask('GET', `/servers/${failed}`)).status).toBe(404);
    const compute = await bench.addHost('hv1');
    const built = await bench.bootId();
    expect((await bench.ask('DELETE', `/servers/${built}`)).status).toBe(204);
    expect(compute.calls).toEqual([`terminate ${built}`]);
    expect(bench.placement.claims.size).toBe(0);
  });

  it('ends a build that is being scheduled and leaves no allocation', async () => {
    const bench = await start();
    await bench.addHost('hv1');
    const body = { server: { name: 'vm', imageRef: IMAGE_ID, flavorRef: '1' } };
    const original = bench.placement.claim;
    const gate = new EventEmitter();
    const opened = once(gate, 'open');
    Object.assign(bench.placement, {
      claim: async (claim: Parameters<typeof original>[0]) => {
        await opened;
        return original(claim);
      },
    });
    const id = (await bench.ask('POST', '/servers', { body })).json<{ server: { id: string } }>().server.id;
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
    const deletion = bench.ask('DELETE', `/servers/${id}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
    gate.emit('open');
    expect((await deletion).status).toBe(204);
    await bench.settle();
    expect(bench.placement.claims.size).toBe(0);
    expect((await bench.ask('GET', `/servers/${id}`)).status).toBe(404);
  });

  it('takes apart what was on a host that is gone', async () => {
    const bench = await start();
    await bench.addHost('hv1');
    const id = await bench.bootId();
    bench.networks.allPorts.push({
      id: 'port',
      networkId: 'n',
      mac: '',
      status: 'ACTIVE',
      deviceId: id,
      fixedIps: [],
      securityGroupIds: [],
    });
    bench.computes.clear();
    expect((await bench.ask('DELETE', `/servers/${id}`)).status).toBe(204);
    expect(await bench.show<Shown>(id)).toMatchObject({ 'OS-EXT-STS:task_state': 'deleting' });
    bench.now = () => new Date(Date.now() + 120_000);
    expect((await bench.ask('DELETE', `/servers/${id}`)).status).toBe(204);
    expect((await bench.ask('GET', `/servers/${id}`)).status).toBe(404);
    expect([bench.networks.allPorts, bench.placement.claims.size]).toEqual([[], 0]);
  });
});
