import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { observe, specOf } from '@nova-hyperv/driver';
import type { VmSpec, VolumeDevice } from '@nova-hyperv/driver';
import { createVhdx } from '@nova-hyperv/vhd';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  diskImage,
  filesLeft,
  MIB,
  spawnRequest,
  startTestHost,
  testImage,
  testInstance,
} from '../support/driver-host.js';
import type { FileImages, TestHost } from '../support/driver-host.js';
import { connectSwitchable, failing } from '../support/failing-client.js';
import type { Failure } from '../support/failing-client.js';

const SHARE = String.raw`\\filer\vols`;
const SMB = 'root/Microsoft/Windows/SMB';
const PASSWORD = 'the-right-one';
const ROOT = { bootIndex: 0 } as const;

let test: TestHost;
let images: FileImages;
let folder: string;
/** Seconds that the driver would have waited. */
let waited: number[];

beforeEach(async () => {
  waited = [];
  folder = await mkdtemp(join(tmpdir(), 'vols-'));
  test = await startTestHost({
    host: { shares: [{ remotePath: SHARE, folder, username: 'cinder', password: PASSWORD }] },
    sleep: async (milliseconds) => {
      waited.push(milliseconds / 1000);
    },
  });
  images = await diskImage(test.folder, 'vhdx');
});
afterEach(async () => {
  await test.close();
  await rm(folder, { recursive: true, force: true });
});

const volumeId = (number: number) => `44444444-0000-4000-8000-${number.toString(16).padStart(12, '0')}`;
const fileOf = (number: number) => `volume-${volumeId(number)}.vhdx`;

async function volume(
  number: number,
  changes: Partial<VolumeDevice> & { readonly data?: Readonly<Record<string, unknown>> } = {},
): Promise<VolumeDevice> {
  const { data, ...rest } = changes;
  await createVhdx({ path: join(folder, fileOf(number)), type: 'dynamic', virtualSize: 64 * MIB });
  return {
    volumeId: volumeId(number),
    connectionInfo: {
      driverVolumeType: 'smbfs',
      data: {
        export: '//filer/vols',
        name: fileOf(number),
        options: `-o username=cinder,password=${PASSWORD}`,
        format: 'vhdx',
        ...data,
      },
    },
    bootIndex: null,
    diskBus: null,
    deviceType: null,
    tag: null,
    ...rest,
  };
}

async function specNow(number = 1): Promise<VmSpec> {
  const [machine] = await test.host.machines.findByName(testInstance(number).name);
  if (machine === undefined) throw new Error('there is no machine');
  return specOf(await observe(test.host, machine));
}

const drivesNow = async () =>
  (await specNow()).drives.map(({ bus, slot, path }) => [bus, slot, path.split('\\').at(-1)]);

const mappings = async () => (await test.client.query(SMB, 'SELECT * FROM MSFT_SmbMapping')).length;

/** Nothing of volumes is on the host. */
async function nothingLeft(): Promise<unknown> {
  const record = (await filesLeft(test.instances)).filter((file) => file.includes('volumes.json'));
  return [await mappings(), record];
}

