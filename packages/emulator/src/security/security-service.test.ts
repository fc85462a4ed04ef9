import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { CimInstance, CimValue } from '@nova-hyperv/wsman';
import { isCimInstance } from '@nova-hyperv/wsman';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { V2, instance, listOf, reference, v2 } from '../cim.js';
import { settingsReference } from '../machines/model.js';
import { power } from '../testing/machine-client.js';
import {
  MANAGEMENT,
  call,
  codeOf,
  defineMachine,
  first,
  startTestHost,
  succeed,
} from '../testing/test-host.js';
import type { TestHost } from '../testing/test-host.js';
import { newShieldingData } from './shielding-data.js';
import { HGS, MSPS } from './shielding-tools.js';

const SERVICE = reference(V2, 'Msvm_SecurityService', { CreationClassName: 'Msvm_SecurityService' });
const PROCESSOR = reference(MSPS, 'Msps_ProvisioningFileProcessor', {});
const GUARDIAN = reference(HGS, 'MSFT_HgsClientConfiguration', {});

let test: TestHost;
let id: string;

beforeEach(async () => {
  test = await startTestHost({ guarded: true });
  id = await defineMachine(test.client, { ElementName: 'vm' });
});
afterEach(() => test.close());

async function settings(): Promise<CimInstance> {
  const found = await test.client.query(
    V2,
    `SELECT * FROM Msvm_SecuritySettingData WHERE InstanceID LIKE 'Microsoft:${id}%'`,
  );
  return first(found).instance;
}

async function text(changes: Readonly<Record<string, CimValue>> = {}): Promise<CimInstance> {
  const { InstanceID } = (await settings()).properties;
  return v2('Msvm_SecuritySettingData', { InstanceID: InstanceID ?? null, ...changes });
}

const modify = async (changes: Readonly<Record<string, CimValue>>) =>
  codeOf(
    await call(test.client, SERVICE, 'ModifySecuritySettings', { SecuritySettingData: await text(changes) }),
  );

async function setProtector(data = newShieldingData()): Promise<void> {
  mkdirSync(path.join(test.host.driveC, 'shielding'), { recursive: true });
  writeFileSync(path.join(test.host.driveC, 'shielding', 'a.pdk'), data);
  const { out } = await test.client.invoke(PROCESSOR, 'PopulateFromFile', {
    FilePath: 'C:\\shielding\\a.pdk',
  });
  const file = out['ProvisioningFile'];
  if (file === undefined || !isCimInstance(file)) throw new Error('no file');
  const { KeyProtector, PolicyData } = file.properties;
  await succeed(test.client, SERVICE, 'SetKeyProtector', {
    SecuritySettingData: await text(),
    KeyProtector: KeyProtector ?? [],
  });
  await succeed(test.client, SERVICE, 'SetSecurityPolicy', {
    SecuritySettingData: await text(),
    SecurityPolicy: PolicyData ?? [],
  });
}

const TPM = { TpmEnabled: true, EncryptStateAndVmMigrationTraffic: true };
const SHIELDED = { ...TPM, ShieldingRequested: true };

describe('the security service', () => {
  it('enables a TPM only with a key protector, which it tells', async () => {
    const protector = async () =>
      (await test.client.invoke(SERVICE, 'GetKeyProtector', { SecuritySettingData: await text() })).out[
        'KeyProtector'
      ];
    expect(await protector()).toEqual([0, 0, 0, 4]);
    expect(await modify(TPM)).toBe(32775);
    await setProtector();
    expect(listOf(await protector()).length).toBeGreaterThan(10);
    expect(await modify(TPM)).toBe(0);
    expect((await settings()).properties).toMatchObject({ ...TPM, ShieldingRequested: false });
    expect(await power(test, id, 2)).toBe(0);
    expect(test.engine.running.get(id)).toMatchObject({ tpm: true, serialPorts: [{}, {}] });
    expect(await modify({ TpmEnabled: false })).toBe(32775);
  });

  it('shields a machine that has all that it takes, for good', async () => {
    await setProtector();
    expect(await modify({ ShieldingRequested: true })).toBe(32773);
    expect(await modify({ ShieldingRequested: true, TpmEnabled: true })).toBe(32773);
    const secureBoot = async (enabled: boolean) =>
      codeOf(
        await call(test.client, MANAGEMENT, 'ModifySystemSettings', {
          SystemSettings: v2('Msvm_VirtualSystemSettingData', {
            InstanceID: settingsReference(id).keys['InstanceID'] ?? '',
            SecureBootEnabled: enabled,
          }),
        }),
      );
    expect(await secureBoot(false)).toBe(0);
    expect(await modify(SHIELDED)).toBe(32773);
    expect(await secureBoot(true)).toBe(0);
    expect(await modify(SHIELDED)).toBe(0);
    expect(await modify({ ShieldingRequested: false })).toBe(32773);
    expect(await secureBoot(false)).toBe(32773);
    const port = first(
      await test.client.query(
        V2,
        `SELECT * FROM Msvm_SerialPortSettingData WHERE InstanceID LIKE 'Microsoft:${id}%'`,
      ),
    ).instance;
    const connected = await call(test.client, MANAGEMENT, 'ModifyResourceSettings', {
      ResourceSettings: [
        v2('Msvm_SerialPortSettingData', {
          InstanceID: port.properties['InstanceID'] ?? null,
          Connection: ['\\\\.\\pipe\\a'],
        }),
      ],
    });
    expect(codeOf(connected)).toBe(32773);
    expect(await power(test, id, 2)).toBe(0);
    expect(test.engine.running.get(id)).toMatchObject({ tpm: true, serialPorts: [] });
    const picture = { TargetSystem: settingsReference(id), WidthPixels: 80, HeightPixels: 60 };
    expect(
      (await test.client.invoke(MANAGEMENT, 'GetVirtualSystemThumbnailImage', picture)).returnValue,
    ).toBe(32769);
  });

  it('does not start what another fabric protects, and nothing of it on a host that is not guarded', async () => {
    await setProtector(newShieldingData(['another-fabric']));
    await modify(TPM);
    expect(await power(test, id, 2)).toBe(32768);
    await setProtector();
    await modify(SHIELDED);
    const { stateDir } = test;
    await test.stop();
    test = await startTestHost({ stateDir });
    expect((await settings()).properties).toMatchObject(SHIELDED);
    expect(await power(test, id, 2)).toBe(32768);
    await test.stop();
    test = await startTestHost({ stateDir, guarded: true });
    expect(await power(test, id, 2)).toBe(0);
  });

  it('refuses texts of nobody, and a TPM for generation 1', async () => {
    const nobody = v2('Msvm_SecuritySettingData', { InstanceID: 'Microsoft:nothing', TpmEnabled: true });
    expect(
      codeOf(await call(test.client, SERVICE, 'ModifySecuritySettings', { SecuritySettingData: nobody })),
    ).toBe(32773);
    id = await defineMachine(test.client, { VirtualSystemSubType: 'Microsoft:Hyper-V:SubType:1' });
    await setProtector();
    expect(await modify(TPM)).toBe(32773);
  });
});

