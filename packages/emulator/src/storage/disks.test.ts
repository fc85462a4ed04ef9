import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inspect } from 'node:util';
import type { CimReference, CimValue } from '@nova-hyperv/wsman';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CIMV2, V2, reference, settingReference, textOf, textsOf, v2 } from '../cim.js';
import { settingsReference } from '../machines/model.js';
import { diskNumberOf } from '../machines/physical-drives.js';
import { buildMachine, pathOf, power } from '../testing/machine-client.js';
import type { Built } from '../testing/machine-client.js';
import { wanted } from '../testing/rule-host.js';
import { MANAGEMENT, call, codeOf, first, startTestHost } from '../testing/test-host.js';
import type { TestHost } from '../testing/test-host.js';
import { STORAGE } from './disk-classes.js';
import { rememberDisks } from './host-disks.js';

const TARGET = '5006016000000001';
const PORT = '2100000000000001';

let folder: string;
let test: TestHost;

function fileOf(lun: number): string {
  return path.join(folder, `${lun}.raw`);
}

function fibre(multipath = true): Parameters<typeof startTestHost>[0] {
  const units = [1, 2].map((lun) => ({ targetPortName: TARGET, lun, file: fileOf(lun) }));
  return {
    multipath,
    fibreChannel: { nodeName: '2000000000000001', portNames: [PORT], units },
  };
}

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'units-'));
  writeFileSync(fileOf(1), Buffer.alloc(65_536));
  test = await startTestHost(fibre());
});

afterEach(async () => {
  await test.close();
  rmSync(folder, { recursive: true, force: true });
});

async function rescan(): Promise<void> {
  await test.client.invoke(reference(STORAGE, 'MSFT_StorageSetting', {}), 'UpdateHostStorageCache', {});
}

async function disk(
  number: number,
): Promise<{ reference: CimReference; properties: Readonly<Record<string, CimValue>> }> {
  const query = `SELECT * FROM MSFT_Disk WHERE Number = ${number}`;
  const found = first(await test.client.query(STORAGE, query));
  return { reference: found.reference, properties: found.instance.properties };
}

async function onDisk(
  number: number,
  method: string,
  parameters: Readonly<Record<string, CimValue>> = {},
): Promise<number> {
  return (await test.client.invoke((await disk(number)).reference, method, parameters)).returnValue;
}

async function diskPath(number: number): Promise<string> {
  const query = `SELECT * FROM Msvm_DiskDrive WHERE DriveNumber = ${number}`;
  return pathOf(first(await test.client.query(V2, query)).reference);
}

async function attach(
  built: Pick<Built, 'id' | 'controller'>,
  slot: string,
  hostResource: CimValue,
): Promise<number> {
  return codeOf(
    await call(test.client, MANAGEMENT, 'AddResourceSettings', {
      AffectedConfiguration: settingsReference(built.id),
      ResourceSettings: [
        wanted('physical-drive', {
          Parent: pathOf(built.controller),
          AddressOnParent: slot,
          HostResource: hostResource,
          ElementName: 'ignored',
        }),
      ],
    }),
  );
}

async function drives(id: string): Promise<readonly Readonly<Record<string, CimValue>>[]> {
  const query = `SELECT * FROM Msvm_ResourceAllocationSettingData WHERE InstanceID LIKE 'Microsoft:${id}%' AND ResourceSubType = 'Microsoft:Hyper-V:Physical Disk Drive'`;
  return (await test.client.query(V2, query)).map((found) => found.instance.properties);
}

