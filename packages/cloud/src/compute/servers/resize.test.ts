import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ADMIN, ALICE, BOB, NovaBench, type Ask } from '../testing/bench.js';
import { IMAGE_ID, type FakeCompute } from '../testing/fakes.js';

let bench: NovaBench;
let compute: FakeCompute;
let id: string;
beforeEach(async () => {
  bench = await NovaBench.create();
  compute = await bench.addHost('hv1');
  id = await bench.bootId({}, { as: ALICE });
});
afterEach(() => bench.close());

interface Shown {
  readonly status: string;
  readonly flavor: { readonly id: string };
  readonly 'OS-EXT-STS:task_state': string | null;
}

const shown = () => bench.show<Shown>(id);
const resize = async (flavorRef: string, ask: Ask = { as: ALICE }, more: object = {}) => {
  const answer = await bench.act(id, { resize: { flavorRef, ...more } }, ask);
  await bench.settle();
  return [answer.status, answer.text] as const;
};
const refused = (status: number, text: string) => [status, expect.stringContaining(text)];
const migrations = async (query = '', ask: Ask = { version: '2.80' }) =>
  (await bench.ask('GET', `/os-migrations${query}`, ask)).json<{
    migrations: { status: string; uuid: string; instance_uuid: string; migration_type: string }[];
  }>().migrations;

