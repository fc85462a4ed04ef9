import http from 'node:http';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { basicAuth } from '../client/auth.js';
import { createWsmanClient } from '../client/create-client.js';
import { encodeIdentify } from '../codec/identify.js';
import { CONTENT_TYPE } from '../codec/namespaces.js';
import { sampleProvider, SAMPLE_NAMESPACE } from '../testing/sample.js';
import { parseXml, XmlLimitError } from '../xml/reader.js';
import { element } from '../xml/writer.js';
import { basicServerAuth } from './auth.js';
import { createWsmanServer } from './create-server.js';
import { Enumerations } from './enumerations.js';
import { DEFAULT_SERVER_LIMITS } from './limits.js';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

const credentials = { user: 'admin', password: 'secret' };
const BASIC = `Basic ${Buffer.from('admin:secret').toString('base64')}`;

async function serve(): Promise<string> {
  const server = createWsmanServer({ provider: sampleProvider(1), auth: basicServerAuth([credentials]) });
  cleanups.push(() => server.close());
  return (await server.listen(0)).url;
}

const post = async (url: string, body: string, headers: Record<string, string>) => {
  const response = await fetch(url, {
    method: 'POST',
    body,
    headers: { 'content-type': CONTENT_TYPE, ...headers },
  });
  return { status: response.status, text: await response.text() };
};