const provision = (fsk: string) =>
  test.client.invoke(reference(MSPS, 'Msps_ProvisioningService', {}), 'ProvisionMachine', {
    PDKPath: 'C:\\shielding\\a.pdk',
    FSKPath: fsk,
    MachineID: id,
  });

describe('the shielded VM tools', () => {
  it('write specialization data and provision a machine with it', async () => {
    await setProtector();
    await modify(TPM);
    const pair = instance(MSPS, 'Msps_FabricData', { key: '@ComputerName@', Value: 'vm1' });
    const fsk = instance(MSPS, 'Msps_FSK', { FabricDataPairs: [pair] });
    const written = await test.client.invoke(PROCESSOR, 'SerializeToFile', {
      FilePath: 'C:\\shielding\\a.fsk',
      ProvisioningFile: fsk,
    });
    expect(written.returnValue).toBe(0);
    const file = path.join(test.host.driveC, 'shielding', 'a.fsk');
    expect(readFileSync(file, 'utf8')).toContain('"@ComputerName@":"vm1"');
    const { out, returnValue } = await provision('C:\\shielding\\a.fsk');
    expect(returnValue).toBe(0);
    expect(out['ProvisioningJob']).toMatchObject({ properties: { JobState: 7, AdditionalIdentifier: id } });
    expect((await provision('C:\\shielding\\b.fsk')).out['ProvisioningJob']).toMatchObject({
      properties: { JobState: 10 },
    });
    expect(await test.client.query(MSPS, 'SELECT * FROM Msps_ProvisioningJob')).toHaveLength(2);
  });

  it('read shielding data and nothing else', async () => {
    mkdirSync(path.join(test.host.driveC, 'x'));
    writeFileSync(path.join(test.host.driveC, 'x', 'a.pdk'), 'something else');
    const read = (FilePath: string) => test.client.invoke(PROCESSOR, 'PopulateFromFile', { FilePath });
    expect((await read('C:\\x\\a.pdk')).returnValue).toBe(32773);
    expect((await read('C:\\x\\b.pdk')).returnValue).toBe(32779);
    expect(existsSync(path.join(test.host.driveC, 'x', 'b.pdk'))).toBe(false);
  });
});

describe('the host guardian client', () => {
  it('tells whether the host is guarded', async () => {
    const { out } = await test.client.invoke(GUARDIAN, 'Get', {});
    expect(out['cmdletOutput']).toMatchObject({ properties: { IsHostGuarded: true, Mode: 0 } });
    await test.close();
    test = await startTestHost();
    const open = await test.client.invoke(GUARDIAN, 'Get', {});
    expect(open.out['cmdletOutput']).toMatchObject({ properties: { IsHostGuarded: false, Mode: 1 } });
  });

  it('is not there before 2016, where no host is guarded', async () => {
    await test.close();
    await expect(startTestHost({ guarded: true, release: '2012R2' })).rejects.toThrow(/2016/);
    test = await startTestHost({ release: '2012R2' });
    await expect(test.client.invoke(GUARDIAN, 'Get', {})).rejects.toMatchObject({ name: expect.any(String) });
  });
});