describe('disks of the host', () => {
  it('a unit of Fibre Channel is an offline disk; a rescan finds new ones', async () => {
    expect((await disk(1)).properties).toMatchObject({ BusType: 6, Size: 65_536n, IsOffline: true });
    expect(await test.client.query(STORAGE, 'SELECT * FROM MSFT_Disk WHERE Number = 2')).toEqual([]);
    writeFileSync(fileOf(2), Buffer.alloc(131_072));
    await rescan();
    expect((await disk(2)).properties['Size']).toBe(131_072n);
  });

  it('states are changed, and outlive the process', async () => {
    expect(await onDisk(1, 'Online')).toBe(0);
    expect(await onDisk(1, 'SetAttributes', { IsReadOnly: true })).toBe(0);
    expect(await onDisk(0, 'Offline')).toBe(1);
    expect(await test.client.query(V2, 'SELECT * FROM Msvm_DiskDrive')).toEqual([]);
    await test.stop();
    test = await startTestHost({ ...fibre(), stateDir: test.stateDir });
    expect((await disk(1)).properties).toMatchObject({ IsOffline: false, IsReadOnly: true });
    expect(await onDisk(1, 'Offline')).toBe(0);
    expect(await test.client.query(V2, 'SELECT * FROM Msvm_DiskDrive')).toHaveLength(1);
  });

  it('the policy says whether new disks are online', async () => {
    const setting = reference(STORAGE, 'MSFT_StorageSetting', {});
    expect((await test.client.invoke(setting, 'Set', { NewDiskPolicy: 9 })).returnValue).toBe(5);
    expect((await test.client.invoke(setting, 'Set', { NewDiskPolicy: 1 })).returnValue).toBe(0);
    writeFileSync(fileOf(2), Buffer.alloc(131_072));
    await rescan();
    expect((await disk(1)).properties['IsOffline']).toBe(true);
    expect((await disk(2)).properties['IsOffline']).toBe(false);
  });

  it('the adapter tells its names and which disk is which unit', async () => {
    const port = first(await test.client.query('root/wmi', 'SELECT * FROM MSFC_FibrePortHBAAttributes'));
    expect(port.instance.properties['Attributes']).toMatchObject({
      properties: { PortWWN: [33, 0, 0, 0, 0, 0, 0, 1], PortState: 2 },
    });
    const info = first(await test.client.query('root/wmi', 'SELECT * FROM MSFC_HBAFCPInfo'));
    const { out } = await test.client.invoke(info.reference, 'GetFcpTargetMapping', {
      HbaPortWWN: [...Buffer.from(PORT, 'hex')],
      InEntryCount: 10,
    });
    expect(out).toMatchObject({ HBAStatus: 0, OutEntryCount: 1 });
    expect(inspect(out['Entry'], { depth: 9 })).toContain('PHYSICALDRIVE1');
  });

  it('a host without the feature has none', async () => {
    const feature = 'SELECT * FROM Win32_ServerFeature WHERE ID = 57';
    expect(await test.client.query(CIMV2, feature)).toHaveLength(1);
    await test.stop();
    test = await startTestHost({ ...fibre(false), stateDir: test.stateDir });
    expect(await test.client.query(CIMV2, feature)).toEqual([]);
  });

  it('a number is kept while the disk is known, and the lowest free one is given', () => {
    const state = { offline: true, readOnly: false };
    const known = [
      { key: 'a', number: 1, ...state },
      { key: 'b', number: 2, ...state },
    ];
    const unit = {
      lun: 0,
      vendor: '',
      product: '',
      revision: '',
      serialNumber: '',
      uniqueId: '',
      uniqueIdFormat: 0,
      sizeBytes: 0,
      sectorBytes: 512,
      physicalSectorBytes: 512,
    };
    const paths = ['b', 'c', 'd'].map((key) => ({
      key,
      unit,
      source: { kind: 'file', path: '' } as const,
      busType: 6 as const,
      isConnected: true,
      isMultipath: false,
      targetNumber: 0,
    }));
    expect(rememberDisks(paths, known, 2).map(({ key, number }) => [key, number])).toEqual([
      ['b', 2],
      ['c', 1],
      ['d', 3],
    ]);
  });
});

