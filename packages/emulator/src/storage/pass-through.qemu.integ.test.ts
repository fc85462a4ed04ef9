import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { CimReference } from '@nova-hyperv/wsman';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { V2, reference } from '../cim.js';
import { createQemuEngine } from '../engine/index.js';
import { serveHost } from '../serve-host.js';
import { add, buildMachine, pathOf, power } from '../testing/machine-client.js';
import { wanted } from '../testing/rule-host.js';
import { MANAGEMENT, call, codeOf, connectTo, first, startTestHost } from '../testing/test-host.js';
import type { HostUnderTest, TestHost } from '../testing/test-host.js';
import { CREDENTIALS } from '../testing/test-host.js';
import { ACCOUNT, startTgt } from '../testing/tgt.js';
import type { Tgt } from '../testing/tgt.js';
import { STORAGE } from './disk-classes.js';

const MIB = 1024 * 1024;
const TARGET = 'iqn.2026-01.org.example:volume-1';

const onClass = (name: string): CimReference => reference(STORAGE, name, {});

let tgt: Tgt;
let folders: TestHost;
let test: HostUnderTest;

async function start(stateDir: string): Promise<HostUnderTest> {
  const host = await serveHost({
    name: 'HV01',
    release: '2022',
    stateDir,
    engine: 'qemu',
    credentials: CREDENTIALS,
    memoryMb: 65_536,
    createEngine: createQemuEngine,
    log: pino({ level: 'silent' }),
  });
  return { host, client: connectTo(host) };
}

beforeAll(async () => {
  tgt = await startTgt();
  folders = await startTestHost();
  await folders.stop();
  test = await start(path.join(folders.stateDir, 'real'));
});

afterAll(async () => {
  await test.client.close();
  await test.host.stop('shut-down');
  await folders.close().catch(() => undefined);
  await tgt.stop();
});

/** The sessions that the target has, by initiators' names. */
async function initiators(): Promise<number> {
  const shown = await tgt.admin('--op', 'show', '--mode', 'target');
  return shown.split('Initiator: iqn.1991-05.com.microsoft:hv01').length - 1;
}

async function diskPath(): Promise<string> {
  return pathOf(first(await test.client.query(V2, 'SELECT * FROM Msvm_DiskDrive')).reference);
}

it("a guest's QEMU has the unit with its secret, through hot plug and a restart of the host's process", async () => {
  await tgt.addTarget({ id: 1, name: TARGET, size: 16 * MIB, user: ACCOUNT.user });
  await test.client.invoke(onClass('MSFT_iSCSITargetPortal'), 'New', {
    TargetPortalAddress: tgt.address,
    TargetPortalPortNumber: tgt.port,
  });
  await test.client.invoke(onClass('MSFT_iSCSITarget'), 'Connect', {
    NodeAddress: TARGET,
    AuthenticationType: 'ONEWAYCHAP',
    ChapUsername: ACCOUNT.user,
    ChapSecret: ACCOUNT.secret,
  });
  const { id, controller } = await buildMachine(test, 'vm');
  const drive = wanted('physical-drive', {
    Parent: pathOf(controller),
    AddressOnParent: '5',
    HostResource: [await diskPath()],
  });
  const detach = async (resource: CimReference): Promise<number> =>
    codeOf(await call(test.client, MANAGEMENT, 'RemoveResourceSettings', { ResourceSettings: [resource] }));

  // Cold: the secret is in a file while QEMU starts, and in no process' arguments.
  const cold = await add(test, id, drive);
  expect(await initiators()).toBe(0);
  expect(await power(test, id, 2)).toBe(0);
  expect(await initiators()).toBe(1);
  const lines = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      } catch {
        return '';
      }
    });
  expect(lines.some((line) => line.includes(TARGET))).toBe(true);
  expect(lines.some((line) => line.includes(ACCOUNT.secret) && !line.includes('tgtadm'))).toBe(false);
  expect(await detach(cold)).toBe(0);
  expect(await initiators()).toBe(0);

  // Hot: over QMP.
  const hot = await add(test, id, drive);
  expect(await initiators()).toBe(1);

  // The next process takes the guest over, with its session.
  await test.client.close();
  await test.host.stop('keep');
  test = await start(path.join(folders.stateDir, 'real'));
  expect(await initiators()).toBe(1);
  expect(await detach(hot)).toBe(0);
  expect(await initiators()).toBe(0);
  expect(await power(test, id, 3)).toBe(0);
}, 120_000);
