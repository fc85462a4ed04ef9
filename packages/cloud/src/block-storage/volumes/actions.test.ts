import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Tenant } from '../../testing/test-cloud.js';
import { BackendError } from '../backends/backend.js';
import { VolumeBench, type Volume } from '../testing/bench.js';

let bench: VolumeBench;
let alice: Tenant;
beforeAll(async () => {
  bench = await VolumeBench.create();
  alice = await bench.tenant('alice');
  const quota = { volumes: -1, gigabytes: 100 };
  await bench.ask('PUT', '/os-quota-class-sets/default', { quota_class_set: quota });
});
beforeEach(() => {
  bench.backend.before = async () => {};
  bench.backend.onlineExtendRefusal = null;
});
afterAll(() => bench.close());

const failAt = (operation: string, error: Error): void => {
  bench.backend.before = async (name) => {
    if (name === operation) throw error;
  };
};

/** A volume that a server has. */
async function attached(
  wanted: Readonly<Record<string, unknown>> = {},
): Promise<Volume & { server: string }> {
  const { id } = await bench.volume({ volume_type: 'smb', ...wanted });
  const server = randomUUID();
  const fields = { volume_uuid: id, instance_uuid: server, connector: { host: 'hv1' } };
  const made = await bench.ask('POST', '/attachments', { attachment: fields });
  const attachment = made.json<{ attachment: { id: string } }>().attachment.id;
  await bench.ask('POST', `/attachments/${attachment}/action`, { 'os-complete': {} });
  return { ...(await bench.show(id)), server };
}

const messagesOf = async (id: string): Promise<string> => {
  const answer = await bench.ask('GET', `/messages?resource_uuid=${id}`);
  const { messages } = answer.json<{ messages: { user_message: string }[] }>();
  return messages.map((message) => message.user_message).join('\n');
};

describe('os-extend', () => {
  it('makes a volume larger', async () => {
    const { id } = await bench.volume();
    expect((await bench.act(id, 'os-extend', { new_size: '3' })).status).toBe(202);
    await bench.idle();
    expect(await bench.show(id)).toMatchObject({ size: 3, status: 'available' });
    expect((await bench.backend.read(id)).sizeGb).toBe(3);
    expect(bench.compute.extended).toEqual([]);
  });

  it('makes one in use larger, and tells Nova', async () => {
    const { id, server } = await attached();
    const early = await bench.ask(
      'POST',
      `/volumes/${id}/action`,
      { 'os-extend': { new_size: 2 } },
      { version: '3.41' },
    );
    expect([early.status, early.message]).toEqual([
      400,
      `Invalid volume: Volume ${id} status must be '{'status': 'available'}' to extend, currently in-use.`,
    ]);
    expect((await bench.act(id, 'os-extend', { new_size: 2 })).status).toBe(202);
    await bench.idle();
    expect(await bench.show(id)).toMatchObject({ size: 2, status: 'in-use' });
    expect(bench.compute.extended).toEqual([{ volumeId: id, serverIds: [server] }]);
  });

  it('is refused where the back end cannot, and leaves the volume as it is', async () => {
    const { id } = await attached();
    bench.backend.onlineExtendRefusal = 'SMB backed volumes cannot grow while they are attached.';
    const refused = await bench.act(id, 'os-extend', { new_size: 2 });
    expect([refused.status, refused.message]).toEqual([
      400,
      'Invalid volume: SMB backed volumes cannot grow while they are attached.',
    ]);
    expect(await bench.show(id)).toMatchObject({ size: 1, status: 'in-use' });
    expect((await bench.backend.read(id)).sizeGb).toBe(1);
  });

  it('neither shrinks nor goes over the quota, and says why it failed', async () => {
    const { id } = await bench.volume({ size: 2, volume_type: 'smb' });
    expect((await bench.act(id, 'os-extend', { new_size: 2 })).message).toBe(
      'Invalid input received: New size for extend must be greater than current size. (current: 2, extended: 2).',
    );
    const over = await bench.act(id, 'os-extend', { new_size: 500 });
    expect([over.status, over.message]).toEqual([
      413,
      expect.stringMatching(/exceeds allowed gigabytes quota/),
    ]);
    failAt('extendVolume', new BackendError('NO_SPACE', 'The disk is full.'));
    await bench.act(id, 'os-extend', { new_size: 3 });
    await bench.idle();
    expect(await bench.show(id)).toMatchObject({ size: 2, status: 'error_extending' });
    expect(await messagesOf(id)).toBe(
      'extend volume:Volume Driver failed to extend volume. The disk is full.',
    );
  });
});

describe('os-retype', () => {
  it('changes the type at the same back end, also in use', async () => {
    await bench.ask('POST', '/types', {
      volume_type: { name: 'gold', extra_specs: { volume_backend_name: 'smb' } },
    });
    const { id } = await attached();
    expect((await bench.act(id, 'os-retype', { new_type: 'gold' })).status).toBe(202);
    await bench.idle();
    expect(await bench.show(id)).toMatchObject({ volume_type: 'gold', status: 'in-use' });
    const again = await bench.act(id, 'os-retype', { new_type: 'gold' });
    expect([again.status, again.message]).toEqual([
      400,
      expect.stringMatching(/^Invalid volume: Retype needs/),
    ]);
  });

  it('moves a volume to another back end when that is asked for and it is not in use', async () => {
    const { id } = await bench.volume({ volume_type: 'smb' });
    await bench.backend.fill(id, 'content');
    expect((await bench.act(id, 'os-retype', { new_type: 'iscsi' })).message).toMatch(
      /^No valid backend was found\. The type iscsi needs another back end/,
    );
    await bench.act(id, 'os-retype', { new_type: 'iscsi', migration_policy: 'on-demand' });
    await bench.idle();
    expect(await bench.show(id)).toMatchObject({
      volume_type: 'iscsi',
      status: 'available',
      'os-vol-host-attr:host': 'machine@iscsi#iscsi',
    });
    expect(await bench.backend.ids()).not.toContain(id);
    expect(await bench.backends[1]?.read(id)).toEqual({ sizeGb: 1, text: 'content' });
    const used = await attached();
    const refused = await bench.act(used.id, 'os-retype', {
      new_type: 'iscsi',
      migration_policy: 'on-demand',
    });
    expect(refused.message).toMatch(/is in use and cannot move to another back end: detach it first/);
  });

  it('leaves the volume where it is when the move fails', async () => {
    const { id } = await bench.volume({ volume_type: 'smb' });
    failAt('copyVolumeToFile', new Error('disk'));
    await bench.act(id, 'os-retype', { new_type: 'iscsi', migration_policy: 'on-demand' });
    await bench.idle();
    expect(await bench.show(id)).toMatchObject({ volume_type: 'smb', status: 'available' });
    expect(await bench.backends[1]?.ids()).not.toContain(id);
  });
});

