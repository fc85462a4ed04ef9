import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { FakeOpenStack } from '../testing/fake-openstack.js';
import { RestClient, segment, type TokenSource } from './rest-client.js';
import { parseServiceFault, RestError } from './rest-error.js';

let openstack: FakeOpenStack;
let client: RestClient;
const schema = z.looseObject({ networks: z.array(z.unknown()) });
const get = { method: 'GET', path: '/v2.0/networks' } as const;

function connect(tokens: TokenSource = { token: async () => 'token-1' }, timeoutMs = 300): RestClient {
  return new RestClient({
    service: 'network',
    baseUrl: `${openstack.url}/network/v2.0/`,
    tokens,
    timeoutMs,
    retryDelayMs: 1,
  });
}

async function failureOf(promise: Promise<unknown>): Promise<RestError> {
  const error: unknown = await promise.then(
    () => new Error('did not fail'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof RestError)) throw error;
  return error;
}

beforeEach(async () => {
  openstack = await new FakeOpenStack().start();
  client = connect();
});
afterEach(async () => {
  await client.close();
  await openstack.stop();
});

describe('RestClient', () => {
  it('sends token and request id, drops the version of the endpoint', async () => {
    await client.json(
      { ...get, requestId: 'req-1', query: { id: ['a', 'b'], shared: true, name: undefined } },
      schema,
    );
    const [seen] = openstack.requests;
    expect(seen?.path).toBe('/network/v2.0/networks');
    expect(seen?.query.toString()).toBe('id=a&id=b&shared=true');
    expect(seen?.headers).toMatchObject({ 'x-auth-token': 'token-1', 'x-openstack-request-id': 'req-1' });
  });

  it('renews a refused token once', async () => {
    const refused: (string | undefined)[] = [];
    await client.close();
    client = connect({
      token: async (options) => {
        refused.push(options?.refused);
        return options?.refused === undefined ? 'old' : 'new';
      },
    });
    openstack.intercept = ({ headers }) => (headers['x-auth-token'] === 'old' ? { status: 401 } : undefined);
    await client.json(get, schema);
    expect(refused).toEqual([undefined, 'old']);
    openstack.intercept = () => ({
      status: 401,
      body: { error: { message: 'The request you have made requires authentication.' } },
    });
    const error = await failureOf(client.json(get, schema));
    expect(error).toMatchObject({
      status: 401,
      serviceMessage: 'The request you have made requires authentication.',
    });
    expect(openstack.requests).toHaveLength(4);
  });

  it('tries idempotent requests again on 503, at most three times more', async () => {
    let left = 2;
    openstack.intercept = () => (left-- > 0 ? { status: 503 } : undefined);
    await client.json(get, schema);
    expect(openstack.requests).toHaveLength(3);
    openstack.intercept = () => ({ status: 503, body: { message: 'busy' } });
    expect(await failureOf(client.json(get, schema))).toMatchObject({ status: 503, serviceMessage: 'busy' });
    expect(openstack.requests).toHaveLength(7);
  });

  it('never sends a POST twice', async () => {
    openstack.intercept = () => ({ status: 503 });
    await failureOf(client.done({ method: 'POST', path: '/v2.0/ports', body: {} }));
    expect(openstack.requests).toHaveLength(1);
    openstack.intercept = () => 'cut';
    expect(await failureOf(client.done({ method: 'POST', path: '/v2.0/ports', body: {} }))).toMatchObject({
      kind: 'unreachable',
    });
    expect(openstack.requests).toHaveLength(2);
  });

  it('does not try again what the service has refused', async () => {
    openstack.intercept = () => ({
      status: 409,
      body: { NeutronError: { type: 'OverQuota', message: 'Quota exceeded', detail: '' } },
    });
    const error = await failureOf(client.json(get, schema));
    expect(error).toMatchObject({
      status: 409,
      serviceErrorType: 'OverQuota',
      serviceMessage: 'Quota exceeded',
      serviceRequestId: 'req-fake',
    });
    expect(error.message).toBe(
      `The network service answered 409 to GET ${openstack.url}/network/v2.0/networks (request req-fake): Quota exceeded`,
    );
    expect(openstack.requests).toHaveLength(1);
  });

  it('says who cannot be reached', async () => {
    const { url } = openstack;
    await openstack.stop();
    const error = await failureOf(client.json(get, schema));
    expect(error).toMatchObject({ kind: 'unreachable', service: 'network', method: 'GET', status: null });
    expect(error.message).toContain(`cannot be reached (GET ${url}/network/v2.0/networks)`);
    openstack = await new FakeOpenStack().start();
  });

  it('has a deadline, and obeys its caller before it', async () => {
    openstack.intercept = () => 'hang';
    expect(await failureOf(client.json(get, schema))).toMatchObject({ kind: 'timeout' });
    const controller = new AbortController();
    const reason = new Error('enough');
    setTimeout(() => controller.abort(reason), 10);
    await expect(client.json({ ...get, signal: controller.signal }, schema)).rejects.toBe(reason);
  });

  it('refuses answers that are not the API', async () => {
    openstack.intercept = () => ({ status: 200, raw: Buffer.from('<html>proxy</html>') });
    expect(await failureOf(client.json(get, schema))).toMatchObject({ kind: 'protocol' });
    openstack.intercept = () => ({ status: 200, body: { networks: 7 } });
    expect((await failureOf(client.json(get, schema))).message).toMatch(/networks/);
  });
});

describe('segment', () => {
  it('lets nothing out of its place in the path', () => {
    expect(segment('a/b?c')).toBe('a%2Fb%3Fc');
    for (const bad of ['', '.', '..']) expect(() => segment(bad)).toThrow(TypeError);
  });
});

describe('parseServiceFault', () => {
  it.each([
    [
      '{"NeutronError": {"type": "PortNotFound", "message": "Port x could not be found.", "detail": ""}}',
      'Port x could not be found.',
      'PortNotFound',
    ],
    [
      '{"errors": [{"status": 409, "title": "Conflict", "detail": "busy\\n\\n ", "code": "placement.concurrent_update"}]}',
      'busy',
      'placement.concurrent_update',
    ],
    ['{"itemNotFound": {"code": 404, "message": "Image not found."}}', 'Image not found.', undefined],
    ['{"message": "No image", "code": "404 Not Found"}', 'No image', undefined],
    [
      '<html><head><title>404 Not Found</title></head><body><h1>404</h1>No image <b>x</b></body></html>',
      '404 No image x',
      undefined,
    ],
    ['', '', undefined],
  ])('%s', (body, message, type) => {
    expect(parseServiceFault(body)).toEqual({ message, ...(type === undefined ? {} : { type }) });
  });
});
