import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inspect as inspectError } from 'node:util';
import type { CimValue } from '@nova-hyperv/wsman';
import { inspect } from '@nova-hyperv/vhd';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CIMV2, reference, v2 } from '../cim.js';
import type { ShareOption } from '../options.js';
import { MIB, buildMachine, power } from '../testing/machine-client.js';
import { IMAGES, call, codeOf, first, instancesOf, startTestHost, succeed } from '../testing/test-host.js';
import type { TestHost } from '../testing/test-host.js';
import { SMB } from './smb-classes.js';

const SHARE = String.raw`\\filer\vols`;
const PUBLIC = String.raw`\\filer2\public`;
const FILE = String.raw`\\filer\vols\volume-1.vhdx`;
const ACCOUNT = { UserName: String.raw`LAB\cinder`, Password: 'the-right-one' };

let folder: string;
let test: TestHost;

function shares(password = 'the-right-one'): readonly ShareOption[] {
  return [
    { remotePath: SHARE, folder: path.join(folder, 'vols'), username: 'cinder', password },
    {
      remotePath: String.raw`\\filer\other`,
      folder: path.join(folder, 'other'),
      username: 'eve',
      password: 'x',
    },
    { remotePath: PUBLIC, folder: path.join(folder, 'public') },
  ];
}

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'filer-'));
  for (const name of ['vols', 'other', 'public']) mkdirSync(path.join(folder, name));
  test = await startTestHost({ shares: shares() });
});

