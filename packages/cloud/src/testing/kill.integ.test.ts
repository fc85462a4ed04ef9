import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { TEST_ADMIN_PASSWORD } from './test-cloud.js';

const ROUNDS = 6;
const SCRIPT = fileURLToPath(new URL('serve.ts', import.meta.url));

interface Server {
  readonly url: string;
  readonly child: ChildProcess;
  readonly token: string;
}

const Id = z.object({ id: z.string() });
const MadePort = z.object({ port: Id });
const MadeNetwork = z.object({ network: Id });
const Ports = z.object({
  ports: z.array(Id.extend({ fixed_ips: z.array(z.object({ ip_address: z.string() })) })),
});
const Images = z.object({ images: z.array(Id.extend({ status: z.string() })) });

async function login(url: string): Promise<string> {
  const domain = { id: 'default' };
  const user = { name: 'admin', domain, password: TEST_ADMIN_PASSWORD };
  const response = await fetch(`${url}/identity/v3/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      auth: {
        identity: { methods: ['password'], password: { user } },
        scope: { project: { name: 'admin', domain } },
      },
    }),
  });
  return response.headers.get('x-subject-token') ?? '';
}

async function serve(stateDir: string): Promise<Server> {
  const child = spawn(process.execPath, ['--import', 'tsx', '--conditions=source', SCRIPT, stateDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [url] = (
    await once(createInterface(child.stdout), 'line', { signal: AbortSignal.timeout(30_000) })
  ).map(String);
  return { url: url ?? '', child, token: await login(url ?? '') };
}

async function kill(server: Server): Promise<void> {
  const gone = once(server.child, 'exit');
  server.child.kill('SIGKILL');
  await gone;
}

const call = (
  server: Server,
  method: string,
  path: string,
  body?: string | Buffer,
  type = 'application/json',
): Promise<Response> =>
  fetch(`${server.url}${path}`, {
    method,
    headers: { 'x-auth-token': server.token, 'content-type': type },
    ...(body === undefined ? {} : { body }),
  });

/** A network with room for all ports of the test. */
async function makeNetwork(server: Server): Promise<string> {
  const made = await call(
    server,
    'POST',
    '/network/v2.0/networks',
    JSON.stringify({ network: { name: 'large' } }),
  );
  const { network } = MadeNetwork.parse(await made.json());
  const subnet = { network_id: network.id, cidr: '10.64.0.0/16', ip_version: 4 };
  await call(server, 'POST', '/network/v2.0/subnets', JSON.stringify({ subnet }));
  return network.id;
}

/** The process is gone; anything else is a mistake of the cloud's. */
function expectGone(error: unknown): void {
  if (error instanceof z.ZodError) throw error;
}

/** Makes ports until the process is gone; the identifiers of those it was told of. */
async function makePorts(server: Server, network: string): Promise<readonly string[]> {
  const made: string[] = [];
  try {
    for (;;) {
      const response = await call(
        server,
        'POST',
        '/network/v2.0/ports',
        JSON.stringify({ port: { network_id: network } }),
      );
      const { port } = MadePort.parse(await response.json());
      made.push(port.id);
    }
  } catch (error) {
    expectGone(error);
    return made;
  }
}

/** Uploads images until the process is gone; the identifiers of those that were taken. */
async function uploadImages(server: Server): Promise<readonly string[]> {
  const done: string[] = [];
  try {
    for (;;) {
      const fields = JSON.stringify({ disk_format: 'raw', container_format: 'bare' });
      const made = await call(server, 'POST', '/image/v2/images', fields);
      const { id } = Id.parse(await made.json());
      const path = `/image/v2/images/${id}/file`;
      const response = await call(
        server,
        'PUT',
        path,
        Buffer.alloc(4_000_000, 7),
        'application/octet-stream',
      );
      if (response.status === 204) done.push(id);
    }
  } catch (error) {
    expectGone(error);
    return done;
  }
}

describe('a cloud whose process is killed at random moments', () => {
  let stateDir: string;
  let server: Server | undefined;
  beforeEach(async () => {
    stateDir = await mkdtemp(join(tmpdir(), 'nova-hyperv-kill-'));
  });
  afterEach(async () => {
    server?.child.kill('SIGKILL');
    await rm(stateDir, { recursive: true, force: true });
  });

  it('keeps everything that it acknowledged, gives nothing out twice, and leaves nothing half done', async () => {
    const ports: string[] = [];
    const images: string[] = [];
    let network: string | undefined;
    for (let round = 0; round < ROUNDS; round += 1) {
      const running = await serve(stateDir);
      server = running;
      network ??= await makeNetwork(running);
      const work = [makePorts(running, network), makePorts(running, network), uploadImages(running)] as const;
      await new Promise((resolve) => setTimeout(resolve, 30 + Math.random() * 150));
      await kill(running);
      const [first, second, third] = await Promise.all(work);
      ports.push(...first, ...second);
      images.push(...third);
    }
    const last = await serve(stateDir);
    server = last;
    const { ports: kept } = Ports.parse(await (await call(last, 'GET', '/network/v2.0/ports')).json());
    expect(kept.map((port) => port.id)).toEqual(expect.arrayContaining(ports));
    const addresses = kept.map((port) => port.fixed_ips[0]?.ip_address);
    expect(addresses).not.toContain(undefined);
    expect(new Set(addresses).size).toBe(kept.length);
    const list = await call(last, 'GET', '/image/v2/images?limit=1000');
    const { images: found } = Images.parse(await list.json());
    const active = found.filter((image) => image.status === 'active').map((image) => image.id);
    expect(active).toEqual(expect.arrayContaining(images));
    expect(found.filter((image) => image.status !== 'active' && image.status !== 'queued')).toEqual([]);
    expect((await readdir(join(stateDir, 'images'))).toSorted()).toEqual(active.toSorted());
    expect(ports.length).toBeGreaterThan(0);
  });
});
