import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VolumeBench, type BenchOptions, type Volume } from '../testing/bench.js';

let dir: string;
let bench: VolumeBench | undefined;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'nova-hyperv-manager-'));
});
afterEach(async () => {
  await bench?.stop();
  bench = undefined;
  await rm(dir, { recursive: true, force: true });
});

async function start(options: BenchOptions = {}): Promise<VolumeBench> {
  bench = await VolumeBench.create({ stateDir: dir, ...options });
  return bench;
}

/** Holds an operation of the first back end until it is let go. */
function hold(
  of: VolumeBench,
  operation: string,
): { readonly reached: Promise<void>; letGo(error?: Error): void } {
  const waiting: ((error?: Error) => void)[] = [];
  const reached = new Promise<void>((arrive) => {
    of.backend.before = (name) => {
      if (name !== operation) return Promise.resolve();
      arrive();
      return new Promise((resolve, reject) =>
        waiting.push((error) => (error === undefined ? resolve() : reject(error))),
      );
    };
  });
  return { reached, letGo: (error) => waiting.forEach((end) => end(error)) };
}

describe('the volume manager', () => {
  it.each([
    ['goes on with', undefined],
    ['begins again with', new Error('the process ends')],
  ])('%s a volume at the next start when it is stopped meanwhile', async (_what, error) => {
    const first = await start();
    const held = hold(first, 'createVolume');
    const made = await first.ask('POST', '/volumes', { volume: { size: 1, volume_type: 'smb' } });
    const { id } = made.json<{ volume: Volume }>().volume;
    await held.reached;
    const stopping = first.stop();
    held.letGo(error);
    await stopping;
    const second = await start();
    await second.idle();
    expect(await second.show(id)).toMatchObject({ status: 'available' });
    expect(await second.backend.ids()).toEqual([id]);
  });

  it('leaves no image of a volume that is deleted by force while it is uploaded', async () => {
    const first = await start();
    const { id } = await first.volume({ volume_type: 'smb' });
    const held = hold(first, 'copyVolumeToFile');
    await first.act(id, 'os-volume_upload_image', { image_name: 'up' });
    await held.reached;
    await first.act(id, 'os-force_delete');
    held.letGo(new Error('given up'));
    await first.idle();
    expect((await first.ask('GET', `/volumes/${id}`)).status).toBe(404);
    expect((await first.request('GET', '/image/v2/images')).json()).toMatchObject({ images: [] });
  });

  it('exports attached volumes again at its start, and knows what is there', async () => {
    const first = await start();
    const volume = await first.volume({ volume_type: 'smb' });
    const connector = { host: 'hv1' };
    await first.ask('POST', '/attachments', { attachment: { volume_uuid: volume.id, connector } });
    await first.stop();
    const second = await start();
    expect(second.backend.exports.get(volume.id)).toEqual(new Set(['hv1']));
    expect(await second.backend.ids()).toEqual([volume.id]);
  });

  it('makes volumes elsewhere when a back end does not tell its room', async () => {
    const first = await start();
    first.backend.stats = () => Promise.reject(new Error('no such folder'));
    expect((await first.volume())['os-vol-host-attr:host']).toBe('machine@iscsi#iscsi');
  });

  it('serves the other back ends when one does not start', async () => {
    const first = await start();
    const lost = await first.volume({ volume_type: 'smb' });
    await first.stop();
    const second = await start({
      prepare: ([smb]) => {
        if (smb !== undefined) smb.before = () => Promise.reject(new Error('no disk'));
      },
    });
    expect((await second.ask('GET', '/os-services?binary=cinder-volume')).json()).toMatchObject({
      services: [
        { host: 'machine@iscsi', state: 'up' },
        { host: 'machine@smb', state: 'down' },
      ],
    });
    expect((await second.volume()).status).toBe('available');
    const body = { attachment: { volume_uuid: lost.id, connector: { host: 'hv1' } } };
    expect((await second.ask('POST', '/attachments', body)).status).toBe(503);
    expect((await second.show(lost.id)).status).toBe('available');
  });
});

describe('growth of an attached volume', () => {
  it('is told to Nova while others may work on the volume; what Nova does not take is told to the user', async () => {
    const first = await start();
    const { id } = await first.volume({ volume_type: 'smb' });
    const server = '9f5c1c1e-0000-4000-8000-000000000001';
    const fields = { volume_uuid: id, instance_uuid: server, connector: { host: 'hv1' } };
    const made = await first.ask('POST', '/attachments', { attachment: fields });
    const attachment = made.json<{ attachment: { id: string } }>().attachment.id;
    await first.ask('POST', `/attachments/${attachment}/action`, { 'os-complete': {} });
    const pending: ((error: Error) => void)[] = [];
    const told = new Promise<void>((arrive) => {
      first.compute.volumeExtended = async () => {
        arrive();
        return new Promise((_resolve, reject) => {
          pending.push(reject);
        });
      };
    });
    await first.act(id, 'os-extend', { new_size: 2 });
    await told;
    expect(await first.show(id)).toMatchObject({ status: 'in-use', size: 2 });
    // The volume can be worked on meanwhile.
    expect(
      (await first.ask('PUT', `/attachments/${attachment}`, { attachment: { connector: { host: 'hv1' } } }))
        .status,
    ).toBe(200);
    for (const fail of pending) fail(new Error('Nova is slow'));
    await first.idle();
    expect((await first.ask('GET', '/messages')).json()).toMatchObject({
      messages: [{ user_message: 'extend volume:Compute service failed to extend volume.' }],
    });
  });
});
