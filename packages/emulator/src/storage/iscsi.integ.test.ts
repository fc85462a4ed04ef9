import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { inspect } from 'node:util';
import type { CimInstance, CimReference, CimValue } from '@nova-hyperv/wsman';
import { isCimInstance } from '@nova-hyperv/wsman';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CIMV2, V2, reference, textOf } from '../cim.js';
import { first, startTestHost } from '../testing/test-host.js';
import type { TestHost } from '../testing/test-host.js';
import { ACCOUNT, startTgt } from '../testing/tgt.js';
import type { Tgt } from '../testing/tgt.js';
import { STORAGE } from './disk-classes.js';
import { ISDSC } from './iscsi/status.js';

const MIB = 1024 * 1024;
const OPEN = 'iqn.2026-01.org.example:open';
const GUARDED = 'iqn.2026-01.org.example:guarded';
const CHAP = { AuthenticationType: 'ONEWAYCHAP', ChapUsername: ACCOUNT.user, ChapSecret: ACCOUNT.secret };

let tgt: Tgt;
let test: TestHost;
const files = new Map<string, string>();

beforeAll(async () => {
  tgt = await startTgt();
  files.set(OPEN, await tgt.addTarget({ id: 1, name: OPEN, size: 16 * MIB }));
  files.set(GUARDED, await tgt.addTarget({ id: 2, name: GUARDED, size: 32 * MIB, user: ACCOUNT.user }));
});

afterAll(async () => {
  await tgt.stop();
});

beforeEach(async () => {
  test = await startTestHost();
});

afterEach(async () => {
  await test.close();
});

async function invoke(
  target: CimReference,
  method: string,
  parameters: Readonly<Record<string, CimValue>> = {},
): Promise<{ status: number; out: Readonly<Record<string, CimValue>> }> {
  try {
    const { returnValue, out } = await test.client.invoke(target, method, parameters);
    return { status: returnValue, out };
  } catch (error) {
    if (error instanceof Error && 'hresult' in error) return { status: Number(error.hresult), out: {} };
    throw error;
  }
}

const onClass = (className: string): CimReference => reference(STORAGE, className, {});

async function newPortal(port = tgt.port): Promise<number> {
  const portal = { TargetPortalAddress: tgt.address, TargetPortalPortNumber: port };
  return (await invoke(onClass('MSFT_iSCSITargetPortal'), 'New', portal)).status;
}

async function connect(parameters: Readonly<Record<string, CimValue>>): Promise<number> {
  return (await invoke(onClass('MSFT_iSCSITarget'), 'Connect', parameters)).status;
}

async function all(className: string, namespace = STORAGE): Promise<readonly CimInstance[]> {
  return (await test.client.query(namespace, `SELECT * FROM ${className}`)).map((found) => found.instance);
}

/** The disks beside that of the system. */
async function disks(): Promise<readonly CimInstance[]> {
  return (await all('MSFT_Disk')).filter((disk) => disk.properties['Number'] !== 0);
}

const diskOne = async (): Promise<{ reference: CimReference; size: unknown }> => {
  const [disk] = await test.client.query(STORAGE, 'SELECT * FROM MSFT_Disk WHERE Number = 1');
  if (disk === undefined) throw new Error('no disk');
  return { reference: disk.reference, size: disk.instance.properties['Size'] };
};

describe('discovery', () => {
  it('a portal tells its targets; it can be asked again and removed', async () => {
    expect(await newPortal()).toBe(0);
    const names = (await all('MSFT_iSCSITarget')).map((target) => target.properties['NodeAddress']);
    expect(new Set(names)).toEqual(new Set([GUARDED, OPEN]));
    const portal = first(await test.client.query(STORAGE, 'SELECT * FROM MSFT_iSCSITargetPortal'));
    expect(portal.instance.properties['TargetPortalPortNumber']).toBe(tgt.port);
    expect((await invoke(portal.reference, 'Update')).status).toBe(0);
    expect((await invoke(portal.reference, 'Remove')).status).toBe(0);
    expect(await all('MSFT_iSCSITarget')).toEqual([]);
  });

  it('a portal that does not answer is told, and stays in the list', async () => {
    expect(await newPortal(1)).toBe(ISDSC.connectionFailed);
    expect(await all('MSFT_iSCSITargetPortal')).toHaveLength(1);
  });

  it('a stopped service refuses', async () => {
    const service = reference(CIMV2, 'Win32_Service', { Name: 'MSiSCSI' });
    expect((await invoke(service, 'StopService')).status).toBe(0);
    expect(await newPortal()).toBe(ISDSC.serviceNotRunning);
    expect((await invoke(service, 'StartService')).status).toBe(0);
    expect((await invoke(service, 'StartService')).status).toBe(10);
    expect(await newPortal()).toBe(0);
  });
});

