import { mkdirSync, renameSync, statSync } from 'node:fs';
import path from 'node:path';
import { openDisk } from '@nova-hyperv/vhd';
import type { Disk } from '@nova-hyperv/vhd';
import type { CimValue } from '@nova-hyperv/wsman';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { v2 } from '../cim.js';
import { parentResolver } from '../machines/parent-resolver.js';
import { DrivePaths } from '../paths.js';
import { MIB, buildMachine, createDisk, power } from '../testing/machine-client.js';
import { IMAGES, call, codeOf, first, instancesOf, startTestHost, succeed } from '../testing/test-host.js';
import type { TestHost } from '../testing/test-host.js';

let test: TestHost;

beforeEach(async () => {
  test = await startTestHost();
  mkdirSync(path.join(test.host.driveC, 'vms'));
});

afterEach(async () => {
  await test.close();
});

function paths(): DrivePaths {
  return new DrivePaths(test.host.driveC);
}

async function invoke(method: string, parameters: Readonly<Record<string, CimValue>>): Promise<number> {
  return codeOf(await call(test.client, IMAGES, method, parameters));
}

async function settingsOf(file: string): Promise<Readonly<Record<string, CimValue>>> {
  const out = await succeed(test.client, IMAGES, 'GetVirtualHardDiskSettingData', { Path: file });
  return first(instancesOf(out['SettingData'])).properties;
}

async function createChild(name: string, parent: string): Promise<string> {
  const file = `C:\\vms\\${name}`;
  const settings = { Path: file, Type: 4, Format: name.endsWith('.vhd') ? 2 : 3, ParentPath: parent };
  await succeed(test.client, IMAGES, 'CreateVirtualHardDisk', {
    VirtualDiskSettingData: v2('Msvm_VirtualHardDiskSettingData', settings),
  });
  return file;
}

async function withDisk<T>(file: string, work: (disk: Disk) => Promise<T>): Promise<T> {
  const disk = await openDisk(paths().toLocal(file), { resolveParent: parentResolver(paths()) });
  try {
    return await work(disk);
  } finally {
    await disk.close();
  }
}

function write(file: string, value: number, offset: number): Promise<void> {
  return withDisk(file, (disk) => disk.write(Buffer.alloc(4096, value), offset));
}

function merge(SourcePath: string, DestinationPath: string): Promise<number> {
  return invoke('MergeVirtualHardDisk', { SourcePath, DestinationPath });
}

function reconnect(ChildPath: string, ParentPath: string, IgnoreIDMismatch = false): Promise<number> {
  return invoke('SetParentVirtualHardDisk', { ChildPath, ParentPath, LeafPath: null, IgnoreIDMismatch });
}

function change(properties: Readonly<Record<string, CimValue>>): Promise<number> {
  return invoke('SetVirtualHardDiskSettingData', {
    VirtualDiskSettingData: v2('Msvm_VirtualHardDiskSettingData', properties),
  });
}

function byteAt(file: string, offset: number): Promise<number | undefined> {
  return withDisk(file, async (disk) => {
    const byte = Buffer.alloc(1);
    await disk.read(byte, offset);
    return byte[0];
  });
}

describe('MergeVirtualHardDisk', () => {
  it.each(['vhdx', 'vhd'])(
    'brings a chain of %s into an ancestor, and leaves the merged file',
    async (format) => {
      const base = await createDisk(test, `base.${format}`);
      await write(base, 1, 0);
      const middle = await createChild(`middle.${format}`, base);
      await write(middle, 2, 8192);
      const top = await createChild(`top.${format}`, middle);
      await write(top, 3, 16384);
      const parameters = { SourcePath: top, DestinationPath: base };
      expect(await invoke('MergeVirtualHardDisk', parameters)).toBe(0);
      const merged = [await byteAt(base, 0), await byteAt(base, 8192), await byteAt(base, 16384)];
      expect(merged).toEqual([1, 2, 3]);
      expect(await byteAt(top, 16384)).toBe(3);
    },
  );

  it('refuses what has no such parent, and chains in use', async () => {
    const [base, other] = [await createDisk(test, 'base.vhdx'), await createDisk(test, 'other.vhdx')];
    const child = await createChild('child.vhdx', base);
    const none = String.raw`C:\vms\none.vhdx`;
    expect(await merge(base, other)).toBe(32773);
    expect(await merge(child, other)).toBe(32773);
    expect(await merge(child, child)).toBe(32773);
    expect(await merge(child, none)).toBe(32779);
    expect(await merge(none, base)).toBe(32779);
    const sibling = await createChild('sibling.vhdx', base);
    const { id } = await buildMachine(test, 'vm', {}, sibling);
    await power(test, id, 2);
    expect(await merge(child, base)).toBe(32774);
  });
});

