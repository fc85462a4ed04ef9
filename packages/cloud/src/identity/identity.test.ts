import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestCloud, TEST_ADMIN_PASSWORD, type Tenant, type TestCloud } from '../testing/test-cloud.js';

const TOKENS = '/identity/v3/auth/tokens';
const domain = { name: 'Default' };

interface TokenBody {
  token: {
    methods: string[];
    project?: { id: string; name: string };
    roles?: { name: string }[];
    catalog?: { type: string; endpoints: { interface: string; url: string }[] }[];
    audit_ids: string[];
    expires_at: string;
  };
}

const passwordAuth = (name: string, password: string, scope?: unknown): unknown => ({
  auth: {
    identity: { methods: ['password'], password: { user: { name, domain, password } } },
    ...(scope === undefined ? {} : { scope }),
  },
});
const tokenAuth = (id: string, scope: unknown): unknown => ({
  auth: { identity: { methods: ['token'], token: { id } }, scope },
});

describe('identity', () => {
  let cloud: TestCloud;
  let demo: Tenant;
  beforeAll(async () => {
    cloud = await createTestCloud();
    demo = await cloud.tenant('demo');
  });
  afterAll(() => cloud[Symbol.asyncDispose]());

  it('answers discovery with 300 and absolute links', async () => {
    const response = await cloud.request('GET', '/identity/', { token: '' });
    expect(response.statusCode).toBe(300);
    expect(response.json()).toMatchObject({ versions: { values: [{ id: 'v3.14', status: 'stable' }] } });
    expect(response.headers['x-openstack-request-id']).toMatch(/^req-[0-9a-f-]{36}$/);
    expect((await cloud.request('GET', '/identity/v3', { token: '' })).json()).toMatchObject({
      version: { id: 'v3.14' },
    });
  });

  it('gives a scoped token with roles and a catalogue of all services', async () => {
    const response = await cloud.request('POST', TOKENS, {
      token: '',
      body: passwordAuth('admin', TEST_ADMIN_PASSWORD, { project: { name: 'admin', domain } }),
    });
    expect(response.statusCode).toBe(201);
    const { token } = response.json<TokenBody>();
    expect(token.roles?.map((role) => role.name)).toEqual(['admin', 'member', 'reader']);
    const types = token.catalog?.map((entry) => entry.type);
    expect(types).toEqual(['identity', 'image', 'key-manager', 'network', 'placement', 'volumev3']);
    const [image] = token.catalog?.filter((entry) => entry.type === 'image') ?? [];
    expect(image?.endpoints.map((endpoint) => endpoint.interface).toSorted()).toEqual([
      'admin',
      'internal',
      'public',
    ]);
    expect(token.expires_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  });

  it('scopes to the default project without a scope, and not at all when told so', async () => {
    const plain = await cloud.request('POST', TOKENS, {
      token: '',
      body: passwordAuth('admin', TEST_ADMIN_PASSWORD),
    });
    expect(plain.json<TokenBody>().token.project?.name).toBe('admin');
    const unscoped = await cloud.request('POST', TOKENS, {
      token: '',
      body: passwordAuth('admin', TEST_ADMIN_PASSWORD, 'unscoped'),
    });
    expect(unscoped.json<TokenBody>().token).not.toHaveProperty('project');
    expect(unscoped.json<TokenBody>().token).not.toHaveProperty('catalog');
  });

  it("refuses wrong passwords, unknown users and other people's projects alike, in keystonemiddleware's shape", async () => {
    const attempts = [
      passwordAuth('admin', 'wrong'),
      passwordAuth('nobody', 'wrong'),
      passwordAuth('demo', 'demo', { project: { name: 'admin', domain } }),
      passwordAuth('demo', 'demo', { project: { name: 'no such', domain } }),
      { auth: { identity: { methods: ['application_credential'] } } },
    ];
    const bodies = await Promise.all(
      attempts.map(async (body) => cloud.request('POST', TOKENS, { token: '', body })),
    );
    for (const response of bodies) {
      expect(response.statusCode).toBe(401);
      expect(response.json()).toMatchObject({ error: { code: 401, title: 'Unauthorized' } });
      expect(response.headers['www-authenticate']).toMatch(/^Keystone uri="http:.*\/identity"$/);
    }
    expect(new Set(bodies.slice(0, 4).map((response) => response.body)).size).toBe(1);
  });

  it('answers a malformed request with 400', async () => {
    for (const body of [{}, { auth: {} }, { auth: { identity: { methods: [] } } }, '{"auth":']) {
      const response = await cloud.request('POST', TOKENS, {
        token: '',
        body,
        headers: { 'content-type': 'application/json' },
      });
      expect(response.statusCode).toBe(400);
      expect(response.json()).toMatchObject({ error: { code: 400 } });
    }
  });

  it('rescopes by token and keeps its end and its chain', async () => {
    const first = await cloud.request('POST', TOKENS, {
      token: '',
      body: passwordAuth('demo', 'demo', 'unscoped'),
    });
    const id = String(first.headers['x-subject-token']);
    const second = await cloud.request('POST', TOKENS, {
      token: '',
      body: tokenAuth(id, { project: { id: demo.projectId } }),
    });
    expect(second.statusCode).toBe(201);
    const [before, after] = [first.json<TokenBody>().token, second.json<TokenBody>().token];
    expect(after.expires_at).toBe(before.expires_at);
    expect(after.methods).toEqual(['password', 'token']);
    expect(after.audit_ids[1]).toBe(before.audit_ids[0]);
  });

  it('revokes a token, and only that', async () => {
    const token = await cloud.login('demo', 'demo', 'demo');
    const headers = { 'x-subject-token': token };
    expect((await cloud.request('GET', TOKENS, { token: demo.token, headers })).statusCode).toBe(200);
    expect((await cloud.request('HEAD', TOKENS, { token, headers })).statusCode).toBe(200);
    expect((await cloud.request('DELETE', TOKENS, { token, headers })).statusCode).toBe(204);
    expect((await cloud.request('GET', TOKENS, { headers })).statusCode).toBe(404);
    expect((await cloud.request('GET', '/identity/v3/auth/projects', { token })).statusCode).toBe(401);
    expect((await cloud.request('GET', '/identity/v3/auth/projects', { token: demo.token })).statusCode).toBe(
      200,
    );
  });

  it('does not show the tokens of others to users, nor the lists of administrators', async () => {
    const admin = await cloud.login('admin', TEST_ADMIN_PASSWORD, 'admin');
    const peek = await cloud.request('GET', TOKENS, {
      token: demo.token,
      headers: { 'x-subject-token': admin },
    });
    expect(peek.statusCode).toBe(403);
    for (const path of [
      'users',
      'projects',
      'services',
      'endpoints',
      'roles',
      'role_assignments',
      'domains',
    ]) {
      expect((await cloud.request('GET', `/identity/v3/${path}`, { token: demo.token })).statusCode).toBe(
        403,
      );
    }
    expect(
      (await cloud.request('GET', `/identity/v3/users/${demo.userId}`, { token: demo.token })).statusCode,
    ).toBe(200);
  });

  it('takes roles away at once, with tokens that are out already', async () => {
    const eve = await cloud.tenant('eve');
    const roles = await cloud.request('GET', '/identity/v3/roles?name=member');
    const role = roles.json<{ roles: { id: string }[] }>().roles[0]?.id ?? '';
    const grant = `/identity/v3/projects/${eve.projectId}/users/${eve.userId}/roles/${role}`;
    expect((await cloud.request('HEAD', grant)).statusCode).toBe(204);
    expect((await cloud.request('DELETE', grant)).statusCode).toBe(204);
    expect((await cloud.request('HEAD', grant)).statusCode).toBe(404);
    expect((await cloud.request('GET', '/image/v2/images', { token: eve.token })).statusCode).toBe(401);
  });

  it('ends the tokens of a user whose password changes', async () => {
    const mallory = await cloud.tenant('mallory');
    // Tokens count in milliseconds: the change has to come after the token.
    await new Promise((resolve) => setTimeout(resolve, 5));
    const change = await cloud.request('POST', `/identity/v3/users/${mallory.userId}/password`, {
      token: '',
      body: { user: { password: 'new', original_password: 'mallory' } },
    });
    expect(change.statusCode).toBe(204);
    expect(
      (await cloud.request('GET', '/identity/v3/auth/projects', { token: mallory.token })).statusCode,
    ).toBe(401);
    await expect(cloud.login('mallory', 'new', 'mallory')).resolves.toMatch(/^gAAAA/);
  });

  it('refuses duplicates and unknown references', async () => {
    const create = async (path: string, body: unknown): Promise<number> =>
      (await cloud.request('POST', `/identity/v3/${path}`, { body })).statusCode;
    expect(await create('projects', { project: { name: 'demo' } })).toBe(409);
    expect(await create('users', { user: { name: 'demo' } })).toBe(409);
    expect(await create('roles', { role: { name: 'admin' } })).toBe(409);
    expect(await create('users', { user: { name: 'x', domain_id: 'nowhere' } })).toBe(404);
    expect(
      await create('endpoints', {
        endpoint: { service_id: 'x', interface: 'public', url: 'u', region: 'RegionOne' },
      }),
    ).toBe(400);
    const missing = await cloud.request('GET', '/identity/v3/users/nobody');
    expect(missing.json()).toEqual({
      error: { code: 404, message: 'Could not find user: nobody.', title: 'Not Found' },
    });
  });

  it('answers one of two simultaneous equal requests with a conflict', async () => {
    const body = { project: { name: 'twice' } };
    const answers = await Promise.all(
      [1, 2, 3].map(() => cloud.request('POST', '/identity/v3/projects', { body })),
    );
    expect(answers.map((answer) => answer.statusCode).toSorted((a, b) => a - b)).toEqual([201, 409, 409]);
  });

  it('gives the services a token of their own user', async () => {
    const token = await cloud.cloud.kernel.serviceToken();
    expect(await cloud.cloud.kernel.serviceToken()).toBe(token);
    const body = (
      await cloud.request('GET', TOKENS, { token, headers: { 'x-subject-token': token } })
    ).json<TokenBody>();
    expect(body.token.roles?.map((role) => role.name)).toEqual(['admin', 'service']);
  });

  it('keeps its secrets where only the owner reads them', async () => {
    for (const name of ['fernet.key', 'admin-password']) {
      const { mode } = await stat(join(cloud.stateDir, 'secrets', name));
      expect(mode & 0o777).toBe(0o600);
    }
    expect((await stat(join(cloud.stateDir, 'secrets'))).mode & 0o777).toBe(0o700);
  });
});

describe('a restarted cloud', () => {
  it('knows its tokens, users and password, whatever password is given now', async () => {
    const first = await createTestCloud({ keepState: true });
    const tenant = await first.tenant('kept');
    await first[Symbol.asyncDispose]();
    await using second = await createTestCloud({ stateDir: first.stateDir, adminPassword: 'another' });
    expect(second.cloud.adminPassword).toBe(TEST_ADMIN_PASSWORD);
    const projects = await second.request('GET', '/identity/v3/auth/projects', { token: tenant.token });
    expect(projects.json()).toMatchObject({ projects: [{ name: 'kept' }] });
    const users = await second.request('GET', '/identity/v3/users');
    expect(users.json<{ users: unknown[] }>().users).toHaveLength(3);
  });
});
