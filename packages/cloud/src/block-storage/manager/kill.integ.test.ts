import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { TEST_ADMIN_PASSWORD } from '../../testing/test-cloud.js';
import { FakeBackend } from '../testing/fake-backend.js';

const ROUNDS = 5;
const SCRIPT = fileURLToPath(new URL('../testing/serve-volumes.ts', import.meta.url));
const RESTING = ['available', 'error'];

interface Server {
  readonly url: string;
  readonly token: string;
  readonly child: ChildProcess;
}

const Volumes = z.object({
  volumes: z.array(
    z.looseObject({
      id: z.string(),
      status: z.string(),
      size: z.number(),
      'os-vol-host-attr:host': z.string().nullable(),
    }),
  ),
});
const Snapshots = z.object({ snapshots: z.array(z.looseObject({ id: z.string(), status: z.string() })) });
const Images = z.object({ images: z.array(z.looseObject({ id: z.string(), status: z.string() })) });

async function login(url: string): Promise<string> {
  const domain = { id: 'default' };
  const user = { name: 'admin', domain, password: TEST_ADMIN_PASSWORD };
  const scope = { project: { name: 'admin', domain } };
  const identity = { methods: ['password'], password: { user } };
  const response = await fetch(`${url}/identity/v3/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ auth: { identity, scope } }),
  });
  return response.headers.get('x-subject-token') ?? '';
}

async function serve(dir: string): Promise<Server> {
  const child = spawn(process.execPath, ['--import', 'tsx', '--conditions=source', SCRIPT, dir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface(child.stdout);
  const [url] = (await once(lines, 'line', { signal: AbortSignal.timeout(60_000) })).map(String);
  return { url: url ?? '', child, token: await login(url ?? '') };
}

async function kill({ child }: Server): Promise<void> {
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

async function call(server: Server, method: string, path: string, body?: unknown): Promise<unknown> {
  const response = await fetch(`${server.url}${path}`, {
    method,
    headers: {
      'x-auth-token': server.token,
      'openstack-api-version': 'volume 3.70',
      'content-type': typeof body === 'string' ? 'application/octet-stream' : 'application/json',
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return text.startsWith('{') ? JSON.parse(text) : undefined;
}

const volumesOf = async (server: Server) =>
  Volumes.parse(await call(server, 'GET', '/volume/v3/volumes/detail')).volumes;
const snapshotsOf = async (server: Server) =>
  Snapshots.parse(await call(server, 'GET', '/volume/v3/snapshots')).snapshots;

async function makeImage(server: Server): Promise<string> {
  const fields = { name: 'source', disk_format: 'raw', container_format: 'bare' };
  const { id } = z.object({ id: z.string() }).parse(await call(server, 'POST', '/image/v2/images', fields));
  await call(server, 'PUT', `/image/v2/images/${id}/file`, 'content');
  return id;
}

/** Everything at once that a user can ask of volumes; whatever comes of it. */
async function ask(server: Server, image: string): Promise<void> {
  const post = (path: string, body: unknown) => call(server, 'POST', `/volume/v3${path}`, body);
  const [first, second, third, ...others] = (await volumesOf(server)).filter(
    ({ status }) => status === 'available',
  );
  const snapshots = (await snapshotsOf(server)).filter(({ status }) => status === 'available');
  const act = (id: string, action: string, value: unknown) =>
    post(`/volumes/${id}/action`, { [action]: value });
  await Promise.allSettled([
    post('/volumes', { volume: { size: 1 } }),
    post('/volumes', { volume: { size: 1, imageRef: image } }),
    ...(first === undefined
      ? []
      : [
          post('/volumes', { volume: { source_volid: first.id } }),
          post('/snapshots', { snapshot: { volume_id: first.id } }),
          act(first.id, 'os-extend', { new_size: first.size + 1 }),
        ]),
    ...(second === undefined ? [] : [act(second.id, 'os-volume_upload_image', { image_name: 'up' })]),
    ...(third === undefined
      ? []
      : [act(third.id, 'os-retype', { new_type: 'iscsi', migration_policy: 'on-demand' })]),
    ...others.map(({ id }) => call(server, 'DELETE', `/volume/v3/volumes/${id}?cascade=true`)),
    ...snapshots.slice(0, 1).map(({ id }) => post('/volumes', { volume: { snapshot_id: id, size: 9 } })),
    ...snapshots.slice(1).map(({ id }) => call(server, 'DELETE', `/volume/v3/snapshots/${id}`)),
  ]);
}

async function settled(server: Server): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    const all = [...(await volumesOf(server)), ...(await snapshotsOf(server))];
    if (all.every(({ status }) => RESTING.includes(status))) return;
    await setTimeout(100);
  }
  throw new Error(`not settled: ${JSON.stringify([await volumesOf(server), await snapshotsOf(server)])}`);
}

/** What is kept is what is known, in the right place and size. */
async function expectWhole(server: Server, dir: string): Promise<void> {
  const volumes = await volumesOf(server);
  const snapshots = await snapshotsOf(server);
  const kept: string[] = [];
  for (const name of ['smb', 'iscsi']) {
    const backend = new FakeBackend(join(dir, 'backends'), name);
    const ids = await backend.ids();
    kept.push(...ids);
    const own = volumes.filter((volume) => volume['os-vol-host-attr:host'] === `machine@${name}#${name}`);
    for (const { id, size, status } of own) {
      if (status === 'available') expect(await backend.read(id)).toMatchObject({ sizeGb: size });
    }
  }
  const known = [...volumes, ...snapshots].filter(({ status }) => status === 'available').map(({ id }) => id);
  expect(kept.toSorted()).toEqual(known.toSorted());
  const { images } = Images.parse(await call(server, 'GET', '/image/v2/images?limit=1000'));
  expect(images.filter(({ status }) => status !== 'active')).toEqual([]);
  expect(await readdir(join(dir, 'cloud', 'conversion'))).toEqual([]);
}

describe('a process that is killed at any moment', () => {
  let dir: string;
  let server: Server | undefined;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'nova-hyperv-volumes-killed-'));
  });
  afterEach(async () => {
    if (server !== undefined) await kill(server);
    await rm(dir, { recursive: true, force: true });
  });

  it(
    'leaves no volume, snapshot or image half made, and finishes what was asked for',
    { timeout: 180_000 },
    async () => {
      server = await serve(dir);
      const quota_set = { volumes: -1, gigabytes: -1, snapshots: -1 };
      await call(server, 'PUT', '/volume/v3/os-quota-class-sets/default', { quota_class_set: quota_set });
      const image = await makeImage(server);
      let interrupted = 0;
      for (let round = 0; round < ROUNDS; round += 1) {
        const asked = ask(server, image).catch(() => undefined);
        await setTimeout(20 + Math.random() * 400);
        await kill(server);
        await asked;
        server = await serve(dir);
        const left = await volumesOf(server);
        interrupted += left.filter(({ status }) => !RESTING.includes(status)).length;
        // Every other time it is killed again while it finishes.
        if (round % 2 === 0) await settled(server);
      }
      await settled(server);
      expect(interrupted).toBeGreaterThan(0);
      await expectWhole(server, dir);
    },
  );
});
