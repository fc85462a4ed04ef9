import type { BlockDeviceRecord } from '@nova-hyperv/compute';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSqliteBlockDeviceStore } from '../../store/block-devices.js';
import { ALICE, NovaBench, type Answer } from '../../testing/bench.js';
import { IMAGE_ID, image, type FakeCompute } from '../../testing/fakes.js';

let bench: NovaBench;
let compute: FakeCompute;
beforeEach(async () => {
  bench = await NovaBench.create();
  compute = await bench.addHost('hv1');
});
afterEach(() => bench.close());

const devices = (id: string): Promise<readonly BlockDeviceRecord[]> =>
  createSqliteBlockDeviceStore(bench.db).list(id);
const message = (answer: Answer): string =>
  Object.values(answer.json<Record<string, { message: string }>>())[0]?.message ?? '';
const boot = (mappings: readonly object[], server: object = {}): Promise<Answer> =>
  bench.boot(
    { imageRef: '', networks: 'none', block_device_mapping_v2: mappings, ...server },
    { as: ALICE, version: '2.67' },
  );
const bootId = async (mappings: readonly object[], server: object = {}): Promise<string> => {
  const answer = await boot(mappings, server);
  if (answer.status !== 202) throw new Error(answer.text);
  return answer.json<{ server: { id: string } }>().server.id;
};

const fromImage = {
  uuid: IMAGE_ID,
  source_type: 'image',
  destination_type: 'volume',
  volume_size: '2',
  delete_on_termination: true,
  boot_index: '0',
};
const localRoot = { uuid: IMAGE_ID, source_type: 'image', destination_type: 'local', boot_index: 0 };

describe('a server that boots from a volume', () => {
  it('as `nova boot --block-device source=image,…,dest=volume,size=2,shutdown=remove,bootindex=0` asks', async () => {
    const id = await bootId([fromImage]);
    const server = await bench.show<Record<string, unknown>>(id, { as: ALICE });
    expect(server).toMatchObject({ image: '', status: 'ACTIVE' });
    expect(await devices(id)).toMatchObject([
      {
        sourceType: 'image',
        imageId: IMAGE_ID,
        volumeId: null,
        volumeSizeGb: 2,
        bootIndex: 0,
        deviceName: '/dev/sda',
        deleteOnTermination: true,
        attachmentId: null,
        state: 'reserved',
      },
    ]);
    // Its root disk is not on the host.
    expect([...bench.placement.claims.values()].map(({ resources }) => resources['DISK_GB'])).toEqual([
      undefined,
    ]);
  });

  it('reserves a volume, and takes what the volume says for the image’s', async () => {
    bench.images.images.clear();
    const volume = bench.volumes.add({
      bootable: true,
      sizeGb: 5,
      imageMetadata: { hw_machine_type: 'hyperv-gen2', os_type: 'windows', min_ram: '0', image_name: 'gen2' },
    });
    const id = await bootId([
      { uuid: volume, source_type: 'volume', destination_type: 'volume', boot_index: 0 },
    ]);
    const [device] = await devices(id);
    expect(device).toMatchObject({
      volumeId: volume,
      volumeSizeGb: 5,
      attachmentId: expect.stringMatching(/-/),
    });
    expect(bench.volumes.held.get(device?.attachmentId ?? '')).toEqual({
      volumeId: volume,
      instanceUuid: id,
    });
    const { systemMetadata } = await bench.instances.get(id);
    expect(systemMetadata).toMatchObject({ image_hw_machine_type: 'hyperv-gen2', image_os_type: 'windows' });
    expect(systemMetadata).not.toHaveProperty('image_image_name');
  });

  it('may have a flavor without a disk, which an image may not', async () => {
    const flavor = { name: 'diskless', ram: 512, vcpus: 1, disk: 0, id: '99' };
    await bench.ask('POST', '/flavors', { body: { flavor } });
    expect((await boot([fromImage], { flavorRef: '99' })).status).toBe(202);
    expect((await boot([localRoot], { flavorRef: '99', imageRef: IMAGE_ID })).status).toBe(403);
  });

  it('goes with its volumes when no host ever had it', async () => {
    const [kept, gone] = [bench.volumes.add({ bootable: true }), bench.volumes.add()];
    compute.outcome = 'hang';
    bench.placement.capacity.clear();
    const id = await bootId([
      { uuid: kept, source_type: 'volume', destination_type: 'volume', boot_index: 0 },
      { uuid: gone, source_type: 'volume', destination_type: 'volume', delete_on_termination: true },
    ]);
    await bench.settle();
    expect(bench.volumes.volumes.get(kept)?.status).toBe('reserved');
    expect((await bench.ask('DELETE', `/servers/${id}`, { as: ALICE })).status).toBe(204);
    expect(bench.volumes.volumes.get(kept)?.status).toBe('available');
    expect(bench.volumes.deleted).toEqual([gone]);
    expect(await devices(id)).toEqual([]);
  });
});

