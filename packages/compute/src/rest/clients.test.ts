import { mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeOpenStack, placementError } from '../testing/fake-openstack.js';
import { createServiceClients, type ServiceClients } from './clients.js';
import { downloadToFile, type ImageFile } from './glance-download.js';
import type { Inventory } from './placement.js';
import { RestClient } from './rest-client.js';

let openstack: FakeOpenStack;
let clients: ServiceClients;
let folder: string;

beforeEach(async () => {
  openstack = await new FakeOpenStack().start();
  clients = createServiceClients({
    endpoints: openstack.endpoints,
    tokens: { token: async () => 't' },
    retryDelayMs: 1,
    timeoutMs: 500,
  });
  folder = await mkdtemp(join(tmpdir(), 'compute-clients-'));
});
afterEach(async () => {
  await clients.close();
  await openstack.stop();
  await rm(folder, { recursive: true });
});

describe('Glance', () => {
  const data = Buffer.alloc(300_000, 'vhdx');

  it("tells base attributes and the image's own properties apart", async () => {
    openstack.addImage('i', data, {
      hw_machine_type: 'hyperv-gen2',
      os_type: null,
      min_disk: 2,
      virtual_size: 10,
      stores: 'file',
    });
    expect(await clients.images.show('i')).toMatchObject({
      status: 'active',
      osHashAlgo: 'sha512',
      meta: {
        id: 'i',
        diskFormat: 'vhd',
        containerFormat: 'bare',
        sizeBytes: 300_000,
        minDiskGb: 2,
        properties: { hw_machine_type: 'hyperv-gen2' },
      },
    });
    const { meta } = await clients.images.show('i');
    expect(Object.keys(meta.properties)).toEqual(['hw_machine_type']);
    await expect(clients.images.show('gone')).rejects.toMatchObject({
      status: 404,
      serviceMessage: 'No image found with ID',
    });
  });

  it('downloads to a new file with progress', async () => {
    openstack.addImage('i', data);
    const target = join(folder, 'image');
    const seen: number[] = [];
    await clients.images
      .imageSource({ requestId: 'req-9' })
      .download('i', target, { onProgress: (done, total) => seen.push(done / total) });
    expect((await readFile(target)).equals(data)).toBe(true);
    expect(seen.at(-1)).toBe(1);
    expect(openstack.requests.at(-1)?.headers['x-openstack-request-id']).toBe('req-9');
  });

  it.each([
    ['a wrong sha512', { os_hash_value: '00' }, /sha512/],
    [
      'a wrong MD5 where there is nothing better',
      { os_hash_algo: null, os_hash_value: null, checksum: '00' },
      /md5/,
    ],
    ['a wrong size', { size: 5 }, /instead of 5/],
  ])('refuses %s and leaves no file', async (_, attributes, message) => {
    openstack.addImage('i', data, attributes);
    await expect(clients.images.download('i', join(folder, 'image'))).rejects.toMatchObject({
      code: 'IMAGE_CORRUPT',
      message: expect.stringMatching(message),
    });
    expect(await readdir(folder)).toEqual([]);
  });

  it('never overwrites a file, nor removes it', async () => {
    openstack.addImage('i', data);
    const target = join(folder, 'image');
    await writeFile(target, 'mine');
    await expect(clients.images.download('i', target)).rejects.toMatchObject({ code: 'IMAGE_FILE_FAILED' });
    expect(await readFile(target, 'utf8')).toBe('mine');
  });

  it('begins again when the connection breaks, and gives up in the end', async () => {
    openstack.addImage('i', data);
    let cuts = 1;
    openstack.intercept = ({ path }) => (path.endsWith('/file') && cuts-- > 0 ? 'cut' : undefined);
    await clients.images.download('i', join(folder, 'image'));
    expect((await readFile(join(folder, 'image'))).length).toBe(data.length);
    openstack.intercept = ({ path }) =>
      path.endsWith('/file')
        ? { status: 200, raw: data.subarray(0, 10), headers: { 'content-length': '300000' } }
        : undefined;
    await expect(clients.images.download('i', join(folder, 'other'))).rejects.toMatchObject({
      code: 'REST_ERROR',
    });
    expect(await readdir(folder)).toEqual(['image']);
  });

  it('stops when told to, leaving no file', async () => {
    openstack.addImage('i', data);
    openstack.intercept = ({ path }) => (path.endsWith('/file') ? 'hang' : undefined);
    const reason = new Error('deleted');
    const controller = new AbortController();
    setTimeout(() => controller.abort(reason), 20);
    const target = join(folder, 'image');
    await expect(clients.images.download('i', target, { signal: controller.signal })).rejects.toBe(reason);
    expect(await readdir(folder)).toEqual([]);
  });

  it('says when the disk is full, midway, and leaves no file', async () => {
    openstack.addImage('i', data);
    const rest = new RestClient({
      service: 'image',
      baseUrl: openstack.endpoints.image,
      tokens: { token: async () => 't' },
    });
    const target = join(folder, 'image');
    let written = 0;
    const nearlyFull = async (path: string): Promise<ImageFile> => {
      const handle = await open(path, 'wx');
      return {
        truncate: () => handle.truncate(0),
        close: () => handle.close(),
        write: async (chunk, offset, length, position) => {
          if (written > 100_000)
            throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
          written += length;
          return handle.write(chunk, offset, length, position);
        },
      };
    };
    const image = await clients.images.show('i');
    await expect(downloadToFile(rest, image, target, {}, nearlyFull)).rejects.toMatchObject({
      code: 'IMAGE_DISK_FULL',
      message: expect.stringMatching(/There is no room for image i .*Free space/),
    });
    expect(written).toBeGreaterThan(100_000);
    expect(await readdir(folder)).toEqual([]);
    await rest.close();
  });
});

