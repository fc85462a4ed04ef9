import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Tenant } from '../../testing/test-cloud.js';
import { BackendError } from '../backends/backend.js';
import { VolumeBench, type Volume } from '../testing/bench.js';

let bench: VolumeBench;
let alice: Tenant;
let bob: Tenant;
beforeAll(async () => {
  bench = await VolumeBench.create();
  [alice, bob] = [await bench.tenant('alice'), await bench.tenant('bob')];
});
afterAll(() => bench.close());

describe('volumes', () => {
  it('makes a blank one of the default type, shows it, changes it, deletes it', async () => {
    const made = await bench.ask('POST', '/volumes', {
      volume: { size: '2', name: ' data ', description: 'd', metadata: { a: 'b' } },
    });
    expect(made.status).toBe(202);
    const { volume } = made.json<{ volume: Volume }>();
    expect(volume).toMatchObject({ name: 'data', status: 'creating', size: 2, volume_type: '__DEFAULT__' });
    await bench.idle();
    expect(await bench.show(volume.id)).toMatchObject({
      status: 'available',
      bootable: 'false',
      encrypted: false,
      multiattach: false,
      availability_zone: 'nova',
      'os-vol-host-attr:host': 'machine@smb#smb',
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/),
    });
    expect(await bench.backend.read(volume.id)).toEqual({ sizeGb: 2, text: '' });
    await bench.ask('PUT', `/volumes/${volume.id}`, { volume: { name: 'other' } });
    expect(await bench.show(volume.id)).toMatchObject({ name: 'other', description: 'd' });
    expect((await bench.ask('DELETE', `/volumes/${volume.id}`)).status).toBe(202);
    await bench.idle();
    const gone = await bench.ask('GET', `/volumes/${volume.id}`);
    expect([gone.status, gone.message]).toEqual([404, `Volume ${volume.id} could not be found.`]);
    expect(await bench.backend.ids()).not.toContain(volume.id);
  });

  it.each([
    [{}, 400, /Volume size 'None' must be an integer and greater than 0/],
    [{ size: 0 }, 400, /Invalid volume size provided for create request: 0 /],
    [{ size: 'x' }, 400, /Invalid volume size provided/],
    [{ size: 1, volume_type: 'none' }, 404, /Volume type with name none could not be found\./],
    [{ size: 1, snapshot_id: 'none' }, 404, /Snapshot none could not be found\./],
    [{ size: 1, source_volid: 'none' }, 404, /Volume none could not be found\./],
    [{ size: 1, imageRef: 'none' }, 400, /Invalid image identifier/],
    [{ size: 1, availability_zone: 'x' }, 400, /Availability zone 'x' is invalid\./],
    [{ size: 1, multiattach: true }, 400, /multiattach parameter has been removed/],
    [{ size: 1, backup_id: 'x' }, 404, /Backup x could not be found/],
    [{ size: 2000 }, 413, /exceeds allowed gigabytes quota\. Requested 2000G, quota is 1000G/],
  ])('refuses %j', async (wanted, status, message) => {
    const answer = await bench.ask('POST', '/volumes', { volume: wanted });
    expect(answer.message).toMatch(message);
    expect(answer.status).toBe(status);
  });

  it('makes one from an image: bootable, with the properties of the image', async () => {
    const image = await bench.image('boot me', { hw_machine_type: 'hyperv-gen2', min_disk: 2 });
    const small = await bench.ask('POST', '/volumes', { volume: { size: 1, imageRef: image } });
    expect(small.message).toContain('Volume size 1GB cannot be smaller than the image minDisk size 2GB');
    const volume = await bench.volume({ size: 2, imageRef: image }, alice.token);
    expect(volume).toMatchObject({
      status: 'available',
      bootable: 'true',
      volume_image_metadata: {
        image_id: image,
        image_name: 'img',
        disk_format: 'raw',
        hw_machine_type: 'hyperv-gen2',
        min_disk: '2',
        size: '7',
      },
    });
    expect(await bench.backend.read(volume.id)).toEqual({ sizeGb: 2, text: 'boot me' });
  });

  it('makes copies of volumes and snapshots, larger when that is asked for', async () => {
    const image = await bench.image('content');
    const source = await bench.volume({ imageRef: image });
    const clone = await bench.volume({ source_volid: source.id, size: 3 });
    expect(clone).toMatchObject({ status: 'available', size: 3, bootable: 'true' });
    expect((await bench.backend.read(clone.id)).text).toBe('content');
    const shrunk = await bench.ask('POST', '/volumes', { volume: { size: 1, source_volid: clone.id } });
    expect(shrunk.message).toContain("Volume size '1'GB cannot be smaller than original volume size  3GB");
    for (const { id } of [clone, source]) await bench.ask('DELETE', `/volumes/${id}`);
    await bench.idle();
  });

  it('is put into error, with a message, when no back end can have it or the back end fails', async () => {
    const type = { name: 'elsewhere', extra_specs: { volume_backend_name: 'nowhere' } };
    await bench.ask('POST', '/types', { volume_type: type });
    const lost = await bench.volume({ volume_type: 'elsewhere' });
    expect(lost).toMatchObject({ status: 'error', 'os-vol-host-attr:host': null });
    bench.backend.before = async (operation) => {
      if (operation === 'createVolume')
        throw new BackendError('NO_SPACE', 'The disk is full: free some of it.');
    };
    const full = await bench.volume({ volume_type: 'smb' });
    bench.backend.before = async () => {};
    expect(full.status).toBe('error');
    const { messages } = (await bench.ask('GET', '/messages')).json<{ messages: Record<string, string>[] }>();
    expect(messages.find((each) => each['resource_uuid'] === lost.id)?.['user_message']).toMatch(
      /^schedule allocate volume:Could not find any available weighted backend\. smb: it does not have/,
    );
    expect(messages.find((each) => each['resource_uuid'] === full.id)?.['user_message']).toContain(
      'Driver failed to create the volume. The disk is full: free some of it.',
    );
    for (const { id } of [lost, full]) expect((await bench.ask('DELETE', `/volumes/${id}`)).status).toBe(202);
    await bench.idle();
    expect((await bench.ask('GET', `/volumes/${lost.id}`)).status).toBe(404);
  });

  it('goes to the back end that its type names', async () => {
    const volume = await bench.volume({ volume_type: 'iscsi' });
    expect(volume['os-vol-host-attr:host']).toBe('machine@iscsi#iscsi');
    expect(await bench.backends[1]?.ids()).toContain(volume.id);
  });

  it('shows and gives nothing of one project to another', async () => {
    const volume = await bench.volume({}, alice.token);
    for (const [method, path] of [
      ['GET', `/volumes/${volume.id}`],
      ['DELETE', `/volumes/${volume.id}`],
      ['GET', `/volumes/${volume.id}/metadata`],
    ] as const)
      expect((await bench.ask(method, path, undefined, { token: bob.token })).status).toBe(404);
    expect((await bench.act(volume.id, 'os-extend', { new_size: 2 }, bob.token)).status).toBe(404);
    const list = async (query: string, token?: string): Promise<string[]> => {
      const answer = await bench.ask(
        'GET',
        `/volumes/detail${query}`,
        undefined,
        token === undefined ? {} : { token },
      );
      return answer.json<{ volumes: Volume[] }>().volumes.map(({ id }) => id);
    };
    expect(await list('?all_tenants=1', bob.token)).toEqual([]);
    expect(await list('?all_tenants=1')).toContain(volume.id);
    expect(await list('')).not.toContain(volume.id);
  });

  it('lists by filters, in order, by pages', async () => {
    const { token } = await bench.tenant('carol');
    for (const name of ['c', 'a', 'b']) await bench.volume({ name, metadata: { name } }, token);
    const names = async (query: string): Promise<string[]> => {
      const answer = await bench.ask('GET', `/volumes${query}`, undefined, { token });
      expect(answer.message).toBe('');
      return answer.json<{ volumes: { name: string }[] }>().volumes.map(({ name }) => name);
    };
    expect(await names('')).toEqual(['b', 'a', 'c']);
    expect(await names('?sort=name:asc')).toEqual(['a', 'b', 'c']);
    expect(await names('?sort_key=name&sort_dir=desc&limit=2')).toEqual(['c', 'b']);
    expect(await names('?name=a&status=available')).toEqual(['a']);
    expect(await names(`?metadata=${encodeURIComponent("{'name': 'b'}")}`)).toEqual(['b']);
    expect(await names('?bootable=true')).toEqual([]);
    expect(await names('?created_at=gt:2100-01-01T00:00:00')).toEqual([]);
    const first = await bench.ask('GET', '/volumes?limit=1&sort=name:asc&with_count=true', undefined, {
      token,
    });
    const {
      volumes,
      volumes_links: links,
      count,
    } = first.json<{
      volumes: { id: string }[];
      volumes_links: { href: string }[];
      count: number;
    }>();
    expect(count).toBe(3);
    const next = new URL(links[0]?.href ?? '');
    expect(next.searchParams.get('marker')).toBe(volumes[0]?.id);
    expect(await names(`?${next.searchParams.toString()}`)).toEqual(['b']);
    expect((await bench.ask('GET', '/volumes?sort=password', undefined, { token })).status).toBe(400);
    expect((await bench.ask('GET', '/volumes?marker=x', undefined, { token })).status).toBe(404);
  });

  it('deletes neither what is busy nor what has snapshots, unless told to', async () => {
    const volume = await bench.volume();
    await bench.ask('POST', '/snapshots', { snapshot: { volume_id: volume.id } });
    await bench.idle();
    const refused = await bench.ask('DELETE', `/volumes/${volume.id}`);
    expect(refused.status).toBe(400);
    expect(refused.message).toMatch(
      /^Invalid volume: Volume status must be available or error or .* have snapshots/,
    );
    expect((await bench.ask('DELETE', `/volumes/${volume.id}?cascade=true`)).status).toBe(202);
    await bench.idle();
    expect((await bench.ask('GET', `/volumes/${volume.id}`)).status).toBe(404);
  });

  it('gives up the making of a volume that is deleted by force', async () => {
    const waiting: (() => void)[] = [];
    const held = new Promise<void>((resolve) => waiting.push(resolve));
    bench.backend.before = (operation) => (operation === 'createVolume' ? held : Promise.resolve());
    const made = await bench.ask('POST', '/volumes', { volume: { size: 1, volume_type: 'smb' } });
    const { id } = made.json<{ volume: Volume }>().volume;
    expect((await bench.ask('DELETE', `/volumes/${id}`)).status).toBe(400);
    expect((await bench.act(id, 'os-force_delete', {}, alice.token)).status).toBe(404);
    expect((await bench.act(id, 'os-force_delete')).status).toBe(202);
    for (const release of waiting) release();
    await bench.idle();
    bench.backend.before = async () => {};
    expect((await bench.ask('GET', `/volumes/${id}`)).status).toBe(404);
    expect(await bench.backend.ids()).not.toContain(id);
  });
});
