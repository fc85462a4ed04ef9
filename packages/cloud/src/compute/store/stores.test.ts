import { InstanceNotFoundError, UnexpectedTaskStateError } from '@nova-hyperv/compute';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NovaBench, nodeReport } from '../testing/bench.js';
import { StoredDataError } from './columns.js';

let bench: NovaBench;
let uuid: string;
beforeEach(async () => {
  bench = await NovaBench.create();
  const compute = await bench.addHost('hv1');
  compute.outcome = 'hang';
  uuid = await bench.bootId({ metadata: { a: 'b' }, user_data: 'aGk=' });
});
afterEach(() => bench.close());

describe('the store of instances', () => {
  it('keeps everything', async () => {
    expect(await bench.instances.get(uuid)).toMatchObject({
      id: 1,
      name: 'instance-00000001',
      displayName: 'vm',
      hostname: 'vm',
      vmState: 'building',
      taskState: 'scheduling',
      powerState: 0,
      host: 'hv1',
      node: 'hv1',
      userData: 'aGk=',
      metadata: { a: 'b' },
      systemMetadata: { image_disk_format: 'vhd' },
      flavor: { flavorId: '1', memoryMb: 512 },
      deleted: false,
    });
    await expect(bench.instances.get('nope')).rejects.toThrow(InstanceNotFoundError);
  });

  it('saves only from an expected task state; of many at once one wins', async () => {
    const wins = await Promise.allSettled(
      Array.from({ length: 8 }, () =>
        bench.instances.save(uuid, { taskState: 'networking' }, { expectedTaskState: ['scheduling'] }),
      ),
    );
    expect(wins.filter((one) => one.status === 'fulfilled')).toHaveLength(1);
    const [lost] = wins.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
    expect(lost).toBeInstanceOf(UnexpectedTaskStateError);
    expect(lost).toMatchObject({ actual: 'networking' });
    const launchedAt = new Date('2026-01-31T12:00:00.123Z');
    const saved = await bench.instances.save(uuid, {
      vmState: 'active',
      taskState: null,
      launchedAt,
      host: null,
    });
    expect(saved).toMatchObject({ vmState: 'active', taskState: null, launchedAt, host: null });
  });

  it('deletes softly', async () => {
    expect(await bench.instances.listByHost('hv1')).toHaveLength(1);
    await bench.instances.destroy(uuid);
    await bench.instances.destroy(uuid);
    expect(await bench.instances.listByHost('hv1')).toEqual([]);
    expect(await bench.instances.get(uuid)).toMatchObject({ deleted: true, vmState: 'deleted', host: 'hv1' });
    await expect(bench.instances.save(uuid, { taskState: null })).rejects.toThrow(InstanceNotFoundError);
  });

  it('shows the newest fault', async () => {
    await bench.instances.save(uuid, { vmState: 'error', taskState: null });
    await bench.instances.addFault(uuid, { code: 500, message: 'old', details: '' });
    await bench.instances.addFault(uuid, { code: 400, message: 'new', details: 'inside' });
    expect(await bench.show(uuid)).toMatchObject({
      status: 'ERROR',
      fault: { code: 400, message: 'new', details: 'inside' },
    });
  });

  it('ignores events of unknown requests and keeps errors of known ones', async () => {
    await bench.instances.eventStarted(uuid, 'req-unknown', 'x', 'hv1');
    await bench.instances.eventFinished(uuid, 'req-unknown', 'x', null);
    const { instanceActions: actions } = (
      await bench.ask('GET', `/servers/${uuid}/os-instance-actions`)
    ).json<{
      instanceActions: { request_id: string; message: string | null }[];
    }>();
    const requestId = actions[0]?.request_id ?? '';
    await bench.instances.eventStarted(uuid, requestId, 'compute_x', 'hv1');
    await bench.instances.eventFinished(uuid, requestId, 'compute_x', 'boom');
    const shown = await bench.ask('GET', `/servers/${uuid}/os-instance-actions/${requestId}`, {
      version: '2.84',
    });
    expect(shown.json()).toMatchObject({
      instanceAction: {
        message: 'Error',
        events: [{ event: 'compute_x', result: 'Error', details: 'boom', host: 'hv1' }],
      },
    });
  });

  it('does not guess at damaged rows', async () => {
    await sql`update compute_instance set flavor = '{"name":1}'`.execute(bench.db);
    await expect(bench.instances.get(uuid)).rejects.toThrow(StoredDataError);
  });
});

describe('the store of services', () => {
  it('finds the same node again and keeps what an administrator set', async () => {
    const report = { host: 'hv2', binary: 'nova-compute', topic: 'compute', startedAt: new Date() } as const;
    const first = await bench.services.register(report);
    await sql`update compute_service set disabled = 1 where host = 'hv2'`.execute(bench.db);
    const second = await bench.services.register(report);
    expect(second).toEqual({ nodeUuid: first.nodeUuid, disabled: true });
    await bench.services.saveNode(nodeReport('hv2', { uuid: first.nodeUuid, vcpus: 2 }));
    await bench.services.saveNode(nodeReport('hv2', { uuid: first.nodeUuid, vcpus: 4 }));
    const { hypervisors } = (await bench.ask('GET', '/os-hypervisors/detail')).json<{
      hypervisors: { vcpus: number }[];
    }>();
    expect(hypervisors.map((one) => one.vcpus)).toEqual([8, 4]);
  });

  it('a beat brings a silent host back', async () => {
    await sql`update compute_service set last_seen_up = '2026-01-01T00:00:00.000Z' where host = 'hv1'`.execute(
      bench.db,
    );
    const state = async (): Promise<string | undefined> =>
      (await bench.ask('GET', '/os-services?host=hv1')).json<{ services: { state: string }[] }>().services[0]
        ?.state;
    expect(await state()).toBe('down');
    await bench.services.beat('hv1');
    expect(await state()).toBe('up');
  });
});