describe('block devices of a new server', () => {
  it('are named in their order, wishes first', async () => {
    const volume = bench.volumes.add();
    const id = await bootId(
      [
        localRoot,
        {
          source_type: 'blank',
          destination_type: 'volume',
          volume_size: 1,
          tag: 'scratch',
          disk_bus: 'SCSI',
        },
        { uuid: 'snapshot-1', source_type: 'snapshot', destination_type: 'volume' },
        { uuid: volume, source_type: 'volume', destination_type: 'volume', device_name: 'sdb' },
      ],
      { imageRef: IMAGE_ID },
    );
    expect(await devices(id)).toMatchObject([
      { sourceType: 'blank', deviceName: '/dev/sdc', tag: 'scratch', diskBus: 'scsi', volumeSizeGb: 1 },
      { sourceType: 'snapshot', snapshotId: 'snapshot-1', deviceName: '/dev/sdd', volumeSizeGb: 3 },
      { sourceType: 'volume', volumeId: volume, deviceName: '/dev/sdb', volumeSizeGb: 1 },
    ]);
    expect((await bench.instances.get(id)).imageRef).toBe(IMAGE_ID);
  });

  it('in the old form', async () => {
    const [root, data] = [bench.volumes.add({ bootable: true }), bench.volumes.add()];
    const answer = await bench.boot(
      {
        imageRef: '',
        block_device_mapping: [
          { device_name: 'vdb', volume_id: data, delete_on_termination: false },
          { device_name: 'vda', volume_id: root, delete_on_termination: true },
        ],
      },
      { as: ALICE },
    );
    expect(answer.status).toBe(202);
    const { id } = answer.json<{ server: { id: string } }>().server;
    expect(await devices(id)).toMatchObject([
      { volumeId: data, bootIndex: null, deviceName: '/dev/sdb' },
      { volumeId: root, bootIndex: 0, deviceName: '/dev/sda', deleteOnTermination: true },
    ]);
  });

  it('leave no reservation when the quota refuses', async () => {
    const volume = bench.volumes.add({ bootable: true });
    await bench.ask('PUT', '/os-quota-sets/p-alice', { body: { quota_set: { instances: 0 } } });
    const answer = await boot([
      { uuid: volume, source_type: 'volume', destination_type: 'volume', boot_index: 0 },
    ]);
    expect(answer.status).toBe(403);
    expect(bench.volumes.volumes.get(volume)?.status).toBe('available');
  });

  it('that a killed process reserved for a server it never stored are found at start', async () => {
    const volume = bench.volumes.add();
    await bench.volumes.reserve(volume, '77777777-7777-4777-8777-777777777777');
    await bench.nova.stop?.();
    await bench.nova.start?.();
    await bench.settle();
    expect(bench.volumes.volumes.get(volume)?.status).toBe('available');
  });

  const bootVolume = { source_type: 'volume', destination_type: 'volume', boot_index: 0 };
  it.each([
    [
      'no boot device',
      [{ source_type: 'blank', destination_type: 'volume', volume_size: 1 }],
      /Boot sequence for the instance/,
    ],
    ['two of one index', [fromImage, { ...fromImage, boot_index: 0 }], /Boot sequence for the instance/],
    ['a gap', [fromImage, { ...fromImage, boot_index: 2 }], /Boot sequence for the instance/],
    [
      'no size',
      [{ ...fromImage, volume_size: '' }],
      /^Images with destination_type 'volume' need to have a non-zero size specified$/,
    ],
    [
      'a blank one without size',
      [fromImage, { source_type: 'blank', destination_type: 'volume' }],
      /^Blank volumes/,
    ],
    ['no id', [{ ...fromImage, uuid: undefined }], /Missing device UUID\./],
    ['an id of nothing', [fromImage, { source_type: 'blank', uuid: 'x' }], /Invalid device UUID\./],
    ['no source', [{ boot_index: 0 }], /Some required fields are missing/],
    [
      'an image on the host',
      [fromImage, { ...localRoot, boot_index: -1 }],
      /Mapping image to local is not supported\./,
    ],
    [
      'a type for a volume that is there',
      [{ ...bootVolume, uuid: 'v', volume_type: 'fast' }],
      /Specifying volume type to existing volume is not supported\./,
    ],
    ['a volume that is not there', [{ ...bootVolume, uuid: 'v' }], /failed to get volume v\.$/],
    [
      'a snapshot that is not there',
      [fromImage, { source_type: 'snapshot', destination_type: 'volume', uuid: 's' }],
      /failed to get snapshot s\.$/,
    ],
    ['an image that is not there', [{ ...fromImage, uuid: 'i' }], /failed to get image i\.$/],
    ['an unknown bus', [{ ...fromImage, disk_bus: 'floppy' }], /The provided disk bus floppy is not valid\./],
    ['no device at all', [], /^Invalid imageRef provided\.$/],
  ])('refuses %s', async (_, mappings, text) => {
    const answer = await boot(mappings);
    expect([answer.status, message(answer)]).toEqual([400, expect.stringMatching(text)]);
  });

  it('refuses a volume that is not bootable, in use, shared or too small for its image', async () => {
    const plain = bench.volumes.add();
    expect(message(await boot([{ ...bootVolume, uuid: plain }]))).toBe(
      `Block Device ${plain} is not bootable.`,
    );
    const used = bench.volumes.add({ bootable: true, status: 'in-use' });
    expect(message(await boot([{ ...bootVolume, uuid: used }]))).toContain('current status is in-use');
    const shared = bench.volumes.add({ bootable: true, multiattach: true });
    expect(message(await boot([{ ...bootVolume, uuid: shared }]))).toContain("'multiattach' set");
    bench.images.images.set(IMAGE_ID, image({ minDiskGb: 3 }));
    expect(message(await boot([fromImage]))).toBe(
      'Volume is smaller than the minimum size specified in image metadata. Volume size is 2147483648 bytes, minimum size is 3221225472 bytes.',
    );
  });

  it('refuses one volume for several servers, both forms at once, and drops what no_device takes away', async () => {
    const volume = bench.volumes.add({ bootable: true });
    expect(message(await boot([{ ...bootVolume, uuid: volume }], { max_count: 2 }))).toBe(
      'Cannot attach one or more volumes to multiple instances',
    );
    const both = await boot([fromImage], {
      block_device_mapping: [{ device_name: 'vda', volume_id: volume }],
    });
    expect(message(both)).toBe(
      'Using different block_device_mapping syntaxes is not allowed in the same request.',
    );
    const id = await bootId([fromImage, { device_name: 'sdb', no_device: true }]);
    expect(await devices(id)).toHaveLength(1);
  });
});