afterEach(async () => {
  await test.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The HRESULT of a refused mapping; the return value of one that was made. */
async function map(parameters: Readonly<Record<string, CimValue>>, host = test): Promise<number> {
  try {
    const target = reference(SMB, 'MSFT_SmbMapping', {});
    return (await host.client.invoke(target, 'Create', parameters)).returnValue;
  } catch (error) {
    return hresultOf(error);
  }
}

function hresultOf(error: unknown): number {
  if (error instanceof Error && 'hresult' in error) return Number(error.hresult);
  throw error;
}

async function unmap(force: boolean): Promise<number> {
  const [found] = await test.client.query(SMB, 'SELECT * FROM MSFT_SmbMapping');
  if (found === undefined) throw new Error('nothing is mapped');
  try {
    return (await test.client.invoke(found.reference, 'Remove', { Force: force })).returnValue;
  } catch (error) {
    return hresultOf(error);
  }
}

async function create(file: string, parent?: string): Promise<number> {
  const kind =
    parent === undefined ? { Type: 3, MaxInternalSize: 64n * MIB } : { Type: 4, ParentPath: parent };
  return codeOf(
    await call(test.client, IMAGES, 'CreateVirtualHardDisk', {
      VirtualDiskSettingData: v2('Msvm_VirtualHardDiskSettingData', { Path: file, Format: 3, ...kind }),
    }),
  );
}

describe('MSFT_SmbMapping.Create', () => {
  it.each<[string, Readonly<Record<string, CimValue>>, number]>([
    ['the right account', { RemotePath: SHARE, ...ACCOUNT }, 0],
    [
      'names in another case',
      { RemotePath: SHARE.toUpperCase(), UserName: 'CINDER', Password: 'the-right-one' },
      0,
    ],
    ['a wrong password: 1326', { RemotePath: SHARE, UserName: 'cinder', Password: 'wrong' }, 0x8007_052e],
    ['a wrong user: 1326', { RemotePath: SHARE, UserName: 'eve', Password: 'the-right-one' }, 0x8007_052e],
    ['no account: 5', { RemotePath: SHARE }, 0x8007_0005],
    ['a share for everybody', { RemotePath: PUBLIC }, 0],
    ['an unknown server: 53', { RemotePath: String.raw`\\nobody\vols`, ...ACCOUNT }, 0x8007_0035],
    ['an unknown share: 67', { RemotePath: String.raw`\\filer\nothing`, ...ACCOUNT }, 0x8007_0043],
    ['a path below a share: 67', { RemotePath: `${SHARE}\\x`, ...ACCOUNT }, 0x8007_0043],
    ['no path: 67', { RemotePath: '' }, 0x8007_0043],
  ])('%s', async (_, parameters, expected) => {
    expect(await map(parameters)).toBe(expected);
    const mapped = await test.client.query(SMB, 'SELECT RemotePath, Status FROM MSFT_SmbMapping');
    expect(mapped.map((one) => one.instance.properties['Status'])).toEqual(expected === 0 ? [0] : []);
  });

  it('a second account of the same server: 1219', async () => {
    expect(await map({ RemotePath: SHARE, ...ACCOUNT })).toBe(0);
    expect(await map({ RemotePath: SHARE, ...ACCOUNT })).toBe(0);
    const eve = { RemotePath: String.raw`\\filer\other`, UserName: 'eve', Password: 'x' };
    expect(await map(eve)).toBe(0x8007_04c3);
    expect(await test.client.query(SMB, 'SELECT * FROM MSFT_SmbMapping')).toHaveLength(1);
  });

  it('no answer, error or file holds the password', async () => {
    const target = reference(SMB, 'MSFT_SmbMapping', {});
    const wrong = { RemotePath: SHARE, UserName: 'cinder', Password: 'not-to-be-seen' };
    const refusal: unknown = await test.client
      .invoke(target, 'Create', wrong)
      .catch((error: unknown) => error);
    expect(inspectError(refusal, { depth: 9 })).toContain('incorrect');
    expect(inspectError(refusal, { depth: 9 })).not.toContain('not-to-be-seen');
    const { out } = await test.client.invoke(target, 'Create', { RemotePath: SHARE, ...ACCOUNT });
    expect(JSON.stringify(first(instancesOf(out['Output'])).properties)).not.toContain('the-right-one');
  });
});

describe('UNC paths', () => {
  it('lead nowhere before the share is mapped, and into its folder afterwards', async () => {
    expect(await create(FILE)).toBe(32769);
    expect(existsSync(path.join(folder, 'vols', 'volume-1.vhdx'))).toBe(false);
    await map({ RemotePath: SHARE, ...ACCOUNT });
    expect(await create(FILE)).toBe(0);
    const child = String.raw`\\?\UNC\FILER\vols\child.vhdx`;
    expect(await create(child, FILE)).toBe(0);
    const made = await inspect(path.join(folder, 'vols', 'child.vhdx'));
    expect(made.parent?.paths.some((locator) => locator.toLowerCase().includes(FILE))).toBe(true);
    const out = await succeed(test.client, IMAGES, 'GetVirtualHardDiskSettingData', { Path: child });
    expect(first(instancesOf(out['SettingData'])).properties['ParentPath']).toBe(FILE);
  });

  it.each([
    ['an unknown server', String.raw`\\nobody\vols\a.vhdx`, 32779],
    ['an unknown share', String.raw`\\filer\nothing\a.vhdx`, 32779],
    ['a way out of the share', String.raw`\\filer\vols\..\other\a.vhdx`, 32773],
    ['a link out of the share', String.raw`\\filer\vols\link\a.vhdx`, 32769],
    ['a device', String.raw`\\.\pipe\a.vhdx`, 32773],
  ])('%s is refused', async (_, file, code) => {
    symlinkSync(path.join(folder, 'other'), path.join(folder, 'vols', 'link'));
    await map({ RemotePath: SHARE, ...ACCOUNT });
    expect(await create(file)).toBe(code);
    expect(existsSync(path.join(folder, 'other', 'a.vhdx'))).toBe(false);
  });

  it('a share for everybody needs no mapping', async () => {
    expect(await create(String.raw`\\filer2\public\a.vhdx`)).toBe(0);
  });

  it('CIM_DataFile shows, renames and deletes the files of a mapped share', async () => {
    writeFileSync(path.join(folder, 'vols', 'a.vhdx'), 'x');
    const query = String.raw`SELECT * FROM CIM_DataFile WHERE Name = '\\\\filer\\vols\\a.vhdx'`;
    expect(await test.client.query(CIMV2, query)).toEqual([]);
    await map({ RemotePath: SHARE, ...ACCOUNT });
    const found = first(await test.client.query(CIMV2, query));
    expect(found.instance.properties).toMatchObject({
      Name: String.raw`\\filer\vols\a.vhdx`,
      Drive: String.raw`\\filer\vols`,
      Path: '\\',
      FileName: 'a',
      Extension: 'vhdx',
    });
    const rename = async (to: string): Promise<number> =>
      (await test.client.invoke(found.reference, 'Rename', { FileName: to })).returnValue;
    expect(await rename(String.raw`C:\a.vhdx`)).toBe(13);
    expect(await rename(String.raw`\\filer\vols\b.vhdx`)).toBe(0);
    const renamed = { ...found.reference, keys: { Name: String.raw`\\filer\vols\b.vhdx` } };
    expect((await test.client.invoke(renamed, 'Delete', {})).returnValue).toBe(0);
    expect(existsSync(path.join(folder, 'vols', 'b.vhdx'))).toBe(false);
  });
});

describe('machines with disks on a share', () => {
  it('start while the share is mapped, and hold it against removal without force', async () => {
    await map({ RemotePath: SHARE, ...ACCOUNT });
    await create(FILE);
    const { id } = await buildMachine(test, 'vm', {}, FILE);
    expect(await power(test, id, 2)).toBe(0);
    expect(test.engine.running.get(id)?.drives[0]?.path).toBe(path.join(folder, 'vols', 'volume-1.vhdx'));
    expect(await unmap(false)).toBe(0x8007_0961);
    expect(await power(test, id, 3)).toBe(0);
    expect(await unmap(false)).toBe(0);
    expect(await power(test, id, 2)).toBe(32769);
    expect(test.engine.running.size).toBe(0);
  });

  it('a mapping outlives the process, until the share takes another password', async () => {
    await map({ RemotePath: SHARE, ...ACCOUNT });
    await create(FILE);
    const { id } = await buildMachine(test, 'vm', {}, FILE);
    await test.stop();
    const again = await startTestHost({ shares: shares(), stateDir: test.stateDir });
    expect(await power(again, id, 2)).toBe(0);
    await again.stop();
    const changed = await startTestHost({ shares: shares('a-new-one'), stateDir: test.stateDir });
    expect(await power(changed, id, 2)).toBe(32769);
    const [mapping] = await changed.client.query(SMB, 'SELECT * FROM MSFT_SmbMapping');
    expect(mapping?.instance.properties['Status']).toBe(6);
    const renewed = { RemotePath: SHARE, UserName: 'cinder', Password: 'a-new-one' };
    expect(await map(renewed, changed)).toBe(0);
    expect(await power(changed, id, 2)).toBe(0);
    await changed.stop();
    test = await startTestHost({ shares: shares(), stateDir: test.stateDir });
  });
});

it.each([
  [[{ remotePath: 'filer', folder: '/tmp' }]],
  [[{ remotePath: SHARE, folder: '/tmp', username: 'a' }]],
  [
    [
      { remotePath: SHARE, folder: '/tmp' },
      { remotePath: SHARE.toUpperCase(), folder: '/tmp' },
    ],
  ],
])('shares that cannot be are refused at the start: %j', async (wrong) => {
  await expect(startTestHost({ shares: wrong })).rejects.toMatchObject({ code: 'EMULATOR_OPTION' });
});

it('the administrative shares are there', async () => {
  const found = await test.client.query(SMB, "SELECT Name, Path FROM MSFT_SmbShare WHERE Name = 'C$'");
  expect(first(found).instance.properties['Path']).toBe('C:\\');
});
