import { copyFileSync, existsSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { openDisk, recoverDisk } from '@nova-hyperv/vhd';
import type { CimValue } from '@nova-hyperv/wsman';
import { afterEach, describe, expect, it } from 'vitest';
import { CIMV2, reference, textOf, v2 } from './cim.js';
import { createNoneEngine } from './engine/index.js';
import { systemReference } from './machines/model.js';
import { MIB, buildMachine, createDisk, power, stateOf } from './testing/machine-client.js';
import type { Built } from './testing/machine-client.js';
import { IMAGES, call, codeOf, startTestHost, succeed } from './testing/test-host.js';
import type { TestHost } from './testing/test-host.js';

let test: TestHost;

afterEach(async () => {
  await test.close();
});

async function start(options: Parameters<typeof startTestHost>[0] = {}): Promise<void> {
  test = await startTestHost({ createEngine: createNoneEngine, ...options });
}

function local(windowsPath: string): string {
  return path.join(test.host.driveC, ...windowsPath.split('\\').slice(1));
}

async function image(method: string, parameters: Readonly<Record<string, CimValue>>): Promise<number> {
  return codeOf(await call(test.client, IMAGES, method, parameters));
}

async function createChild(parent: string, name: string): Promise<string> {
  const file = `C:\\vms\\${name}`;
  const settings = { Path: file, ParentPath: parent, Type: 4, Format: 3 };
  await succeed(test.client, IMAGES, 'CreateVirtualHardDisk', {
    VirtualDiskSettingData: v2('Msvm_VirtualHardDiskSettingData', settings),
  });
  return file;
}

interface Chained extends Built {
  readonly parent: string;
  readonly child: string;
}

/** A machine with a differencing disk. */
async function chainedMachine(name: string): Promise<Chained> {
  const parent = await createDisk(test, `${name}-base.vhdx`);
  const child = await createChild(parent, `${name}.vhdx`);
  return { ...(await buildMachine(test, name, { AutomaticStartupAction: 2 }, child)), parent, child };
}

/** How starting a machine ended: the code and the text. */
async function startOf(id: string): Promise<{ code: number; text: string }> {
  const outcome = await call(test.client, systemReference(id), 'RequestStateChange', { RequestedState: 2 });
  return { code: codeOf(outcome), text: textOf(outcome.job?.properties['ErrorDescription']) };
}

async function fileMethod(method: string, name: string, target?: string): Promise<number> {
  const className = method === 'RenameFolder' ? 'Win32_Directory' : 'CIM_DataFile';
  const parameters = target === undefined ? {} : { FileName: target };
  const answer = await test.client.invoke(
    reference(CIMV2, className, { Name: name }),
    method === 'RenameFolder' ? 'Rename' : method,
    parameters,
  );
  return answer.returnValue;
}

/** Leaves the file as a process does that is killed after it wrote to the disk. */
async function killWriterOf(windowsPath: string): Promise<void> {
  const disk = await openDisk(local(windowsPath));
  await disk.write(Buffer.alloc(4096, 7), 33 * 1024 * 1024);
  copyFileSync(local(windowsPath), `${local(windowsPath)}.copy`);
  await disk.close();
  renameSync(`${local(windowsPath)}.copy`, local(windowsPath));
}

describe('a differencing disk', () => {
  it('finds its parent by the relative path when the folder has moved', async () => {
    await start();
    const { id, child } = await chainedMachine('moved');
    renameSync(local(String.raw`C:\vms`), local(String.raw`C:\elsewhere`));
    const moved = child.replace('vms', 'elsewhere');
    const { id: other } = await buildMachine(test, 'other', {}, moved);
    expect(await startOf(other)).toStrictEqual({ code: 0, text: '' });
    expect((await startOf(id)).code).toBe(32779);
  });

  it("C9: of a missing parent can be added and fails at the start, told in the host's paths", async () => {
    await start();
    const { id, parent } = await chainedMachine('orphan');
    rmSync(local(parent));
    const { code, text } = await startOf(id);
    expect(code).toBe(32779);
    expect(text).toContain(String.raw`C:\vms\orphan`);
    expect(text).not.toContain(test.host.driveC);
    expect(await stateOf(test, id)).toBe(3);
  });

  it('fails at the start when its parent was changed', async () => {
    await start();
    const { id, parent } = await chainedMachine('stale');
    const disk = await openDisk(local(parent));
    await disk.write(Buffer.alloc(4096, 1), 0);
    await disk.close();
    expect((await startOf(id)).code).toBe(32768);
  });

  it('starts when a killed process left the log of its parent behind', async () => {
    await start();
    const base = await createDisk(test, 'base.vhdx');
    await killWriterOf(base);
    const child = await createChild(base, 'child.vhdx');
    const { id } = await buildMachine(test, 'killed', {}, child);
    await expect(openDisk(local(base), { readOnly: true })).rejects.toMatchObject({
      code: 'VHD_LOG_NEEDS_REPLAY',
    });
    expect(await startOf(id)).toStrictEqual({ code: 0, text: '' });
  });

  it('is in order with its parents once the host has started again', async () => {
    await start();
    const base = await createDisk(test, 'base.vhdx');
    await killWriterOf(base);
    const child = await createChild(base, 'child.vhdx');
    await buildMachine(test, 'killed', { AutomaticStartupAction: 2 }, child);
    const { stateDir } = test;
    await test.stop();
    test = await startTestHost({ stateDir, createEngine: createNoneEngine });
    expect(await recoverDisk(local(base))).toBe(false);
  });

  it('is validated, converted and told of after a killed process', async () => {
    await start();
    const base = await createDisk(test, 'base.vhdx');
    for (const [name, method, parameters] of [
      ['validated', 'ValidateVirtualHardDisk', { Path: base }],
      ['told of', 'GetVirtualHardDiskState', { Path: base }],
      [
        'converted',
        'ConvertVirtualHardDisk',
        {
          SourcePath: base,
          VirtualDiskSettingData: v2('Msvm_VirtualHardDiskSettingData', {
            Path: String.raw`C:\vms\c.vhd`,
            Type: 3,
            Format: 2,
            ParentPath: '',
            BlockSize: 0,
            LogicalSectorSize: 0,
          }),
        },
      ],
    ] as const) {
      await killWriterOf(base);
      expect([name, await image(method, parameters)]).toStrictEqual([name, 0]);
      expect(await recoverDisk(local(base))).toBe(false);
    }
  });

  it('twenty machines start at once on one parent', async () => {
    await start();
    const base = await createDisk(test, 'base.vhdx');
    const ids: string[] = [];
    for (let number = 0; number < 20; number += 1) {
      const child = await createChild(base, `${number}.vhdx`);
      ids.push((await buildMachine(test, `${number}`, {}, child)).id);
    }
    expect(await Promise.all(ids.map((id) => power(test, id, 2)))).toStrictEqual(ids.map(() => 0));
  }, 60_000);
});

describe('files of a running machine', () => {
  it('a parent is not changed, moved or deleted, nor another machine’s disk', async () => {
    await start();
    const { id, parent, child } = await chainedMachine('user');
    const { id: other } = await buildMachine(test, 'other', {}, parent);
    expect(await power(test, id, 2)).toBe(0);
    expect(await fileMethod('Delete', parent)).toBe(15);
    expect(await fileMethod('Rename', parent, String.raw`C:\vms\new.vhdx`)).toBe(15);
    expect(await fileMethod('RenameFolder', String.raw`C:\vms`, String.raw`C:\new`)).toBe(15);
    expect(await image('ResizeVirtualHardDisk', { Path: parent, MaxInternalSize: 128n * MIB })).toBe(32774);
    expect(await power(test, other, 2)).toBe(32774);
    expect(await power(test, id, 3)).toBe(0);
    expect(await fileMethod('RenameFolder', String.raw`C:\vms`, String.raw`C:\new`)).toBe(0);
    expect(existsSync(local(child))).toBe(false);
  });

  it('its disk is not validated and gets no children', async () => {
    await start();
    const { id } = await buildMachine(test, 'user');
    expect(await power(test, id, 2)).toBe(0);
    const disk = String.raw`C:\vms\user.vhdx`;
    expect(await image('ValidateVirtualHardDisk', { Path: disk })).toBe(32774);
    const child = { Path: String.raw`C:\vms\c.vhdx`, ParentPath: disk, Type: 4, Format: 3 };
    expect(
      await image('CreateVirtualHardDisk', {
        VirtualDiskSettingData: v2('Msvm_VirtualHardDiskSettingData', child),
      }),
    ).toBe(32774);
    expect(existsSync(local(String.raw`C:\vms\c.vhdx`))).toBe(false);
  });
});

describe('files of a running job', () => {
  it('are in use until the job is over', async () => {
    let open: (() => void) | undefined;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    let held: string | undefined = '';
    await start({
      pace: (job) => {
        held ??= job;
        return job === held ? gate : Promise.resolve();
      },
    });
    const { id } = await buildMachine(test, 'vm');
    const disk = String.raw`C:\vms\vm.vhdx`;
    held = undefined;
    const resizing = image('ResizeVirtualHardDisk', { Path: disk, MaxInternalSize: 128n * MIB });
    await expect.poll(() => held).toBeDefined();
    expect(await power(test, id, 2)).toBe(32774);
    expect(await fileMethod('Delete', disk)).toBe(15);
    expect(await fileMethod('RenameFolder', String.raw`C:\vms`, String.raw`C:\new`)).toBe(15);
    expect(await image('ValidateVirtualHardDisk', { Path: disk })).toBe(32774);
    open?.();
    expect(await resizing).toBe(0);
    expect(await power(test, id, 2)).toBe(0);
  });
});

describe('a disk file that is gone when the host starts', () => {
  it('leaves the machine off, and it starts when the file is back', async () => {
    await start();
    const { id } = await buildMachine(test, 'vm', { AutomaticStartupAction: 3 });
    expect(await power(test, id, 2)).toBe(0);
    const { stateDir } = test;
    await test.stop();
    const disk = path.join(stateDir, 'C', 'vms', 'vm.vhdx');
    renameSync(disk, `${disk}.away`);
    test = await startTestHost({ stateDir, createEngine: createNoneEngine });
    await expect.poll(() => stateOf(test, id)).toBe(3);
    expect((await startOf(id)).code).toBe(32779);
    renameSync(`${disk}.away`, disk);
    expect((await startOf(id)).code).toBe(0);
  });
});
