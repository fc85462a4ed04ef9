import { randomUUID } from 'node:crypto';
import type { BlockDeviceRecord } from '@nova-hyperv/compute';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NovaBench } from '../testing/bench.js';
import { blockDevicesOfAll, createSqliteBlockDeviceStore } from './block-devices.js';
import type { ComputeTables } from './tables.js';

let bench: NovaBench;
beforeEach(async () => {
  bench = await NovaBench.create();
});
afterEach(() => bench.close());

const device = (changes: Partial<BlockDeviceRecord> = {}): BlockDeviceRecord => ({
  uuid: randomUUID(),
  instanceUuid: 'vm-1',
  sourceType: 'image',
  volumeId: null,
  snapshotId: null,
  imageId: 'image-1',
  volumeSizeGb: 2,
  volumeType: 'fast',
  bootIndex: 0,
  deviceName: '/dev/sda',
  diskBus: 'scsi',
  deviceType: 'disk',
  guestFormat: null,
  deleteOnTermination: true,
  attachmentId: null,
  connectionInfo: null,
  tag: 'boot',
  state: 'reserved',
  ...changes,
});

describe('the store of block devices', () => {
  it('keeps everything, in the order asked for', async () => {
    const store = createSqliteBlockDeviceStore(bench.db);
    const [root, data] = [device(), device({ sourceType: 'blank', bootIndex: null })];
    await store.add(root);
    await store.add(data);
    expect(await store.list('vm-1')).toEqual([root, data]);
    expect(await store.list('vm-2')).toEqual([]);
    expect(
      (await blockDevicesOfAll(bench.db.withTables<ComputeTables>(), ['vm-1', 'vm-2'])).get('vm-1'),
    ).toEqual([root, data]);
  });

  it('saves what changes, and says when it is gone', async () => {
    const store = createSqliteBlockDeviceStore(bench.db);
    const one = device();
    await store.add(one);
    const changes = {
      volumeId: 'volume-1',
      attachmentId: 'attachment-1',
      connectionInfo: { driverVolumeType: 'iscsi', data: { auth_password: 'secret', target_lun: 1 } },
      state: 'attaching',
      deleteOnTermination: false,
    } as const;
    expect(await store.save(one.uuid, changes)).toEqual({ ...one, ...changes });
    expect(await store.list('vm-1')).toEqual([{ ...one, ...changes }]);
    await store.remove(one.uuid);
    await store.remove(one.uuid);
    expect(await store.save(one.uuid, { state: 'attached' })).toBeNull();
  });

  it('keeps the device metadata of instances', async () => {
    const compute = await bench.addHost('hv1');
    compute.outcome = 'hang';
    const uuid = await bench.bootId();
    expect((await bench.instances.get(uuid)).deviceMetadata).toEqual([]);
    const deviceMetadata = [
      { type: 'disk', bus: 'scsi', address: '0:0:0:1', serial: 'volume-1', tags: ['data'] },
      { type: 'nic', bus: 'none', address: null, mac: 'fa:16:3e:00:00:01', tags: [] },
    ] as const;
    await bench.instances.save(uuid, { deviceMetadata });
    expect((await bench.instances.get(uuid)).deviceMetadata).toEqual(deviceMetadata);
  });
});
