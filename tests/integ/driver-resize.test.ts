import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { observe, specOf } from '@nova-hyperv/driver';
import type { Flavor, MigrationRequest, VmSpec } from '@nova-hyperv/driver';
import { STATE } from '@nova-hyperv/hyperv';
import { inspect, openDisk } from '@nova-hyperv/vhd';
import type { Disk } from '@nova-hyperv/vhd';
import { WsmanFault, WsmanTransportError } from '@nova-hyperv/wsman';
import type { WsmanClient } from '@nova-hyperv/wsman';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  diskImage,
  MIB,
  spawnRequest,
  startTestHost,
  testImage,
  testInstance,
  testVif,
} from '../support/driver-host.js';
import type { TestHost } from '../support/driver-host.js';

const OFF_AT_ONCE = { timeoutSeconds: 0 };

let test: TestHost;
beforeEach(async () => {
  test = await startTestHost();
});
afterEach(() => test.close());

interface Seen {
  readonly spec: VmSpec;
  readonly state: number | undefined;
  readonly files: Readonly<Record<string, string>>;
}

const instanceOf = (flavor: Partial<Flavor> = {}) => testInstance(1, flavor);

async function machineOf() {
  const [machine] = await test.host.machines.findByName(instanceOf().name);
  if (machine === undefined) throw new Error('there is no machine');
  return machine;
}

/** Settings, power state and every byte of every disk: what a revert has to give back. */
async function see(): Promise<Seen> {
  const machine = await machineOf();
  const spec = specOf(await observe(test.host, machine), {
    nics: [testVif(1)],
  });
  const folder = join(test.instances, instanceOf().name);
  const files: Record<string, string> = {};
  for (const name of (await readdir(folder)).filter((file) => /\.vhdx?$/.test(file))) {
    files[name] = createHash('sha256')
      .update(await readFile(join(folder, name)))
      .digest('hex');
  }
  return { spec, state: await test.host.power.state(machine), files };
}

function migration(generation: 1 | 2, oldFlavor: Flavor, flavor: Partial<Flavor>): MigrationRequest {
  return {
    instance: instanceOf({ ...oldFlavor, ...flavor, flavorId: '2', name: 'm1.other' }),
    oldFlavor,
    image: testImage(generation),
    vifs: [testVif(1)],
  };
}

async function spawned(generation: 1 | 2, flavor: Partial<Flavor> = {}): Promise<Flavor> {
  const images = await diskImage(test.folder, generation === 2 ? 'vhdx' : 'vhd');
  const instance = instanceOf(flavor);
  await test.driver.spawn(spawnRequest(images, { instance, generation }));
  return instance.flavor;
}

async function resized(request: MigrationRequest, powerOn = true): Promise<void> {
  await test.driver.migrateDiskAndPowerOff(request, OFF_AT_ONCE);
  await test.driver.finishMigration({ ...request, powerOn }, OFF_AT_ONCE);
}

const folders = async () => (await readdir(test.instances)).filter((name) => name !== '_base').toSorted();
const sizeOf = async (name: string) =>
  (await inspect(join(test.instances, instanceOf().name, name))).virtualSize;