describe('resize', () => {
  it('waits to be verified, with the old size held by the migration in Placement', async () => {
    expect((await resize('2'))[0]).toBe(202);
    expect(await shown()).toMatchObject({ status: 'VERIFY_RESIZE', flavor: { id: '2' } });
    const [migration] = await migrations();
    expect(migration).toMatchObject({
      status: 'finished',
      instance_uuid: id,
      migration_type: 'resize',
      source_compute: 'hv1',
      dest_compute: 'hv1',
      old_instance_type_id: 1,
      new_instance_type_id: 2,
      user_id: 'alice',
      project_id: 'p-alice',
    });
    expect(bench.placement.claims.get(migration?.uuid ?? '')?.resources).toMatchObject({ MEMORY_MB: 512 });
    expect(bench.placement.claims.get(id)?.resources).toMatchObject({ MEMORY_MB: 2048 });
    const actions = (await bench.ask('GET', `/servers/${id}/os-instance-actions`)).json<{
      instanceActions: { action: string; request_id: string }[];
    }>().instanceActions;
    expect(actions[0]?.action).toBe('resize');
    const path = `/servers/${id}/os-instance-actions/${actions[0]?.request_id}`;
    expect((await bench.ask('GET', path)).json()).toMatchObject({
      instanceAction: { events: [{ event: 'conductor_migrate_server', result: 'Success' }] },
    });
  });

  it('is confirmed', async () => {
    await resize('2');
    expect((await bench.act(id, { confirmResize: null }, { as: ALICE })).status).toBe(204);
    expect(await shown()).toMatchObject({ status: 'ACTIVE', flavor: { id: '2' } });
    expect((await migrations()).map(({ status }) => status)).toEqual(['confirmed']);
    expect([...bench.placement.claims.keys()]).toEqual([id]);
    const again = await bench.act(id, { confirmResize: null }, { as: ALICE });
    expect([again.status, again.text]).toEqual(
      refused(409, `Cannot 'confirmResize' instance ${id} while it is in vm_state active`),
    );
  });

  it('is reverted', async () => {
    await resize('2');
    expect((await bench.act(id, { revertResize: null }, { as: ALICE })).status).toBe(202);
    expect(await shown()).toMatchObject({ status: 'ACTIVE', flavor: { id: '1' } });
    expect((await migrations()).map(({ status }) => status)).toEqual(['reverted']);
    expect(bench.placement.claims.get(id)?.resources).toMatchObject({ MEMORY_MB: 512 });
    const again = await bench.act(id, { revertResize: null }, { as: ALICE });
    expect([again.status, again.text]).toEqual(refused(409, `Cannot 'revertResize' instance ${id}`));
  });

  it('is refused in the words of Nova', async () => {
    const small = { name: 'small', ram: 64, vcpus: 1, disk: 0, id: 'zero' };
    await bench.ask('POST', '/flavors', { body: { flavor: small } });
    expect(await resize('1')).toEqual(refused(400, 'When resizing, instances must change flavor!'));
    expect(await resize('nope')).toEqual(refused(400, 'Unable to locate requested flavor.'));
    expect(await resize('zero')).toEqual(refused(400, 'Resize to zero disk flavor is not allowed.'));
    expect((await resize('2', { as: ALICE }, { more: 1 }))[0]).toBe(400);
    expect((await resize('2', { as: BOB }))[0]).toBe(404);
    await bench.act(id, { lock: null }, { as: ALICE });
    await bench.act(id, { lock: null });
    expect(await resize('2')).toEqual(refused(409, `Instance ${id} is locked`));
    await bench.act(id, { unlock: null });
    await bench.instances.save(id, { vmState: 'error' });
    expect(await resize('2')).toEqual(
      refused(409, `Cannot 'resize' instance ${id} while it is in vm_state error`),
    );
    await bench.instances.save(id, { vmState: 'active', taskState: 'rebooting' });
    expect(await resize('2')).toEqual(refused(409, 'while it is in task_state rebooting'));
    expect(compute.calls).toEqual([]);
  });

  it('counts what it adds against the quota', async () => {
    const body = { quota_set: { cores: 1, ram: 1024 } };
    await bench.ask('PUT', '/os-quota-sets/p-alice', { body });
    expect(await resize('2')).toEqual(
      refused(403, 'Quota exceeded for ram: Requested 1536, but already used 512 of 1024 ram'),
    );
    expect(await shown()).toMatchObject({ status: 'ACTIVE', 'OS-EXT-STS:task_state': null });
  });

  it('that no host can take leaves the server as it was, and says why', async () => {
    bench.placement.capacity.set([...bench.placement.capacity.keys()][0] ?? '', {
      VCPU: 64,
      MEMORY_MB: 2100,
      DISK_GB: 1000,
    });
    expect((await resize('2'))[0]).toBe(202);
    expect(await shown()).toMatchObject({
      status: 'ACTIVE',
      'OS-EXT-STS:task_state': null,
      flavor: { id: '1' },
    });
    expect((await migrations()).map(({ status }) => status)).toEqual(['error']);
    expect([...bench.placement.claims.keys()]).toEqual([id]);
    expect(bench.placement.claims.get(id)?.resources).toMatchObject({ MEMORY_MB: 512 });
    const actions = (await bench.ask('GET', `/servers/${id}/os-instance-actions`)).json<{
      instanceActions: { action: string; message: string; request_id: string }[];
    }>().instanceActions;
    expect(actions[0]).toMatchObject({ action: 'resize', message: 'Error' });
    const path = `/servers/${id}/os-instance-actions/${actions[0]?.request_id}`;
    expect((await bench.ask('GET', path, { version: '2.84' })).text).toMatch(/No valid host was found/);
  });

  it.each(['refuse', 'unavailable'] as const)(
    'that the host does not take (%s) is taken back',
    async (outcome) => {
      compute.outcome = outcome;
      if (outcome === 'unavailable') {
        bench.placement.failures = 1;
      }
      expect((await resize('2'))[0]).toBe(202);
      expect(await shown()).toMatchObject({ status: 'ACTIVE', 'OS-EXT-STS:task_state': null });
      expect([...bench.placement.claims.keys()]).toEqual([id]);
    },
  );

  it('is not confirmed by a host that fails at it', async () => {
    await resize('2');
    compute.outcome = 'refuse';
    expect((await bench.act(id, { confirmResize: null })).status).toBe(500);
    expect(await shown()).toMatchObject({ status: 'VERIFY_RESIZE' });
    expect((await migrations()).map(({ status }) => status)).toEqual(['finished']);
  });

  it('shows where it is', async () => {
    for (const [vmState, taskState, status] of [
      ['active', 'resize_prep', 'RESIZE'],
      ['stopped', 'resize_finish', 'RESIZE'],
      ['resized', 'resize_reverting', 'REVERT_RESIZE'],
      ['resized', null, 'VERIFY_RESIZE'],
    ] as const) {
      await bench.instances.save(id, { vmState, taskState });
      expect(await shown()).toMatchObject({ status });
    }
  });
});

