import type { SpawnRequest } from '@nova-hyperv/driver';
import { text, texts } from '@nova-hyperv/hyperv';
import type { HyperVHost } from '@nova-hyperv/hyperv';
import type { Found } from '@nova-hyperv/wsman';
import { afterEach, describe, expect, it } from 'vitest';
import { diskImage, filesLeft, spawnRequest, startTestHost, testInstance } from '../support/driver-host.js';
import type { TestHost, TestHostOptions } from '../support/driver-host.js';

let test: TestHost;
afterEach(async () => {
  await test.close();
});

async function start(options: TestHostOptions): Promise<void> {
  test = await startTestHost(options);
}

const EDU = '0000:03:00.0';
const TESTDEV = '0000:04:00.0';

async function request(
  number: number,
  extraSpecs: Record<string, string>,
  addresses: readonly string[] = [],
): Promise<SpawnRequest> {
  return {
    ...spawnRequest(await diskImage(test.folder, 'vhdx'), { number }),
    instance: {
      ...testInstance(number, { extraSpecs }),
      pciDevices: addresses.map((address) => ({ address })),
    },
  };
}

/** A class's settings of machines: without the host's own definitions. */
async function settingsOf(className: string): Promise<readonly Found['instance'][]> {
  const found = await test.host.query(`SELECT * FROM ${className}`);
  return found
    .map(({ instance }) => instance)
    .filter((instance) => !text(instance, 'InstanceID').includes('Definition'));
}
const countOf = async (className: string) => (await settingsOf(className)).length;

const withAlias = { 'pci_passthrough:alias': 'edu:1' };

/** `device of the host → GUID of the machine that has it`, as a client of the host sees it. */
async function holders(host: HyperVHost): Promise<readonly (readonly [string, string])[]> {
  const rows = await host.query('SELECT * FROM Msvm_PciExpressSettingData');
  return rows
    .filter(({ instance }) => !text(instance, 'InstanceID').includes('Definition'))
    .map(({ instance }) => [
      /VEN_\w{4}&DEV_\w{4}/.exec(texts(instance, 'HostResource')[0] ?? '')?.[0] ?? '',
      text(instance, 'InstanceID').slice('Microsoft:'.length, 'Microsoft:'.length + 36),
    ]);
}

describe('PCI devices', () => {
  const hardware = {
    pciDevices: [{ model: 'edu' }, { model: 'pci-testdev' }, { model: 'edu', mounted: true }],
  } as const;

  it('are told with their places, but for those that the host has not given up', async () => {
    await start({ hardware, config: { pciPassthrough: true } });
    const { pciDevices } = await test.driver.hostResources();
    expect(pciDevices).toMatchObject([
      { address: EDU, vendorId: '1234', productId: '11e8', devType: 'type-PCI', label: 'label_1234_11e8' },
      { address: TESTDEV, vendorId: '1b36', productId: '0005' },
    ]);
  });

  it('the claimed one is the attached one; nobody else gets it; deleting gives it back', async () => {
    await start({ hardware, config: { dynamicMemoryRatio: 2 } });
    await test.driver.spawn(await request(1, withAlias, [TESTDEV]));
    expect((await holders(test.host)).map(([device]) => device)).toEqual(['VEN_1B36&DEV_0005']);
    const [listed] = (await test.host.pci.list()).filter(({ inUse }) => inUse);
    expect(listed?.address).toBe(TESTDEV);
    await expect(test.driver.spawn(await request(2, withAlias, [TESTDEV]))).rejects.toMatchObject({
      novaName: 'PciDeviceInvalidStatus',
      scope: 'host',
    });
    expect(await test.host.machines.findByName('instance-00000002')).toEqual([]);
    await test.driver.destroy(testInstance(1));
    expect(await holders(test.host)).toEqual([]);
    await test.driver.spawn(await request(2, withAlias, [TESTDEV]));
    await test.driver.destroy(testInstance(2));
    expect(await filesLeft(test.instances)).toEqual([]);
  });

  it('a device that the host has taken back is refused before anything is made', async () => {
    await start({ hardware });
    await expect(test.driver.spawn(await request(1, withAlias, ['0000:05:00.0']))).rejects.toMatchObject({
      novaName: 'PciDeviceNotFound',
    });
    expect(await test.host.machines.list()).toEqual([]);
  });

  it('cost at most four round trips more than a machine without', async () => {
    await start({ hardware });
    await test.driver.spawn(await request(1, {}));
    const trips = async (spawned: SpawnRequest) => {
      const before = test.host.counters.roundTrips;
      await test.driver.spawn(spawned);
      return test.host.counters.roundTrips - before;
    };
    const plain = await trips(await request(2, {}));
    await test.driver.spawn(await request(3, withAlias, [EDU]));
    // The list of devices, and the call that adds one with its job.
    expect((await trips(await request(4, withAlias, [TESTDEV]))) - plain).toBeLessThanOrEqual(4);
  });
});