describe('Neutron', () => {
  it('speaks of ports and networks in the names of its API', async () => {
    openstack.addNetwork('n', { 'provider:segmentation_id': 101, 'provider:network_type': 'vlan' });
    expect(await clients.network.networks({ projectId: 'p1', shared: false })).toMatchObject([
      {
        id: 'n',
        mtu: 1450,
        subnets: ['subnet-1'],
        segmentationId: 101,
        networkType: 'vlan',
        external: false,
      },
    ]);
    const made = await clients.network.createPort({
      networkId: 'n',
      projectId: 'p1',
      deviceId: 'vm',
      deviceOwner: 'compute:nova',
      bindingHostId: 'h',
      securityGroups: ['sg'],
    });
    expect(openstack.requests.at(-1)?.body).toEqual({
      port: {
        network_id: 'n',
        tenant_id: 'p1',
        device_id: 'vm',
        device_owner: 'compute:nova',
        'binding:host_id': 'h',
        security_groups: ['sg'],
      },
    });
    expect(await clients.network.ports({ deviceId: 'vm' })).toEqual([made]);
    expect(await clients.network.ports({ deviceId: 'other' })).toEqual([]);
    const unbound = await clients.network.updatePort(made.id, { deviceId: '', bindingHostId: null });
    expect(unbound).toMatchObject({ deviceId: '', bindingHostId: '', bindingVifType: 'unbound' });
    await clients.network.deletePort(made.id);
    await expect(clients.network.deletePort(made.id)).rejects.toMatchObject({ status: 404 });
    await expect(clients.network.showPort(made.id)).rejects.toMatchObject({
      serviceErrorType: 'portNotFound',
    });
  });
});

