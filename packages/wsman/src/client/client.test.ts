import http from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { interval } from '../cim/datetime.js';
import type { CimInstance, CimReference } from '../cim/value.js';
import { basicServerAuth } from '../server/auth.js';
import { createWsmanServer } from '../server/create-server.js';
import type { WsmanServer } from '../server/create-server.js';
import type { WsmanServerLimits } from '../server/limits.js';
import type { MemoryProvider } from '../testing/memory-provider.js';
import { sampleProvider, SAMPLE_NAMESPACE as V2 } from '../testing/sample.js';
import { wqlString } from '../wql/quote.js';
import { basicAuth } from './auth.js';
import type { WsmanClient } from './client.js';
import { createWsmanClient } from './create-client.js';
import type { WsmanClientOptions } from './create-client.js';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

const credentials = { user: 'admin', password: 'p:ä' };

function connect(url: string, options: Partial<WsmanClientOptions> = {}): WsmanClient {
  const client = createWsmanClient({ url, auth: basicAuth(credentials), ...options });
  cleanups.push(() => client.close());
  return client;
}

async function pair(
  provider: MemoryProvider,
  options: { limits?: Partial<WsmanServerLimits>; client?: Partial<WsmanClientOptions> } = {},
): Promise<{ server: WsmanServer; client: WsmanClient; url: string }> {
  const server = createWsmanServer({
    provider,
    auth: basicServerAuth([credentials]),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  const { url } = await server.listen(0);
  cleanups.push(() => server.close());
  return { server, url, client: connect(url, options.client) };
}

/** A service that answers every request in one way. */
async function stub(answer: http.RequestListener): Promise<string> {
  const server = http.createServer(answer);
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
  return `http://127.0.0.1:${address.port}/wsman`;
}

const vmms: CimReference = {
  kind: 'reference',
  namespace: V2,
  className: 'Msvm_VirtualSystemManagementService',
  keys: { CreationClassName: 'Msvm_VirtualSystemManagementService' },
};
const vm = (index: number): CimReference => ({
  kind: 'reference',
  namespace: V2,
  className: 'Msvm_ComputerSystem',
  keys: {
    CreationClassName: 'Msvm_ComputerSystem',
    Name: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
  },
});

const setting = (limit: bigint): CimInstance => ({
  kind: 'instance',
  namespace: V2,
  className: 'Msvm_MemorySettingData',
  properties: { InstanceID: `Microsoft:G\\${limit}`, Limit: limit, DynamicMemoryEnabled: true },
});

describe('client and server', () => {
  it('identify', async () => {
    const { client } = await pair(sampleProvider(0));
    expect(await client.identify()).toMatchObject({ productVendor: 'Microsoft Corporation' });
  });

  it('answer a query that fits in one round trip', async () => {
    const { client, server } = await pair(sampleProvider(20));
    const found = await client.query(V2, 'SELECT Name, EnabledState FROM Msvm_ComputerSystem');
    expect(found).toHaveLength(20);
    expect(client.counters.roundTrips).toBe(1);
    expect(client.counters.bytesReceived).toBeGreaterThan(1000);
    expect(found[3]).toEqual({
      reference: vm(3),
      instance: {
        kind: 'instance',
        namespace: V2,
        className: 'Msvm_ComputerSystem',
        properties: { CreationClassName: 'Msvm_ComputerSystem', Name: vm(3).keys['Name'], EnabledState: 3 },
      },
    });
    expect(server.openEnumerations).toBe(0);
  });

  it('answer an empty query', async () => {
    const { client } = await pair(sampleProvider(1));
    const found = await client.query(
      V2,
      `SELECT * FROM Msvm_ComputerSystem WHERE ElementName = ${wqlString("no'ne\\")}`,
    );
    expect(found).toEqual([]);
  });

  it('page by size, without losing or repeating anything', async () => {
    const { client, server } = await pair(sampleProvider(300), { client: { maxEnvelopeSize: 16_384 } });
    const found = await client.enumerate(V2, 'msvm_computersystem');
    expect(found.map((item) => item.instance.properties['ElementName'])).toEqual(
      Array.from({ length: 300 }, (_, index) => `machine-${index}`),
    );
    expect(client.counters.roundTrips).toBeGreaterThan(10);
    expect(server.openEnumerations).toBe(0);
  });

  it('page by number', async () => {
    const { client } = await pair(sampleProvider(10), { limits: { maxBatchItems: 3 } });
    expect(await client.enumerate(V2, 'Msvm_ComputerSystem')).toHaveLength(10);
    expect(client.counters.roundTrips).toBe(4);
  });

  it('carry every kind of value', async () => {
    const provider = sampleProvider(1);
    const { client } = await pair(provider);
    const [settings] = await client.enumerate(V2, 'Msvm_VirtualSystemSettingData');
    expect(settings?.instance.properties).toMatchObject({
      Notes: ['first line', 'second & last'],
      AutomaticStartupActionDelay: interval(1_800_000_000),
      Parent: null,
    });
    const system = await client.get(vm(0));
    expect(system.properties).toMatchObject({
      OnTimeInMilliseconds: 0n,
      OperationalStatus: [2],
      InstallDate: { kind: 'datetime', iso: '2026-10-08T15:15:36.68424Z' },
    });
  });

  it('walk associations', async () => {
    const { client } = await pair(sampleProvider(2));
    const filter = {
      associationClass: 'Msvm_SettingsDefineState',
      resultClass: 'Msvm_VirtualSystemSettingData',
    };
    const [settings] = await client.associators(vm(1), filter);
    expect(settings?.reference.keys).toEqual({
      InstanceID: 'Microsoft:00000000-0000-4000-8000-000000000001',
    });
    const [link] = await client.references(vm(1), { role: 'ManagedElement' });
    expect(link?.instance.properties['ManagedElement']).toEqual(vm(1));
    expect(link?.instance.properties['SettingData']).toEqual(settings?.reference);
    const again = await client.get(link!.reference);
    expect(again.properties).toEqual(link!.instance.properties);
  });

  it('invoke with references, arrays and embedded instances', async () => {
    const seen: unknown[] = [];
    const { client } = await pair(
      sampleProvider(1, {
        methods: {
          'Msvm_VirtualSystemManagementService.AddResourceSettings': (parameters, target, caller) => {
            seen.push(parameters, target?.properties['Name'], caller.user);
            const job: CimReference = {
              kind: 'reference',
              namespace: V2,
              className: 'Msvm_ConcreteJob',
              keys: { InstanceID: 'J' },
            };
            return { returnValue: 4096, out: { Job: job, ResultingResourceSettings: [vm(0), vm(1)] } };
          },
        },
      }),
    );
    const parameters = {
      AffectedConfiguration: vm(0),
      ResourceSettings: [setting(512n), setting(2n ** 60n)],
    };
    const result = await client.invoke(vmms, 'addresourcesettings', parameters);
    expect(seen).toEqual([parameters, 'vmms', 'admin']);
    expect(result).toMatchObject({
      returnValue: 4096,
      out: { Job: { keys: { InstanceID: 'J' } }, ResultingResourceSettings: [vm(0), vm(1)] },
    });
  });

  it('call static methods and pass embedded objects', async () => {
    const startup: CimInstance = {
      kind: 'instance',
      namespace: 'root/cimv2',
      className: 'Win32_ProcessStartup',
      properties: { ShowWindow: 0, EnvironmentVariables: ['A=1'] },
    };
    const { client } = await pair(
      sampleProvider(0, {
        methods: {
          'Win32_Process.Create': ({ CommandLine, ProcessStartupInformation }) => {
            expect(ProcessStartupInformation).toEqual(startup);
            return { returnValue: CommandLine === 'cmd.exe /c "a & b"' ? 0 : 21, out: { ProcessId: 77 } };
          },
        },
      }),
    );
    const target: CimReference = {
      kind: 'reference',
      namespace: 'root/cimv2',
      className: 'Win32_Process',
      keys: {},
    };
    const parameters = { CommandLine: 'cmd.exe /c "a & b"', ProcessStartupInformation: startup };
    expect(await client.invoke(target, 'Create', parameters)).toEqual({
      returnValue: 0,
      out: { ProcessId: 77 },
    });
  });

  it('put, create and delete', async () => {
    const { client } = await pair(sampleProvider(0));
    const disk: CimInstance = {
      kind: 'instance',
      namespace: V2,
      className: 'Msvm_MemorySettingData',
      properties: { InstanceID: 'a\\b', Limit: 1n },
    };
    const reference = await client.create(disk);
    expect(reference.keys).toEqual({ InstanceID: 'a\\b' });
    const changed = await client.put(reference, { ...disk, properties: { InstanceID: 'a\\b', Limit: 2n } });
    expect(changed.properties['Limit']).toBe(2n);
    await client.delete(reference);
    await expect(client.get(reference)).rejects.toMatchObject({ code: 'WSMAN_FAULT', hresult: 0x80041002 });
  });

  it('run calls side by side over several connections', async () => {
    let running = 0;
    let most = 0;
    const { client } = await pair(
      sampleProvider(1, {
        methods: {
          'Msvm_ComputerSystem.RequestStateChange': async () => {
            running += 1;
            most = Math.max(most, running);
            await new Promise((resolve) => {
              setTimeout(resolve, 20);
            });
            running -= 1;
            return { returnValue: 0, out: {} };
          },
        },
      }),
      { client: { maxConnections: 3 } },
    );
    await Promise.all(
      Array.from({ length: 12 }, () => client.invoke(vm(0), 'RequestStateChange', { RequestedState: 2 })),
    );
    expect(most).toBe(3);
    expect(client.counters.roundTrips).toBe(12);
  });
});

describe('refusals at the client', () => {
  it('of what the schema does not know, before anything is sent', async () => {
    const { client } = await pair(sampleProvider(1));
    await expect(client.invoke(vm(0), 'Nonsense', {})).rejects.toMatchObject({
      code: 'WSMAN_UNKNOWN_METHOD',
    });
    await expect(client.invoke(vm(0), 'RequestStateChange', { State: 2 })).rejects.toMatchObject({
      code: 'WSMAN_MEMBER',
    });
    await expect(client.invoke(vm(0), 'RequestStateChange', { RequestedState: 'on' })).rejects.toMatchObject({
      code: 'WSMAN_MEMBER',
    });
    await expect(client.invoke({ ...vm(0), className: 'Msvm_No' }, 'X', {})).rejects.toMatchObject({
      code: 'WSMAN_UNKNOWN_CLASS',
    });
    expect(client.counters.roundTrips).toBe(0);
  });

  it('of messages larger than the envelope', async () => {
    const { client } = await pair(sampleProvider(1), { client: { maxEnvelopeSize: 20_000 } });
    await expect(
      client.query(V2, `SELECT * FROM Msvm_ComputerSystem WHERE Name = ${wqlString('x'.repeat(20_000))}`),
    ).rejects.toMatchObject({
      code: 'WSMAN_REQUEST_TOO_LARGE',
    });
  });

  it('of Basic over http to another machine', () => {
    expect(() => connect('http://10.0.0.1:5985/wsman')).toThrow(
      expect.objectContaining({ code: 'WSMAN_UNENCRYPTED' }),
    );
    expect(() => connect('ftp://10.0.0.1/wsman')).toThrow(expect.objectContaining({ code: 'WSMAN_URL' }));
    const allowed = basicAuth({ ...credentials, allowUnencrypted: true });
    expect(() => connect('http://10.0.0.1:5985/wsman', { auth: allowed })).not.toThrow();
    expect(() => connect('https://10.0.0.1:5986/wsman')).not.toThrow();
  });
});

describe('failures', () => {
  it('a fault of the provider arrives with its HRESULT', async () => {
    const { client } = await pair(sampleProvider(0));
    await expect(client.query(V2, 'SELECT * FROM Nothing')).rejects.toMatchObject({
      code: 'WSMAN_FAULT',
      subcode: 'DestinationUnreachable',
      hresult: 0x80041010,
    });
    await expect(client.query(V2, 'SELECT FROM')).rejects.toMatchObject({ hresult: 0x80041017 });
  });

  it('wrong credentials', async () => {
    const { url } = await pair(sampleProvider(0));
    const client = connect(url, { auth: basicAuth({ user: 'admin', password: 'wrong' }) });
    await expect(client.identify()).rejects.toMatchObject({ code: 'WSMAN_UNAUTHORIZED' });
  });

  it('nobody listens', async () => {
    const client = connect('http://127.0.0.1:1/wsman');
    await expect(client.identify()).rejects.toMatchObject({ code: 'WSMAN_UNREACHABLE', notSent: true });
  });

  it('no answer in time, and the deadline counts waiting for a connection too', async () => {
    const url = await stub(() => undefined);
    const client = connect(url, { maxConnections: 1 });
    const started = performance.now();
    const calls = [client.get(vm(0), { timeoutMs: 100 }), client.get(vm(0), { timeoutMs: 100 })];
    for (const call of calls) await expect(call).rejects.toMatchObject({ code: 'WSMAN_DEADLINE' });
    expect(performance.now() - started).toBeLessThan(2000);
  });

  it('the service gives up before the client does', async () => {
    const { client } = await pair(
      sampleProvider(1, {
        methods: { 'Msvm_ComputerSystem.RequestStateChange': () => new Promise(() => undefined) },
      }),
    );
    const call = client.invoke(vm(0), 'RequestStateChange', { RequestedState: 2 }, { timeoutMs: 500 });
    await expect(call).rejects.toMatchObject({ code: 'WSMAN_FAULT', subcode: 'TimedOut' });
  });

  it('given up by the caller', async () => {
    const url = await stub(() => undefined);
    const client = connect(url);
    const controller = new AbortController();
    const call = client.get(vm(0), { signal: controller.signal });
    setTimeout(() => controller.abort(), 20);
    await expect(call).rejects.toMatchObject({ code: 'WSMAN_ABORTED' });
    await expect(client.get(vm(0), { signal: controller.signal })).rejects.toMatchObject({
      code: 'WSMAN_ABORTED',
      notSent: true,
    });
  });

  it('closed', async () => {
    const { client } = await pair(sampleProvider(0));
    await client.identify();
    await client.close();
    await expect(client.identify()).rejects.toMatchObject({ code: 'WSMAN_ABORTED' });
  });

  it.each<[string, http.RequestListener]>([
    ['no SOAP', (_, response) => response.writeHead(200, { 'Content-Type': 'text/html' }).end('<p>')],
    [
      'broken XML',
      (_, response) => response.writeHead(200, { 'Content-Type': 'application/soap+xml' }).end('<a'),
    ],
    [
      'another document',
      (_, response) => response.writeHead(200, { 'Content-Type': 'application/soap+xml' }).end('<a/>'),
    ],
    ['an error without a message', (_, response) => response.writeHead(500).end()],
    ['a wrong path', (_, response) => response.writeHead(404).end()],
    [
      'an endless body',
      (_, response) =>
        response
          .writeHead(200, { 'Content-Type': 'application/soap+xml' })
          .end(`<a>${'x'.repeat(200_000)}</a>`),
    ],
  ])('an answer that is %s', async (_, listener) => {
    const client = connect(await stub(listener), { maxResponseBytes: 100_000 });
    await expect(client.get(vm(0))).rejects.toMatchObject({ code: 'WSMAN_BAD_RESPONSE' });
  });

  it('a connection broken after a method was sent is not tried again', async () => {
    let requests = 0;
    const url = await stub((request) => {
      requests += 1;
      request.socket.destroy();
    });
    const client = connect(url);
    await expect(client.invoke(vm(0), 'RequestStateChange', { RequestedState: 2 })).rejects.toMatchObject({
      code: 'WSMAN_UNREACHABLE',
      notSent: false,
    });
    expect(requests).toBe(1);
    await expect(client.get(vm(0))).rejects.toMatchObject({ code: 'WSMAN_UNREACHABLE' });
    expect(requests).toBe(3);
  });

  it('while reading pages: the context is released', async () => {
    const provider = sampleProvider(10);
    const { client, server } = await pair(provider, { limits: { maxBatchItems: 3 } });
    const found = provider.enumerate.bind(provider);
    provider.enumerate = async (...args) => {
      const all = [...(await found(...args))];
      const broken = all[7]!;
      all[7] = { ...broken, instance: { ...broken.instance, properties: { Nonsense: 1 } } };
      return all;
    };
    await expect(client.enumerate(V2, 'Msvm_ComputerSystem')).rejects.toMatchObject({
      code: 'WSMAN_FAULT',
      subcode: 'InternalError',
    });
    expect(server.openEnumerations).toBe(0);
  });

  it('a context that expired', async () => {
    const { client } = await pair(sampleProvider(10), {
      limits: { maxBatchItems: 3, enumerationTimeoutMs: 1 },
    });
    const call = client.enumerate(V2, 'Msvm_ComputerSystem');
    await expect(call.then((found) => found.length)).rejects.toMatchObject({
      subcode: 'InvalidEnumerationContext',
    });
  });

  it('too many operations', async () => {
    const { client } = await pair(sampleProvider(1), { limits: { maxConcurrentOperations: 0 } });
    await expect(client.get(vm(0))).rejects.toMatchObject({ subcode: 'QuotaLimit', retryable: true });
  });
});