describe('login', () => {
  beforeEach(async () => {
    expect(await newPortal()).toBe(0);
  });

  it.each<[string, Readonly<Record<string, CimValue>>, number]>([
    ['no secret where one is needed', { NodeAddress: GUARDED }, ISDSC.authenticationFailure],
    [
      'a wrong secret',
      { NodeAddress: GUARDED, ...CHAP, ChapSecret: 'not-the-secret-x' },
      ISDSC.authenticationFailure,
    ],
    ['a wrong user', { NodeAddress: GUARDED, ...CHAP, ChapUsername: 'eve' }, ISDSC.authenticationFailure],
    [
      'a secret that is too short',
      { NodeAddress: GUARDED, ...CHAP, ChapSecret: 'short' },
      ISDSC.invalidChapSecret,
    ],
    [
      'mutual CHAP',
      { NodeAddress: GUARDED, ...CHAP, AuthenticationType: 'MUTUALCHAP' },
      ISDSC.requestNotSupported,
    ],
    ['an unknown target', { NodeAddress: 'iqn.2026-01.org.example:nobody' }, ISDSC.targetNotFound],
    ['no target', {}, ISDSC.missingParameter],
    [
      'a portal that does not answer',
      { NodeAddress: OPEN, TargetPortalAddress: '127.0.0.1', TargetPortalPortNumber: 1 },
      ISDSC.connectionFailed,
    ],
    ['the open target', { NodeAddress: OPEN }, 0],
    ['the guarded target', { NodeAddress: GUARDED, ...CHAP }, 0],
  ])('%s', async (_, parameters, expected) => {
    expect(await connect(parameters)).toBe(expected);
    expect(await all('MSFT_iSCSISession')).toHaveLength(expected === 0 ? 1 : 0);
    expect(await disks()).toHaveLength(expected === 0 ? 1 : 0);
  });

  it('shows the disk everywhere, offline as the policy has it, and takes it away with the session', async () => {
    const { out } = await invoke(onClass('MSFT_iSCSITarget'), 'Connect', { NodeAddress: GUARDED, ...CHAP });
    const session = out['CreatediSCSISession'];
    if (session === undefined || !isCimInstance(session)) throw new Error('no session was told');
    expect(session.properties).toMatchObject({
      TargetNodeAddress: GUARDED,
      IsConnected: true,
      AuthenticationType: 'ONEWAYCHAP',
    });
    const id = textOf(session.properties['SessionIdentifier']);
    const disk = first(await disks());
    expect(disk.properties).toMatchObject({
      Number: 1,
      BusType: 9,
      Size: BigInt(32 * MIB),
      IsOffline: true,
      IsReadOnly: false,
      Manufacturer: 'IET',
      Model: 'VIRTUAL-DISK',
      UniqueIdFormat: 3,
    });
    expect(disk.properties['UniqueId']).toMatch(/^[36][\dA-F]{15}/);
    expect((await all('Win32_DiskDrive', CIMV2)).map((drive) => drive.properties['Name'])).toEqual([
      String.raw`\\.\PHYSICALDRIVE0`,
      String.raw`\\.\PHYSICALDRIVE1`,
    ]);
    expect((await all('Msvm_DiskDrive', V2)).map((drive) => drive.properties['DriveNumber'])).toEqual([1]);
    const sessionReference = reference(STORAGE, 'MSFT_iSCSISession', { SessionIdentifier: id });
    const ofSession = await test.client.associators(sessionReference, { resultClass: 'MSFT_Disk' });
    expect(ofSession.map((found) => found.instance.properties['Number'])).toEqual([1]);
    const target = reference(STORAGE, 'MSFT_iSCSITarget', { NodeAddress: GUARDED });
    expect((await invoke(target, 'Disconnect', { SessionIdentifier: 'none' })).status).toBe(
      ISDSC.invalidSessionId,
    );
    expect((await invoke(target, 'Disconnect', { SessionIdentifier: id })).status).toBe(0);
    expect(await disks()).toEqual([]);
    expect((await invoke(target, 'Disconnect')).status).toBe(ISDSC.invalidSessionId);
  });

  it('a second login needs multipath on both; joined paths are one disk', async () => {
    expect(await connect({ NodeAddress: OPEN })).toBe(0);
    expect(await connect({ NodeAddress: OPEN })).toBe(ISDSC.alreadyLoggedIn);
    expect(await connect({ NodeAddress: OPEN, IsMultipathEnabled: true })).toBe(ISDSC.alreadyLoggedIn);
    const target = reference(STORAGE, 'MSFT_iSCSITarget', { NodeAddress: OPEN });
    expect((await invoke(target, 'Disconnect')).status).toBe(0);
    for (let number = 0; number < 2; number += 1)
      expect(await connect({ NodeAddress: OPEN, IsMultipathEnabled: true })).toBe(0);
    expect(await all('MSFT_iSCSISession')).toHaveLength(2);
    expect(first(await disks()).properties['Path']).toMatch(/^\\\\\?\\mpio#/);
    expect(await disks()).toHaveLength(1);
  });

  it('a unit that grew has its new size after Refresh and after a rescan', async () => {
    expect(await connect({ NodeAddress: OPEN })).toBe(0);
    const file = files.get(OPEN) ?? '';
    const before = statSync(file).size;
    await tgt.grow(1, file, before + 8 * MIB);
    expect((await diskOne()).size).toBe(BigInt(before));
    expect((await invoke((await diskOne()).reference, 'Refresh')).status).toBe(0);
    expect((await diskOne()).size).toBe(BigInt(before + 8 * MIB));
    await tgt.grow(1, file, before + 16 * MIB);
    expect((await invoke(onClass('MSFT_StorageSetting'), 'UpdateHostStorageCache')).status).toBe(0);
    expect((await diskOne()).size).toBe(BigInt(before + 16 * MIB));
  });

  it('sessions outlive the process; only persistent ones outlive a shutdown', async () => {
    expect(await connect({ NodeAddress: OPEN })).toBe(0);
    expect(await connect({ NodeAddress: GUARDED, ...CHAP, IsPersistent: true })).toBe(0);
    const numbers = (await disks()).map((disk) => disk.properties['Number']);
    await test.client.close();
    await test.host.stop('keep');
    test = await startTestHost({ stateDir: test.stateDir });
    expect((await disks()).map((disk) => disk.properties['Number'])).toEqual(numbers);
    await test.client.close();
    await test.host.stop('shut-down');
    test = await startTestHost({ stateDir: test.stateDir });
    const sessions = await all('MSFT_iSCSISession');
    expect(
      sessions.map((one) => [one.properties['TargetNodeAddress'], one.properties['IsConnected']]),
    ).toEqual([[GUARDED, true]]);
  });

  it('the secret is in no object and no error; its file is for its owner alone', async () => {
    await connect({ NodeAddress: GUARDED, ...CHAP });
    const error: unknown = await test.client
      .invoke(onClass('MSFT_iSCSITarget'), 'Connect', {
        NodeAddress: GUARDED,
        ...CHAP,
        ChapSecret: 'not-the-secret-x',
      })
      .catch((reason: unknown) => reason);
    expect(inspect(error, { depth: 9 })).not.toContain('not-the-secret-x');
    for (const name of ['MSFT_iSCSISession', 'MSFT_iSCSITarget', 'MSFT_iSCSIConnection', 'MSFT_Disk'])
      expect(inspect(await all(name), { depth: 9 })).not.toContain(ACCOUNT.secret);
    const file = path.join(test.stateDir, 'storage.json');
    expect(readFileSync(file, 'utf8')).toContain(ACCOUNT.secret);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });
});

it('the initiator has a name, which can be changed', async () => {
  const [port] = await test.client.query(STORAGE, 'SELECT * FROM MSFT_InitiatorPort');
  if (port === undefined) throw new Error('no initiator');
  expect(port.instance.properties['NodeAddress']).toBe('iqn.1991-05.com.microsoft:hv01');
  expect((await invoke(port.reference, 'SetNodeAddress', { NodeAddress: 'nothing' })).status).toBe(5);
  const name = 'iqn.2026-01.org.example:hv01';
  expect((await invoke(port.reference, 'SetNodeAddress', { NodeAddress: name })).status).toBe(0);
  expect(first(await all('MSFT_InitiatorPort')).properties['NodeAddress']).toBe(name);
});