describe('os-volume_upload_image', () => {
  const upload = { image_name: 'saved', disk_format: 'raw' };

  it('makes an image with the content and the properties of the volume', async () => {
    const image = await bench.image('boot me', { hw_machine_type: 'hyperv-gen2' });
    const { id } = await bench.volume({ imageRef: image });
    const answer = await bench.act(id, 'os-volume_upload_image', upload);
    const saved = answer.json<{ 'os-volume_upload_image': { image_id: string; status: string } }>()[
      'os-volume_upload_image'
    ];
    expect([answer.status, saved.status]).toEqual([202, 'uploading']);
    await bench.idle();
    expect((await bench.show(id)).status).toBe('available');
    const shown = await bench.request('GET', `/image/v2/images/${saved.image_id}`);
    expect(shown.json()).toMatchObject({ status: 'active', name: 'saved', hw_machine_type: 'hyperv-gen2' });
    expect((await bench.request('GET', `/image/v2/images/${saved.image_id}/file`)).body).toBe('boot me');
  });

  it('leaves no image without data when it fails', async () => {
    const { id } = await bench.volume();
    failAt('copyVolumeToFile', new BackendError('NO_SPACE', 'The disk is full.'));
    const answer = await bench.act(id, 'os-volume_upload_image', { ...upload, protected: true });
    const image = answer.json<{ 'os-volume_upload_image': { image_id: string } }>()['os-volume_upload_image']
      .image_id;
    await bench.idle();
    expect((await bench.show(id)).status).toBe('available');
    expect((await bench.request('GET', `/image/v2/images/${image}`)).statusCode).toBe(404);
    expect(await messagesOf(id)).toBe(
      'copy volume to image:Failed to upload volume to image at backend. The disk is full.',
    );
  });

  it.each([
    [{ disk_format: 'ploop' }, 400, /ploop is not one of raw/],
    [{ container_format: 'compressed' }, 400, /compressed/],
    [{ visibility: 'public' }, 403, /upload_public/],
  ])('refuses %j', async (changes, status, message) => {
    const { id } = await bench.volume({}, alice.token);
    const answer = await bench.act(id, 'os-volume_upload_image', { ...upload, ...changes }, alice.token);
    expect([answer.status, answer.message]).toEqual([status, expect.stringMatching(message)]);
  });
});

describe('what is said of a volume', () => {
  it('is changed: bootable, image metadata, metadata', async () => {
    const { id } = await bench.volume({ metadata: { a: '1' } });
    await bench.act(id, 'os-set_bootable', { bootable: 'True' });
    await bench.act(id, 'os-set_image_metadata', { metadata: { hw_machine_type: 'hyperv-gen1', x: 'y' } });
    await bench.act(id, 'os-unset_image_metadata', { key: 'x' });
    expect((await bench.act(id, 'os-unset_image_metadata', { key: 'x' })).status).toBe(404);
    expect((await bench.act(id, 'os-show_image_metadata')).json()).toEqual({
      metadata: { hw_machine_type: 'hyperv-gen1' },
    });
    const path = `/volumes/${id}/metadata`;
    expect((await bench.ask('POST', path, { metadata: { b: '2' } })).json()).toEqual({
      metadata: { a: '1', b: '2' },
    });
    expect((await bench.ask('DELETE', `${path}/a`)).status).toBe(200);
    const missing = await bench.ask('GET', `${path}/a`);
    expect([missing.status, missing.message]).toEqual([404, `Volume ${id} has no metadata with key a.`]);
    expect((await bench.ask('PUT', `${path}/b`, { meta: { b: '3' } })).json()).toEqual({ meta: { b: '3' } });
    expect(await bench.show(id)).toMatchObject({
      bootable: 'true',
      metadata: { b: '3' },
      volume_image_metadata: { hw_machine_type: 'hyperv-gen1' },
    });
  });

  it('is reset by administrators alone', async () => {
    const { id } = await bench.volume({}, alice.token);
    const refused = await bench.act(id, 'os-reset_status', { status: 'error' }, alice.token);
    expect([refused.status, refused.message]).toEqual([
      403,
      "Policy doesn't allow volume_extension:volume_admin_actions:reset_status to be performed.",
    ]);
    expect((await bench.act(id, 'os-reset_status', { status: 'error' })).status).toBe(202);
    expect((await bench.show(id)).status).toBe('error');
  });

  it.each(['os-migrate_volume', 'os-reimage', 'revert', 'os-nothing'])(
    'says that %s is not served',
    async (action) => {
      const { id } = await bench.volume();
      expect((await bench.act(id, action)).status).toBe(400);
    },
  );
});