describe.each([1, 2] as const)('a resize of a generation %i machine', (generation) => {
  const extension = generation === 2 ? 'vhdx' : 'vhd';

  it('gives memory, processors, a larger root and an ephemeral disk; confirmed, nothing old is left', async () => {
    const old = await spawned(generation);
    const before = await see();
    const request = migration(generation, old, { vcpus: 2, memoryMb: 1024, rootGb: 2, ephemeralGb: 1 });
    await resized(request);
    const after = await see();
    expect(after.state).toBe(STATE.running);
    expect(after.spec).toMatchObject({ processors: { count: 2 }, memory: { startupMb: 1024 } });
    expect(after.spec.drives.map(({ path }) => path.split('\\').at(-1))).toEqual([
      `root.${extension}`,
      'eph0.vhdx',
    ]);
    expect(await sizeOf(`root.${extension}`)).toBeGreaterThan(1900 * MIB);
    expect(await sizeOf('eph0.vhdx')).toBe(1024 * MIB);
    expect(after.spec).toEqual({ ...before.spec, ...pickChanged(after.spec) });
    expect(await folders()).toEqual(['instance-00000001', 'instance-00000001_revert']);
    await test.driver.confirmMigration(request.instance);
    await test.driver.confirmMigration(request.instance);
    expect(await folders()).toEqual(['instance-00000001']);
  });

  it('is reverted to the byte and to the setting, whatever was written meanwhile', async () => {
    const old = await spawned(generation, { ephemeralGb: 1 });
    const before = await see();
    for (const change of [
      { vcpus: 4, memoryMb: 2048, rootGb: 3, ephemeralGb: 2 },
      { ephemeralGb: 0, memoryMb: 768 },
    ]) {
      const request = migration(generation, old, change);
      await resized(request);
      const machine = await machineOf();
      await test.host.power.request(machine, STATE.off);
      await write(`root.${extension}`);
      await test.driver.finishRevertMigration(request.instance, { ...OFF_AT_ONCE, powerOn: true });
      expect(await see()).toEqual(before);
      expect(await folders()).toEqual(['instance-00000001']);
    }
  });

  it('of a machine that is off leaves it off', async () => {
    const old = await spawned(generation);
    await test.driver.powerOff(instanceOf(), OFF_AT_ONCE);
    const request = migration(generation, old, { vcpus: 2, rootGb: 2 });
    await resized(request, false);
    expect((await see()).state).toBe(STATE.off);
    await test.driver.finishRevertMigration(request.instance, { ...OFF_AT_ONCE, powerOn: false });
    expect((await see()).state).toBe(STATE.off);
  });

  it.each<[string, Partial<Flavor>, RegExp]>([
    ['a smaller root', { rootGb: 1 }, /root disk cannot be made smaller \(from 2 GB to 1 GB\)/],
    ['smaller ephemeral disks', { ephemeralGb: 1 }, /ephemeral disks cannot be made smaller/],
    ['more than the host has', { vcpus: 63 }, /logical processors/],
  ])('refuses %s and touches nothing', async (_, change, message) => {
    const old = await spawned(generation, { rootGb: 2, ephemeralGb: 2 });
    const before = await see();
    await expect(
      test.driver.migrateDiskAndPowerOff(migration(generation, old, change), OFF_AT_ONCE),
    ).rejects.toThrow(message);
    expect(await see()).toEqual(before);
    expect(await folders()).toEqual(['instance-00000001']);
  });

  it('leaves nothing when the instance is deleted before it is confirmed', async () => {
    const old = await spawned(generation);
    await resized(migration(generation, old, { rootGb: 2 }));
    await test.driver.destroy(instanceOf());
    expect(await folders()).toEqual([]);
    expect(await test.host.machines.list()).toEqual([]);
  });
});

/** What this test's flavor changes. */
function pickChanged({ processors, memory, drives, firmware }: VmSpec): Partial<VmSpec> {
  return { processors, memory, drives, firmware };
}

async function withDisk<T>(name: string, work: (disk: Disk) => Promise<T>): Promise<T> {
  const path = join(test.instances, instanceOf().name, name);
  const disk = await openDisk(path, {
    resolveParent: (locator) => join(test.instances, '_base', locator.split('\\').at(-1) ?? ''),
  });
  try {
    return await work(disk);
  } finally {
    await disk.close();
  }
}

const SEVENS = Buffer.alloc(65_536, 7);

function write(name: string): Promise<void> {
  return withDisk(name, async (disk) => {
    await disk.write(SEVENS, 4 * MIB);
    await disk.flush();
  });
}

function read(name: string): Promise<Buffer> {
  return withDisk(name, async (disk) => {
    const buffer = Buffer.alloc(SEVENS.length);
    await disk.read(buffer, 4 * MIB);
    return buffer;
  });
}

type Failure = 'fault' | 'lost answer';