describe('a volume on a share', () => {
  it('is attached hot, told to the guest, and detached without a trace', async () => {
    await test.driver.spawn(spawnRequest(images));
    const one = await volume(1, { tag: 'data' });
    const two = await volume(2);
    await test.driver.attachVolume(testInstance(1), one);
    await test.driver.attachVolume(testInstance(1), two);
    expect(await drivesNow()).toEqual([
      ['scsi', 0, 'root.vhdx'],
      ['scsi', 1, fileOf(1)],
      ['scsi', 2, fileOf(2)],
    ]);
    expect(await mappings()).toBe(1);
    expect(await test.driver.volumeMetadata(testInstance(1), [one, two, await volume(3)])).toEqual([
      { type: 'disk', bus: 'scsi', address: '0:0:0:1', serial: volumeId(1), tags: ['data'] },
      { type: 'disk', bus: 'scsi', address: '0:0:0:2', serial: volumeId(2), tags: [] },
    ]);
    await test.driver.attachVolume(testInstance(1), one);
    expect(await drivesNow()).toHaveLength(3);
    await test.driver.detachVolume(testInstance(1), one);
    expect(await mappings()).toBe(1);
    await test.driver.detachVolume(testInstance(1), two);
    await test.driver.detachVolume(testInstance(1), two);
    expect(await drivesNow()).toEqual([['scsi', 0, 'root.vhdx']]);
    expect(await nothingLeft()).toEqual([0, []]);
    expect(await readdir(folder)).toHaveLength(3);
    expect(waited).toEqual([]);
  });

  it('has the limit of its QoS specs, rounded down to 8 KiB', async () => {
    await test.driver.spawn(spawnRequest(images));
    const limits: readonly [Readonly<Record<string, unknown>>, number][] = [
      [{ total_bytes_sec: '20000' }, 2],
      [{ total_bytes_sec: 1 }, 1],
      [{ total_iops_sec: '300', total_bytes_sec: '8192' }, 300],
    ];
    for (const [index, [qos]] of limits.entries()) {
      const one = await volume(index + 1, { data: { qos_specs: qos } });
      await test.driver.attachVolume(testInstance(1), one);
    }
    const limited = (await specNow()).drives.slice(1).map(({ iopsLimit }) => iopsLimit);
    expect(limited).toEqual(limits.map(([, limit]) => limit));
  });

  it('is not tried again where that is in vain, and says what to do', async () => {
    await test.driver.spawn(spawnRequest(images));
    const wrong = await volume(1, { data: { options: 'username=cinder,password=wr0ng' } });
    const attached = test.driver.attachVolume(testInstance(1), wrong);
    await expect(attached).rejects.toMatchObject({ novaName: 'VolumeAttachFailed' });
    await expect(attached).rejects.toThrow(/user name or password.*correct the mount options/);
    await expect(attached).rejects.not.toThrow(/wr0ng/);
    expect([waited, await nothingLeft()]).toEqual([[], [0, []]]);
    const nowhere = await volume(2, { data: { export: '//nobody/vols' } });
    await expect(test.driver.attachVolume(testInstance(1), nowhere)).rejects.toThrow(
      /file server was not found/,
    );
    expect(waited).toEqual(Array.from({ length: 10 }, () => 5));
    expect(await nothingLeft()).toEqual([0, []]);
  });

  it('does not grow while it is attached', async () => {
    await test.driver.spawn(spawnRequest(images));
    const one = await volume(1);
    await test.driver.attachVolume(testInstance(1), one);
    await expect(test.driver.extendVolume(testInstance(1), one, 128 * MIB)).rejects.toMatchObject({
      novaName: 'ExtendVolumeNotSupported',
    });
    expect(await drivesNow()).toHaveLength(2);
  });
});