/** A service that answers everything in one way; `seen` are the Authorization headers that it got. */
async function stub(answer: http.RequestListener): Promise<{ url: string; seen: (string | undefined)[] }> {
  const seen: (string | undefined)[] = [];
  const server = http.createServer((request, response) => {
    seen.push(request.headers.authorization);
    request.resume();
    answer(request, response);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  cleanups.push(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { url: `http://127.0.0.1:${address.port}/wsman`, seen };
}

const client = (url: string, options = {}) => {
  const made = createWsmanClient({ url, auth: basicAuth(credentials), ...options });
  cleanups.push(() => made.close());
  return made;
};

const envelope = (body: string): string =>
  `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header/><s:Body>${body}</s:Body></s:Envelope>`;

describe('an attacker without credentials', () => {
  it('gets Identify and nothing else, and makes the service read little', async () => {
    const url = await serve();
    const free = { wsmanidentify: 'unauthenticated' };
    expect((await post(url, encodeIdentify(), free)).status).toBe(200);
    expect((await post(url, encodeIdentify(), {})).status).toBe(401);
    const other = await post(url, envelope('<x/>'), free);
    expect(other.status).toBe(500);
    expect(other.text).toContain('AccessDenied');
    const large = await post(url, envelope('<x/>'.repeat(10_000)), free);
    expect(large.text).toContain('EncodingLimit');
  });

  it('is refused malformed and oversized Authorization headers', async () => {
    const url = await serve();
    const token = Buffer.from('admin').toString('base64');
    const wrong = [
      'Basic',
      'Basic ',
      `Basic ${token}`,
      `Basic ${'A'.repeat(10_000)}`,
      'Negotiate TlRM',
      `${BASIC}, ${BASIC}`,
    ];
    for (const authorization of wrong) {
      expect((await post(url, encodeIdentify(), { authorization })).status).toBe(401);
    }
    expect((await post(url, encodeIdentify(), { authorization: BASIC })).status).toBe(200);
  });

  it('does not end the service with broken HTTP', async () => {
    const url = await serve();
    const { port } = new URL(url);
    for (const text of ['\0\0\0\r\n\r\n', `POST /wsman HTTP/1.1\r\n${'a: b\r\n'.repeat(20_000)}\r\n`]) {
      const socket = connect(Number(port), '127.0.0.1');
      await new Promise<void>((resolve) => {
        socket.on('error', () => resolve());
        socket.on('close', () => resolve());
        socket.resume();
        socket.write(text);
      });
    }
    expect((await post(url, encodeIdentify(), { authorization: BASIC })).status).toBe(200);
  });
});

const hold = (): Promise<never> => new Promise(() => undefined);

describe('a client with credentials', () => {
  it('cannot use up what other users need: enumerations and operations have a share for each', async () => {
    const limits = { ...DEFAULT_SERVER_LIMITS, maxEnumerationsPerUser: 3, enumerationTimeoutMs: 100 };
    const open = new Enumerations(limits);
    const add = (user: string): string =>
      open.add({ user, resourceUri: '', count: 1, item: () => element('a'), next: 0 });
    const first = [add('greedy'), add('greedy'), add('greedy')];
    expect(() => add('greedy')).toThrow(/Too many/u);
    expect(() => open.find(first[0] ?? '', 'other')).toThrow(/not valid/u);
    add('other');
    open.remove(first[0] ?? '');
    add('greedy');
    await new Promise((resolve) => void setTimeout(resolve, 300));
    expect(open.size).toBe(0);

    const provider = sampleProvider(1, { methods: { 'Msvm_ComputerSystem.RequestStateChange': hold } });
    const two = [credentials, { user: 'other', password: 'secret' }];
    const server = createWsmanServer({
      provider,
      auth: basicServerAuth(two),
      limits: { maxConcurrentOperationsPerUser: 1, maxTimeoutMs: 400 },
    });
    cleanups.push(() => server.close());
    const { url } = await server.listen(0);
    const [greedy, other] = two.map((user) => client(url, { auth: basicAuth(user) }));
    const [vm] = (await other?.enumerate(SAMPLE_NAMESPACE, 'Msvm_ComputerSystem')) ?? [];
    if (vm === undefined) throw new Error('no machine');
    const held = greedy
      ?.invoke(vm.reference, 'RequestStateChange', { RequestedState: 2 })
      .catch(() => undefined);
    await new Promise((resolve) => void setTimeout(resolve, 100));
    await expect(greedy?.get(vm.reference)).rejects.toMatchObject({ subcode: 'QuotaLimit' });
    expect(await other?.get(vm.reference)).toBeDefined();
    await held;
  });

  it('cannot fill the memory with small elements, entities or attributes', async () => {
    const url = await serve();
    const headers = { authorization: BASIC };
    const elements = await post(url, envelope('<x/>'.repeat(100_000)), headers);
    expect(elements.text).toContain('EncodingLimit');
    const attributes = Array.from({ length: 1000 }, (_, at) => `a${at}=""`).join(' ');
    expect((await post(url, envelope(`<x ${attributes}/>`), headers)).text).toContain('EncodingLimit');
    const bomb = `<!DOCTYPE a [<!ENTITY b "${'b'.repeat(100)}"><!ENTITY c "&b;&b;">]>${envelope('&c;')}`;
    expect((await post(url, bomb, headers)).status).toBe(400);
    expect(() => parseXml('<a><b/><b/><b/></a>', { maxElements: 3 })).toThrow(XmlLimitError);
    expect(parseXml('<a><b/><b/></a>', { maxElements: 3 }).children).toHaveLength(2);
  });
});

describe('a malicious service', () => {
  it('cannot send the credentials elsewhere by a redirect', async () => {
    const thief = await stub((_request, response) => response.writeHead(200).end());
    const lure = await stub((_request, response) => response.writeHead(307, { location: thief.url }).end());
    await expect(client(lure.url).identify()).rejects.toMatchObject({ code: 'WSMAN_BAD_RESPONSE' });
    expect(lure.seen).toEqual([BASIC]);
    expect(thief.seen).toEqual([]);
  });

  it('cannot have Basic sent readable to another machine', () => {
    for (const host of ['hv1', '10.0.0.1', '127.0.0.1.evil.example', 'localhost.evil.example', '[::2]']) {
      expect(() => client(`http://${host}:5985/wsman`)).toThrow(/readable/u);
    }
  });

  it('cannot keep the client reading: endless pages, an endless answer, endless foreign bytes', async () => {
    const en = 'http://schemas.xmlsoap.org/ws/2004/09/enumeration';
    const filler = `<!--${'x'.repeat(20_000)}-->`;
    const endless = await stub((_request, response) => {
      const page = `<e:EnumerationContext>uuid:1</e:EnumerationContext><e:Items/>${filler}`;
      response.writeHead(200, { 'content-type': CONTENT_TYPE });
      response.end(envelope(`<e:PullResponse xmlns:e="${en}">${page}</e:PullResponse>`));
    });
    const asked = client(endless.url, { maxResponseBytes: 32_768 }).query(
      SAMPLE_NAMESPACE,
      'select * from Msvm_ComputerSystem',
    );
    await expect(asked).rejects.toMatchObject({ code: 'WSMAN_BAD_RESPONSE' });
    expect(endless.seen.length).toBeLessThan(40);

    for (const type of [CONTENT_TYPE, 'text/plain']) {
      const flood = await stub((_request, response) => {
        response.writeHead(200, { 'content-type': type });
        response.write(type === 'text/plain' ? '' : '<a>');
        const more = (): void => {
          if (!response.destroyed) response.write('<b/>'.repeat(16_384), () => setImmediate(more));
        };
        more();
      });
      await expect(client(flood.url, { maxResponseBytes: 200_000 }).identify()).rejects.toMatchObject({
        code: 'WSMAN_BAD_RESPONSE',
      });
    }
  }, 10_000);
});