/** The n-th call that changes or asks something fails, as in the tests of spawn; `Infinity` only counts. */
function failing(client: WsmanClient, which: number, failure: Failure, seen: string[]): WsmanClient {
  return new Proxy(client, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      if (key === 'close') return () => Promise.resolve();
      if (key !== 'query' && key !== 'invoke') return value.bind(target) as unknown;
      return async (...given: unknown[]) => {
        seen.push(`${key} ${String(given[1])}`);
        if (seen.length !== which) return (await value.apply(target, given)) as unknown;
        if (failure === 'fault')
          throw new WsmanFault({ subcode: 'InternalError', message: 'made to fail', hresult: 0x80041001 });
        await value.apply(target, given);
        throw new WsmanTransportError('WSMAN_DEADLINE', 'made to fail');
      };
    },
  });
}

/** A driver whose client can be exchanged: connecting and starting are no part of what is tested. */
async function switchableDriver() {
  let current = test.client;
  const { driver } = await test.connect(
    (own) =>
      new Proxy(own, {
        get(_target, key) {
          const from = key === 'close' ? own : current;
          const value: unknown = Reflect.get(from, key, from);
          return typeof value === 'function' ? (value.bind(from) as unknown) : value;
        },
      }),
  );
  return { driver, use: (client: WsmanClient) => (current = client) };
}

describe('a resize that fails', () => {
  it.each<[Failure, 1 | 2]>([
    ['fault', 2],
    ['lost answer', 1],
  ])(
    'by %s of any call is led back to what was (generation %i)',
    async (failure, generation) => {
      const old = await spawned(generation, { ephemeralGb: 1 });
      const before = await see();
      const request = migration(generation, old, { vcpus: 2, memoryMb: 1024, rootGb: 2, ephemeralGb: 0 });
      const { driver, use } = await switchableDriver();
      let succeeded = false;
      for (let which = 1; !succeeded && which < 90; which += 1) {
        const seen: string[] = [];
        use(failing(test.client, which, failure, seen));
        let outcome: unknown = 'resized';
        try {
          await driver.migrateDiskAndPowerOff(request, OFF_AT_ONCE);
          await driver.finishMigration({ ...request, powerOn: true }, OFF_AT_ONCE);
        } catch (error) {
          outcome = error;
          expect(error).toMatchObject({ novaName: expect.any(String) as unknown });
        }
        use(test.client);
        succeeded = outcome === 'resized' && seen.length < which;
        await driver.finishRevertMigration(request.instance, { ...OFF_AT_ONCE, powerOn: true });
        expect([which, seen[which - 1], await see(), await folders()]).toEqual([
          which,
          seen[which - 1],
          before,
          ['instance-00000001'],
        ]);
      }
      expect(succeeded).toBe(true);
    },
    240_000,
  );

  it('in its revert is reverted by doing it again', async () => {
    const old = await spawned(2, { ephemeralGb: 1 });
    const before = await see();
    const request = migration(2, old, { vcpus: 2, memoryMb: 1024, rootGb: 2, ephemeralGb: 2 });
    const { driver, use } = await switchableDriver();
    let succeeded = false;
    for (let which = 1; !succeeded && which < 60; which += 1) {
      await resized(request);
      const seen: string[] = [];
      use(failing(test.client, which, 'lost answer', seen));
      const back = { ...OFF_AT_ONCE, powerOn: true };
      const outcome = await driver.finishRevertMigration(request.instance, back).then(
        () => 'reverted',
        () => 'failed',
      );
      use(test.client);
      succeeded = outcome === 'reverted' && seen.length < which;
      await driver.finishRevertMigration(request.instance, back);
      expect([which, seen[which - 1], await see(), await folders()]).toEqual([
        which,
        seen[which - 1],
        before,
        ['instance-00000001'],
      ]);
    }
    expect(succeeded).toBe(true);
  }, 240_000);
});

const grown = (old: Flavor, more: Partial<Flavor> = {}) => migration(2, old, { rootGb: 2, ...more });

