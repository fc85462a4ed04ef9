import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { configDriveFiles, metadataInput } from '@nova-hyperv/compute';
import type { InstanceRecord } from '@nova-hyperv/compute';
import { observe, specOf } from '@nova-hyperv/driver';
import type { ConfigDrive, DriverConfig } from '@nova-hyperv/driver';
import { afterEach, describe, expect, it } from 'vitest';
import {
  diskImage,
  filesLeft,
  spawnRequest,
  startTestHost,
  testImage,
  testInstance,
  testVif,
} from '../support/driver-host.js';
import type { TestHost } from '../support/driver-host.js';
import { ROOT, runOk } from '../support/run.js';

/** Debian's cloud-init, unpacked by script/test: what reads config drives in most guests. */
const CLOUD_INIT = join(ROOT, '.cache/cloud-init/usr/lib/python3/dist-packages');
const READ = `
import json, sys
from cloudinit.sources.DataSourceConfigDrive import read_config_drive
found = read_config_drive(sys.argv[1])
found["userdata"] = found.get("userdata") and bytes(found["userdata"]).decode()
found["files"] = {path: bytes(content).decode() for path, content in found.get("files", {}).items()}
found["metadata"].pop("random_seed")
print(json.dumps(found))
`;

let test: TestHost | undefined;
afterEach(async () => {
  await test?.close();
  test = undefined;
});

function contentOf(): ConfigDrive {
  const { uuid, name, flavor, imageRef } = testInstance(1);
  const known = {
    uuid,
    name,
    flavor,
    imageRef,
    id: 1,
    displayName: 'vm 1',
    hostname: 'vm1',
    projectId: 'p',
    reservationId: 'r-1',
    launchIndex: 0,
    availabilityZone: null,
    ephemeralsGb: [],
    keyName: 'me',
    keyData: 'ssh-ed25519 AAAA me@here',
    userData: Buffer.from('#cloud-config\n').toString('base64'),
    metadata: { role: 'web' },
    systemMetadata: {},
    networkInfo: [{ ...testVif(1), fixedIps: [{ address: '10.0.0.5', subnetId: 's' }], subnets: [SUBNET] }],
    deviceMetadata: [],
  };
  const input = metadataInput(known as unknown as InstanceRecord, {
    securityGroups: ['default'],
    volumeDevices: [],
    dhcpDomain: 'novalocal',
    vendorData: {},
    defaultAvailabilityZone: 'nova',
    files: [{ path: '/etc/motd', content: Buffer.from('welcome\n') }],
    adminPassword: 'S3cret',
  });
  return { files: configDriveFiles(input), date: new Date() };
}

const SUBNET = {
  id: 's',
  version: 4,
  cidr: '10.0.0.0/24',
  gateway: '10.0.0.1',
  dns: ['9.9.9.9'],
  routes: [],
  enableDhcp: false,
  dhcpServer: null,
  ipv6AddressMode: null,
} as const;

async function drives(running: TestHost) {
  const [machine] = await running.host.machines.findByName(testInstance(1).name);
  if (machine === undefined) throw new Error('no machine');
  return specOf(await observe(running.host, machine)).drives;
}

/** The drive as cloud-init in a guest understands it. */
async function read(image: string, folder: string): Promise<Record<string, unknown>> {
  const tree = await mkdtemp(join(folder, 'tree-'));
  await runOk('xorriso', ['-osirrox', 'on', '-indev', image, '-extract', '/', tree]);
  const text = await runOk('python3', ['-c', READ, tree], { env: { PYTHONPATH: CLOUD_INIT } });
  await runOk('chmod', ['-R', 'u+w', tree]);
  return JSON.parse(text) as Record<string, unknown>;
}

async function imageOf(running: TestHost, form: 'iso' | 'vhd'): Promise<string> {
  const file = join(running.instances, testInstance(1).name, `configdrive.${form}`);
  if (form === 'iso') return file;
  const raw = join(running.folder, 'configdrive.raw');
  await rm(raw, { force: true });
  await runOk('qemu-img', ['convert', '-f', 'vpc', '-O', 'raw', file, raw]);
  return raw;
}

const CASES: readonly [1 | 2, 'iso' | 'vhd', object][] = [
  [1, 'vhd', { bus: 'ide', controller: 1, slot: 0, kind: 'disk' }],
  [1, 'iso', { bus: 'ide', controller: 1, slot: 0, kind: 'dvd' }],
  [2, 'vhd', { bus: 'scsi', controller: 0, slot: 1, kind: 'disk' }],
  [2, 'iso', { bus: 'scsi', controller: 0, slot: 1, kind: 'dvd' }],
];

describe('a config drive', () => {
  it.each(CASES)('of generation %i as %s is what cloud-init reads', async (generation, form, place) => {
    const config: Partial<DriverConfig> = { configDriveCdrom: form === 'iso' };
    const running = (test = await startTestHost({ config }));
    const images = await diskImage(running.folder, generation === 1 ? 'vhd' : 'vhdx');
    const configDrive = contentOf();
    await running.driver.spawn(spawnRequest(images, { generation, configDrive }));
    expect((await drives(running)).at(-1)).toMatchObject(place);
    expect(await read(await imageOf(running, form), running.folder)).toMatchObject({
      version: 2,
      metadata: {
        uuid: testInstance(1).uuid,
        hostname: 'vm1.novalocal',
        name: 'vm 1',
        availability_zone: 'nova',
        public_keys: { me: 'ssh-ed25519 AAAA me@here' },
        meta: { role: 'web' },
        admin_pass: 'S3cret',
      },
      userdata: '#cloud-config\n',
      files: { '/etc/motd': 'welcome\n' },
      networkdata: { networks: [{ type: 'ipv4', ip_address: '10.0.0.5' }] },
      'ec2-metadata': { 'instance-id': 'i-00000001', 'instance-type': 'm1.tiny' },
    });

    await running.driver.destroy(testInstance(1));
    expect(await filesLeft(running.instances)).toEqual([]);
  });

  it('stays as it was made through a resize and its revert', async () => {
    const running = (test = await startTestHost());
    const images = await diskImage(running.folder, 'vhdx');
    await running.driver.spawn(spawnRequest(images, { configDrive: contentOf() }));
    const path = join(running.instances, testInstance(1).name, 'configdrive.vhd');
    const [before, drivesBefore] = [await readFile(path), await drives(running)];
    const request = {
      instance: testInstance(1, { memoryMb: 1024, rootGb: 2 }),
      oldFlavor: testInstance(1).flavor,
      image: testImage(2),
      vifs: [testVif(1)],
    };
    const atOnce = { timeoutSeconds: 0 };
    await running.driver.migrateDiskAndPowerOff(request, atOnce);
    await running.driver.finishMigration({ ...request, powerOn: true }, atOnce);
    expect(await drives(running)).toEqual(drivesBefore);
    expect((await readFile(path)).equals(before)).toBe(true);
    await running.driver.finishRevertMigration(testInstance(1), { ...atOnce, powerOn: true });
    expect(await drives(running)).toEqual(drivesBefore);
    expect((await readFile(path)).equals(before)).toBe(true);
  });
});