describe('physical disk drives', () => {
  let built: Built;

  beforeEach(async () => {
    built = await buildMachine(test, 'vm');
  });

  it('one call attaches; the name is taken by a change, the disk can be replaced', async () => {
    const path1 = await diskPath(1);
    expect(await attach(built, '5', [path1])).toBe(0);
    const drive = first(await drives(built.id));
    expect(textsOf(drive['HostResource']).map(diskNumberOf)).toEqual([1]);
    expect(drive['ElementName']).toBe('Hard Drive');
    writeFileSync(fileOf(2), Buffer.alloc(131_072));
    await rescan();
    const path2 = await diskPath(2);
    const change = v2('Msvm_ResourceAllocationSettingData', {
      InstanceID: drive['InstanceID'] ?? null,
      ElementName: 'volume-1',
      HostResource: [path2],
    });
    expect(
      codeOf(await call(test.client, MANAGEMENT, 'ModifyResourceSettings', { ResourceSettings: [change] })),
    ).toBe(0);
    const changed = first(await drives(built.id));
    expect(changed['ElementName']).toBe('volume-1');
    expect(textsOf(changed['HostResource']).map(diskNumberOf)).toEqual([2]);
  });

  it.each<[string, number, string, (real: string) => CimValue]>([
    ['two disks', 32773, '5', (real) => [real, real]],
    ['none', 32773, '5', () => []],
    ['a path to something else', 32773, '5', () => [String.raw`C:\disks\a.vhdx`]],
    ['a disk that is not there', 32773, '5', (real) => [real.replace(/\\1"/, '\\9"')]],
    ["the system's disk", 32773, '5', (real) => [real.replace(/\\1"/, '\\0"')]],
    ['a slot that is taken', 32773, '0', (real) => [real]],
    ['a slot that there is not', 32773, '64', (real) => [real]],
  ])('%s is refused', async (_, code, slot, resource) => {
    expect(await attach(built, slot, resource(await diskPath(1)))).toBe(code);
    expect(await drives(built.id)).toEqual([]);
  });

  it('a disk that is online, or that another machine has, is refused', async () => {
    const path1 = await diskPath(1);
    await onDisk(1, 'Online');
    expect(await attach(built, '5', [path1])).toBe(32773);
    await onDisk(1, 'Offline');
    const other = await buildMachine(test, 'other');
    expect(await attach(other, '5', [path1])).toBe(0);
    expect(await attach(built, '5', [path1])).toBe(32774);
    expect(await attach(other, '6', [path1])).toBe(32774);
  });

  it('a running machine gets and gives it back; its guest is told of growth; the host cannot take it', async () => {
    expect(await power(test, built.id, 2)).toBe(0);
    expect(await attach(built, '5', [await diskPath(1)])).toBe(0);
    expect(test.engine.calls.at(-1)).toBe(`attachDrive ${built.id} scsi-0-5`);
    expect(await onDisk(1, 'Online')).toBe(4);
    truncateSync(fileOf(1), 131_072);
    expect(await onDisk(1, 'Refresh')).toBe(0);
    expect(test.engine.calls.at(-1)).toBe(`refreshDriveSize ${built.id} scsi-0-5 131072`);
    const drive = first(await drives(built.id));
    const id = textOf(drive['InstanceID']);
    const removed = await call(test.client, MANAGEMENT, 'RemoveResourceSettings', {
      ResourceSettings: [settingReference('Msvm_ResourceAllocationSettingData', id)],
    });
    expect(codeOf(removed)).toBe(0);
    expect(test.engine.calls.at(-1)).toBe(`detachDrive ${built.id} scsi-0-5`);
    expect(await onDisk(1, 'Online')).toBe(0);
  });

  it('a disk that the host took back does not start with the machine', async () => {
    expect(await attach(built, '5', [await diskPath(1)])).toBe(0);
    await onDisk(1, 'Online');
    expect(await power(test, built.id, 2)).toBe(32774);
    await onDisk(1, 'Offline');
    expect(await power(test, built.id, 2)).toBe(0);
    const unit = test.engine.running.get(built.id)?.drives.find((drive) => drive.id === 'scsi-0-5')?.unit;
    expect(unit?.source).toEqual({ kind: 'file', path: fileOf(1) });
  });
});

it.each([
  [{ nodeName: 'x', portNames: [PORT] }],
  [{ nodeName: PORT, portNames: [] }],
  [{ nodeName: PORT, portNames: [PORT], units: [{ targetPortName: TARGET, lun: -1, file: '/x' }] }],
])('an adapter that cannot be is refused at the start: %j', async (fibreChannel) => {
  await expect(startTestHost({ fibreChannel })).rejects.toMatchObject({ code: 'EMULATOR_OPTION' });
});
