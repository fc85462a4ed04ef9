import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKeyManagerClient, type KeyManagerClient } from './key-manager.js';

const CONTAINER = '11111111-0000-4000-8000-000000000001';
const FOREIGN = '11111111-0000-4000-8000-000000000002';
const GAPPED = '11111111-0000-4000-8000-000000000003';
const MIXED = '11111111-0000-4000-8000-000000000004';
const secretId = (number: number): string => `22222222-0000-4000-8000-${String(number).padStart(12, '0')}`;
const refs = (...numbers: readonly (readonly [name: string, secret: number])[]) =>
  numbers.map(([name, secret]) => ({
    name,
    secret_ref: `https://elsewhere.example/v1/secrets/${secretId(secret)}`,
  }));

/** What the key manager has. Eleven parts: 10 comes after 9, not after 1. */
const CONTAINERS: Readonly<Record<string, object>> = {
  [CONTAINER]: {
    creator_id: 'alice',
    secret_refs: refs(...Array.from({ length: 11 }, (_, at) => [String(11 - at), 11 - at] as const)),
  },
  [FOREIGN]: { creator_id: 'bob', secret_refs: refs(['1', 1]) },
  [GAPPED]: { creator_id: 'alice', secret_refs: refs(['1', 1], ['3', 3]) },
  [MIXED]: { creator_id: 'alice', secret_refs: refs(['1', 99]) },
};

let server: Server;
let client: KeyManagerClient;
const asked: string[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    const path = request.url ?? '';
    asked.push(`${String(request.headers['x-auth-token'])} ${path}`);
    const [, kind = '', id = '', payload] = /^\/v1\/(\w+)\/([\w-]+)(\/payload)?$/.exec(path) ?? [];
    const container = kind === 'containers' ? CONTAINERS[id] : undefined;
    if (container === undefined && kind !== 'secrets') {
      response.writeHead(404, { 'content-type': 'application/json' }).end('{"code":404,"title":"Not Found"}');
    } else if (payload !== undefined) {
      response
        .writeHead(200, { 'content-type': 'application/octet-stream' })
        .end(`<${Number(id.slice(-12))}>`);
    } else {
      const body = container ?? { creator_id: id === secretId(99) ? 'bob' : 'alice' };
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    }
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  client = createKeyManagerClient({
    baseUrl: `http://127.0.0.1:${port}/v1`,
    tokens: { token: () => Promise.resolve('service-token') },
  });
});
afterAll(async () => {
  await client.close();
  await new Promise((closed) => server.close(closed));
});

const read = async (reference: string) =>
  Buffer.from(await client.secretSource('alice').readContainer(reference)).toString();

describe('a container of the key manager', () => {
  it('is read part by part, in the order of their numbers, from the configured address', async () => {
    expect(await read(`https://elsewhere.example/key-manager/v1/containers/${CONTAINER}`)).toBe(
      '<1><2><3><4><5><6><7><8><9><10><11>',
    );
    expect(asked[0]).toBe(`service-token /v1/containers/${CONTAINER}`);
  });

  it.each([
    ['of another user', `/v1/containers/${FOREIGN}`, /not made by the user/],
    ['with a secret of another user', `/v1/containers/${MIXED}`, /secret was not made by the user/],
    ['without all its parts', `/v1/containers/${GAPPED}`, /1 to n; it holds 1, 3/],
    ['that is no reference', 'http://x/v1/containers/../secrets', /is no reference to containers/],
    ['that is a secret', `http://x/v1/secrets/${secretId(1)}`, /is no reference to containers/],
  ])('is refused %s', async (_what, reference, message) => {
    await expect(read(reference)).rejects.toThrow(message);
  });

  it('that is not there is told so', async () => {
    await expect(read(`http://x/v1/containers/${secretId(5)}`)).rejects.toMatchObject({ status: 404 });
  });
});