describe('CompactVirtualHardDisk', () => {
  it.each(['vhdx', 'vhd'])('gives space of a dynamic %s back', async (format) => {
    const file = await createDisk(test, `a.${format}`);
    await withDisk(file, (disk) => disk.write(Buffer.alloc(Number(60n * MIB)), 0));
    const local = paths().toLocal(file);
    const before = statSync(local).size;
    await write(file, 7, Number(50n * MIB));
    expect(await invoke('CompactVirtualHardDisk', { Path: file, Mode: 1 })).toBe(0);
    expect(statSync(local).size).toBeLessThan(before / 1.5);
    expect(await byteAt(file, Number(50n * MIB))).toBe(7);
  });

  it('takes a fixed VHDX and refuses a fixed VHD, unknown modes and files in use', async () => {
    for (const [format, code] of [
      ['vhdx', 0],
      ['vhd', 32773],
    ] as const) {
      const Path = `C:\\vms\\fixed.${format}`;
      const settings = { Path, Type: 2, Format: format === 'vhd' ? 2 : 3, MaxInternalSize: 4n * MIB };
      await succeed(test.client, IMAGES, 'CreateVirtualHardDisk', {
        VirtualDiskSettingData: v2('Msvm_VirtualHardDiskSettingData', settings),
      });
      expect(await invoke('CompactVirtualHardDisk', { Path, Mode: 0 })).toBe(code);
      expect(await invoke('CompactVirtualHardDisk', { Path, Mode: 5 })).toBe(32773);
    }
    const { id } = await buildMachine(test, 'vm');
    await power(test, id, 2);
    expect(await invoke('CompactVirtualHardDisk', { Path: String.raw`C:\vms\vm.vhdx`, Mode: 0 })).toBe(32774);
    expect(await invoke('CompactVirtualHardDisk', { Path: String.raw`C:\vms\none.vhdx`, Mode: 0 })).toBe(
      32779,
    );
  });
});

describe('SetParentVirtualHardDisk', () => {
  it('finds a parent that was moved, and refuses another unless forced', async () => {
    const [base, other] = [await createDisk(test, 'base.vhdx'), await createDisk(test, 'other.vhdx')];
    await write(base, 5, 0);
    await write(other, 6, 0);
    const child = await createChild('child.vhdx', base);
    const moved = String.raw`C:\moved.vhdx`;
    renameSync(paths().toLocal(base), paths().toLocal(moved));
    expect(await reconnect(child, base)).toBe(32779);
    expect(await reconnect(child, moved)).toBe(0);
    expect(await settingsOf(child)).toMatchObject({ ParentPath: moved });
    expect(await byteAt(child, 0)).toBe(5);
    expect(await reconnect(child, other)).toBe(32768);
    expect(await reconnect(child, other, true)).toBe(0);
    expect(await byteAt(child, 0)).toBe(6);
  });

  it('refuses circles, disks without a parent, and files in use', async () => {
    const base = await createDisk(test, 'base.vhdx');
    const child = await createChild('child.vhdx', base);
    const grandchild = await createChild('grandchild.vhdx', child);
    expect(await reconnect(child, child)).toBe(32773);
    expect(await reconnect(child, grandchild, true)).toBe(32773);
    expect(await reconnect(base, child)).toBe(32773);
    const { id } = await buildMachine(test, 'vm', {}, grandchild);
    await power(test, id, 2);
    expect(await reconnect(child, base)).toBe(32774);
  });
});

describe('SetVirtualHardDiskSettingData', () => {
  it('changes one of parent, physical sector size and identifier', async () => {
    const base = await createDisk(test, 'base.vhdx');
    const child = await createChild('child.vhdx', base);
    const VirtualDiskId = '0F1E2D3C-4B5A-6978-8796-A5B4C3D2E1F0';
    expect(await change({ Path: child, VirtualDiskId })).toBe(0);
    expect(await change({ Path: child, PhysicalSectorSize: 512 })).toBe(0);
    expect(await settingsOf(child)).toMatchObject({
      VirtualDiskId,
      PhysicalSectorSize: 512,
      ParentPath: base,
    });
    const moved = String.raw`C:\moved.vhdx`;
    renameSync(paths().toLocal(base), paths().toLocal(moved));
    expect(await change({ Path: child, ParentPath: moved })).toBe(0);
    expect(await settingsOf(child)).toMatchObject({ ParentPath: moved });
  });

  it('refuses none and several at once, and what the format does not have', async () => {
    const file = await createDisk(test, 'a.vhd');
    expect(await change({ Path: file })).toBe(32773);
    expect(await change({ Path: file, PhysicalSectorSize: 512, VirtualDiskId: file })).toBe(32773);
    expect(await change({ Path: file, PhysicalSectorSize: 4096 })).toBe(32773);
    expect(await change({ Path: file, VirtualDiskId: 'none' })).toBe(32773);
  });
});
