import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ALICE, NovaBench } from '../testing/bench.js';
import type { FakeCompute } from '../testing/fakes.js';

let bench: NovaBench;
let compute: FakeCompute;
let id: string;
beforeEach(async () => {
  bench = await NovaBench.create();
  compute = await bench.addHost('hv1');
  id = await bench.bootId({}, { as: ALICE });
});
afterEach(() => bench.close());

const status = async (): Promise<string> => (await bench.show<{ status: string }>(id)).status;
const conflict = (text: string): { message: string } => {
  const body: { conflictingRequest: { message: string } } = JSON.parse(text);
  return body.conflictingRequest;
};

describe('power', () => {
  it('stops, starts and reboots', async () => {
    expect((await bench.act(id, { 'os-stop': null }, { as: ALICE })).status).toBe(202);
    expect(await status()).toBe('SHUTOFF');
    const again = await bench.act(id, { 'os-stop': null }, { as: ALICE });
    expect(again.status).toBe(409);
    expect(conflict(again.text).message).toBe(`Cannot 'stop' instance ${id} while it is in vm_state stopped`);
    const soft = await bench.act(id, { reboot: { type: 'SOFT' } });
    expect(conflict(soft.text).message).toBe(
      `Cannot 'reboot' instance ${id} while it is in vm_state stopped`,
    );
    expect((await bench.act(id, { 'os-start': null })).status).toBe(202);
    expect(await status()).toBe('ACTIVE');
    expect((await bench.act(id, { reboot: { type: 'soft' } })).status).toBe(202);
    expect((await bench.act(id, { reboot: { type: 'HARD' } })).status).toBe(202);
    expect((await bench.act(id, { reboot: { type: 'GENTLE' } })).status).toBe(400);
    expect(compute.calls).toEqual(['stop', 'start', 'reboot SOFT', 'reboot HARD']);
  });

  it('shows and guards what is under way', async () => {
    await bench.instances.save(id, { taskState: 'rebooting' });
    expect(await status()).toBe('REBOOT');
    const stop = await bench.act(id, { 'os-stop': null });
    expect(conflict(stop.text).message).toBe(
      `Cannot 'stop' instance ${id} while it is in task_state rebooting`,
    );
    // A hard reboot is the way out of a soft one that hangs.
    expect((await bench.act(id, { reboot: { type: 'HARD' } })).status).toBe(202);
  });

  it('refuses before the first launch and on a host that is not there', async () => {
    compute.outcome = 'hang';
    const building = await bench.bootId({}, { as: ALICE });
    expect((await bench.act(building, { 'os-stop': null })).status).toBe(409);
    expect((await bench.act(building, { 'os-getConsoleOutput': {} })).status).toBe(409);
    bench.computes.clear();
    const gone = await bench.act(id, { 'os-stop': null });
    expect([gone.status, gone.text]).toEqual([503, expect.stringContaining('serviceUnavailable')]);
  });

  it('puts the server back as it was when the host does not take it', async () => {
    compute.stopInstance = async () => {
      throw new Error('broken');
    };
    expect((await bench.act(id, { 'os-stop': null })).status).toBe(500);
    expect(await bench.show(id)).toMatchObject({ status: 'ACTIVE', 'OS-EXT-STS:task_state': null });
  });
});

