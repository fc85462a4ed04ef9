import { POWER_STATE } from '@nova-hyperv/driver';
import { afterEach, describe, expect, it } from 'vitest';
import type { BlockDeviceRecord } from '../block-device.js';
import type { InstanceRecord } from '../ports.js';
import { BenchHost } from '../testing/bench-host.js';

let bench: BenchHost;
const start = async (prepare?: (bench: BenchHost) => void): Promise<void> => {
  bench = await BenchHost.create({ blockDeviceAllocateRetriesIntervalSeconds: 0.001 }, prepare);
};
afterEach(() => bench.close());

const devicesOf = (uuid: string): readonly BlockDeviceRecord[] =>
  [...bench.blockDevices.records.values()].filter(({ instanceUuid }) => instanceUuid === uuid);

/** What the API does: a reserved device here and at Cinder. */
async function reserved(
  record: InstanceRecord,
  volumeId: string,
  tag: string | null = null,
): Promise<BlockDeviceRecord> {
  const device = await bench.manager.reserveBlockDeviceName({
    instanceUuid: record.uuid,
    requestId: 'req-1',
    volumeId,
    deviceName: null,
    diskBus: null,
    deviceType: null,
    tag,
    deleteOnTermination: false,
  });
  const attachmentId = await bench.clients.volumes!.reserve(volumeId, record.uuid);
  await bench.blockDevices.save(device.uuid, { attachmentId });
  return device;
}

async function attached(
  record: InstanceRecord,
  volumeId: string,
  tag: string | null = null,
): Promise<BlockDeviceRecord> {
  const device = await reserved(record, volumeId, tag);
  await bench.manager.attachVolume({
    instanceUuid: record.uuid,
    deviceUuid: device.uuid,
    requestId: 'req-1',
  });
  await bench.manager.idle();
  return device;
}

async function detach(record: InstanceRecord, device: BlockDeviceRecord): Promise<void> {
  await bench.clients.volumes!.beginDetaching(device.volumeId ?? '');
  await bench.blockDevices.save(device.uuid, { state: 'detaching' });
  await bench.manager.detachVolume({
    instanceUuid: record.uuid,
    deviceUuid: device.uuid,
    requestId: 'req-2',
  });
  await bench.manager.idle();
}

async function built(...devices: readonly Partial<BlockDeviceRecord>[]): Promise<InstanceRecord> {
  const boots = devices.some(({ bootIndex }) => bootIndex === 0);
  const record = bench.add(
    boots ? { imageRef: '', systemMetadata: { image_hw_machine_type: 'hyperv-gen2' } } : {},
  );
  for (const device of devices) bench.device(record, device);
  await bench.build(record);
  await bench.manager.idle();
  return bench.get(record.uuid);
}

