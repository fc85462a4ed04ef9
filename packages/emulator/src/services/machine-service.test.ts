import { afterEach, describe, expect, it } from 'vitest';
import { parseObjectPath } from '@nova-hyperv/wsman';
import type { CimReference } from '@nova-hyperv/wsman';
import { V2, reference, v2 } from '../cim.js';
import { settingsId, settingsReference } from '../machines/model.js';
import { add, buildMachine, createDisk, pathOf } from '../testing/machine-client.js';
import { wanted } from '../testing/rule-host.js';
import {
  IMAGES,
  MANAGEMENT,
  call,
  codeOf,
  defineMachine,
  finishedJob,
  first,
  instancesOf,
  referencesOf,
  startTestHost,
  succeed,
} from '../testing/test-host.js';
import type { TestHost } from '../testing/test-host.js';

let test: TestHost;

afterEach(async () => {
  await test.close();
});

function addTo(id: string, ...settings: readonly ReturnType<typeof wanted>[]): ReturnType<typeof call> {
  return call(test.client, MANAGEMENT, 'AddResourceSettings', {
    AffectedConfiguration: settingsReference(id),
    ResourceSettings: settings,
  });
}

describe('how refusals are told', () => {
  it('deep validation fails the job', async () => {
    test = await startTestHost();
    const outcome = await addTo(
      await defineMachine(test.client),
      wanted('disk-drive', { Parent: 'x', AddressOnParent: '0' }),
    );
    expect(outcome.returnValue).toBe(4096);
    expect(outcome.job?.properties).toMatchObject({ JobState: 10, ErrorCode: 32773 });
    const job = first(referencesOf(outcome.out['Job']));
    const { out } = await test.client.invoke(job, 'GetErrorEx', {});
    expect(instancesOf(out['Errors'])).toMatchObject([{ className: 'Msvm_Error' }]);
  });

  it('or, with the option, the return value', async () => {
    test = await startTestHost({ validation: 'direct' });
    const outcome = await addTo(
      await defineMachine(test.client),
      wanted('disk-drive', { Parent: 'x', AddressOnParent: '0' }),
    );
    expect(outcome).toMatchObject({ returnValue: 32773, job: undefined });
    expect(outcome.out).not.toHaveProperty('Job');
  });

  it.each(['hard-disk', 'connection'] as const)('one %s as HostResource fails the job', async (name) => {
    test = await startTestHost();
    const { id, drive, nic } = await buildMachine(test, 'vm');
    const parent = pathOf(name === 'connection' ? nic : drive);
    const child = name === 'connection' ? `${parent.slice(0, -1)}\\\\C"` : `${parent.slice(0, -2)}L"`;
    await succeed(test.client, MANAGEMENT, 'RemoveResourceSettings', {
      ResourceSettings: [parseObjectPath(child)],
    });
    // Our client refuses to send it, so the provider is asked directly.
    const { returnValue, out } = await test.host.core.provider.invoke(
      { user: 'x' },
      MANAGEMENT,
      'AddResourceSettings',
      {
        AffectedConfiguration: settingsReference(id),
        ResourceSettings: [wanted(name, { Parent: parent, HostResource: String.raw`C:\vms\vm.vhdx` })],
      },
    );
    expect(returnValue).toBe(4096);
    const job = await finishedJob(test.client, first(referencesOf(out['Job'])));
    expect(job.properties).toMatchObject({ JobState: 10, ErrorCode: 32773 });
    expect(job.properties['ErrorDescription']).toContain('must be an array');
  });

  it('wrong types are told by the return value in any case', async () => {
    test = await startTestHost();
    const settings = v2('Msvm_VirtualSystemSettingData', {
      ElementName: 'x',
      Notes: ['a'],
      AutomaticStartupAction: 2,
    });
    const broken = { ...settings, properties: { ...settings.properties, Nothing: 'x' } };
    // Our client refuses to send it, so the provider is asked directly.
    const { provider } = test.host.core;
    const outcome = await provider.invoke({ user: 'x' }, MANAGEMENT, 'DefineSystem', {
      SystemSettings: broken,
    });
    expect(outcome.returnValue).toBe(32776);
  });

  it('an unserved method answers 32770, and says so for other services too', async () => {
    test = await startTestHost();
    expect((await test.client.invoke(MANAGEMENT, 'GenerateWwpn', { NumberOfWwpns: 1 })).returnValue).toBe(
      32770,
    );
    const snapshots = reference(V2, 'Msvm_VirtualSystemSnapshotService', {
      CreationClassName: 'Msvm_VirtualSystemSnapshotService',
    });
    expect((await test.client.invoke(snapshots, 'ApplySnapshot', {})).returnValue).toBe(32770);
  });
});

