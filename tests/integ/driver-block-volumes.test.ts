import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { observe, specOf } from '@nova-hyperv/driver';
import type { VmSpec, VolumeDevice } from '@nova-hyperv/driver';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ACCOUNT, startTgt } from '../../packages/emulator/src/testing/tgt.js';
import type { Tgt } from '../../packages/emulator/src/testing/tgt.js';
import { capturedLog } from '../../packages/driver/src/test-support/captured-log.js';
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

const STORAGE = 'root/microsoft/windows/storage';
const TARGET_WWPN = '500a0981ffffff01';
const OPEN = 'iqn.2026-01.org.example:open';
const GUARDED = 'iqn.2026-01.org.example:guarded';

const volumeId = (number: number) => `55555555-0000-4000-8000-${number.toString(16).padStart(12, '0')}`;

function device(
  number: number,
  driverVolumeType: string,
  data: Readonly<Record<string, unknown>>,
  changes: Partial<VolumeDevice> = {},
): VolumeDevice {
  return {
    volumeId: volumeId(number),
    connectionInfo: { driverVolumeType, data },
    bootIndex: null,
    diskBus: null,
    deviceType: null,
    tag: null,
    ...changes,
  };
}

/** LUN `number` behind the one port of the fabric. */
const unit = (number: number, changes: Partial<VolumeDevice> = {}) =>
  device(number, 'fibre_channel', { target_wwn: [TARGET_WWPN.toUpperCase()], target_lun: number }, changes);

let test: TestHost;
let images: FileImages;
let folder: string;
let waited: number[];
const file = (number: number) => join(folder, `${number}.raw`);

async function start(): Promise<void> {
  waited = [];
  folder = await mkdtemp(join(tmpdir(), 'units-'));
  for (const number of [1, 2, 3]) {
    await writeFile(file(number), '');
    await truncate(file(number), 16 * MIB);
  }
  test = await startTestHost({
    host: {
      fibreChannel: {
        nodeName: '200000109b000001',
        portNames: ['100000109b000001'],
        units: [1, 2, 3, 9].map((lun) => ({ targetPortName: TARGET_WWPN, lun, file: file(lun) })),
      },
    },
    sleep: async (milliseconds) => {
      waited.push(milliseconds / 1000);
    },
  });
  images = await diskImage(test.folder, 'vhdx');
}

async function stop(): Promise<void> {
  await test.close();
  await rm(folder, { recursive: true, force: true });
}

async function specNow(number = 1): Promise<VmSpec> {
  const [machine] = await test.host.machines.findByName(testInstance(number).name);
  if (machine === undefined) throw new Error('there is no machine');
  return specOf(await observe(test.host, machine));
}

const drivesNow = async () =>
  (await specNow()).drives.map(({ bus, slot, path, volumeId: id }) => [
    bus,
    slot,
    id ?? path.split('\\').at(-1),
  ]);

const recordLeft = async () =>
  (await filesLeft(test.instances)).filter((name) => name.includes('volumes.json'));

const sessions = async () => (await test.client.query(STORAGE, 'SELECT * FROM MSFT_iSCSISession')).length;