describe('other actions', () => {
  it('give the console without control characters, whole or its end', async () => {
    const whole = await bench.act(id, { 'os-getConsoleOutput': {} }, { as: ALICE });
    expect([whole.status, whole.json()]).toEqual([200, { output: 'EFI: yes\nready[0m\n' }]);
    expect((await bench.act(id, { 'os-getConsoleOutput': { length: 5 } })).json()).toEqual({
      output: 'last 5',
    });
    expect((await bench.act(id, { 'os-getConsoleOutput': { length: '-1' } })).json()).toMatchObject({
      output: expect.stringContaining('ready'),
    });
    expect((await bench.act(id, { 'os-getConsoleOutput': null })).status).toBe(200);
    expect((await bench.act(id, { 'os-getConsoleOutput': { length: 'x' } })).status).toBe(400);
  });

  it('lock against users, not against administrators', async () => {
    expect((await bench.act(id, { lock: { locked_reason: 'audit' } }, { version: '2.73' })).status).toBe(202);
    expect(await bench.show(id, { version: '2.73' })).toMatchObject({ locked: true, locked_reason: 'audit' });
    const refused = await bench.act(id, { 'os-stop': null }, { as: ALICE });
    expect([refused.status, conflict(refused.text).message]).toEqual([409, `Instance ${id} is locked`]);
    expect((await bench.ask('DELETE', `/servers/${id}`, { as: ALICE })).status).toBe(409);
    expect((await bench.act(id, { unlock: null }, { as: ALICE })).status).toBe(403);
    expect((await bench.act(id, { unlock: null })).status).toBe(202);
    expect((await bench.act(id, { lock: null }, { as: ALICE })).status).toBe(202);
    expect((await bench.act(id, { unlock: null }, { as: ALICE })).status).toBe(202);
  });

  it('reset states for administrators', async () => {
    expect((await bench.act(id, { 'os-resetState': { state: 'error' } }, { as: ALICE })).status).toBe(403);
    expect((await bench.act(id, { 'os-resetState': { state: 'error' } })).status).toBe(202);
    expect(await status()).toBe('ERROR');
  });

  it('that are not served say so', async () => {
    const rescue = await bench.act(id, { rescue: {} });
    expect([rescue.status, rescue.text]).toEqual([
      501,
      expect.stringContaining('The action rescue is not served'),
    ]);
    expect((await bench.act(id, { dance: {} })).status).toBe(400);
    expect((await bench.act(id, {})).status).toBe(400);
    expect((await bench.act(id, { toString: null })).status).toBe(400);
  });

  it('are recorded with their events', async () => {
    await bench.act(id, { 'os-stop': null }, { as: ALICE });
    const list = await bench.ask('GET', `/servers/${id}/os-instance-actions`, { as: ALICE });
    const { instanceActions: actions } = list.json<{
      instanceActions: { action: string; request_id: string }[];
    }>();
    expect(actions.map((action) => action.action)).toEqual(['stop', 'create']);
    const path = `/servers/${id}/os-instance-actions/${actions[1]?.request_id}`;
    const event = { event: 'compute__do_build_and_run_instance', result: 'Success' };
    expect((await bench.ask('GET', path, { version: '2.84' })).json()).toMatchObject({
      instanceAction: {
        action: 'create',
        events: [{ ...event, host: 'hv1', traceback: null, details: null }],
      },
    });
    const user = (await bench.ask('GET', path, { as: ALICE, version: '2.51' })).json<{
      instanceAction: { events: object[] };
    }>();
    expect(user.instanceAction.events).toMatchObject([event]);
    expect(user.instanceAction.events[0]).not.toHaveProperty('host');
    expect(
      (await bench.ask('GET', path, { as: ALICE })).json<{ instanceAction: object }>().instanceAction,
    ).not.toHaveProperty('events');
  });

  it('from other services reach the host', async () => {
    const event = { server_uuid: id, name: 'network-vif-plugged', tag: 'port-1' };
    const body = { events: [event] };
    expect((await bench.ask('POST', '/os-server-external-events', { body, as: ALICE })).status).toBe(403);
    expect((await bench.ask('POST', '/os-server-external-events', { body })).json()).toMatchObject({
      events: [{ ...event, status: 'completed', code: 200 }],
    });
    expect(compute.calls).toEqual(['network-vif-plugged port-1']);
    const other = { events: [event, { ...event, server_uuid: '99999999-1111-4111-8111-111111111111' }] };
    expect((await bench.ask('POST', '/os-server-external-events', { body: other })).status).toBe(207);
  });
});

