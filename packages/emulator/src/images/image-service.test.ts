import { copyFileSync, existsSync, mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { encodeCimXml, loadSchema } from '@nova-hyperv/wsman';
import type { CimValue } from '@nova-hyperv/wsman';
import { openDisk } from '@nova-hyperv/vhd';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { instancesOf, IMAGES, call, codeOf, first, startTestHost, succeed } from '../testing/test-host.js';
import type { TestHost } from '../testing/test-host.js';
import { v2 } from '../cim.js';
import { MIB, buildMachine, createDisk, power } from '../testing/machine-client.js';

let test: TestHost;

beforeEach(async () => {
  test = await startTestHost();
  mkdirSync(path.join(test.host.driveC, 'vms'));
});

afterEach(async () => {
  await test.close();
});

async function create(properties: Readonly<Record<string, CimValue>>): Promise<number> {
  return codeOf(
    await call(test.client, IMAGES, 'CreateVirtualHardDisk', {
      VirtualDiskSettingData: v2('Msvm_VirtualHardDiskSettingData', properties),
    }),
  );
}

async function settingsOf(file: string): Promise<Readonly<Record<string, CimValue>>> {
  const out = await succeed(test.client, IMAGES, 'GetVirtualHardDiskSettingData', { Path: file });
  return first(instancesOf(out['SettingData'])).properties;
}

async function resize(file: string, size: bigint): Promise<number> {
  return codeOf(
    await call(test.client, IMAGES, 'ResizeVirtualHardDisk', { Path: file, MaxInternalSize: size }),
  );
}

describe('CreateVirtualHardDisk', () => {
  it.each([
    [
      'a dynamic VHDX',
      { Path: String.raw`C:\vms\a.vhdx`, Type: 3, Format: 3, MaxInternalSize: 10n * MIB },
      0,
    ],
    ['a dynamic VHD', { Path: String.raw`C:\vms\a.vhd`, Type: 3, Format: 2, MaxInternalSize: 10n * MIB }, 0],
    ['a fixed VHD', { Path: String.raw`C:\vms\a.vhd`, Type: 2, Format: 2, MaxInternalSize: 4n * MIB }, 0],
    [
      'H1 another extension',
      { Path: String.raw`C:\vms\a.vhd`, Type: 3, Format: 3, MaxInternalSize: 10n * MIB },
      32773,
    ],
    [
      'H1 an unknown type',
      { Path: String.raw`C:\vms\a.vhdx`, Type: 5, Format: 3, MaxInternalSize: 10n * MIB },
      32773,
    ],
    ['a VHD set', { Path: String.raw`C:\vms\a.vhds`, Type: 3, Format: 4, MaxInternalSize: 10n * MIB }, 32770],
    [
      'H2 no parent',
      { Path: String.raw`C:\vms\a.vhdx`, Type: 4, Format: 3, ParentPath: String.raw`C:\vms\none.vhdx` },
      32779,
    ],
    [
      'H3 a VHD above 2040 GB',
      { Path: String.raw`C:\vms\a.vhd`, Type: 3, Format: 2, MaxInternalSize: 2041n * 1024n * MIB },
      32773,
    ],
    [
      'H4 a VHDX block of 3 MiB',
      {
        Path: String.raw`C:\vms\a.vhdx`,
        Type: 3,
        Format: 3,
        MaxInternalSize: 10n * MIB,
        BlockSize: 3 * 1024 * 1024,
      },
      32773,
    ],
    [
      'H5 VHD sectors of 4096',
      {
        Path: String.raw`C:\vms\a.vhd`,
        Type: 3,
        Format: 2,
        MaxInternalSize: 10n * MIB,
        LogicalSectorSize: 4096,
      },
      32773,
    ],
    [
      'a folder that is not there',
      { Path: String.raw`C:\none\a.vhdx`, Type: 3, Format: 3, MaxInternalSize: 10n * MIB },
      32779,
    ],
    ['no path', { Path: 'a.vhdx', Type: 3, Format: 3, MaxInternalSize: 10n * MIB }, 32773],
  ])('%s', async (_what, properties, code) => {
    expect(await create(properties)).toBe(code);
  });

  it('never over a file', async () => {
    const file = await createDisk(test, 'a.vhdx');
    expect(await create({ Path: file, Type: 3, Format: 3, MaxInternalSize: 10n * MIB })).toBe(32768);
  });

  it('a differencing disk has its parent by path and identifier, and may be larger', async () => {
    const parent = await createDisk(test, 'base.vhdx');
    const child = String.raw`C:\vms\child.vhdx`;
    expect(
      await create({ Path: child, Type: 4, Format: 3, ParentPath: parent, MaxInternalSize: 128n * MIB }),
    ).toBe(0);
    const [own, above] = [await settingsOf(child), await settingsOf(parent)];
    expect(own).toMatchObject({ Type: 4, Format: 3, ParentPath: parent, MaxInternalSize: 128n * MIB });
    expect(above['MaxInternalSize']).toBe(64n * MIB);
    expect(await create({ Path: String.raw`C:\vms\b.vhd`, Type: 4, Format: 2, ParentPath: parent })).toBe(
      32773,
    );
  });

  it('create-differencing-with-size: refused where told so', async () => {
    await test.close();
    test = await startTestHost({ refuse: ['create-differencing-with-size'] });
    const parent = await createDisk(test, 'base.vhdx');
    const child = { Path: String.raw`C:\vms\child.vhdx`, Type: 4, Format: 3, ParentPath: parent };
    expect(await create({ ...child, MaxInternalSize: 128n * MIB })).toBe(32773);
    expect(await create(child)).toBe(0);
  });
});

describe('ResizeVirtualHardDisk', () => {
  it('makes larger; not smaller than its partitions need', async () => {
    const file = await createDisk(test, 'a.vhdx');
    expect(await resize(file, 128n * MIB)).toBe(0);
    expect((await settingsOf(file))['MaxInternalSize']).toBe(128n * MIB);
    expect(await resize(file, 64n * MIB)).toBe(32773);
    const disk = await openDisk(path.join(test.host.driveC, 'vms', 'a.vhdx'));
    const sector = Buffer.alloc(512);
    sector.writeUInt8(0x83, 446 + 4);
    sector.writeUInt32LE(2048, 446 + 8);
    sector.writeUInt32LE(2048, 446 + 12);
    sector.writeUInt16LE(0xaa55, 510);
    await disk.write(sector, 0);
    await disk.close();
    const out = await succeed(test.client, IMAGES, 'GetVirtualHardDiskState', { Path: file });
    expect(first(instancesOf(out['State'])).properties).toMatchObject({
      InUse: false,
      MinInternalSize: 2n * MIB,
    });
  });

  it('makes a VHDX smaller, to the end of its last partition', async () => {
    const file = await createDisk(test, 'a.vhdx');
    const local = path.join(test.host.driveC, 'vms', 'a.vhdx');
    const disk = await openDisk(local);
    const sector = Buffer.alloc(512);
    sector.writeUInt8(0x83, 446 + 4);
    sector.writeUInt32LE(2048, 446 + 8);
    sector.writeUInt32LE(2048, 446 + 12);
    sector.writeUInt16LE(0xaa55, 510);
    await disk.write(sector, 0);
    await disk.close();
    expect(await resize(file, MIB)).toBe(32773);
    expect(await resize(file, 2n * MIB)).toBe(0);
    expect((await settingsOf(file))['MaxInternalSize']).toBe(2n * MIB);
    const vhd = await createDisk(test, 'a.vhd');
    expect(await resize(vhd, 2n * MIB)).toBe(32773);
  });

  it('not a differencing VHD', async () => {
    const parent = await createDisk(test, 'base.vhd');
    expect(await create({ Path: String.raw`C:\vms\c.vhd`, Type: 4, Format: 2, ParentPath: parent })).toBe(0);
    expect(await resize(String.raw`C:\vms\c.vhd`, 128n * MIB)).toBe(32773);
  });

  it('a VHDX on SCSI grows while its machine runs, and says that it is in use', async () => {
    const { id } = await buildMachine(test, 'vm');
    await power(test, id, 2);
    const file = String.raw`C:\vms\vm.vhdx`;
    expect(await resize(file, 128n * MIB)).toBe(0);
    expect(test.engine.calls.at(-1)).toBe(`refreshDriveSize ${id} scsi-0-0 ${128n * MIB}`);
    const out = await succeed(test.client, IMAGES, 'GetVirtualHardDiskState', { Path: file });
    expect(first(instancesOf(out['State'])).properties['InUse']).toBe(true);
    expect(await resize(file, 32n * MIB)).toBe(32774);
  });
});

describe('other methods', () => {
  it('ConvertVirtualHardDisk, whose settings are a plain string in the documentation, makes another format and leaves the source', async () => {
    const source = await createDisk(test, 'a.vhdx');
    const target = v2('Msvm_VirtualHardDiskSettingData', {
      Path: String.raw`C:\vms\b.vhd`,
      Type: 3,
      Format: 2,
      ParentPath: '',
      BlockSize: 0,
      LogicalSectorSize: 0,
    });
    const outcome = await call(test.client, IMAGES, 'ConvertVirtualHardDisk', {
      SourcePath: source,
      VirtualDiskSettingData: encodeCimXml(target, loadSchema()),
    });
    expect(codeOf(outcome)).toBe(0);
    expect(outcome.job?.className).toBe('Msvm_StorageJob');
    expect(await settingsOf(String.raw`C:\vms\b.vhd`)).toMatchObject({
      Format: 2,
      MaxInternalSize: 64n * MIB,
    });
    expect(existsSync(path.join(test.host.driveC, 'vms', 'a.vhdx'))).toBe(true);
  });

  it.each(['BlockSize', 'LogicalSectorSize'])('ConvertVirtualHardDisk needs %s', async (name) => {
    const source = await createDisk(test, 'a.vhdx');
    const all = { Path: String.raw`C:\vms\b.vhd`, Type: 3, Format: 2, BlockSize: 0, LogicalSectorSize: 0 };
    const settings = v2('Msvm_VirtualHardDiskSettingData', { ...all, [name]: null });
    const parameters = { SourcePath: source, VirtualDiskSettingData: encodeCimXml(settings, loadSchema()) };
    expect(codeOf(await call(test.client, IMAGES, 'ConvertVirtualHardDisk', parameters))).toBe(32773);
  });

  it('ValidateVirtualHardDisk fails the job for a file that is none', async () => {
    const file = await createDisk(test, 'a.vhdx');
    expect(codeOf(await call(test.client, IMAGES, 'ValidateVirtualHardDisk', { Path: file }))).toBe(0);
    writeFileSync(path.join(test.host.driveC, 'vms', 'b.vhdx'), 'no disk');
    expect(
      codeOf(await call(test.client, IMAGES, 'ValidateVirtualHardDisk', { Path: String.raw`C:\vms\b.vhdx` })),
    ).toBe(32768);
    copyFileSync(path.join(test.host.driveC, 'vms', 'a.vhdx'), path.join(test.host.driveC, 'vms', 'c.vhdx'));
    truncateSync(path.join(test.host.driveC, 'vms', 'c.vhdx'), 100_000);
    expect(
      codeOf(await call(test.client, IMAGES, 'ValidateVirtualHardDisk', { Path: String.raw`C:\vms\c.vhdx` })),
    ).not.toBe(0);
  });

  it('those that are not served say so', async () => {
    const outcome = await test.client.invoke(IMAGES, 'AttachVirtualHardDisk', {
      Path: String.raw`C:\vms\a.vhdx`,
    });
    expect(outcome.returnValue).toBe(32770);
  });
});