describe('a root disk that grows while its machine runs', () => {
  it('needs no stop; what cannot be made smaller is not reverted and stays as it is', async () => {
    const old = await spawned(2);
    const before = await see();
    const request = grown(old);
    await resized(request);
    const after = await see();
    expect(after.state).toBe(STATE.running);
    expect(after.spec).toEqual(before.spec);
    expect(await sizeOf('root.vhdx')).toBeGreaterThan(1900 * MIB);
    // The disk has no partition table that would tell what is in use.
    await expect(
      test.driver.finishRevertMigration(request.instance, { ...OFF_AT_ONCE, powerOn: true }),
    ).rejects.toMatchObject({
      novaName: 'CannotResizeDisk',
      message: expect.stringMatching(/does not give the root disk the \d+ bytes back/) as unknown,
    });
    expect(await see()).toEqual(after);
    await test.driver.confirmMigration(request.instance);
    expect(await folders()).toEqual(['instance-00000001']);
  });

  it('is made smaller again by a revert, with what was written meanwhile', async () => {
    const images = await diskImage(test.folder, 'vhdx');
    await partition(join(test.folder, 'image.vhdx'));
    await test.driver.spawn(spawnRequest(images, { instance: instanceOf() }));
    const before = await see();
    const bytes = await sizeOf('root.vhdx');
    const request = grown(instanceOf().flavor);
    await resized(request);
    expect(await sizeOf('root.vhdx')).toBeGreaterThan(bytes);
    await test.host.power.request(await machineOf(), STATE.off);
    await write('root.vhdx');
    const back = { ...OFF_AT_ONCE, powerOn: true };
    await test.driver.finishRevertMigration(request.instance, back);
    await test.driver.finishRevertMigration(request.instance, back);
    const after = await see();
    expect([after.spec, after.state]).toEqual([before.spec, before.state]);
    expect(await sizeOf('root.vhdx')).toBe(bytes);
    await test.driver.powerOff(instanceOf(), OFF_AT_ONCE);
    expect(await read('root.vhdx')).toEqual(SEVENS);
    expect(await folders()).toEqual(['instance-00000001']);
  });

  it.each<[string, 1 | 2, Partial<Flavor>, RegExp]>([
    ['on IDE', 1, { rootGb: 2 }, /generation 1: its root disk is on an IDE controller/],
    [
      'with more than the disk',
      2,
      { rootGb: 2, memoryMb: 1024 },
      /changes more than the size of the root disk/,
    ],
    ['of the same size', 2, { memoryMb: 1024 }, /does not make the root disk larger/],
  ])('is refused %s when it is required', async (_, generation, change, message) => {
    const old = await spawned(generation);
    const before = await see();
    const extraSpecs = { 'hyperv:live_resize': 'required' };
    const request = migration(generation, old, { ...change, extraSpecs });
    await expect(test.driver.migrateDiskAndPowerOff(request, OFF_AT_ONCE)).rejects.toThrow(message);
    expect(await see()).toEqual(before);
  });

  it('is refused for a paused machine when it is required', async () => {
    const old = await spawned(2);
    await test.host.power.request(await machineOf(), STATE.paused);
    const request = grown(old, { extraSpecs: { 'hyperv:live_resize': 'required' } });
    await expect(test.driver.migrateDiskAndPowerOff(request, OFF_AT_ONCE)).rejects.toThrow(/is not running/);
  });
});

/** An MBR with one partition of 10 MiB. */
async function partition(path: string): Promise<void> {
  const sector = Buffer.alloc(512);
  sector[446 + 4] = 0x83;
  sector.writeUInt32LE(2048, 446 + 8);
  sector.writeUInt32LE(20_480, 446 + 12);
  sector.writeUInt16LE(0xaa55, 510);
  const disk = await openDisk(path, {});
  await disk.write(sector, 0);
  await disk.flush();
  await disk.close();
}

describe('a host that does not grow a differencing disk in use', () => {
  it('gets it off, grown and on again, and is reverted to the byte', async () => {
    await test.close();
    test = await startTestHost({ refuse: ['resize-running-difference'] });
    const old = await spawned(2);
    const before = await see();
    const request = migration(2, old, { rootGb: 2 });
    await resized(request);
    expect((await see()).state).toBe(STATE.running);
    expect(await sizeOf('root.vhdx')).toBeGreaterThan(1900 * MIB);
    expect(test.host.shapes.allows('resize-running-difference')).toBe(false);
    await test.driver.finishRevertMigration(request.instance, { ...OFF_AT_ONCE, powerOn: true });
    expect(await see()).toEqual(before);
  });
});
