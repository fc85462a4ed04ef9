import { afterEach, describe, expect, it } from 'vitest';
import type { ComputeConfig } from '../config.js';
import type { BuildRequest, InstanceRecord } from '../ports.js';
import { BenchHost } from '../testing/bench-host.js';

let bench: BenchHost;
afterEach(() => bench.close());

const ASKED = { configDrive: true, displayName: 'asked', userData: Buffer.from('hello').toString('base64') };

async function built(
  config: Partial<ComputeConfig>,
  changes: Partial<InstanceRecord>,
  request: Partial<BuildRequest> = {},
  imageProperties: Record<string, string> = {},
): Promise<{ readonly record: InstanceRecord; readonly drive: ReadonlyMap<string, string> | undefined }> {
  bench = await BenchHost.create(config, ({ openstack }) => {
    openstack.addImage('image-1', Buffer.from('conectix'), imageProperties);
    openstack.subnets.set('subnet-1', {
      id: 'subnet-1',
      network_id: 'net-1',
      ip_version: 4,
      cidr: '10.0.0.0/24',
      gateway_ip: '10.0.0.1',
    });
  });
  const { uuid } = bench.add(changes);
  await bench.build(bench.get(uuid), request);
  await bench.manager.idle();
  const record = bench.get(uuid);
  const files = bench.driver.spawned[0]?.configDrive?.files;
  const drive = files?.map(({ path, content }) => [path, Buffer.from(content).toString()] as const);
  return { record, drive: drive && new Map(drive) };
}

const metaData = (drive: ReadonlyMap<string, string> | undefined): unknown =>
  JSON.parse(drive?.get('openstack/latest/meta_data.json') ?? 'null');

describe('a config drive', () => {
  it('tells an instance that asks for one what it is', async () => {
    const { record, drive } = await built({}, ASKED);
    expect(record.vmState).toBe('active');
    expect(metaData(drive)).toMatchObject({ uuid: record.uuid, name: 'asked', availability_zone: 'nova' });
    expect(drive?.get('openstack/latest/user_data')).toBe('hello');
    expect(JSON.parse(drive?.get('openstack/latest/network_data.json') ?? '')).toMatchObject({
      links: [{ vif_id: record.networkInfo[0]?.portId, mtu: 1450 }],
      networks: [{ ip_address: record.networkInfo[0]?.fixedIps[0]?.address, netmask: '255.255.255.0' }],
    });
  });

  it.each([
    ['nobody', {}, {}, false],
    ['its host', { forceConfigDrive: true }, {}, true],
    ['its image', {}, { img_config_drive: 'mandatory' }, true],
    ['an image that leaves it open', {}, { img_config_drive: 'optional' }, false],
  ] as const)(
    'is made when %s wants it, and the instance says so',
    async (_who, config, properties, made) => {
      const { record, drive } = await built(config, {}, {}, properties);
      expect(record.vmState).toBe('active');
      expect(record.configDrive).toBe(made);
      expect(drive !== undefined).toBe(made);
    },
  );

  it('tells the password only where the host is to', async () => {
    const request = { adminPassword: 'S3cret' };
    expect(metaData((await built({}, ASKED, request)).drive)).not.toHaveProperty('admin_pass');
    await bench.close();
    const told = await built({ configDriveInjectPassword: true }, ASKED, request);
    expect(metaData(told.drive)).toMatchObject({ admin_pass: 'S3cret' });
  });

  it('fails the build when the vendor data cannot be read', async () => {
    const { record } = await built({ vendordataJsonfilePath: '/nowhere/vendor.json' }, ASKED);
    expect(record.vmState).toBe('error');
    expect(bench.instances.faults.get(record.uuid)?.[0]?.message).toMatch(/vendordata_jsonfile_path/);
    expect(bench.driver.spawned).toEqual([]);
    expect(bench.traces(record.uuid)).toEqual([]);
  });
});
