import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Tenant } from '../../testing/test-cloud.js';
import { BackendError } from '../backends/backend.js';
import { VolumeBench, type Answer, type Volume } from '../testing/bench.js';

interface Snapshot {
  readonly id: string;
  readonly status: string;
  readonly size: number;
}

let bench: VolumeBench;
let alice: Tenant;
let volume: Volume;
beforeAll(async () => {
  bench = await VolumeBench.create();
  alice = await bench.tenant('alice');
  volume = await bench.volume({ size: 2 });
  await bench.backend.fill(volume.id, 'before');
});
afterAll(() => bench.close());

const make = (fields: Readonly<Record<string, unknown>> = {}, version = '3.70'): Promise<Answer> =>
  bench.ask('POST', '/snapshots', { snapshot: { volume_id: volume.id, ...fields } }, { version });
const made = async (fields?: Readonly<Record<string, unknown>>): Promise<Snapshot> => {
  const { id } = (await make(fields)).json<{ snapshot: Snapshot }>().snapshot;
  await bench.idle();
  return (await bench.ask('GET', `/snapshots/${id}`)).json<{ snapshot: Snapshot }>().snapshot;
};

describe('snapshots', () => {
  it('keep what a volume has, and become volumes', async () => {
    const snapshot = await made({ name: 's', metadata: { a: 'b' } });
    expect(snapshot).toMatchObject({
      name: 's',
      status: 'available',
      size: 2,
      metadata: { a: 'b' },
      'os-extended-snapshot-attributes:progress': '100%',
    });
    await bench.backend.fill(volume.id, 'after');
    const small = await bench.ask('POST', '/volumes', { volume: { size: 1, snapshot_id: snapshot.id } });
    expect(small.message).toContain("Volume size '1'GB cannot be smaller than the snapshot size 2GB");
    const copy = await bench.volume({ size: 3, snapshot_id: snapshot.id });
    expect(await bench.backend.read(copy.id)).toEqual({ sizeGb: 3, text: 'before' });
    expect((await bench.ask('DELETE', `/snapshots/${snapshot.id}`)).status).toBe(202);
    await bench.idle();
    const gone = await bench.ask('GET', `/snapshots/${snapshot.id}`);
    expect([gone.status, gone.message]).toEqual([404, `Snapshot ${snapshot.id} could not be found.`]);
    expect(await bench.backend.ids()).not.toContain(snapshot.id);
  });

  it('of a volume in use need force before 3.66', async () => {
    await bench.act(volume.id, 'os-reset_status', { status: 'in-use' });
    const refused = await make({}, '3.65');
    expect([refused.status, refused.message]).toEqual([
      400,
      `Invalid volume: Volume ${volume.id} status must be available, but current status is: in-use.`,
    ]);
    expect((await make({ force: true }, '3.0')).status).toBe(202);
    expect((await make({}, '3.66')).status).toBe(202);
    expect((await make({ force: false }, '3.66')).message).toContain("the 'force' flag is invalid");
    await bench.idle();
    await bench.act(volume.id, 'os-reset_status', { status: 'available' });
  });

  it('that fail are in error, with a message, and can be deleted', async () => {
    bench.backend.before = async (operation) => {
      if (operation === 'createSnapshot') throw new BackendError('VOLUME_IN_USE', 'Detach it first.');
    };
    const { id, status } = await made();
    bench.backend.before = async () => {};
    expect(status).toBe('error');
    const messages = await bench.ask('GET', `/messages?resource_uuid=${id}`);
    expect(messages.json()).toMatchObject({
      messages: [{ user_message: 'create snapshot:Snapshot failed to create. Detach it first.' }],
    });
    await bench.ask('DELETE', `/snapshots/${id}`);
    await bench.idle();
    expect((await bench.ask('GET', `/snapshots/${id}`)).status).toBe(404);
  });

  it('are changed, listed and seen by their project alone', async () => {
    const { id } = await made({ name: 'old' });
    await bench.ask('PUT', `/snapshots/${id}`, { snapshot: { name: 'new', description: 'd' } });
    await bench.ask('POST', `/snapshots/${id}/metadata`, { metadata: { k: 'v' } });
    const listed = await bench.ask('GET', '/snapshots/detail?name=new');
    expect(listed.json()).toMatchObject({ snapshots: [{ id, description: 'd', metadata: { k: 'v' } }] });
    expect((await bench.ask('DELETE', `/snapshots/${id}/metadata/k`)).status).toBe(200);
    expect((await bench.ask('GET', `/snapshots/${id}/metadata/k`)).status).toBe(404);
    const { token } = alice;
    expect((await bench.ask('GET', `/snapshots/${id}`, undefined, { token })).status).toBe(404);
    expect((await bench.ask('GET', '/snapshots', undefined, { token })).json()).toEqual({ snapshots: [] });
  });
});
