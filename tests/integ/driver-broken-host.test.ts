import { createDriver } from '@nova-hyperv/driver';
import type { DriverConfig, VirtDriver } from '@nova-hyperv/driver';
import { connectHost } from '@nova-hyperv/hyperv';
import type { HyperVHost } from '@nova-hyperv/hyperv';
import { basicAuth, createWsmanClient } from '@nova-hyperv/wsman';
import type { Found, WsmanClient } from '@nova-hyperv/wsman';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BrokenLine } from './broken-line.js';
import type { Trouble } from './broken-line.js';
import { diskImage, filesLeft, spawnRequest, startTestHost, testInstance } from '../support/driver-host.js';
import type { FileImages, TestHost } from '../support/driver-host.js';

const CALL_TIMEOUT_MS = 1500;
/** Far above a call's deadline and what undoing takes; far below waiting for ever. */
const BOUND_MS = 15_000;

let test: TestHost;
let line: BrokenLine;
let images: FileImages;
const opened: { host: HyperVHost; driver: VirtDriver }[] = [];

async function connect(
  options: {
    readonly wrap?: (client: WsmanClient) => WsmanClient;
    readonly jobDeadlineMs?: number;
    readonly config?: Partial<DriverConfig>;
  } = {},
): Promise<VirtDriver> {
  const { wrap = (client: WsmanClient) => client, jobDeadlineMs = 20_000, config } = options;
  const { username, password } = test.emulated.credentials;
  const client = createWsmanClient({
    url: line.url,
    auth: basicAuth({ user: username, password }),
    timeoutMs: CALL_TIMEOUT_MS,
    maxConnections: 8,
  });
  const host = await connectHost({
    url: line.url,
    client: wrap(client),
    reach: test.host.reach,
    jobDeadlineMs,
  });
  const driver = createDriver({
    host,
    log: pino({ level: process.env['TEST_LOG'] ?? 'silent' }),
    config: { powerStateEventPollingIntervalSeconds: 3600, ...config },
  });
  await driver.initHost();
  opened.push({ host, driver });
  return driver;
}

beforeAll(async () => {
  test = await startTestHost();
  line = await BrokenLine.to(test.emulated.url);
  images = await diskImage(test.folder, 'vhdx');
});
afterEach(async () => {
  line.mend();
  for (const { driver, host } of opened.splice(0)) {
    await driver.close();
    await host.close();
  }
});
afterAll(async () => {
  await line.close();
  await test.close();
});

async function nothingIsLeft(timeout = 10_000): Promise<void> {
  await expect
    .poll(async () => [(await test.host.machines.list()).length, ...(await filesLeft(test.instances))], {
      timeout,
    })
    .toEqual([0]);
}

async function outcome(work: Promise<void>): Promise<{ error: unknown; tookMs: number }> {
  const begin = Date.now();
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return { error, tookMs: Date.now() - begin };
}

async function theNextWorks(driver: VirtDriver): Promise<void> {
  await driver.spawn(spawnRequest(images, { number: 2 }));
  expect((await driver.getInfo(testInstance(2))).powerState).toBe(1);
  await driver.destroy(testInstance(2));
  await nothingIsLeft();
}

const TROUBLES: readonly Trouble[] = [
  'reset before',
  'reset after',
  'cut answer',
  'hang',
  'answer lost',
  '503',
  'w:TimedOut',
];
const METHODS = [
  'DefineSystem',
  'CreateVirtualHardDisk',
  'AddResourceSettings',
  'ModifyResourceSettings',
  'RequestStateChange',
];

describe('a spawn whose host stops answering', () => {
  describe.each(METHODS)('at %s', (method) => {
    it.each(TROUBLES)('by "%s" fails in time, leaves nothing, and the next works', async (trouble) => {
      const driver = await connect();
      line.break(new RegExp(`/${method}<`), trouble);
      const { error, tookMs } = await outcome(driver.spawn(spawnRequest(images)));
      expect(line.applied).toBe(1);
      expect(error).toMatchObject({ novaName: 'NovaException', scope: 'host' });
      expect((error as Error).message.length).toBeGreaterThan(20);
      expect(tookMs).toBeLessThan(BOUND_MS);
      await nothingIsLeft();
      await theNextWorks(driver);
    });
  });

  it.each<Trouble>(['reset before', 'cut answer', '503', 'w:TimedOut'])(
    'by "%s" of a few polls of its jobs goes on',
    async (trouble) => {
      const driver = await connect();
      line.break(/FROM (?:CIM_|Msvm_)\w*Job /, trouble, 4);
      await driver.spawn(spawnRequest(images));
      expect(line.applied).toBeGreaterThan(1);
      await driver.destroy(testInstance(1));
      await nothingIsLeft();
    },
  );

  it('because it is started again: what is left goes when it is back', async () => {
    const driver = await connect();
    const request = spawnRequest(images, {
      onPhase: (phase) => {
        if (phase === 'disks and definition') line.goDown();
      },
    });
    const { error, tookMs } = await outcome(driver.spawn(request));
    expect(error).toMatchObject({ novaName: 'NovaException', scope: 'host' });
    expect(tookMs).toBeLessThan(BOUND_MS);
    expect(await test.host.machines.list()).toHaveLength(1);
    line.mend();
    await nothingIsLeft(15_000);
    await theNextWorks(driver);
  });

  it('and is asked again for the same instance takes away what is left first', async () => {
    const driver = await connect();
    const request = spawnRequest(images, {
      onPhase: (phase) => {
        if (phase === 'disks and definition') line.goDown();
      },
    });
    await expect(driver.spawn(request)).rejects.toMatchObject({ novaName: 'NovaException' });
    line.mend();
    await driver.spawn(spawnRequest(images));
    // No late look takes it for the leftovers of the first try.
    await new Promise((resolve) => setTimeout(resolve, 3000));
    expect((await driver.getInfo(testInstance(1))).powerState).toBe(1);
    await driver.destroy(testInstance(1));
    await nothingIsLeft();
  });
});

