import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { observe, POWER_STATE, specOf } from '@nova-hyperv/driver';
import type { VmSpec } from '@nova-hyperv/driver';
import type { EmulatedHostOptions } from '@nova-hyperv/emulator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  diskImage,
  FileImages,
  filesLeft,
  spawnRequest,
  startTestHost,
  testImage,
  testInstance,
} from '../support/driver-host.js';
import type { TestHost } from '../support/driver-host.js';

const RELEASES: readonly (readonly [EmulatedHostOptions['release'], string])[] = [
  ['2012R2', '6.3'],
  ['2016', '10.0.14393'],
  ['2019', '10.0.17763'],
  ['2022', '10.0.20348'],
  ['2025', '10.0.26100'],
];

describe.each(RELEASES)('a host of Windows Server %s', (release, version) => {
  let test: TestHost;
  beforeAll(async () => {
    test = await startTestHost({ release });
  });
  afterAll(async () => {
    await test.close();
  });

  async function specOfMachine(name: string): Promise<VmSpec> {
    const [machine] = await test.host.machines.findByName(name);
    if (machine === undefined) throw new Error(`There is no machine ${name}`);
    return specOf(await observe(test.host, machine));
  }

  const state = async () => (await test.driver.getInfo(testInstance(1))).powerState;

  it('tells its version', async () => {
    expect((await test.driver.hostResources()).windowsVersion).toContain(version);
  });

  it.each([1, 2] as const)('runs a generation %i machine through its life', async (generation) => {
    const { driver, folder, instances } = test;
    const images = await diskImage(folder, generation === 2 ? 'vhdx' : 'vhd');
    await driver.spawn(
      spawnRequest(images, { generation, instance: testInstance(1, { vcpus: 2, ephemeralGb: 1 }) }),
    );
    expect(await state()).toBe(POWER_STATE.RUNNING);
    const bus = generation === 2 ? 'scsi' : 'ide';
    const spec = await specOfMachine('instance-00000001');
    expect(spec).toMatchObject({
      generation,
      processors: { count: 2 },
      memory: { dynamic: false, startupMb: 512 },
      automaticShutdown: 'save',
      chassisAssetTag: 'OpenStack Nova',
    });
    expect(spec.drives.map((drive) => `${drive.bus} ${drive.controller}:${drive.slot}`)).toEqual([
      `${bus} 0:0`,
      `${bus} 0:1`,
    ]);
    expect(spec.serialPorts.map(({ pipe }) => pipe)).toEqual([
      `\\\\.\\pipe\\${testInstance(1).uuid}_rw`,
      null,
    ]);

    await driver.powerOff(testInstance(1), { timeoutSeconds: 20 });
    expect(await state()).toBe(POWER_STATE.SHUTDOWN);
    await driver.powerOn(testInstance(1));
    expect(await state()).toBe(POWER_STATE.RUNNING);
    await driver.reboot(testInstance(1), 'SOFT');
    await driver.reboot(testInstance(1), 'HARD');
    expect(await state()).toBe(POWER_STATE.RUNNING);
    await driver.destroy(testInstance(1));
    expect(await filesLeft(instances)).toEqual([]);
    expect(await driver.listInstances()).toEqual([]);
  });

  it('boots a generation 1 machine from an ISO, with an ephemeral beside it and the console on both ports', async () => {
    const { driver, folder, instances } = test;
    const iso = join(folder, 'image.iso');
    const volume = Buffer.alloc(40 * 2048);
    volume.write('\u0001CD001\u0001', 16 * 2048, 'latin1');
    volume.write('\u00ffCD001\u0001', 17 * 2048, 'latin1');
    await writeFile(iso, volume);
    const image = testImage(1, {
      id: '44444444-0000-4000-8000-000000000001',
      diskFormat: 'iso',
      sizeBytes: volume.length,
      properties: { logging_serial_port: '2' },
    });
    await driver.spawn(
      spawnRequest(new FileImages(iso), {
        generation: 1,
        image,
        instance: testInstance(1, { ephemeralGb: 1 }),
      }),
    );
    const spec = await specOfMachine('instance-00000001');
    expect(spec.drives.map((drive) => [drive.kind, drive.bus, drive.slot, drive.path.slice(-8)])).toEqual([
      ['dvd', 'ide', 0, 'root.iso'],
      ['disk', 'ide', 1, 'ph0.vhdx'],
    ]);
    expect(spec.firmware).toEqual({ kind: 'bios', bootOrder: ['cd', 'hard-disk', 'network', 'floppy'] });
    expect(spec.serialPorts.map(({ pipe }) => pipe?.slice(-3))).toEqual(['_rw', '_ro']);
    await driver.destroy(testInstance(1));
    expect(await filesLeft(instances)).toEqual([]);
  });
});