describe('builds with volumes', () => {
  it('makes a volume from an image, boots from it, and says where the guest finds it', async () => {
    await start();
    const record = await built({
      sourceType: 'image',
      imageId: 'image-1',
      volumeSizeGb: 2,
      bootIndex: 0,
      tag: 'boot',
    });
    expect(record.vmState).toBe('active');
    const [device] = devicesOf(record.uuid);
    const volume = bench.openstack.cinder.volumes.get(device?.volumeId ?? '');
    // The user's, not the service's.
    expect(volume).toMatchObject({ status: 'in-use', size: 2, source: 'image-1', projectId: 'p1' });
    expect(device).toMatchObject({ state: 'attached', volumeSizeGb: 2 });
    const [request] = bench.driver.spawned;
    expect(request?.image).toMatchObject({ id: '', properties: { hw_machine_type: 'hyperv-gen2' } });
    expect(request?.volumes).toMatchObject([
      {
        volumeId: device?.volumeId,
        bootIndex: 0,
        connectionInfo: { driverVolumeType: 'iscsi', data: { target_lun: 1 } },
      },
    ]);
    expect(record.deviceMetadata).toEqual([
      { type: 'disk', bus: 'scsi', address: '0:0:0:0', serial: device?.volumeId, tags: ['boot'] },
    ]);
    expect(bench.openstack.count('GET', /images/)).toBe(0);
    // The root disk of the flavor is not on the host.
    await bench.restart();
    expect(bench.services.nodes.get('compute1')?.localGbUsed).toBe(0);
  });

  it('takes what is there and makes what is not: a volume, a snapshot, a blank one', async () => {
    await start((one) => one.openstack.cinder.add('volume-1', { size: 4 }));
    const record = await built(
      { volumeId: 'volume-1' },
      { sourceType: 'snapshot', snapshotId: 'snapshot-1' },
      { sourceType: 'blank', volumeSizeGb: 1 },
    );
    expect(record.vmState).toBe('active');
    expect(devicesOf(record.uuid).map(({ volumeSizeGb }) => volumeSizeGb)).toEqual([4, 3, 1]);
    expect(Object.values(bench.openstack.cinder.statuses())).toEqual(['in-use', 'in-use', 'in-use']);
    await bench.manager.terminateInstance(bench.ask(record.uuid, 'deleting'));
    await bench.manager.idle();
    expect(Object.values(bench.openstack.cinder.statuses())).toEqual(['available', 'available', 'available']);
    expect(bench.traces(record.uuid)).toEqual([]);
    expect(devicesOf(record.uuid)).toEqual([]);
  });

  it('deletes with the instance the volumes that are to go with it', async () => {
    await start((one) => one.openstack.cinder.add('volume-1'));
    const record = await built(
      { volumeId: 'volume-1' },
      { sourceType: 'blank', volumeSizeGb: 1, deleteOnTermination: true },
    );
    await bench.manager.terminateInstance(bench.ask(record.uuid, 'deleting'));
    await bench.manager.idle();
    expect(bench.openstack.cinder.statuses()).toEqual({ 'volume-1': 'available' });
    expect(bench.openstack.cinder.deleted).toHaveLength(1);
  });

  it('fails with Nova’s words when a volume cannot be made, and leaves none', async () => {
    await start();
    bench.openstack.cinder.made = 'error';
    const record = await built({
      sourceType: 'image',
      imageId: 'image-1',
      volumeSizeGb: 2,
      bootIndex: 0,
      deleteOnTermination: true,
    });
    expect(record.vmState).toBe('error');
    expect(bench.instances.faults.get(record.uuid)?.[0]?.message).toMatch(
      /^Volume \S+ did not finish being created even after we waited \d+ seconds or \d+ attempts. And its status is error.$/,
    );
    expect([...bench.openstack.cinder.volumes]).toEqual([]);
    expect(bench.traces(record.uuid)).toEqual([]);
  });

  it.each([
    [
      { multiattach: true },
      /^Volume volume-1 has 'multiattach' set, which is not supported for this instance.$/,
    ],
    [{ encrypted: true }, /^Volume encryption is not supported for this volume volume-1$/],
    [{ status: 'in-use' }, /^Invalid input received: Invalid volume: /],
  ])('refuses %j', async (changes, message) => {
    await start((one) => one.openstack.cinder.add('volume-1', changes));
    const record = await built({ volumeId: 'volume-1' });
    expect(record.vmState).toBe('error');
    expect(bench.instances.faults.get(record.uuid)?.[0]?.message).toMatch(message);
    expect(bench.driver.spawned).toEqual([]);
    expect(bench.traces(record.uuid)).toEqual([]);
  });

  it('keeps made volumes for the next host when this one cannot', async () => {
    await start();
    bench.driver.script = (method) => {
      if (method === 'spawn') throw new Error('host is full');
    };
    const record = await built({ sourceType: 'blank', volumeSizeGb: 1, deleteOnTermination: true });
    expect(record).toMatchObject({ vmState: 'building', taskState: 'scheduling', host: null });
    const [device] = devicesOf(record.uuid);
    expect(device).toMatchObject({ state: 'reserved', attachmentId: null, connectionInfo: null });
    expect(bench.openstack.cinder.statuses()).toEqual({ [device?.volumeId ?? '']: 'available' });
    bench.driver.script = () => undefined;
    await bench.build(record);
    await bench.manager.idle();
    expect(bench.get(record.uuid).vmState).toBe('active');
    expect(bench.openstack.cinder.statuses()).toEqual({ [device?.volumeId ?? '']: 'in-use' });
  });

  it('leaves nothing whatever request to Cinder fails', async () => {
    await start();
    for (let failing = 0; failing < 8; failing += 1) {
      bench.openstack.cinder.add(`volume-${failing}`);
      let count = 0;
      bench.openstack.intercept = ({ path }) => {
        if (!path.startsWith('/volume')) return undefined;
        count += 1;
        return count - 1 === failing ? { status: 400, body: { badRequest: { message: 'no' } } } : undefined;
      };
      const record = await built(
        { volumeId: `volume-${failing}` },
        { sourceType: 'blank', volumeSizeGb: 1, deleteOnTermination: true },
      );
      bench.openstack.intercept = () => undefined;
      expect(record.vmState, `request ${failing}`).toBe('error');
      expect(bench.traces(record.uuid)).toEqual([]);
      expect(bench.openstack.cinder.statuses()).toEqual({ [`volume-${failing}`]: 'available' });
      bench.openstack.cinder.volumes.clear();
    }
  });
});