/** A client whose answers about jobs of some kind are changed. */
function jobsSeen(change: (found: readonly Found[]) => readonly Found[]) {
  let active = false;
  const wrap = (client: WsmanClient): WsmanClient =>
    new Proxy(client, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key, target);
        if (typeof value !== 'function') return value;
        if (key !== 'query') return value.bind(target) as unknown;
        const query: WsmanClient['query'] = async (namespace, wql, options) => {
          const found = await target.query(namespace, wql, options);
          return active && /FROM \w+Job /.test(wql) ? change(found) : found;
        };
        return query;
      },
    });
  return { wrap, activate: (on: boolean) => (active = on) };
}

describe('a job', () => {
  it('that never ends is given up at its deadline, and what it made goes', async () => {
    const jobs = jobsSeen((found) =>
      found.map(({ instance, reference }) => ({
        reference,
        instance: { ...instance, properties: { ...instance.properties, JobState: 4, PercentComplete: 50 } },
      })),
    );
    const driver = await connect({ wrap: jobs.wrap, jobDeadlineMs: 800 });
    jobs.activate(true);
    const { error, tookMs } = await outcome(driver.spawn(spawnRequest(images)));
    expect(error).toMatchObject({
      novaName: 'NovaException',
      message: expect.stringMatching(/has not ended after 1 s \(50 % done\)/),
    });
    expect(tookMs).toBeLessThan(BOUND_MS);
    jobs.activate(false);
    await nothingIsLeft();
    await theNextWorks(driver);
  });

  it('that vanishes is told as such, and what it made goes', async () => {
    const jobs = jobsSeen(() => []);
    const driver = await connect({ wrap: jobs.wrap });
    jobs.activate(true);
    const { error, tookMs } = await outcome(driver.spawn(spawnRequest(images)));
    expect(error).toMatchObject({
      novaName: 'NovaException',
      message: expect.stringMatching(/no longer there/),
    });
    expect(tookMs).toBeLessThan(BOUND_MS);
    jobs.activate(false);
    await nothingIsLeft();
    await theNextWorks(driver);
  });
});

describe('the other operations', () => {
  it.each<Trouble>(['hang', '503', 'answer lost'])(
    'fail in time by "%s", and work again',
    async (trouble) => {
      const driver = await connect();
      await driver.spawn(spawnRequest(images));
      line.break(/./, trouble, 1000);
      const works: readonly (() => Promise<unknown>)[] = [
        () => driver.listInstances(),
        () => driver.getInfo(testInstance(1)),
        () => driver.hostResources(),
        () => driver.powerOff(testInstance(1), { timeoutSeconds: 1 }),
        () => driver.reboot(testInstance(1), 'HARD'),
        () => driver.destroy(testInstance(1)),
      ];
      const begin = Date.now();
      for (const work of works) await expect(work()).rejects.toMatchObject({ novaName: 'NovaException' });
      expect(Date.now() - begin).toBeLessThan(works.length * BOUND_MS);
      line.mend();
      await driver.reboot(testInstance(1), 'HARD');
      expect((await driver.getInfo(testInstance(1))).powerState).toBe(1);
      await driver.destroy(testInstance(1));
      await nothingIsLeft();
    },
  );

  it('do not keep the service from ending while the host hangs', async () => {
    const driver = await connect({ config: { powerStateEventPollingIntervalSeconds: 0.01 } });
    line.break(/./, 'hang', 1000);
    await expect.poll(() => line.applied).toBeGreaterThan(0);
    const begin = Date.now();
    await driver.close();
    expect(Date.now() - begin).toBeLessThan(CALL_TIMEOUT_MS / 2);
  });
});
