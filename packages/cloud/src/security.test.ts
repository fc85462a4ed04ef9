import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createNovaService } from './compute/index.js';
import { LoginLimiter } from './identity/login-limiter.js';
import type { IdentityTables } from './identity/tables.js';
import { Fernet } from './identity/tokens/fernet.js';
import { AuthBody, login } from './identity/tokens/login.js';
import { TokenService } from './identity/tokens/token-service.js';
import { createHttpApp } from './kernel/http-app.js';
import { createTestCloud, type Tenant, TEST_ADMIN_PASSWORD, type TestCloud } from './testing/test-cloud.js';

const UUID = '11111111-2222-4333-8444-555555555555';
type Method = Parameters<TestCloud['request']>[0];

/** Every method and address that the application answers, with something in place of parameters. */
function routesOf(tree: string): { method: Method; url: string }[] {
  const METHODS: readonly Method[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD'];
  const open: string[] = [];
  const found: { method: Method; url: string }[] = [];
  for (const line of tree.split('\n')) {
    const match = /^((?:│ {3}| {4})*)[├└]── (.*?)(?: \(([A-Z, ]+)\))?$/u.exec(line);
    if (match === null) continue;
    const depth = (match[1] ?? '').length / 4;
    open.splice(depth, Infinity, match[2] ?? '');
    const url = open
      .join('')
      .replaceAll(/:projectInUrl\([^)]*\)\)?/gu, 'a'.repeat(32))
      .replaceAll(/:[a-z]+/giu, UUID);
    const methods = (match[3] ?? '').split(', ');
    for (const method of METHODS) if (methods.includes(method)) found.push({ method, url: url || '/' });
  }
  return found;
}

/** What says where the APIs are; and the two ways to prove who one is. */
const PUBLIC = new Set([
  '/',
  '/identity',
  '/identity/v3',
  '/image',
  '/image/v2',
  '/image/versions',
  '/network',
  '/network/v2.0',
  '/placement',
  '/key-manager',
  '/key-manager/v1',
  '/volume',
  '/volume/v3',
  '/compute',
  '/compute/v2.1',
  '/compute/v2',
]);
const LOGIN = new Set(['POST /identity/v3/auth/tokens', `POST /identity/v3/users/${UUID}/password`]);

const named = (name: string): object => ({ name, domain: { id: 'default' } });

/** Status of a login with a wrong password. */
async function guess(cloud: TestCloud, user: object): Promise<number> {
  const identity = { methods: ['password'], password: { user: { ...user, password: 'x' } } };
  const body = { auth: { identity } };
  return (await cloud.request('POST', '/identity/v3/auth/tokens', { token: '', body })).statusCode;
}