describe('a spawn with volumes', () => {
  it.each([1, 2] as const)(
    'boots a machine of generation %i from one, without an image',
    async (generation) => {
      const root = await volume(1, ROOT);
      const second = await volume(2, { bootIndex: 1, diskBus: 'SCSI' });
      const third = await volume(3, { bootIndex: -1 });
      const image = testImage(generation, { id: '', diskFormat: '', containerFormat: '' });
      const volumes = [third, second, root];
      await test.driver.spawn(spawnRequest(images, { generation, image, volumes }));
      expect(images.downloads).toBe(0);
      const { firmware } = await specNow();
      expect(await drivesNow()).toEqual(
        generation === 1
          ? [
              ['ide', 0, fileOf(1)],
              ['scsi', 0, fileOf(3)],
              ['scsi', 1, fileOf(2)],
            ]
          : [
              ['scsi', 0, fileOf(1)],
              ['scsi', 1, fileOf(3)],
              ['scsi', 2, fileOf(2)],
            ],
      );
      if (generation === 2) expect(firmware.bootOrder.slice(0, -1)).toEqual(['scsi:0:0', 'scsi:0:2']);
      expect(await filesLeft(test.instances)).not.toContain('instance-00000001/root.vhdx');
      await test.driver.powerOff(testInstance(1), { timeoutSeconds: 0 });
      const before = await specNow();
      await test.driver.powerOn(testInstance(1), { volumes });
      expect(await specNow()).toEqual(before);
      await test.driver.destroy(testInstance(1), { volumes });
      expect([await filesLeft(test.instances), await mappings()]).toEqual([[], 0]);
      expect(await readdir(folder)).toHaveLength(3);
    },
  );

  it('refuses what cannot be had before anything is touched', async () => {
    const one = await volume(1);
    const refused: readonly [string, Partial<VolumeDevice>, (1 | 2)?][] = [
      ['InvalidDiskInfo', { diskBus: 'ide' }],
      ['InvalidDiskInfo', { diskBus: 'virtio' }],
      ['InvalidDiskInfo', { deviceType: 'cdrom' }],
      ['InvalidDiskInfo', { diskBus: 'scsi', bootIndex: 0 }, 1],
      ['VolumeDriverNotFound', { connectionInfo: { driverVolumeType: 'rbd', data: {} } }],
      ['VolumeDriverNotFound', { connectionInfo: { driverVolumeType: 'nfs', data: {} } }],
      [
        'VolumeEncryptionNotSupported',
        { connectionInfo: { driverVolumeType: 'iscsi', data: { encrypted: true } } },
      ],
      [
        'VolumeAttachFailed',
        { connectionInfo: { driverVolumeType: 'smbfs', data: { export: '//a/b', name: '..\\x.vhdx' } } },
      ],
    ];
    for (const [novaName, changes, generation = 2] of refused) {
      const spawned = test.driver.spawn(
        spawnRequest(images, { generation, volumes: [{ ...one, ...changes }] }),
      );
      await expect(spawned).rejects.toMatchObject({ novaName });
    }
    expect([images.downloads, await filesLeft(test.instances)]).toEqual([0, []]);
    const many = Array.from({ length: 64 }, (_, index) => ({ ...one, volumeId: volumeId(index) }));
    await expect(test.driver.spawn(spawnRequest(images, { volumes: many }))).rejects.toMatchObject({
      novaName: 'InvalidBDMFormat',
    });
    expect([await filesLeft(test.instances), await mappings()]).toEqual([[], 0]);
  });

  it.each<Failure>(['fault', 'unanswered', 'lost answer'])(
    'leaves nothing after %s of any call',
    async (failure) => {
      const volumes = [await volume(1), await volume(2)];
      let succeeded = 0;
      for (let which = 1; succeeded === 0 && which < 80; which += 1) {
        const seen: string[] = [];
        const { driver, use } = await connectSwitchable(test);
        use(failing(test.client, which, failure, seen));
        const instance = testInstance(which);
        const outcome = await driver.spawn(spawnRequest(images, { number: which, instance, volumes })).then(
          () => 'spawned',
          (error: unknown) => error,
        );
        if (seen.length < which) succeeded = which;
        use(test.client);
        if (outcome === 'spawned') await driver.destroy(instance, { volumes });
        else
          expect(outcome).toMatchObject({
            novaName: expect.stringMatching(/NovaException|VolumeAttachFailed/),
          });
        const machines = (await test.host.machines.list()).length;
        expect([which, seen[which - 1], machines, await filesLeft(test.instances), await mappings()]).toEqual(
          [which, seen[which - 1], 0, [], 0],
        );
      }
      expect(succeeded).toBeGreaterThan(15);
    },
    120_000,
  );
});

