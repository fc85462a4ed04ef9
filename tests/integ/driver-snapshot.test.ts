import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SnapshotRequest } from '@nova-hyperv/driver';
import { observe } from '@nova-hyperv/driver';
import { openDisk } from '@nova-hyperv/vhd';
import { afterEach, describe, expect, it } from 'vitest';
import {
  diskImage,
  FileImages,
  filesLeft,
  testImage,
  spawnRequest,
  startTestHost,
  testInstance,
} from '../support/driver-host.js';
import type { TestHost, TestHostOptions } from '../support/driver-host.js';
import { runOk } from '../support/run.js';
import { wrapped } from '../support/wrapped-client.js';

let test: TestHost;
afterEach(() => test.close());

const OFF = { timeoutSeconds: 0 };
const IMAGE = '44444444-0000-4000-8000-000000000001';

async function start(generation: 1 | 2, options: TestHostOptions = {}): Promise<void> {
  test = await startTestHost(options);
  const images = await diskImage(test.folder, generation === 2 ? 'vhdx' : 'vhd');
  await test.driver.spawn(spawnRequest(images, { generation }));
}

/** The instance's files, and its machine's checkpoints and disks. */
async function state(): Promise<unknown> {
  const [machine] = await test.host.machines.findByName(testInstance(1).name);
  if (machine === undefined) throw new Error('no machine');
  const { drives } = await observe(test.host, machine);
  return {
    files: await filesLeft(test.instances),
    checkpoints: await test.host.checkpoints.list(machine),
    disks: drives.map(({ image }) => image?.path),
    state: await test.host.power.state(machine),
  };
}

const request = (upload: SnapshotRequest['upload']): SnapshotRequest => ({
  instance: testInstance(1),
  imageId: IMAGE,
  upload,
});

/** Writes a text into the root disk of the instance, which is off. */
async function write(extension: string, text: string): Promise<void> {
  const disk = await openDisk(join(test.instances, testInstance(1).name, `root.${extension}`), {
    resolveParent: (locator) => join(test.instances, '_base', locator.split('\\').at(-1) ?? ''),
  });
  await disk.write(Buffer.from(text.padEnd(512)), 1024 * 1024);
  await disk.close();
}

async function read(file: string): Promise<string> {
  const disk = await openDisk(file, { readOnly: true });
  const bytes = Buffer.alloc(512);
  await disk.read(bytes, 1024 * 1024);
  await disk.close();
  return bytes.toString().trim();
}

describe.each([
  [1, 'vhd'],
  [2, 'vhdx'],
] as const)('a snapshot of a generation %i instance', (generation, extension) => {
  it('is one disk that stands alone, and leaves the instance as it was, off or running', async () => {
    await start(generation);
    await test.driver.powerOff(testInstance(1), OFF);
    await write(extension, 'written before');
    const kept = join(test.folder, `kept.${extension}`);
    const keep: SnapshotRequest['upload'] = async ({ localPath, diskFormat }) => {
      expect(diskFormat).toBe(extension);
      await copyFile(localPath, kept);
    };
    const off = await state();
    await test.driver.snapshot(request(keep));
    expect(await state()).toEqual(off);
    expect(await read(kept)).toBe('written before');
    await test.driver.powerOn(testInstance(1));
    const running = await state();
    await test.driver.snapshot(request(keep));
    expect(await state()).toEqual(running);
    expect(await read(kept)).toBe('written before');
    const info = JSON.parse(await runOk('qemu-img', ['info', '--output=json', kept])) as {
      'backing-filename'?: string;
    };
    expect(info['backing-filename']).toBeUndefined();
    // The image fits into the flavor that it comes from.
    const copy = { number: 2, image: testImage(generation, { id: IMAGE }), generation };
    await test.driver.spawn(spawnRequest(new FileImages(kept), copy));
  });
});

describe('a snapshot that fails', () => {
  it('while it is uploaded leaves nothing, and the next one works', async () => {
    await start(2);
    const before = await state();
    const failing = request(() => Promise.reject(new Error('Glance is away')));
    await expect(test.driver.snapshot(failing)).rejects.toThrow('Glance is away');
    expect(await state()).toEqual(before);
    await test.driver.snapshot(request(async () => undefined));
    expect(await state()).toEqual(before);
  });

  it('because the host refuses leaves nothing', async () => {
    await start(2);
    const before = await state();
    const refusing = await test.connect((client) => ({
      ...wrapped(client),
      invoke: async (reference, method, parameters, options) =>
        method === 'ConvertVirtualHardDisk'
          ? { returnValue: 32768, out: {} }
          : await client.invoke(reference, method, parameters, options),
    }));
    await expect(refusing.driver.snapshot(request(async () => undefined))).rejects.toThrow();
    expect(await state()).toEqual(before);
  });

  it('because its service was killed is cleaned up by the next start, once and again', async () => {
    await start(2);
    const before = await state();
    // Killed while it converts: the promise never settles, and what it made stays.
    const dead = await test.connect((client) => ({
      ...wrapped(client),
      invoke: (reference, method, parameters, options) =>
        method === 'ConvertVirtualHardDisk'
          ? new Promise<never>(() => undefined)
          : client.invoke(reference, method, parameters, options),
    }));
    void dead.driver.snapshot(request(async () => undefined)).catch(() => undefined);
    await expect.poll(async () => ((await state()) as { checkpoints: unknown[] }).checkpoints.length).toBe(1);
    await test.driver.cleanUpSnapshot(testInstance(1));
    expect(await state()).toEqual(before);
    await test.driver.cleanUpSnapshot(testInstance(1));
    expect(await state()).toEqual(before);
  });
});

it('a checkpoint of somebody else stays', async () => {
  await start(2);
  const [machine] = await test.host.machines.findByName(testInstance(1).name);
  await test.host.checkpoints.create(machine!);
  const before = await state();
  await test.driver.cleanUpSnapshot(testInstance(1));
  expect(await state()).toEqual(before);
});
