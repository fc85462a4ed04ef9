import type { SecretSource, SpawnRequest } from '@nova-hyperv/driver';
import { newShieldingData } from '@nova-hyperv/emulator';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  diskImage,
  filesLeft,
  spawnRequest,
  startTestHost,
  testImage,
  testInstance,
} from '../support/driver-host.js';
import type { FileImages, TestHost } from '../support/driver-host.js';

const REFERENCE = 'http://key-manager/v1/containers/11111111-0000-4000-8000-000000000001';

const secretsOf = (data: Uint8Array): SecretSource => ({ readContainer: () => Promise.resolve(data) });

describe('a secured machine', () => {
  let test: TestHost;
  let images: FileImages;
  let number = 0;
  beforeAll(async () => {
    test = await startTestHost({ guarded: true });
    images = await diskImage(test.folder, 'vhdx');
  });
  afterAll(() => test.close());
  afterEach(async () => {
    for (const state of await test.driver.listInstances()) await test.driver.destroy(state);
    expect(await filesLeft(test.instances)).toEqual([]);
  });

  function request(
    properties: Readonly<Record<string, string>>,
    changes: Partial<SpawnRequest> = {},
  ): SpawnRequest {
    number += 1;
    const all = {
      hw_machine_type: 'hyperv-gen2',
      os_secure_boot: 'required',
      os_type: 'windows',
      img_pdk_reference: REFERENCE,
      ...properties,
    };
    return spawnRequest(images, {
      instance: testInstance(number),
      image: testImage(2, { properties: all }),
      vifs: [],
      secrets: secretsOf(newShieldingData()),
      ...changes,
    });
  }

  const securityOf = async () =>
    (await test.host.query('SELECT * FROM Msvm_SecuritySettingData')).map(
      ({ instance }) => instance.properties,
    );

  it.each([
    ['os_vtpm', false],
    ['os_shielded_vm', true],
  ])('is made for %s and starts; no file of its making stays', async (property, shielded) => {
    const wanted = request({ [property]: 'required' });
    await test.driver.spawn(wanted);
    expect(await securityOf()).toMatchObject([
      { TpmEnabled: true, EncryptStateAndVmMigrationTraffic: true, ShieldingRequested: shielded },
    ]);
    expect((await test.driver.getInfo(wanted.instance)).powerState).toBe(1);
    expect((await filesLeft(test.instances)).filter((file) => /pdk|fsk/.test(file))).toEqual([]);
    await expect(test.driver.consoleOutput(wanted.instance)).rejects.toMatchObject({
      novaName: 'ConsoleNotAvailable',
    });
  });

  it.each<readonly [string, Partial<SpawnRequest>, string, RegExp]>([
    ['nobody has', {}, 'InvalidMetadata', /not connected to one/],
    [
      'the key manager refuses',
      { secrets: { readContainer: () => Promise.reject(new Error('404 Not Found')) } },
      'InvalidMetadata',
      /cannot be read: 404 Not Found/,
    ],
    [
      'are something else',
      { secrets: secretsOf(Buffer.from('nonsense')) },
      'NovaException',
      /PopulateFromFile/,
    ],
    [
      'are of another fabric',
      { secrets: secretsOf(newShieldingData(['another'])) },
      'NovaException',
      /key protector could not be unwrapped/,
    ],
  ])('leaves nothing when its shielding data %s', async (_what, changes, novaName, message) => {
    const wanted = request({ os_vtpm: 'required' });
    const { secrets: _secrets, ...rest } = wanted;
    const asked = changes.secrets === undefined ? rest : { ...wanted, ...changes };
    await expect(test.driver.spawn(asked)).rejects.toMatchObject({
      novaName,
      message: expect.stringMatching(message),
    });
    expect(await test.driver.listInstances()).toEqual([]);
    expect(await filesLeft(test.instances)).toEqual([]);
  });
});

it('is refused on a host that is not guarded, before anything is made', async () => {
  const test = await startTestHost();
  try {
    const properties = {
      hw_machine_type: 'hyperv-gen2',
      os_secure_boot: 'required',
      os_type: 'windows',
      os_vtpm: 'required',
      img_pdk_reference: REFERENCE,
    };
    const images = await diskImage(test.folder, 'vhdx');
    const refused = spawnRequest(images, { image: testImage(2, { properties }) });
    await expect(test.driver.spawn(refused)).rejects.toMatchObject({
      novaName: 'InstanceUnacceptable',
      scope: 'host',
      message: expect.stringMatching(/guarded host/),
    });
    expect(images.downloads).toBe(0);
  } finally {
    await test.close();
  }
});
