import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { V2, v2 } from './cim.js';
import { createQemuEngine } from './engine/index.js';
import { settingsId } from './machines/model.js';
import { serveHost } from './serve-host.js';
import type { ServedHost } from './serve-host.js';
import { buildMachine, destroy, power, stateOf } from './testing/machine-client.js';
import {
  CREDENTIALS,
  IMAGES,
  MANAGEMENT,
  call,
  codeOf,
  connectTo,
  first,
  succeed,
} from './testing/test-host.js';
import type { HostUnderTest } from './testing/test-host.js';

let stateDir: string;
let host: ServedHost;
let test: HostUnderTest;

async function start(): Promise<void> {
  host = await serveHost({
    name: 'HV01',
    release: '2022',
    stateDir,
    engine: 'qemu',
    credentials: CREDENTIALS,
    createEngine: createQemuEngine,
    log: pino({ level: 'silent' }),
  });
  test = { host, client: connectTo(host) };
}

beforeEach(async () => {
  stateDir = mkdtempSync(path.join(tmpdir(), 'qemu-host-'));
  await start();
});

afterEach(async () => {
  await test.client.close();
  await host.stop('shut-down');
  rmSync(stateDir, { recursive: true, force: true });
});

async function readFromPipe(name: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const socket = connect(path.join(host.pipes, name));
    socket.setTimeout(60_000, () => socket.destroy(new Error('Nothing came over the pipe')));
    socket.once('data', (data) => {
      socket.destroy();
      resolve(data.toString('latin1'));
    });
    socket.once('error', reject);
  });
}

describe('a generation 2 machine on QEMU', () => {
  it('starts with its firmware on COM1, grows its disk while it runs, outlives the host, and stops', async () => {
    const { id } = await buildMachine(test, 'real', { AutomaticShutdownAction: 2 });
    const ports = await test.client.query(
      V2,
      `SELECT * FROM Msvm_SerialPortSettingData WHERE InstanceID LIKE '${settingsId(id)}%'`,
    );
    const port = {
      InstanceID: first(ports).instance.properties['InstanceID'] ?? null,
      Connection: [String.raw`\\.\pipe\com1`],
    };
    await succeed(test.client, MANAGEMENT, 'ModifyResourceSettings', {
      ResourceSettings: [v2('Msvm_SerialPortSettingData', port)],
    });
    expect(await power(test, id, 2)).toBe(0);
    expect((await readFromPipe('com1')).length).toBeGreaterThan(0);
    const resize = { Path: String.raw`C:\vms\real.vhdx`, MaxInternalSize: 128n * 1024n * 1024n };
    expect(codeOf(await call(test.client, IMAGES, 'ResizeVirtualHardDisk', resize))).toBe(0);

    await test.client.close();
    await host.stop('keep');
    await start();
    expect(await stateOf(test, id)).toBe(2);
    expect(await power(test, id, 9)).toBe(0);
    expect(await power(test, id, 3)).toBe(0);
    expect(await destroy(test, id)).toBe(0);
  });
});