describe('Placement', () => {
  const inventory: Inventory = {
    total: 8,
    reserved: 0,
    minUnit: 1,
    maxUnit: 8,
    stepSize: 1,
    allocationRatio: 4,
  };

  it('makes a provider once and sets what changed only', async () => {
    const first = await clients.placement.ensureProvider('rp', 'hv1');
    expect(await clients.placement.ensureProvider('rp', 'hv1')).toEqual(first);
    for (let i = 0; i < 2; i += 1)
      await clients.placement.updateInventories('rp', () => ({ VCPU: inventory }));
    expect(openstack.count('PUT', /inventories/)).toBe(1);
    expect(await clients.placement.getInventories('rp')).toEqual({ VCPU: inventory });
    expect(openstack.requests[0]?.headers['openstack-api-version']).toBe('placement 1.36');
    const unknown = await clients.placement.updateTraits('rp', () => [
      'COMPUTE_NODE',
      'CUSTOM_RACK_1',
      'COMPUTE_FROM_THE_FUTURE',
    ]);
    expect(unknown).toEqual(['COMPUTE_FROM_THE_FUTURE']);
    expect(await clients.placement.getTraits('rp')).toEqual(['COMPUTE_NODE', 'CUSTOM_RACK_1']);
  });

  it('looks again when somebody else was faster, a bounded number of times', async () => {
    await clients.placement.ensureProvider('rp', 'hv1');
    const conflict = placementError(409, 'placement.concurrent_update', 'conflict');
    let conflicts = 3;
    openstack.intercept = ({ method, path }) =>
      method === 'PUT' && path.includes('inventories') && conflicts-- > 0 ? conflict : undefined;
    await clients.placement.updateInventories('rp', () => ({ VCPU: inventory }));
    expect(openstack.count('GET', /inventories/)).toBe(4);
    openstack.intercept = ({ method }) => (method === 'PUT' ? conflict : undefined);
    await expect(clients.placement.updateInventories('rp', () => ({}))).rejects.toMatchObject({
      status: 409,
    });
  });

  it('does not try again where there is no room', async () => {
    openstack.intercept = ({ method }) =>
      method === 'PUT'
        ? placementError(409, 'placement.undefined_code', 'Unable to allocate inventory')
        : undefined;
    const wanted = { allocations: { rp: { resources: { VCPU: 1 } } }, projectId: 'p', userId: 'u' };
    await expect(clients.placement.putAllocations('vm', wanted)).rejects.toMatchObject({
      serviceMessage: 'Unable to allocate inventory',
    });
    expect(openstack.count('PUT', /allocations/)).toBe(1);
  });

  it('sets, shows and deletes allocations', async () => {
    const wanted = { allocations: { rp: { resources: { VCPU: 1 } } }, projectId: 'p', userId: 'u' };
    expect(await clients.placement.getAllocations('vm')).toMatchObject({
      allocations: {},
      consumerGeneration: null,
    });
    await clients.placement.putAllocations('vm', wanted);
    expect(await clients.placement.getAllocations('vm')).toMatchObject({ ...wanted, consumerGeneration: 1 });
    expect(await clients.placement.providerAllocations('rp')).toEqual({ vm: { VCPU: 1 } });
    await clients.placement.deleteAllocations('vm');
    await clients.placement.deleteAllocations('vm');
    expect(openstack.allocations.size).toBe(0);
  });

  it('asks for candidates as the scheduler does', async () => {
    openstack.intercept = () => ({
      status: 200,
      body: {
        allocation_requests: [{ allocations: { rp: { resources: { VCPU: 1 } } }, mappings: { '': ['rp'] } }],
        provider_summaries: {
          rp: { resources: { VCPU: { capacity: 32, used: 1 } }, traits: ['COMPUTE_NODE'] },
        },
      },
    });
    const candidates = await clients.placement.allocationCandidates({
      resources: { VCPU: 1, MEMORY_MB: 512 },
      required: ['!COMPUTE_STATUS_DISABLED'],
      limit: 1000,
    });
    expect(openstack.requests[0]?.query.toString()).toBe(
      'resources=VCPU%3A1%2CMEMORY_MB%3A512&required=%21COMPUTE_STATUS_DISABLED&limit=1000',
    );
    expect(candidates.requests[0]?.allocations).toEqual({ rp: { resources: { VCPU: 1 } } });
    expect(candidates.summaries['rp']?.traits).toEqual(['COMPUTE_NODE']);
  });
});
