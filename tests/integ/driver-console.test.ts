import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createDriver } from '@nova-hyperv/driver';
import { HyperVHost, mappedReach } from '@nova-hyperv/hyperv';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { diskImage, spawnRequest, startTestHost, testInstance } from '../support/driver-host.js';
import type { TestHost } from '../support/driver-host.js';

let test: TestHost;
beforeEach(async () => {
  test = await startTestHost();
});
afterEach(async () => {
  await test.close();
});

const output = async (driver = test.driver) =>
  Buffer.from(await driver.consoleOutput(testInstance(1))).toString();

describe('console output', () => {
  it('is logged from power on, goes on after a restart of the service, and ends with the instance', async () => {
    await test.driver.spawn(spawnRequest(await diskImage(test.folder, 'vhdx')));
    await expect.poll(() => output(), { timeout: 5000 }).toMatch(/power states only/);
    const first = await output();
    await test.driver.close();
    const { driver } = await test.connect();
    await driver.powerOff(testInstance(1), { timeoutSeconds: 0 });
    await driver.powerOn(testInstance(1));
    await expect
      .poll(async () => (await output(driver)).length, { timeout: 5000 })
      .toBeGreaterThan(first.length);
    expect(await output(driver)).toMatch(new RegExp(`^${first.slice(0, 20)}`));
    await driver.destroy(testInstance(1));
  });

  it('gives older bytes before newer ones', async () => {
    await test.driver.spawn(spawnRequest(await diskImage(test.folder, 'vhdx'), { powerOn: false }));
    await writeFile(join(test.instances, 'instance-00000001', 'console.log.1'), 'older ');
    await writeFile(join(test.instances, 'instance-00000001', 'console.log'), 'newer');
    expect(await output()).toBe('older newer');
  });

  it('is refused where the host’s pipes cannot be reached', async () => {
    const remote = createDriver({
      host: new HyperVHost({
        client: test.client,
        address: 'HV1',
        reach: mappedReach({ drives: { C: test.emulated.driveC } }),
      }),
      log: pino({ level: 'silent' }),
      nodeName: 'HV1',
    });
    await expect(remote.consoleOutput(testInstance(1))).rejects.toMatchObject({
      novaName: 'ConsoleNotAvailable',
    });
  });
});

describe('a pipe that breaks', () => {
  let server: Server | undefined;
  afterEach(() => server?.close());

  it('is opened again', async () => {
    await test.driver.spawn(spawnRequest(await diskImage(test.folder, 'vhdx'), { powerOn: false }));
    let connections = 0;
    server = createServer((socket) => {
      connections += 1;
      socket.end(`connection ${connections}\n`);
    });
    server.listen(join(test.emulated.pipes, `${testInstance(1).uuid}_ro`));
    await once(server, 'listening');
    await test.driver.powerOn(testInstance(1));
    await expect.poll(() => output(), { timeout: 5000 }).toMatch(/connection 1\nconnection 2\n/);
  });
});
