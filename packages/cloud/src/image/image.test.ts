import { createHash, randomBytes } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestCloud, type Tenant, type TestCloud } from '../testing/test-cloud.js';

interface Image {
  id: string;
  status: string;
  [name: string]: unknown;
}

const OCTETS = { 'content-type': 'application/octet-stream' };
const PATCH = { 'content-type': 'application/openstack-images-v2.1-json-patch' };
const FORMATS = { disk_format: 'vhdx', container_format: 'bare' };

describe('image', () => {
  let cloud: TestCloud;
  let tenant: Tenant;
  let other: Tenant;
  beforeAll(async () => {
    cloud = await createTestCloud({ maxImageSize: 300_000 });
    await cloud.cloud.start();
    tenant = await cloud.tenant('one');
    other = await cloud.tenant('two');
  });
  afterAll(() => cloud[Symbol.asyncDispose]());

  const create = async (fields: object, token = tenant.token): Promise<Image> => {
    const response = await cloud.request('POST', '/image/v2/images', {
      token,
      body: { ...FORMATS, ...fields },
    });
    expect(response.statusCode).toBe(201);
    return response.json<Image>();
  };
  const upload = async (id: string, body: Buffer, token = tenant.token): Promise<number> =>
    (await cloud.request('PUT', `/image/v2/images/${id}/file`, { token, body, headers: OCTETS })).statusCode;
  const show = async (id: string, token = tenant.token): Promise<Image> =>
    (await cloud.request('GET', `/image/v2/images/${id}`, { token })).json<Image>();
  const patch = async (
    id: string,
    changes: object[],
    token = tenant.token,
  ): ReturnType<TestCloud['request']> =>
    cloud.request('PATCH', `/image/v2/images/${id}`, {
      token,
      body: JSON.stringify(changes),
      headers: PATCH,
    });
  const names = async (query: string, token = tenant.token): Promise<unknown[]> => {
    const response = await cloud.request('GET', `/image/v2/images?${query}`, { token });
    return response.json<{ images: Image[] }>().images.map((image) => image.name);
  };
  const files = async (): Promise<string[]> => readdir(join(cloud.stateDir, 'images'));

  it('lists its versions', async () => {
    const response = await cloud.request('GET', '/image', { token: '' });
    expect(response.statusCode).toBe(300);
    const { versions } = response.json<{ versions: { id: string; status: string }[] }>();
    expect(versions.map((version) => version.id)).toContain('v2.0');
    expect(versions[0]).toMatchObject({ id: 'v2.9', status: 'CURRENT' });
  });

  it('takes data in, computes its hashes, and gives the same data out', async () => {
    const data = randomBytes(200_001);
    const image = await create({
      name: 'round trip',
      'hw.x': 'y',
      hypervisor_version_requires: '>=6.3',
      tags: ['b', 'a'],
    });
    expect(image).toMatchObject({
      status: 'queued',
      size: null,
      visibility: 'shared',
      tags: ['b', 'a'],
      'hw.x': 'y',
    });
    const empty = await cloud.request('GET', `/image/v2/images/${image.id}/file`, { token: tenant.token });
    expect(empty.statusCode).toBe(204);
    expect(await upload(image.id, data)).toBe(204);
    const md5 = createHash('md5').update(data).digest('hex');
    expect(await show(image.id)).toMatchObject({
      status: 'active',
      size: 200_001,
      checksum: md5,
      os_hash_algo: 'sha512',
      os_hash_value: createHash('sha512').update(data).digest('hex'),
      hypervisor_version_requires: '>=6.3',
    });
    const response = await cloud.request('GET', `/image/v2/images/${image.id}/file`, { token: tenant.token });
    expect(response.headers).toMatchObject({ 'content-md5': md5, 'content-length': '200001' });
    expect(response.rawPayload.equals(data)).toBe(true);
    const part = await cloud.request('GET', `/image/v2/images/${image.id}/file`, {
      token: tenant.token,
      headers: { range: 'bytes=-10' },
    });
    expect([part.statusCode, part.headers['content-range']]).toEqual([206, 'bytes 199991-200000/200001']);
    expect(part.rawPayload.equals(data.subarray(-10))).toBe(true);
    const beyond = await cloud.request('GET', `/image/v2/images/${image.id}/file`, {
      token: tenant.token,
      headers: { range: 'bytes=200001-' },
    });
    expect(beyond.statusCode).toBe(416);
    expect(await upload(image.id, data)).toBe(409);
  });

  it('takes one of two uploads at once', async () => {
    const image = await create({});
    const codes = await Promise.all([
      upload(image.id, Buffer.alloc(1000, 1)),
      upload(image.id, Buffer.alloc(1000, 2)),
    ]);
    expect(codes.toSorted()).toEqual([204, 409]);
  });

  it('refuses what is too large, and leaves nothing of it', async () => {
    const image = await create({});
    expect(await upload(image.id, Buffer.alloc(300_001))).toBe(413);
    expect((await show(image.id)).status).toBe('queued');
    expect((await files()).filter((name) => name.startsWith(image.id))).toEqual([]);
    expect(await upload(image.id, Buffer.alloc(300_000))).toBe(204);
  });

  it('goes back to queued when an upload breaks off, and takes the next one', async () => {
    const image = await create({});
    const url = new URL(cloud.cloud.url);
    const socket = connect(Number(url.port), url.hostname);
    await new Promise((resolve) => socket.once('connect', resolve));
    const head = [
      `PUT /image/v2/images/${image.id}/file HTTP/1.1`,
      'Host: x',
      `X-Auth-Token: ${tenant.token}`,
      'Content-Type: application/octet-stream',
      'Content-Length: 5000',
    ];
    socket.write(`${head.join('\r\n')}\r\n\r\n${'x'.repeat(1000)}`);
    await expect.poll(async () => (await show(image.id)).status).toBe('saving');
    expect(await upload(image.id, Buffer.alloc(5))).toBe(409);
    socket.destroy();
    await expect.poll(async () => (await show(image.id)).status).toBe('queued');
    expect((await files()).filter((name) => name.startsWith(image.id))).toEqual([]);
    expect(await upload(image.id, Buffer.alloc(5))).toBe(204);
  });

  it('takes a JSON upload for what it is', async () => {
    const image = await create({});
    const response = await cloud.request('PUT', `/image/v2/images/${image.id}/file`, {
      token: tenant.token,
      body: {},
    });
    expect(response.statusCode).toBe(415);
  });

  it('deletes the data with the image, and never a protected one', async () => {
    const image = await create({ protected: true });
    await upload(image.id, Buffer.alloc(10));
    const url = `/image/v2/images/${image.id}`;
    const refused = await cloud.request('DELETE', url, { token: tenant.token });
    expect(refused.statusCode).toBe(403);
    expect(refused.headers['content-type']).toContain('text/html');
    expect(refused.body).toContain('is protected and cannot be deleted.');
    await patch(image.id, [{ op: 'replace', path: '/protected', value: false }]);
    expect(await files()).toContain(image.id);
    expect((await cloud.request('DELETE', url, { token: tenant.token })).statusCode).toBe(204);
    expect(await files()).not.toContain(image.id);
    expect((await cloud.request('GET', url, { token: tenant.token })).statusCode).toBe(404);
    const again = await cloud.request('POST', '/image/v2/images', {
      token: tenant.token,
      body: { id: image.id },
    });
    expect(again.statusCode).toBe(409);
  });

  it('keeps the data of a deactivated image from users, not from administrators', async () => {
    const image = await create({});
    const action = async (name: string): Promise<number> =>
      (await cloud.request('POST', `/image/v2/images/${image.id}/actions/${name}`, { token: tenant.token }))
        .statusCode;
    expect(await action('deactivate')).toBe(403);
    await upload(image.id, Buffer.alloc(10));
    expect(await action('deactivate')).toBe(204);
    const file = `/image/v2/images/${image.id}/file`;
    expect((await cloud.request('GET', file, { token: tenant.token })).statusCode).toBe(403);
    expect((await cloud.request('GET', file)).statusCode).toBe(200);
    expect(await action('reactivate')).toBe(204);
    expect((await cloud.request('GET', file, { token: tenant.token })).statusCode).toBe(200);
  });

  it.each([
    [{ disk_format: 'floppy' }, 400],
    [{ container_format: 'box' }, 400],
    [{ min_disk: -1 }, 400],
    [{ id: 'not-a-uuid' }, 400],
    [{ property: 5 }, 400],
    [{ status: 'active' }, 403],
    [{ location: 'file:///etc/passwd' }, 403],
    [{ visibility: 'public' }, 403],
    [{ owner: 'somebody else' }, 403],
  ])('refuses to create %j with %i', async (fields, status) => {
    const response = await cloud.request('POST', '/image/v2/images', { token: tenant.token, body: fields });
    expect(response.statusCode).toBe(status);
  });

  it('changes attributes and properties by JSON patch', async () => {
    const { id } = await create({ name: 'old', keep: '1', 'a/b~c': 'x' });
    const done = await patch(id, [
      { op: 'replace', path: '/name', value: 'new' },
      { op: 'add', path: '/added', value: 'yes' },
      { op: 'replace', path: '/a~1b~0c', value: 'y' },
      { op: 'remove', path: '/keep' },
      { op: 'replace', path: '/tags', value: ['t'] },
    ]);
    expect(done.statusCode).toBe(200);
    const image = await show(id);
    expect(image).toMatchObject({ name: 'new', added: 'yes', 'a/b~c': 'y', tags: ['t'] });
    expect(image).not.toHaveProperty('keep');
  });

  it.each([
    [[{ op: 'replace', path: '/status', value: 'active' }], 403],
    [[{ op: 'remove', path: '/name' }], 403],
    [[{ op: 'remove', path: '/nothing' }], 409],
    [[{ op: 'replace', path: '/nothing', value: 'x' }], 409],
    [[{ op: 'add', path: '/a/b', value: 'x' }], 400],
    [[{ op: 'add', path: '/a~2', value: 'x' }], 400],
    [[{ op: 'move', path: '/name', from: '/x' }], 400],
    [[{ op: 'add', path: '/os_hash_value', value: 'x' }], 403],
  ])('refuses the patch %j with %i, as a whole', async (changes, status) => {
    const { id } = await create({ name: 'same' });
    const response = await patch(id, [{ op: 'replace', path: '/name', value: 'changed' }, ...changes]);
    expect(response.statusCode).toBe(status);
    expect((await show(id)).name).toBe('same');
  });

  it('keeps the formats of an image that has data', async () => {
    const { id } = await create({});
    expect((await patch(id, [{ op: 'replace', path: '/disk_format', value: 'raw' }])).statusCode).toBe(200);
    await upload(id, Buffer.alloc(10));
    expect((await patch(id, [{ op: 'replace', path: '/disk_format', value: 'vhd' }])).statusCode).toBe(403);
    const plain = await cloud.request('PATCH', `/image/v2/images/${id}`, { token: tenant.token, body: [] });
    expect(plain.statusCode).toBe(415);
  });

  it('shows images to those who may see them', async () => {
    const admin = await cloud.login('admin', cloud.cloud.adminPassword, 'admin');
    await create({ name: 'v-private', visibility: 'private' });
    await create({ name: 'v-community', visibility: 'community' });
    const shared = await create({ name: 'v-shared' });
    await create({ name: 'v-public', visibility: 'public' }, admin);
    expect(await names('name=in:v-private,v-community,v-shared,v-public&sort=name:asc', other.token)).toEqual(
      ['v-public'],
    );
    expect(await names('visibility=community', other.token)).toEqual(['v-community']);
    const members = `/image/v2/images/${shared.id}/members`;
    expect((await cloud.request('GET', members, { token: other.token })).statusCode).toBe(404);
    const added = await cloud.request('POST', members, {
      token: tenant.token,
      body: { member: other.projectId },
    });
    expect(added.json()).toMatchObject({ status: 'pending', member_id: other.projectId });
    expect(await names('visibility=shared', other.token)).toEqual([]);
    expect((await show(shared.id, other.token)).name).toBe('v-shared');
    const accept = { token: other.token, body: { status: 'accepted' } };
    expect((await cloud.request('PUT', `${members}/${other.projectId}`, accept)).statusCode).toBe(200);
    expect(await names('visibility=shared', other.token)).toEqual(['v-shared']);
    expect((await patch(shared.id, [{ op: 'add', path: '/x', value: 'y' }], other.token)).statusCode).toBe(
      403,
    );
    expect(
      (await cloud.request('DELETE', `/image/v2/images/${shared.id}`, { token: other.token })).statusCode,
    ).toBe(403);
  });

  it('filters, sorts and pages', async () => {
    const query = 'property_of_page=1&sort_key=name&sort_dir=asc&limit=2';
    for (const name of ['p3', 'p1', 'p2']) await create({ name, property_of_page: '1' });
    const first = await cloud.request('GET', `/image/v2/images?${query}`, { token: tenant.token });
    const { images, next } = first.json<{ images: Image[]; next: string }>();
    expect(images.map((image) => image.name)).toEqual(['p1', 'p2']);
    const second = await cloud.request('GET', `/image${next}`, { token: tenant.token });
    expect(second.json<{ images: Image[] }>().images.map((image) => image.name)).toEqual(['p3']);
    expect(second.json()).not.toHaveProperty('next');
    const unknown = await cloud.request('GET', '/image/v2/images?sort=no_such_key', { token: tenant.token });
    expect(unknown.statusCode).toBe(400);
    expect(await names('name=p1&created_at=gt:2001-01-01T00:00:00Z')).toEqual(['p1']);
    expect(await names('name=p1&created_at=lt:2001-01-01T00:00:00Z')).toEqual([]);
  });
});