describe('RemoteFX', () => {
  const wanted = { 'os:resolution': '1600x1200', 'os:monitors': '2', 'os:vram': '256' };
  const config = { enableRemoteFx: true };

  it.each(['2016', '2019'] as const)('takes the place of the plain adapter on %s', async (release) => {
    await start({ release, hardware: { remoteFx: 'present' }, config });
    await test.driver.spawn(await request(1, wanted));
    const own = (await settingsOf('Msvm_Synthetic3DDisplayControllerSettingData')).map(
      ({ properties }) => properties,
    );
    expect(own).toMatchObject([
      { MaximumScreenResolution: 2, MaximumMonitors: 2, VRAMSizeBytes: 268_435_456n },
    ]);
    expect(await countOf('Msvm_SyntheticDisplayControllerSettingData')).toBe(0);
    expect((await test.driver.hostResources()).gpus).toMatchObject([{ totalVideoRamMb: 8192 }]);
  });

  it('that an update has removed is refused by the host’s answer, with what to use instead, and leaves nothing', async () => {
    await start({ release: '2019', hardware: { remoteFx: 'removed' }, config });
    await expect(test.driver.spawn(await request(1, wanted))).rejects.toMatchObject({
      novaName: 'InstanceUnacceptable',
      scope: 'host',
      message: expect.stringMatching(/KB4570006.*Discrete Device Assignment/) as string,
    });
    expect(await test.host.machines.list()).toEqual([]);
    expect(await filesLeft(test.instances)).toEqual([]);
  });
});

const state = async () => ({
  devices: (await holders(test.host)).map(([device]) => device),
  remoteFx: await countOf('Msvm_Synthetic3DDisplayControllerSettingData'),
  plain: await countOf('Msvm_SyntheticDisplayControllerSettingData'),
});

describe('a cold resize', () => {
  const graphics = { ...withAlias, 'os:resolution': '1024x768' };
  it('gives devices and RemoteFX, takes them away, and a revert brings back what was', async () => {
    await start({
      release: '2019',
      hardware: { pciDevices: [{ model: 'edu' }, { model: 'pci-testdev' }], remoteFx: 'present' },
      config: { enableRemoteFx: true, dynamicMemoryRatio: 2 },
    });
    const plain = await request(1, {});
    const rich = await request(1, graphics, [TESTDEV]);
    const options = { timeoutSeconds: 0 };
    const resize = async (from: SpawnRequest, to: SpawnRequest) => {
      const move = { instance: to.instance, oldFlavor: from.instance.flavor, image: to.image, vifs: to.vifs };
      await test.driver.migrateDiskAndPowerOff(move, options);
      await test.driver.finishMigration({ ...move, powerOn: true }, options);
    };
    const bare = { devices: [], remoteFx: 0, plain: 1 };
    const full = { devices: ['VEN_1B36&DEV_0005'], remoteFx: 1, plain: 0 };
    await test.driver.spawn(plain);
    await resize(plain, rich);
    expect(await state()).toEqual(full);
    await test.driver.finishRevertMigration(plain.instance, { ...options, powerOn: true });
    expect(await state()).toEqual(bare);
    await resize(plain, rich);
    await test.driver.confirmMigration(rich.instance);
    await resize(rich, plain);
    expect(await state()).toEqual(bare);
    await test.driver.finishRevertMigration(plain.instance, { ...options, powerOn: true });
    expect(await state()).toEqual(full);
  });
});
