import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestCloud, type Tenant, type TestCloud } from '../testing/test-cloud.js';

const PAYLOAD = Buffer.from([0, 1, 2, 250, 255, 0x73, 0x65, 0x63]);

let cloud: TestCloud;
let alice: Tenant;
let bob: Tenant;
beforeAll(async () => {
  cloud = await createTestCloud();
  [alice, bob] = [await cloud.tenant('alice'), await cloud.tenant('bob')];
});
afterAll(() => cloud[Symbol.asyncDispose]());

const path = (reference: string): string => new URL(reference).pathname;

async function store(tenant: Tenant, changes: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const answer = await cloud.request('POST', '/key-manager/v1/secrets', {
    token: tenant.token,
    body: {
      name: 'part',
      payload: PAYLOAD.toString('base64'),
      payload_content_type: 'application/octet-stream',
      payload_content_encoding: 'base64',
      ...changes,
    },
  });
  expect(answer.statusCode).toBe(201);
  return answer.json<{ secret_ref: string }>().secret_ref;
}

const contain = (tenant: Tenant, secretRefs: readonly string[]) =>
  cloud.request('POST', '/key-manager/v1/containers', {
    token: tenant.token,
    body: {
      name: 'pdk',
      type: 'generic',
      secret_refs: secretRefs.map((secret_ref, index) => ({ name: String(index + 1), secret_ref })),
    },
  });

describe('the key manager', () => {
  it('keeps a secret, shows what it is, gives it back, and forgets it', async () => {
    const ref = path(await store(alice));
    const { token } = alice;
    expect((await cloud.request('GET', ref, { token })).json()).toMatchObject({
      name: 'part',
      status: 'ACTIVE',
      secret_type: 'opaque',
      creator_id: alice.userId,
      content_types: { default: 'application/octet-stream' },
    });
    const payload = await cloud.request('GET', `${ref}/payload`, { token });
    expect(payload.rawPayload).toEqual(PAYLOAD);
    expect((await cloud.request('DELETE', ref, { token })).statusCode).toBe(204);
    expect((await cloud.request('GET', ref, { token })).statusCode).toBe(404);
  });

  it('keeps it encrypted, with the key beside the database', async () => {
    const secret = 'a-very-plain-secret-text';
    await store(alice, {
      payload: secret,
      payload_content_type: 'text/plain',
      payload_content_encoding: undefined,
    });
    for (const name of ['cloud.db', 'cloud.db-wal']) {
      const file = await readFile(join(cloud.stateDir, name)).catch(() => Buffer.alloc(0));
      expect(file.includes(secret)).toBe(false);
    }
  });

  it('puts secrets into a container by name', async () => {
    const refs = [await store(alice), await store(alice)];
    const made = (await contain(alice, refs)).json<{ container_ref: string }>();
    const { token } = alice;
    expect((await cloud.request('GET', path(made.container_ref), { token })).json()).toMatchObject({
      type: 'generic',
      creator_id: alice.userId,
      secret_refs: [
        { name: '1', secret_ref: refs[0] },
        { name: '2', secret_ref: refs[1] },
      ],
    });
    expect((await cloud.request('DELETE', path(made.container_ref), { token })).statusCode).toBe(204);
  });

  it('shows nothing of one project to another', async () => {
    const ref = await store(alice);
    const container = (await contain(alice, [ref])).json<{ container_ref: string }>().container_ref;
    for (const each of [path(ref), `${path(ref)}/payload`, path(container)])
      expect((await cloud.request('GET', each, { token: bob.token })).statusCode).toBe(404);
    expect((await cloud.request('DELETE', path(ref), { token: bob.token })).statusCode).toBe(404);
    expect((await contain(bob, [ref])).statusCode).toBe(404);
    expect((await cloud.request('GET', '/key-manager/v1/secrets', { token: bob.token })).json()).toEqual({
      secrets: [],
      total: 0,
    });
    expect((await cloud.request('GET', path(ref), { token: '' })).statusCode).toBe(401);
  });

  it.each([
    ['no payload', { payload: undefined }, 400],
    ['an unknown type', { payload_content_type: 'image/png' }, 400],
    ['bytes that are not encoded', { payload_content_encoding: undefined }, 400],
    ['too much', { payload: Buffer.alloc(20_001).toString('base64') }, 413],
  ])('refuses %s', async (_what, changes, status) => {
    const answer = await cloud.request('POST', '/key-manager/v1/secrets', {
      token: alice.token,
      body: {
        payload: 'AA==',
        payload_content_type: 'application/octet-stream',
        payload_content_encoding: 'base64',
        ...changes,
      },
    });
    expect(answer.statusCode).toBe(status);
    expect(answer.json()).toMatchObject({ code: status, description: expect.any(String) });
  });
});