describe('attaching and detaching', () => {
  it('attaches to a running machine, and detaches', async () => {
    await start((one) => one.openstack.cinder.add('volume-1', { size: 3 }));
    const record = await bench.active();
    const device = await attached(record, 'volume-1', 'data');
    expect(bench.openstack.cinder.statuses()).toEqual({ 'volume-1': 'in-use' });
    expect(bench.driver.volumes.get(record.uuid)).toMatchObject([{ volumeId: 'volume-1' }]);
    expect(devicesOf(record.uuid)).toMatchObject([
      { state: 'attached', deviceName: '/dev/sdb', volumeSizeGb: 3 },
    ]);
    expect(bench.get(record.uuid).deviceMetadata).toMatchObject([{ serial: 'volume-1', tags: ['data'] }]);
    const [attachment] = bench.openstack.cinder.attachments.values();
    expect(attachment?.connector).toMatchObject({
      initiator: 'iqn.1991-05.com.microsoft:hv1',
      mountpoint: '/dev/sdb',
    });
    await detach(record, device);
    expect(bench.openstack.cinder.statuses()).toEqual({ 'volume-1': 'available' });
    expect(bench.traces(record.uuid)).toEqual(['machine', 'port', 'allocation']);
    expect(bench.get(record.uuid).deviceMetadata).toEqual([]);
    const events = bench.instances.events.filter(({ event }) => event.endsWith('volume'));
    expect(events).toMatchObject([
      { event: 'compute_attach_volume', error: null },
      { event: 'compute_detach_volume', error: null },
    ]);
  });

  it('gives every volume its name, and no volume two', async () => {
    await start((one) => one.openstack.cinder.add('volume-1'));
    const record = await bench.active();
    const ask = (volumeId: string, deviceName: string | null) =>
      bench.manager.reserveBlockDeviceName({
        instanceUuid: record.uuid,
        requestId: 'req-1',
        volumeId,
        deviceName,
        diskBus: null,
        deviceType: null,
        tag: null,
        deleteOnTermination: false,
      });
    const both = await Promise.all([ask('a', null), ask('b', null)]);
    expect(both.map(({ deviceName }) => deviceName)).toEqual(['/dev/sdb', '/dev/sdc']);
    await expect(ask('a', null)).rejects.toThrow('Invalid volume: volume a already attached');
    expect((await ask('c', '/dev/vdf')).deviceName).toBe('/dev/sdf');
    await expect(ask('d', '/dev/sdf')).rejects.toThrow('The supplied device path (/dev/sdf) is in use.');
    await expect(ask('d', '/dev/sda')).rejects.toThrow('in use');
    await expect(ask('d', 'C:')).rejects.toThrow('The supplied device path (C:) is invalid.');
  });

  it.each(['volumeConnector', 'attachVolume'] as const)(
    'undoes an attach that fails at %s',
    async (failing) => {
      await start((one) => one.openstack.cinder.add('volume-1'));
      const record = await bench.active();
      bench.driver.script = (method) => {
        if (method === failing) throw new Error('no way');
      };
      await attached(record, 'volume-1');
      expect(bench.openstack.cinder.statuses()).toEqual({ 'volume-1': 'available' });
      expect(devicesOf(record.uuid)).toEqual([]);
      expect(bench.get(record.uuid)).toMatchObject({ vmState: 'active', taskState: null });
      expect(bench.instances.faults.get(record.uuid)).toHaveLength(1);
    },
  );

  it('detaches from the host again when Cinder does not complete', async () => {
    await start((one) => one.openstack.cinder.add('volume-1'));
    const record = await bench.active();
    bench.openstack.intercept = ({ path }) => (path.endsWith('/action') ? { status: 500 } : undefined);
    await attached(record, 'volume-1');
    expect(bench.driver.volumes.size).toBe(0);
    expect(bench.openstack.cinder.statuses()).toEqual({ 'volume-1': 'available' });
  });

  it('keeps a volume attached that the host does not let go', async () => {
    await start((one) => one.openstack.cinder.add('volume-1'));
    const record = await bench.active();
    const device = await attached(record, 'volume-1');
    bench.driver.script = (method) => {
      if (method === 'detachVolume') throw new Error('in use by the guest');
    };
    await detach(record, device);
    expect(bench.openstack.cinder.statuses()).toEqual({ 'volume-1': 'in-use' });
    expect(devicesOf(record.uuid)).toMatchObject([{ state: 'attached' }]);
    expect(bench.instances.faults.get(record.uuid)).toHaveLength(1);
  });

  it('tells no secret in faults', async () => {
    await start((one) => one.openstack.cinder.add('volume-1'));
    const record = await bench.active();
    bench.driver.script = (method) => {
      if (method === 'attachVolume') throw new Error('no way');
    };
    await attached(record, 'volume-1');
    expect(JSON.stringify(bench.instances.faults.get(record.uuid))).not.toContain('top-secret');
  });
});