describe('a volume behind Fibre Channel', () => {
  beforeEach(start);
  afterEach(stop);

  it('is a disk of the host: attached with its name, told, grown, detached', async () => {
    expect(await test.driver.volumeConnector()).toMatchObject({
      wwpns: ['100000109b000001'],
      wwnns: ['200000109b000001'],
    });
    await test.driver.spawn(spawnRequest(images));
    const one = unit(1, { tag: 'data' });
    await test.driver.attachVolume(testInstance(1), one);
    await test.driver.attachVolume(testInstance(1), one);
    expect(await drivesNow()).toEqual([
      ['scsi', 0, 'root.vhdx'],
      ['scsi', 1, volumeId(1)],
    ]);
    expect(await test.driver.volumeMetadata(testInstance(1), [one, unit(2)])).toEqual([
      { type: 'disk', bus: 'scsi', address: '0:0:0:1', serial: volumeId(1), tags: ['data'] },
    ]);
    await truncate(file(1), 32 * MIB);
    await test.driver.extendVolume(testInstance(1), one, 32 * MIB);
    expect(waited).toEqual([]);
    await expect(test.driver.extendVolume(testInstance(1), one, 64 * MIB)).rejects.toThrow(/does not grow/);
    await test.driver.detachVolume(testInstance(1), one);
    await test.driver.detachVolume(testInstance(1), one);
    expect([await drivesNow(), await recordLeft()]).toEqual([[['scsi', 0, 'root.vhdx']], []]);
  });

  it('is waited for, and said to be missing when it does not come', async () => {
    await test.driver.spawn(spawnRequest(images));
    const attached = test.driver.attachVolume(testInstance(1), unit(9));
    await expect(attached).rejects.toMatchObject({ novaName: 'VolumeAttachFailed' });
    await expect(attached).rejects.toThrow(/shows no disk for it/);
    expect(waited.length).toBeGreaterThan(9);
    expect([await drivesNow(), await recordLeft()]).toEqual([[['scsi', 0, 'root.vhdx']], []]);
  });

  it.each([1, 2] as const)(
    'is booted from by generation %i, and found again when its disk moved',
    async (generation) => {
      const volumes = [unit(2), unit(1, { bootIndex: 0 })];
      const image = testImage(generation, { id: '', diskFormat: '', containerFormat: '' });
      await test.driver.spawn(spawnRequest(images, { generation, image, volumes }));
      const before = await specNow();
      expect(await drivesNow()).toEqual([
        [generation === 1 ? 'ide' : 'scsi', 0, volumeId(1)],
        ['scsi', generation === 1 ? 0 : 1, volumeId(2)],
      ]);
      if (before.firmware.kind === 'uefi') expect(before.firmware.bootOrder[0]).toBe('scsi:0:0');
      await test.driver.powerOff(testInstance(1), { timeoutSeconds: 0 });
      // As after a restart of the host: the drive has another disk than its volume's.
      const [machine] = await test.host.machines.findByName(testInstance(1).name);
      if (machine === undefined) throw new Error('there is no machine');
      const seen = await observe(test.host, machine);
      const drive = seen.drives.find(({ physical }) => physical?.volumeId === volumeId(2));
      const { number } = (await test.host.physicalDisks.list()).at(-1) ?? { number: -1 };
      const other = await test.host.physicalDisks.virtualizationPath(number);
      if (drive === undefined || other === undefined) throw new Error('there is no such disk');
      await test.host.machines.modifyResources([
        {
          kind: 'instance',
          namespace: drive.reference.namespace,
          className: drive.reference.className,
          properties: { InstanceID: drive.reference.keys['InstanceID'] ?? '', HostResource: [other] },
        },
      ]);
      await test.driver.powerOn(testInstance(1), { volumes });
      const repaired = await observe(test.host, machine);
      const disk = repaired.drives.find(({ physical }) => physical?.volumeId === volumeId(2))?.physical?.disk;
      expect(disk).toBe(drive.physical?.disk);
      expect(await specNow()).toEqual(before);
      await test.driver.destroy(testInstance(1), { volumes });
      expect(await filesLeft(test.instances)).toEqual([]);
    },
  );

  it.each<Failure>(['fault', 'lost answer'])(
    'leaves no drive when its attachment fails by %s of any call',
    async (failure) => {
      await test.driver.spawn(spawnRequest(images));
      let succeeded = 0;
      for (let which = 1; succeeded === 0 && which < 60; which += 1) {
        const seen: string[] = [];
        const { driver, use } = await connectSwitchable(test);
        use(failing(test.client, which, failure, seen));
        const outcome = await driver.attachVolume(testInstance(1), unit(1)).then(
          () => 'attached',
          (error: unknown) => error,
        );
        if (seen.length < which) succeeded = which;
        use(test.client);
        if (outcome === 'attached') await driver.detachVolume(testInstance(1), unit(1));
        expect([which, seen[which - 1], (await drivesNow()).length, await recordLeft()]).toEqual([
          which,
          seen[which - 1],
          1,
          [],
        ]);
      }
      expect(succeeded).toBeGreaterThan(8);
    },
    60_000,
  );

  it('that nobody knows of is taken away, with what has not got its name yet', async () => {
    await test.driver.spawn(spawnRequest(images));
    await test.driver.attachVolume(testInstance(1), unit(1));
    await test.driver.attachVolume(testInstance(1), unit(2));
    const known = new Map([[testInstance(1).uuid.toUpperCase(), [unit(1)]]]);
    expect(await test.driver.removeGhostVolumes(known)).toEqual([volumeId(2)]);
    expect((await drivesNow()).map(([, , id]) => id)).toEqual(['root.vhdx', volumeId(1)]);
  });

  it('is refused by a host that brings new disks online', async () => {
    await test.driver.spawn(spawnRequest(images));
    await test.client.invoke(
      { kind: 'reference', namespace: STORAGE, className: 'MSFT_StorageSetting', keys: {} },
      'Set',
      { NewDiskPolicy: 1 },
    );
    const attached = test.driver.attachVolume(testInstance(1), unit(1));
    await expect(attached).rejects.toMatchObject({ novaName: 'ValidationError' });
    await expect(attached).rejects.toThrow(/OnlineAll.*Set-StorageSetting -NewDiskPolicy OfflineShared/);
    expect(await recordLeft()).toEqual([]);
  });
});