describe('refused shapes of reading', () => {
  it('base classes and the summary of all are served, unless they are refused', async () => {
    const query = (className: string): Promise<unknown> =>
      test.client.query(V2, `SELECT * FROM ${className}`);
    const summary = async (): Promise<number> =>
      (await test.client.invoke(MANAGEMENT, 'GetSummaryInformation', { RequestedInformation: [1] }))
        .returnValue;
    test = await startTestHost();
    await Promise.all([query('CIM_SettingData'), query('CIM_ConcreteJob')]);
    expect(await summary()).toBe(0);
    await test.close();
    test = await startTestHost({
      refuse: ['settings-by-base-class', 'jobs-by-base-class', 'summary-of-all'],
    });
    await expect(query('CIM_SettingData')).rejects.toMatchObject({ hresult: 0x80041024 });
    await expect(query('CIM_ConcreteJob')).rejects.toMatchObject({ hresult: 0x80041024 });
    expect(await summary()).toBe(32773);
  });
});

describe('AddResourceSettings', () => {
  it('takes several elements, all or none', async () => {
    test = await startTestHost();
    const id = await defineMachine(test.client);
    const good = await addTo(id, wanted('scsi-controller'), wanted('synthetic-nic'));
    expect(referencesOf(good.out['ResultingResourceSettings']).map((one) => one.className)).toStrictEqual([
      'Msvm_ResourceAllocationSettingData',
      'Msvm_SyntheticEthernetPortSettingData',
    ]);
    expect(codeOf(await addTo(id, wanted('synthetic-nic'), wanted('legacy-nic')))).toBe(32773);
    expect(
      await test.client.query(
        V2,
        `SELECT * FROM Msvm_SyntheticEthernetPortSettingData WHERE InstanceID LIKE '${settingsId(id)}%'`,
      ),
    ).toHaveLength(1);
  });

  it('tells what it made as affected elements too, and only there with the refusal', async () => {
    test = await startTestHost({ refuse: ['results-with-job'] });
    const machine = await call(test.client, MANAGEMENT, 'DefineSystem', {
      SystemSettings: v2('Msvm_VirtualSystemSettingData', { ElementName: 'x' }),
    });
    expect(machine.out).not.toHaveProperty('ResultingSystem');
    const affected = await test.client.associators(first(referencesOf(machine.out['Job'])), {
      associationClass: 'Msvm_AffectedJobElement',
    });
    expect(affected.map((found) => found.instance.className)).toStrictEqual(['Msvm_ComputerSystem']);
  });

  it.each([
    [[], 0, 0],
    [['add-several-resources'], 32773, 0],
    [['parent-in-same-call'], 0, 32773],
  ])(
    'with %j refused, two at once answer %i and a Parent of the same call %i',
    async (refuse, several, sameCall) => {
      test = await startTestHost({ refuse });
      const id = await defineMachine(test.client);
      expect(codeOf(await addTo(id, wanted('synthetic-nic'), wanted('synthetic-nic')))).toBe(several);
      const controller = await add(test, id, wanted('scsi-controller'));
      const drive: CimReference = {
        ...controller,
        keys: { InstanceID: `${controller.keys['InstanceID']}\\0\\D` },
      };
      const file = await createDisk(test, 'same.vhdx');
      const both = await addTo(
        id,
        wanted('disk-drive', { Parent: pathOf(controller), AddressOnParent: '0' }),
        wanted('hard-disk', { Parent: pathOf(drive), HostResource: [file] }),
      );
      expect(codeOf(both)).toBe(several === 0 ? sameCall : 32773);
    },
  );
});