describe('growth', () => {
  it('follows Cinder’s event', async () => {
    await start((one) => one.openstack.cinder.add('volume-1'));
    const record = await bench.active();
    await attached(record, 'volume-1');
    bench.openstack.cinder.volumes.get('volume-1')!.size = 5;
    const event = {
      name: 'volume-extended',
      instanceUuid: record.uuid,
      tag: 'volume-1',
      status: 'completed',
    };
    await bench.manager.externalInstanceEvent({ ...event, requestId: 'req-9' });
    await bench.manager.externalInstanceEvent({ ...event, tag: 'another' });
    await bench.manager.idle();
    expect(bench.driver.calls.filter(({ method }) => method === 'extendVolume')).toMatchObject([
      { args: { volume: 'volume-1', requestedBytes: 5 * 1024 ** 3 } },
    ]);
    expect(devicesOf(record.uuid)).toMatchObject([{ volumeSizeGb: 5 }]);
    expect(bench.instances.events.at(-1)).toMatchObject({
      event: 'compute_extend_volume',
      requestId: 'req-9',
      error: null,
    });
  });
});

describe('after a kill', () => {
  it('undoes half attached volumes and finishes half detached ones', async () => {
    await start((one) =>
      ['kept', 'reserved', 'lost', 'attaching', 'detaching'].forEach((id) => one.openstack.cinder.add(id)),
    );
    const record = await bench.active();
    await attached(record, 'kept');
    await attached(record, 'detaching');
    await attached(record, 'attaching');
    await reserved(record, 'reserved');
    // The reservation was made, and the process ended before it was stored.
    const lost = await reserved(record, 'lost');
    await bench.blockDevices.save(lost.uuid, { attachmentId: null });
    for (const device of devicesOf(record.uuid)) {
      if (device.volumeId === 'attaching' || device.volumeId === 'detaching')
        await bench.blockDevices.save(device.uuid, { state: device.volumeId });
    }
    await bench.manager.stop();
    await bench.restart();
    await bench.manager.idle();
    expect(devicesOf(record.uuid)).toMatchObject([{ volumeId: 'kept', state: 'attached' }]);
    expect(bench.openstack.cinder.statuses()).toEqual({
      kept: 'in-use',
      reserved: 'available',
      lost: 'available',
      attaching: 'available',
      detaching: 'available',
    });
    expect(bench.driver.volumes.get(record.uuid)).toMatchObject([{ volumeId: 'kept' }]);
    expect(bench.get(record.uuid)).toMatchObject({ vmState: 'active', powerState: POWER_STATE.RUNNING });
  });

  it('takes away ghosts that the store does not know', async () => {
    await start((one) => one.openstack.cinder.add('volume-1'));
    const record = await bench.active();
    const device = await attached(record, 'volume-1');
    await bench.blockDevices.remove(device.uuid);
    await bench.manager.stop();
    await bench.restart();
    expect(bench.driver.volumes.get(record.uuid)).toEqual([]);
  });

  it('takes back the volumes of a build', async () => {
    await start((one) => one.openstack.cinder.add('volume-1'));
    const record = await built({ volumeId: 'volume-1' });
    bench.instances.records.set(record.uuid, { ...record, vmState: 'building', taskState: 'spawning' });
    await bench.manager.stop();
    await bench.restart();
    await bench.manager.idle();
    expect(bench.get(record.uuid).vmState).toBe('error');
    expect(bench.openstack.cinder.statuses()).toEqual({ 'volume-1': 'available' });
    expect(bench.traces(record.uuid)).toEqual([]);
  });
});