describe('a volume behind iSCSI', () => {
  let tgt: Tgt;
  beforeAll(async () => {
    tgt = await startTgt();
    await tgt.addTarget({ id: 1, name: OPEN, size: 16 * MIB });
    await tgt.addTarget({ id: 2, name: GUARDED, size: 16 * MIB, user: ACCOUNT.user });
    const second = join(tgt.folder, 'second.raw');
    await writeFile(second, '');
    await truncate(second, 16 * MIB);
    const lun = ['--op', 'new', '--mode', 'logicalunit', '--tid', '1', '--lun', '2', '-b', second];
    await tgt.admin(...lun);
  });
  afterAll(async () => {
    await tgt.stop();
  });
  beforeEach(start);
  afterEach(stop);

  const onTarget = (
    number: number,
    target: string,
    lun: number,
    more: Readonly<Record<string, unknown>> = {},
  ) =>
    device(number, 'iscsi', {
      target_portal: `${tgt.address}:${tgt.port}`,
      target_iqn: target,
      target_lun: lun,
      ...more,
    });
  const chap = { auth_method: 'CHAP', auth_username: ACCOUNT.user, auth_password: ACCOUNT.secret };

  it('shares its session with others, and ends it with the last', async () => {
    expect(await test.driver.volumeConnector()).toMatchObject({ initiator: expect.stringMatching(/^iqn\./) });
    await test.driver.spawn(spawnRequest(images));
    const one = onTarget(1, OPEN, 1);
    const two = onTarget(2, OPEN, 2);
    await test.driver.attachVolume(testInstance(1), one);
    await test.driver.attachVolume(testInstance(1), two);
    expect([await sessions(), (await drivesNow()).length]).toEqual([1, 3]);
    await test.driver.detachVolume(testInstance(1), one);
    expect([await sessions(), (await drivesNow()).map(([, , id]) => id)]).toEqual([
      1,
      ['root.vhdx', volumeId(2)],
    ]);
    await test.driver.detachVolume(testInstance(1), two);
    expect([await sessions(), await drivesNow(), await recordLeft()]).toEqual([
      0,
      [['scsi', 0, 'root.vhdx']],
      [],
    ]);
  });

  it('logs in with CHAP, and tells no secret when that fails', async () => {
    const { log, lines } = capturedLog();
    const own = await startTestHost({ log });
    try {
      const image = await diskImage(own.folder, 'vhdx');
      await own.driver.spawn(spawnRequest(image));
      const wrong = onTarget(1, GUARDED, 1, { ...chap, auth_password: 'wr0ng-secret-16c' });
      const attached = own.driver.attachVolume(testInstance(1), wrong);
      await expect(attached).rejects.toThrow(/refuses the CHAP user name or secret/);
      await expect(attached).rejects.not.toThrow(/wr0ng/);
      await own.driver.attachVolume(testInstance(1), onTarget(1, GUARDED, 1, chap));
      expect(JSON.stringify(lines)).not.toMatch(/wr0ng|a-secret-of-16-b/);
      expect((await own.client.query(STORAGE, 'SELECT * FROM MSFT_iSCSISession')).length).toBe(1);
      await own.driver.destroy(testInstance(1));
      expect((await own.client.query(STORAGE, 'SELECT * FROM MSFT_iSCSISession')).length).toBe(0);
    } finally {
      await own.close();
    }
  });

  it('is refused where portal or target are not there, and leaves nothing', async () => {
    await test.driver.spawn(spawnRequest(images));
    const nobody = onTarget(1, 'iqn.2026-01.org.example:nobody', 1);
    await expect(test.driver.attachVolume(testInstance(1), nobody)).rejects.toThrow(/does not show target/);
    const nowhere = onTarget(1, OPEN, 1, { target_portal: '127.0.0.1:1' });
    await expect(test.driver.attachVolume(testInstance(1), nowhere)).rejects.toThrow(
      /portal does not answer/,
    );
    const noUnit = onTarget(1, OPEN, 7);
    await expect(test.driver.attachVolume(testInstance(1), noUnit)).rejects.toThrow(/shows no disk/);
    expect([await sessions(), await drivesNow(), await recordLeft()]).toEqual([
      0,
      [['scsi', 0, 'root.vhdx']],
      [],
    ]);
  });

  it.each<Failure>(['fault', 'lost answer'])(
    'leaves no session when a boot from it fails by %s of any call',
    async (failure) => {
      let succeeded = 0;
      const volumes = [{ ...onTarget(1, OPEN, 1), bootIndex: 0 }, onTarget(2, OPEN, 2)];
      const image = testImage(2, { id: '', diskFormat: '', containerFormat: '' });
      for (let which = 1; succeeded === 0 && which < 90; which += 1) {
        const seen: string[] = [];
        const { driver, use } = await connectSwitchable(test);
        use(failing(test.client, which, failure, seen));
        const instance = testInstance(which);
        const outcome = await driver
          .spawn(spawnRequest(images, { number: which, instance, image, volumes }))
          .then(
            () => 'spawned',
            (error: unknown) => error,
          );
        if (seen.length < which) succeeded = which;
        use(test.client);
        if (outcome === 'spawned') await driver.destroy(instance, { volumes });
        // What the host was still at when its answer was lost is removed a little later.
        await expect
          .poll(
            async () => [
              which,
              seen[which - 1],
              (await test.host.machines.list()).length,
              await filesLeft(test.instances),
              await sessions(),
            ],
            { timeout: 20_000, interval: 200 },
          )
          .toEqual([which, seen[which - 1], 0, [], 0]);
      }
      expect(succeeded).toBeGreaterThan(15);
    },
    120_000,
  );
});