describe('names, metadata and tags', () => {
  it('change', async () => {
    const body = { server: { name: ' renamed ', description: 'why' } };
    expect((await bench.ask('PUT', `/servers/${id}`, { body, as: ALICE })).status).toBe(400);
    const old = await bench.ask('PUT', `/servers/${id}`, { body, version: '2.19' });
    expect(old.json()).toMatchObject({ server: { name: 'renamed', description: 'why' } });
    expect(old.json<{ server: object }>().server).not.toHaveProperty('OS-EXT-STS:vm_state');
    const full = await bench.ask('PUT', `/servers/${id}`, { body, version: '2.75' });
    expect(full.json<{ server: object }>().server).toHaveProperty('OS-EXT-STS:vm_state', 'active');

    const base = `/servers/${id}/metadata`;
    const as = ALICE;
    expect((await bench.ask('POST', base, { as, body: { metadata: { a: '1', b: '2' } } })).json()).toEqual({
      metadata: { a: '1', b: '2' },
    });
    expect((await bench.ask('PUT', `${base}/a`, { as, body: { meta: { a: '3' } } })).json()).toEqual({
      meta: { a: '3' },
    });
    expect((await bench.ask('PUT', `${base}/a`, { as, body: { meta: { b: '3' } } })).status).toBe(400);
    expect((await bench.ask('DELETE', `${base}/b`, { as })).status).toBe(204);
    expect((await bench.ask('DELETE', `${base}/b`, { as })).status).toBe(404);
    expect((await bench.ask('GET', base, { as })).json()).toEqual({ metadata: { a: '3' } });
    expect((await bench.ask('PUT', base, { as, body: { metadata: {} } })).json()).toEqual({ metadata: {} });
    expect((await bench.ask('POST', base, { as, body: { metadata: { a: 1 } } })).status).toBe(400);

    const tags = `/servers/${id}/tags`;
    expect((await bench.ask('GET', tags, { as })).status).toBe(404);
    const version = '2.26';
    expect((await bench.ask('PUT', `${tags}/red`, { as, version })).status).toBe(201);
    expect((await bench.ask('PUT', `${tags}/red`, { as, version })).status).toBe(204);
    expect((await bench.ask('PUT', `${tags}/a,b`, { as, version })).status).toBe(400);
    expect(
      (await bench.ask('GET', `/servers?tags=red`, { as, version })).json<{ servers: object[] }>().servers,
    ).toHaveLength(1);
    expect(
      (await bench.ask('GET', `/servers?not-tags=red`, { as, version })).json<{ servers: object[] }>()
        .servers,
    ).toEqual([]);
    expect((await bench.ask('DELETE', `${tags}/red`, { as, version })).status).toBe(204);
    expect((await bench.ask('GET', `${tags}/red`, { as, version })).status).toBe(404);
  });
});

const imageOf = (version: string, body: object = { name: 'kept' }) =>
  bench.act(id, { createImage: body }, { as: ALICE, version });

describe('an image of a server', () => {
  it('is made private, with what the server’s image said and where it comes from', async () => {
    await bench.instances.save(id, {
      systemMetadata: {
        image_hw_machine_type: 'hyperv-gen2',
        image_min_disk: '1',
        image_base_image_ref: 'base',
      },
    });
    const answer = await imageOf('2.45', { name: 'kept', metadata: { release: '7' } });
    expect(answer.status).toBe(202);
    const { image_id: imageId } = answer.json<{ image_id: string }>();
    expect(compute.calls).toEqual([`snapshot ${imageId}`]);
    expect(bench.images.created).toEqual([
      expect.objectContaining({
        name: 'kept',
        visibility: 'private',
        image_type: 'snapshot',
        instance_uuid: id,
        base_image_ref: 'base',
        hw_machine_type: 'hyperv-gen2',
        release: '7',
      }),
    ]);
    expect(await status()).toBe('ACTIVE');
  });

  it('is named by a header alone before 2.45', async () => {
    const answer = await imageOf('2.44');
    expect([answer.status, answer.text]).toEqual([202, '']);
    expect(answer.headers['location']).toMatch(/\/image\/v2\/images\/[\da-f-]{36}$/);
  });

  it('is refused while something is under way, without a name, and of a server that boots from a volume', async () => {
    expect((await imageOf('2.45', {})).status).toBe(400);
    await bench.instances.save(id, { taskState: 'rebooting' });
    expect(conflict((await imageOf('2.45')).text).message).toMatch(/^Cannot 'createImage' instance/);
    expect(bench.images.created).toEqual([]);
  });

  it('is deleted again when the host does not take the request', async () => {
    compute.refuses = true;
    expect((await imageOf('2.45')).status).toBeGreaterThanOrEqual(500);
    expect(bench.images.deleted).toHaveLength(1);
    expect((await bench.show<{ 'OS-EXT-STS:task_state': unknown }>(id))['OS-EXT-STS:task_state']).toBeNull();
  });
});
