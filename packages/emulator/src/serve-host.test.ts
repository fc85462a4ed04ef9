import path from 'node:path';
import type { CimInstance } from '@nova-hyperv/wsman';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CIMV2, V2, textsOf, v2 } from './cim.js';
import { settingsReference, systemReference } from './machines/model.js';
import { buildMachine, power } from './testing/machine-client.js';
import {
  MANAGEMENT,
  call,
  codeOf,
  defineMachine,
  first,
  instancesOf,
  startTestHost,
  succeed,
} from './testing/test-host.js';
import type { TestHost } from './testing/test-host.js';

let test: TestHost;

beforeEach(async () => {
  test = await startTestHost();
});

afterEach(async () => {
  await test.close();
});

async function query(wql: string): Promise<CimInstance[]> {
  return (await test.client.query(V2, wql)).map((found) => found.instance);
}

describe('a machine over the wire', () => {
  it('is defined, gets its devices, starts, stops and is destroyed', async () => {
    const { id } = await buildMachine(test, 'vm1');
    expect(await power(test, id, 2)).toBe(0);
    const [system] = await query(`SELECT * FROM Msvm_ComputerSystem WHERE Name = '${id}'`);
    expect(system?.properties).toMatchObject({ EnabledState: 2, ElementName: 'vm1' });
    const config = test.engine.running.get(id);
    expect(config).toMatchObject({
      generation: 2,
      memoryMb: 1024,
      processors: 1,
      drives: [
        {
          id: 'scsi-0-0',
          bus: 'scsi',
          controller: 0,
          slot: 0,
          path: path.join(test.host.driveC, 'vms', 'vm1.vhdx'),
        },
      ],
      nics: [{ mac: '00:15:5d:00:00:00', type: 'synthetic' }],
    });
    expect(config?.firmware).toStrictEqual({ bootOrder: ['scsi-0-0', config?.nics[0]?.id] });
    expect(await power(test, id, 3)).toBe(0);
    expect(
      codeOf(await call(test.client, MANAGEMENT, 'DestroySystem', { AffectedSystem: systemReference(id) })),
    ).toBe(0);
    expect(await query(`SELECT * FROM Msvm_ComputerSystem WHERE Name = '${id}'`)).toHaveLength(0);
    expect(
      await query(`SELECT * FROM CIM_SettingData WHERE InstanceID LIKE 'Microsoft:${id}%'`),
    ).toHaveLength(0);
  });

  it('twenty are made and started at once', async () => {
    const ids = await Promise.all(
      Array.from({ length: 20 }, (_, number) => buildMachine(test, `vm-${number}`).then((built) => built.id)),
    );
    expect(await Promise.all(ids.map((id) => power(test, id, 2)))).toStrictEqual(ids.map(() => 0));
    const systems = await query(
      "SELECT Name, EnabledState FROM Msvm_ComputerSystem WHERE Caption = 'Virtual Machine'",
    );
    expect(systems).toHaveLength(20);
    expect(new Set(systems.map((system) => system.properties['EnabledState']))).toStrictEqual(new Set([2]));
    expect(await Promise.all(ids.map((id) => power(test, id, 3)))).toStrictEqual(ids.map(() => 0));
    const outcomes = await Promise.all(
      ids.map((id) =>
        call(test.client, MANAGEMENT, 'DestroySystem', { AffectedSystem: systemReference(id) }),
      ),
    );
    expect(outcomes.map(codeOf)).toStrictEqual(ids.map(() => 0));
  }, 60_000);

  it('tells its summary', async () => {
    const id = await defineMachine(test.client, { ElementName: 'summed', Notes: ['note'] });
    const out = await succeed(test.client, MANAGEMENT, 'GetSummaryInformation', {
      SettingData: [settingsReference(id)],
      RequestedInformation: [0, 1, 3, 4, 100, 103, 105],
    });
    const [summary] = instancesOf(out['SummaryInformation']);
    expect(summary?.properties).toMatchObject({
      Name: id,
      ElementName: 'summed',
      Notes: 'note',
      NumberOfProcessors: 1,
      EnabledState: 3,
      MemoryUsage: 0n,
      UpTime: 0n,
    });
  });
});

describe('the host over the wire', () => {
  it('enumerates itself and its operating system', async () => {
    const systems = await test.client.enumerate(V2, 'Msvm_ComputerSystem');
    expect(systems.map((found) => found.instance.properties['Name'])).toStrictEqual(['HV01']);
    const [os] = await test.client.query(CIMV2, 'SELECT Version FROM Win32_OperatingSystem');
    expect(os?.instance.properties['Version']).toBe('10.0.20348');
    const [disk] = await test.client.query(CIMV2, "SELECT * FROM Win32_LogicalDisk WHERE DeviceID = 'C:'");
    expect(disk?.instance.properties['Size']).toBeGreaterThan(0n);
  });

  it('shows that a switch is external by associations', async () => {
    const port = first(await test.client.enumerate(V2, 'Msvm_ExternalEthernetPort'));
    const endpoints = await test.client.associators(port.reference, {
      associationClass: 'Msvm_EthernetDeviceSAPImplementation',
      resultClass: 'Msvm_LANEndpoint',
    });
    const [other] = await test.client.associators(first(endpoints).reference, {
      associationClass: 'Msvm_ActiveConnection',
    });
    const [virtualSwitch] = await query('SELECT * FROM Msvm_VirtualEthernetSwitch');
    expect(other?.instance.properties['SystemName']).toBe(virtualSwitch?.properties['Name']);
  });

  it('finds boot sources by Msvm_LogicalIdentity', async () => {
    const { id } = await buildMachine(test, 'booting');
    const links = await test.client.enumerate(V2, 'Msvm_LogicalIdentity');
    expect(links).toHaveLength(2);
    const [settings] = await query(
      `SELECT * FROM Msvm_VirtualSystemSettingData WHERE InstanceID = 'Microsoft:${id}'`,
    );
    const order = textsOf(settings?.properties['BootSourceOrder']);
    expect(order).toHaveLength(2);
    const reversed = order.toReversed();
    await succeed(test.client, MANAGEMENT, 'ModifySystemSettings', {
      SystemSettings: v2('Msvm_VirtualSystemSettingData', {
        InstanceID: `Microsoft:${id}`,
        BootSourceOrder: reversed,
      }),
    });
    const [after] = await query(
      `SELECT BootSourceOrder FROM Msvm_VirtualSystemSettingData WHERE InstanceID = 'Microsoft:${id}'`,
    );
    expect(after?.properties['BootSourceOrder']).toStrictEqual(reversed);
  });
});