describe('an attacker without credentials', () => {
  let cloud: TestCloud;
  const lines: string[] = [];
  beforeAll(async () => {
    const sink = new Writable({
      write(chunk, _encoding, done) {
        lines.push(String(chunk));
        done();
      },
    });
    cloud = await createTestCloud({
      log: pino({ level: 'trace' }, sink),
      services: (kernel) => [createNovaService(kernel, { computes: new Map() })],
    });
  });
  afterAll(() => cloud[Symbol.asyncDispose]());

  it('gets 401 from every route but discovery and login', async () => {
    const routes = routesOf(cloud.cloud.app.printRoutes({ commonPrefix: false }));
    expect(routes.length).toBeGreaterThan(250);
    expect(routes.some(({ url }) => url.startsWith(`/compute/v2.1/${'a'.repeat(32)}/servers/${UUID}`))).toBe(
      true,
    );
    const open: string[] = [];
    for (const { method, url } of routes) {
      const path = url.length > 1 ? url.replace(/\/$/u, '') : url;
      if (PUBLIC.has(path) || LOGIN.has(`${method} ${path}`)) continue;
      const { statusCode } = await cloud.request(method, url, { token: '' });
      if (statusCode !== 401) open.push(`${method} ${url}: ${statusCode}`);
    }
    expect(open).toEqual([]);
  });

  it('cannot put a host of his own into links', async () => {
    for (const url of PUBLIC) {
      const { body } = await cloud.request('GET', url, {
        token: '',
        headers: { host: 'evil.example', 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' },
      });
      expect(body).not.toContain('evil.example');
    }
  });

  it('cannot escape the limit on guesses by guessing all at once, nor by user identifier', async () => {
    const { userId } = await cloud.tenant('victim');
    const statuses = await Promise.all(Array.from({ length: 30 }, () => guess(cloud, named('victim'))));
    expect(statuses.filter((status) => status === 401)).toHaveLength(10);
    expect(statuses.filter((status) => status === 429)).toHaveLength(20);
    expect(await guess(cloud, { id: userId })).toBe(429);
  });

  it('cannot fill the memory with long names', async () => {
    expect(await guess(cloud, named('n'.repeat(100_000)))).toBe(400);
  });

  it('cannot let a flood of logins of many names wait without bound', async () => {
    const statuses = await Promise.all(
      Array.from({ length: 160 }, (_, at) => guess(cloud, named(`flood${at}`))),
    );
    expect(new Set(statuses)).toEqual(new Set([401, 503]));
  });

  it('finds no secret in the log, at the level of traces', async () => {
    const marks = ['Sup3rS3cretUserPw', 'S3cretUserData', 'S3cretAdminPass'];
    await cloud.request('POST', '/identity/v3/users', {
      body: { user: { name: 'logged', password: marks[0] } },
    });
    const key = await cloud.request('POST', '/compute/v2.1/os-keypairs', {
      body: { keypair: { name: 'k' } },
    });
    expect(key.json<{ keypair: { private_key: string } }>().keypair.private_key).toContain('PRIVATE KEY');
    await cloud.request('POST', '/compute/v2.1/servers', {
      body: {
        server: {
          name: 's',
          flavorRef: '1',
          imageRef: UUID,
          adminPass: marks[2],
          user_data: btoa(marks[1] ?? ''),
        },
      },
    });
    await cloud.request('POST', '/identity/v3/auth/tokens', { token: '', body: `{"password":"${marks[0]}"` });
    const token = await cloud.login('admin', TEST_ADMIN_PASSWORD, 'admin');
    await cloud.request('GET', '/identity/v3/auth/tokens', { token, headers: { 'x-subject-token': token } });
    const log = lines.join('');
    expect(log).toContain('/compute/v2.1/servers');
    const secrets = [...marks, btoa(marks[1] ?? ''), token, TEST_ADMIN_PASSWORD, 'PRIVATE KEY'];
    for (const secret of secrets) expect(log.includes(secret)).toBe(false);
  });

  it('reads nothing as another user of the machine', async () => {
    for (const name of ['cloud.db', 'cloud.db-wal', 'cloud.db-shm', 'secrets', 'secrets/fernet.key']) {
      expect((await stat(join(cloud.stateDir, name))).mode & 0o077).toBe(0);
    }
  });
});

describe('a client that is too slow', () => {
  it('loses its connection in the middle of the headers and in the middle of a body', async () => {
    const app = createHttpApp(pino({ level: 'silent' }), 200);
    app.post('/x', async () => ({}));
    app.get('/x', async () => new Promise((resolve) => void setTimeout(() => resolve({ fine: true }), 600)));
    try {
      const at = new URL(await app.listen({ host: '127.0.0.1', port: 0 }));
      const heads = [
        'POST /x HTTP/1.1\r\nHost: a\r\n',
        'POST /x HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"a',
        'POST /x HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n',
      ];
      for (const head of heads) {
        const socket = connect(Number(at.port), '127.0.0.1');
        socket.on('error', () => undefined);
        socket.write(head);
        socket.resume();
        await once(socket, 'close');
      }
      // The handler's own time is not the client's.
      expect(await (await fetch(`${at.origin}/x`)).json()).toEqual({ fine: true });
    } finally {
      app.server.closeAllConnections();
      await app.close();
    }
  }, 10_000);
});

describe('a member of one project', () => {
  let cloud: TestCloud;
  let owner: Tenant;
  let stranger: Tenant;
  beforeAll(async () => {
    cloud = await createTestCloud();
    owner = await cloud.tenant('owner');
    stranger = await cloud.tenant('stranger');
  });
  afterAll(() => cloud[Symbol.asyncDispose]());

  const make = async (path: string, name: string, fields: object, token = owner.token): Promise<string> => {
    const response = await cloud.request('POST', path, {
      token,
      body: name === '' ? fields : { [name]: fields },
    });
    expect([200, 201]).toContain(response.statusCode);
    const body = response.json<Record<string, { id: string }>>();
    return name === '' ? response.json<{ id: string }>().id : (body[name]?.id ?? '');
  };

  it("reaches nothing of another project's by identifier", async () => {
    const network = await make('/network/v2.0/networks', 'network', { name: 'n' });
    const subnet = await make('/network/v2.0/subnets', 'subnet', {
      network_id: network,
      cidr: '10.1.0.0/24',
      ip_version: 4,
    });
    const port = await make('/network/v2.0/ports', 'port', { network_id: network });
    const group = await make('/network/v2.0/security-groups', 'security_group', { name: 'g' });
    const rule = await make('/network/v2.0/security-group-rules', 'security_group_rule', {
      security_group_id: group,
      direction: 'ingress',
    });
    const image = await make('/image/v2/images', '', {
      name: 'i',
      disk_format: 'raw',
      container_format: 'bare',
      visibility: 'private',
    });
    const paths = [
      `network/v2.0/networks/${network}`,
      `network/v2.0/subnets/${subnet}`,
      `network/v2.0/ports/${port}`,
      `network/v2.0/security-groups/${group}`,
      `network/v2.0/security-group-rules/${rule}`,
      `image/v2/images/${image}`,
      `image/v2/images/${image}/file`,
      `image/v2/images/${image}/members`,
    ];
    const { token } = stranger;
    for (const path of paths) {
      expect([path, (await cloud.request('GET', `/${path}`, { token })).statusCode]).toEqual([path, 404]);
      if (/file|members/u.test(path)) continue;
      expect([path, (await cloud.request('DELETE', `/${path}`, { token })).statusCode]).toEqual([path, 404]);
    }
    const upload = await cloud.request('PUT', `/image/v2/images/${image}/file`, {
      token,
      body: Buffer.from('x'),
      headers: { 'content-type': 'application/octet-stream' },
    });
    expect(upload.statusCode).toBe(404);
    const remote = await cloud.request('POST', '/network/v2.0/ports', {
      token,
      body: { port: { network_id: network } },
    });
    expect(remote.statusCode).toBe(404);
    for (const path of [
      'users',
      'projects',
      'roles',
      'domains',
      'role_assignments',
      `users/${owner.userId}`,
    ]) {
      expect((await cloud.request('GET', `/identity/v3/${path}`, { token })).statusCode).toBe(403);
    }
    for (const path of [
      'resource_providers',
      'traits',
      'resource_classes',
      `allocations/${UUID}`,
      'usages',
    ]) {
      const headers = { 'openstack-api-version': 'placement 1.39' };
      expect((await cloud.request('GET', `/placement/${path}`, { token, headers })).statusCode).toBe(403);
    }
  });

  it('cannot take the place of another in a shared network', async () => {
    const admin = await cloud.login('admin', TEST_ADMIN_PASSWORD, 'admin');
    const network = await make('/network/v2.0/networks', 'network', { name: 's', shared: true }, admin);
    await make(
      '/network/v2.0/subnets',
      'subnet',
      { network_id: network, cidr: '10.9.0.0/24', ip_version: 4 },
      admin,
    );
    const { token } = stranger;
    const refused = [
      { fixed_ips: [{ ip_address: '10.9.0.77' }] },
      { allowed_address_pairs: [{ ip_address: '10.9.0.1' }] },
      { port_security_enabled: false },
      { device_owner: 'network:dhcp' },
      { mac_address: 'fa:16:3e:00:00:01' },
      { 'binding:host_id': 'hv1' },
    ];
    for (const fields of refused) {
      const body = { port: { network_id: network, ...fields } };
      expect((await cloud.request('POST', '/network/v2.0/ports', { token, body })).statusCode).toBe(403);
    }
    const made = await cloud.request('POST', '/network/v2.0/ports', {
      token,
      body: { port: { network_id: network } },
    });
    const { port } = made.json<{ port: { id: string; fixed_ips: object[] } }>();
    for (const fields of refused) {
      const url = `/network/v2.0/ports/${port.id}`;
      expect((await cloud.request('PUT', url, { token, body: { port: fields } })).statusCode).toBe(403);
    }
    const same = await cloud.request('PUT', `/network/v2.0/ports/${port.id}`, {
      token,
      body: { port: { fixed_ips: port.fixed_ips } },
    });
    expect(same.statusCode).toBe(200);
  });

  it('cannot reach the prototypes of objects by names in JSON or in paths', async () => {
    const { token } = owner;
    const raw = '{"name":"p","__proto__":{"polluted":"yes"}}';
    const headers = { 'content-type': 'application/json' };
    expect((await cloud.request('POST', '/image/v2/images', { token, body: raw, headers })).statusCode).toBe(
      400,
    );
    const image = await make('/image/v2/images', '', { name: 'p', constructor: 'c', toString: 's' });
    const patch = await cloud.request('PATCH', `/image/v2/images/${image}`, {
      token,
      body: JSON.stringify([{ op: 'add', path: '/__proto__', value: 'polluted' }]),
      headers: { 'content-type': 'application/openstack-images-v2.1-json-patch' },
    });
    expect(patch.statusCode).toBe(400);
    const shown = await cloud.request('GET', `/image/v2/images/${image}`, { token });
    expect(shown.json<Record<string, unknown>>()).toMatchObject({ constructor: 'c', toString: 's' });
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
  });

  it('loses every token with the password, the user, the project and the role', async () => {
    const alive = async (token: string): Promise<number> =>
      (await cloud.request('GET', '/image/v2/images', { token })).statusCode;
    const one = await cloud.tenant('ended');
    for (const enabled of [false, true]) {
      await cloud.request('PATCH', `/identity/v3/projects/${one.projectId}`, {
        body: { project: { enabled } },
      });
      if (!enabled) expect(await alive(one.token)).toBe(401);
    }
    await cloud.request('PATCH', `/identity/v3/users/${one.userId}`, { body: { user: { enabled: false } } });
    expect(await alive(one.token)).toBe(401);
    await cloud.request('PATCH', `/identity/v3/users/${one.userId}`, { body: { user: { enabled: true } } });
    expect(await alive(one.token)).toBe(401);
    const again = await cloud.login('ended', 'ended', 'ended');
    expect(await alive(again)).toBe(200);
    await cloud.request('DELETE', `/identity/v3/users/${one.userId}`);
    expect(await alive(again)).toBe(401);
  });

  it('gets no token from a login that overlaps a change of the password', async () => {
    const { userId } = await cloud.tenant('racer');
    const { kernel } = cloud.cloud;
    const db = kernel.db.withTables<IdentityTables>();
    const tokens = new TokenService(db, Fernet.generateKey());
    const deps = {
      db,
      tokens,
      limiter: new LoginLimiter(),
      base: () => '',
      authenticate: kernel.authenticate.bind(kernel),
    };
    const user = { id: userId, password: 'racer' };
    const { auth } = AuthBody.parse({ auth: { identity: { methods: ['password'], password: { user } } } });
    const checked = await login(deps, auth, '127.0.0.1');
    expect((await tokens.issue(checked)).resolved.user.name).toBe('racer');
    const body = { user: { password: 'new', original_password: 'racer' } };
    const change = await cloud.request('POST', `/identity/v3/users/${userId}/password`, { token: '', body });
    expect(change.statusCode).toBe(204);
    await expect(tokens.issue(checked)).rejects.toMatchObject({ status: 401 });
  });
});