describe('a cloud that was killed during an upload', () => {
  it('has the image back in queued and no stray file, and keeps what is not its own', async () => {
    const before = await createTestCloud({ keepState: true });
    const made = await before.request('POST', '/image/v2/images', { body: FORMATS });
    const { id } = made.json<Image>();
    const good = (await before.request('POST', '/image/v2/images', { body: FORMATS })).json<Image>();
    await before.request('PUT', `/image/v2/images/${good.id}/file`, {
      body: Buffer.from('data'),
      headers: OCTETS,
    });
    const db = before.cloud.kernel.db.withTables<{ image_image: { id: string; status: string } }>();
    await db.updateTable('image_image').set({ status: 'saving' }).where('id', '=', id).execute();
    await before[Symbol.asyncDispose]();
    const folder = join(before.stateDir, 'images');
    await writeFile(join(folder, `${id}.part`), 'half');
    await writeFile(join(folder, id), 'whole, but the database does not know');
    await writeFile(join(folder, 'README'), "somebody's own");
    await using after = await createTestCloud({ stateDir: before.stateDir });
    expect((await after.request('GET', `/image/v2/images/${id}`)).json()).toMatchObject({ status: 'queued' });
    expect((await readdir(folder)).toSorted()).toEqual([good.id, 'README'].toSorted());
    expect((await after.request('GET', `/image/v2/images/${good.id}/file`)).body).toBe('data');
  });
});