describe('migrations', () => {
  it('are filtered, for administrators', async () => {
    await resize('2');
    expect((await bench.ask('GET', '/os-migrations', { as: ALICE })).status).toBe(403);
    expect(await migrations('?status=finished')).toHaveLength(1);
    expect(await migrations('?status=error')).toHaveLength(0);
    expect(await migrations(`?instance_uuid=${id}&host=hv1&migration_type=resize`)).toHaveLength(1);
    expect(await migrations('?project_id=p-bob')).toHaveLength(0);
    expect((await migrations('', { as: ADMIN }))[0]).not.toHaveProperty('uuid');
    expect((await bench.ask('GET', `/servers/${id}/migrations`, { version: '2.23' })).json()).toEqual({
      migrations: [],
    });
    expect((await bench.ask('GET', `/servers/${id}/migrations/1`, { version: '2.23' })).status).toBe(404);
  });
});

async function boot(...devices: readonly object[]) {
  const answer = await bench.boot({ flavorRef: 'eph', block_device_mapping_v2: devices });
  const made = answer.status === 202 ? answer.json<{ server: { id: string } }>().server.id : '';
  return { result: [answer.status, answer.text] as const, id: made };
}

describe('block devices', () => {
  const root = { source_type: 'image', destination_type: 'local', boot_index: 0, uuid: IMAGE_ID };
  const blank = {
    source_type: 'blank',
    destination_type: 'local',
    boot_index: -1,
    delete_on_termination: true,
  };

  it('may be ephemeral disks within what the flavor has', async () => {
    const flavor = { name: 'eph', id: 'eph', ram: 512, vcpus: 1, disk: 1, 'OS-FLV-EXT-DATA:ephemeral': 4 };
    await bench.ask('POST', '/flavors', { body: { flavor } });
    const made = await boot(root, { ...blank, volume_size: '1' }, { ...blank, volume_size: 3 });
    expect((await bench.instances.get(made.id)).ephemeralsGb).toEqual([1, 3]);
    expect((await boot(root)).result[0]).toBe(202);
    expect((await boot(root, blank)).result[0]).toBe(202);
    expect((await boot(root, { ...blank, volume_size: 5 })).result).toEqual(
      refused(400, 'Ephemeral disks requested are larger than the instance type allows.'),
    );
    expect((await boot(root, { ...blank, guest_format: 'swap', volume_size: 1 })).result).toEqual(
      refused(400, 'Swap disks are not served'),
    );
    expect((await boot(root, { ...blank, guest_format: 'ext4' })).result).toEqual(
      refused(400, 'guest_format'),
    );
    expect((await boot(root, { ...blank, boot_index: 1 })).result).toEqual(refused(400, 'Boot sequence'));
    expect((await boot({ ...root, boot_index: 1 })).result).toEqual(refused(400, 'Mapping image to local'));
    expect((await boot({ ...root, uuid: 'x' })).result).toEqual(refused(400, 'Boot sequence'));
    const one = { ...blank, volume_size: 1 };
    expect((await boot(root, one, one, one)).result).toEqual(
      refused(400, 'more local devices than the limit'),
    );
    expect((await boot(root, { ...blank, surprise: 1 })).result[0]).toBe(400);
  });
});