describe('an attachment', () => {
  it.each<Failure>(['fault', 'unanswered', 'lost answer'])(
    'that fails by %s of any call leaves no drive and no connection',
    async (failure) => {
      await test.driver.spawn(spawnRequest(images));
      const one = await volume(1);
      let succeeded = 0;
      for (let which = 1; succeeded === 0 && which < 40; which += 1) {
        const seen: string[] = [];
        const { driver, use } = await connectSwitchable(test);
        use(failing(test.client, which, failure, seen));
        const outcome = await driver.attachVolume(testInstance(1), one).then(
          () => 'attached',
          (error: unknown) => error,
        );
        if (seen.length < which) succeeded = which;
        use(test.client);
        if (outcome === 'attached') await driver.detachVolume(testInstance(1), one);
        expect([which, seen[which - 1], (await drivesNow()).length, await nothingLeft()]).toEqual([
          which,
          seen[which - 1],
          1,
          [0, []],
        ]);
      }
      expect(succeeded).toBeGreaterThan(5);
    },
    60_000,
  );

  it('that a killed process left is found at the next start, and the others are left alone', async () => {
    await test.driver.spawn(spawnRequest(images));
    const kept = await volume(1);
    const ghost = await volume(2);
    await test.driver.attachVolume(testInstance(1), kept);
    await test.driver.attachVolume(testInstance(1), ghost);
    const next = await test.connect();
    const known = new Map([[testInstance(1).uuid, [kept]]]);
    expect(await next.driver.removeGhostVolumes(known)).toEqual([volumeId(2)]);
    expect(await drivesNow()).toEqual([
      ['scsi', 0, 'root.vhdx'],
      ['scsi', 1, fileOf(1)],
    ]);
    expect(await next.driver.removeGhostVolumes(known)).toEqual([]);
    expect(await next.driver.removeGhostVolumes(new Map([[testInstance(1).uuid, []]]))).toEqual([
      volumeId(1),
    ]);
    expect(await nothingLeft()).toEqual([0, []]);
  });

  it('outlives a resize, its confirmation and its revert', async () => {
    const one = await volume(1);
    await test.driver.spawn(spawnRequest(images, { volumes: [one] }));
    const bigger = testInstance(1, { memoryMb: 1024, ephemeralGb: 1 });
    const request = {
      instance: bigger,
      oldFlavor: testInstance(1).flavor,
      image: testImage(2),
      vifs: spawnRequest(images).vifs,
      volumes: [one],
    };
    await test.driver.migrateDiskAndPowerOff(request, { timeoutSeconds: 0 });
    await test.driver.finishMigration({ ...request, powerOn: true }, { timeoutSeconds: 0 });
    const later = await volume(2);
    await test.driver.attachVolume(testInstance(1), later);
    expect((await drivesNow()).map(([, , name]) => name)).toEqual([
      'root.vhdx',
      fileOf(1),
      'eph0.vhdx',
      fileOf(2),
    ]);
    await test.driver.finishRevertMigration(testInstance(1), {
      timeoutSeconds: 0,
      powerOn: true,
      volumes: [one, later],
    });
    expect((await drivesNow()).map(([, , name]) => name)).toEqual(['root.vhdx', fileOf(1), fileOf(2)]);
  });
});

it('names this host to Cinder as os-brick does on Windows', async () => {
  const { driver } = await test.connect(undefined, { myBlockStorageIp: '10.0.0.5' });
  expect(await driver.volumeConnector()).toMatchObject({
    platform: 'AMD64',
    os_type: 'win32',
    ip: '10.0.0.5',
    host: 'HV1',
    multipath: false,
  });
});

it('has several paths put together only where the host can', async () => {
  const own = await startTestHost({ host: { multipath: false }, config: { useMultipathIo: true } });
  try {
    const connector = own.driver.volumeConnector();
    await expect(connector).rejects.toMatchObject({ novaName: 'ValidationError' });
    await expect(connector).rejects.toThrow(/Install-WindowsFeature Multipath-IO/);
  } finally {
    await own.close();
  }
});
