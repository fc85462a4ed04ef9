import type { CimReference } from '@nova-hyperv/wsman';
import { afterEach, describe, expect, it } from 'vitest';
import { CIMV2, V2 } from './cim.js';
import { createNoneEngine } from './engine/index.js';
import { settingsReference } from './machines/model.js';
import type { WindowsRelease } from './options.js';
import { add, buildMachine, createDisk, destroy, pathOf, power, stateOf } from './testing/machine-client.js';
import { wanted } from './testing/rule-host.js';
import { MANAGEMENT, call, codeOf, defineMachine, first, startTestHost } from './testing/test-host.js';
import type { TestHost } from './testing/test-host.js';

let test: TestHost;

afterEach(async () => {
  await test.close();
});

async function start(release: WindowsRelease): Promise<void> {
  test = await startTestHost({ release, createEngine: createNoneEngine });
}

async function count(className: string): Promise<number | string> {
  try {
    return (await test.client.query(V2, `SELECT * FROM ${className}`)).length;
  } catch (error) {
    return error instanceof Error && 'hresult' in error ? Number(error.hresult) >>> 0 : String(error);
  }
}

async function ideController(id: string): Promise<CimReference> {
  const wql = `SELECT * FROM Msvm_ResourceAllocationSettingData WHERE InstanceID LIKE 'Microsoft:${id}%' AND ResourceType = 5 AND Address = '0'`;
  return first(await test.client.query(V2, wql)).reference;
}

/** Defines, fills, starts, stops and destroys a machine as a client does. */
async function mainFlow(generation: 1 | 2): Promise<void> {
  const id = await defineMachine(test.client, {
    ElementName: `generation-${generation}`,
    VirtualSystemSubType: `Microsoft:Hyper-V:SubType:${generation}`,
  });
  const controller =
    generation === 1 ? await ideController(id) : await add(test, id, wanted('scsi-controller'));
  const file = await createDisk(test, `disk-${generation}.vhdx`);
  const drive = await add(
    test,
    id,
    wanted('disk-drive', { Parent: pathOf(controller), AddressOnParent: '0' }),
  );
  await add(test, id, wanted('hard-disk', { Parent: pathOf(drive), HostResource: [file] }));
  const nic = await add(test, id, wanted(generation === 1 ? 'legacy-nic' : 'synthetic-nic'));
  const network = first(await test.client.query(V2, 'SELECT * FROM Msvm_VirtualEthernetSwitch'));
  await add(
    test,
    id,
    wanted('connection', { Parent: pathOf(nic), HostResource: [pathOf(network.reference)] }),
  );
  expect(await power(test, id, 2)).toBe(0);
  expect(await stateOf(test, id)).toBe(2);
  expect(await power(test, id, 3)).toBe(0);
  expect(await stateOf(test, id)).toBe(3);
  expect(await destroy(test, id)).toBe(0);
  expect(
    await test.client.query(V2, `SELECT * FROM CIM_SettingData WHERE InstanceID LIKE 'Microsoft:${id}%'`),
  ).toHaveLength(0);
}

describe.each([
  ['2012R2', '6.3.9600', '5.0', 'Msvm_ResourceAllocationSettingData', 32775],
  ['2016', '10.0.14393', '8.0', 'Msvm_SerialPortSettingData', 0],
  ['2019', '10.0.17763', '9.0', 'Msvm_SerialPortSettingData', 0],
  ['2022', '10.0.20348', '10.0', 'Msvm_SerialPortSettingData', 0],
  ['2025', '10.0.26100', '12.0', 'Msvm_SerialPortSettingData', 0],
] as const)('a host of release %s', (release, windows, version, serialClass, hotNic) => {
  const isTen = release !== '2012R2';

  it.each([1, 2] as const)(
    'takes a machine of generation %i from its definition to its end',
    async (generation) => {
      await start(release);
      await mainFlow(generation);
    },
  );

  it('shows the classes, properties and versions of its time', async () => {
    await start(release);
    const [os] = await test.client.query(CIMV2, 'SELECT Version FROM Win32_OperatingSystem');
    expect(os?.instance.properties['Version']).toBe(windows);
    const id = await defineMachine(test.client);
    const [settings] = await test.client.query(
      V2,
      `SELECT * FROM Msvm_VirtualSystemSettingData WHERE InstanceID = 'Microsoft:${id}'`,
    );
    const names = Object.keys(settings?.instance.properties ?? {});
    expect(settings?.instance.properties['Version']).toBe(version);
    for (const name of ['UserSnapshotType', 'SecureBootTemplateId', 'LowMmioGapSize', 'ConsoleMode'])
      expect(names.includes(name)).toBe(isTen);
    for (const name of ['SecureBootEnabled', 'VirtualNumaEnabled', 'ConfigurationDataRoot'])
      expect(names).toContain(name);
    const ports = await test.client.query(
      V2,
      `SELECT * FROM CIM_ResourceAllocationSettingData WHERE InstanceID LIKE 'Microsoft:${id}%' AND ResourceType = 21`,
    );
    expect(ports.map((port) => port.instance.className)).toStrictEqual([serialClass, serialClass]);
    for (const name of ['Msvm_SecurityService', 'Msvm_AssignableDeviceService'])
      expect(await count(name)).toBe(isTen ? 1 : 0x80041010);
  });

  it('takes a network adapter while a generation 2 machine runs, from 10.0 on', async () => {
    await start(release);
    const { id } = await buildMachine(test, 'running');
    await power(test, id, 2);
    const outcome = await call(test.client, MANAGEMENT, 'AddResourceSettings', {
      AffectedConfiguration: settingsReference(id),
      ResourceSettings: [wanted('synthetic-nic')],
    });
    expect(codeOf(outcome)).toBe(hotNic);
  });
});