describe('DefineSystem', () => {
  it.each([
    [[], 0],
    [['define-with-resources'], 32773],
  ])('with %j refused and resources given answers %i', async (refuse, code) => {
    test = await startTestHost({ refuse });
    const outcome = await call(test.client, MANAGEMENT, 'DefineSystem', {
      SystemSettings: v2('Msvm_VirtualSystemSettingData', {
        ElementName: 'x',
        VirtualSystemSubType: 'Microsoft:Hyper-V:SubType:2',
      }),
      ResourceSettings: [wanted('memory', { VirtualQuantity: 2048n }), wanted('scsi-controller')],
    });
    expect(codeOf(outcome)).toBe(code);
    if (code !== 0) return;
    const [system] = referencesOf(outcome.out['ResultingSystem']);
    const rows = await test.client.query(
      V2,
      `SELECT VirtualQuantity FROM Msvm_MemorySettingData WHERE InstanceID LIKE 'Microsoft:${system?.keys['Name']}%'`,
    );
    expect(rows.map((found) => found.instance.properties['VirtualQuantity'])).toStrictEqual([2048n]);
  });

  it('two machines may have one name', async () => {
    test = await startTestHost();
    await defineMachine(test.client, { ElementName: 'twin' });
    await defineMachine(test.client, { ElementName: 'twin' });
    expect(
      await test.client.query(V2, "SELECT * FROM Msvm_ComputerSystem WHERE ElementName = 'twin'"),
    ).toHaveLength(2);
  });

  it('makes the folders that it names', async () => {
    test = await startTestHost();
    await defineMachine(test.client, { ConfigurationDataRoot: String.raw`C:\OpenStack\Instances\vm` });
    const folders = await test.client.query(
      'root/cimv2',
      String.raw`SELECT * FROM Win32_Directory WHERE Name = 'c:\\openstack\\instances\\vm'`,
    );
    expect(folders).toHaveLength(1);
  });
});

describe('port features', () => {
  it('are added, found below their port, and removed', async () => {
    test = await startTestHost();
    const { connection } = await buildMachine(test, 'vm');
    const out = await succeed(test.client, MANAGEMENT, 'AddFeatureSettings', {
      AffectedConfiguration: connection,
      FeatureSettings: [
        v2('Msvm_EthernetSwitchPortVlanSettingData', { OperationMode: 1, AccessVlanId: 100 }),
      ],
    });
    const vlan = first(referencesOf(out['ResultingFeatureSettings']));
    const features = await test.client.associators(connection, {
      resultClass: 'Msvm_EthernetSwitchPortFeatureSettingData',
    });
    expect(features.map((found) => found.instance.className).toSorted()).toStrictEqual([
      'Msvm_EthernetSwitchPortOffloadSettingData',
      'Msvm_EthernetSwitchPortVlanSettingData',
    ]);
    await succeed(test.client, MANAGEMENT, 'RemoveFeatureSettings', { FeatureSettings: [vlan] });
    await expect(test.client.get(vlan)).rejects.toMatchObject({ hresult: 0x80041002 });
  });
});

describe('removing a drive with its disk', () => {
  it('R6 is a fault', async () => {
    test = await startTestHost();
    const { drive } = await buildMachine(test, 'vm');
    await expect(
      call(test.client, MANAGEMENT, 'RemoveResourceSettings', { ResourceSettings: [drive] }),
    ).rejects.toMatchObject({ hresult: 0x80041001 });
  });
});

describe('services', () => {
  it('are addressed by any key, and not by none', async () => {
    test = await startTestHost();
    const nobody = reference(V2, 'Msvm_VirtualSystemManagementService', {});
    await expect(
      test.client.invoke(nobody, 'GetSummaryInformation', { RequestedInformation: [0] }),
    ).rejects.toMatchObject({ hresult: 0x8004102f });
    expect(
      (await test.client.invoke(IMAGES, 'GetVirtualHardDiskSettingData', { Path: String.raw`C:\none.vhdx` }))
        .returnValue,
    ).toBe(32779);
  });
});
