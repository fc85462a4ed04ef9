import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import type { VmSpec } from '@nova-hyperv/driver';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openstackClient, words, type Client } from '../support/clients.js';
import { commandsOf, runAsAdmin } from '../support/feature-page.js';
import type { Rest, Server } from '../support/rest.js';
import { TestCloud } from '../support/test-cloud.js';

// What flavors switch on and off "through cold resize", on a machine with Secure Boot. Nothing boots: guests see all of it elsewhere.
const GUEST = join(process.env['NOVA_HYPERV_GUESTS'] ?? '', 'gen2.vhdx');
const HOST = 'hv2019';
const NOVA_CONF = `
[hyperv]
enable_remotefx = true

[pci]
device_spec = { "vendor_id": "1234", "product_id": "11e8" }
alias = { "name": "edu", "vendor_id": "1234", "product_id": "11e8" }
`;
const IOPS = 640;

let cloud: TestCloud;
let openstack: Client;
let rest: Rest;
let image: string;
let rich: string;
let plain: string;

beforeAll(async () => {
  cloud = await TestCloud.prepare({
    engine: 'none',
    hosts: [`${HOST}:2019,pci=edu,remotefx,guarded=on`],
    novaConf: NOVA_CONF,
  });
  await cloud.up();
  openstack = openstackClient(cloud);
  rest = await cloud.rest();
  await openstack.ok(
    ...words(
      'image create --disk-format vhdx --container-format bare --property hw_machine_type=hyperv-gen2',
    ),
    ...words(`--property os_secure_boot=required --property os_type=linux --file ${GUEST} signed`),
  );
  await openstack.ok(...words('flavor create --ram 512 --disk 1 --vcpus 1 plain'));
  await openstack.ok(
    ...words('flavor create --ram 1024 --disk 1 --vcpus 2 rich --property pci_passthrough:alias=edu:1'),
    ...words('--property os:resolution=1600x1200 --property os:monitors=2'),
    ...words(`--property quota:disk_total_iops_sec=${IOPS}`),
  );
  image = (await openstack.json<{ id: string }>('image', 'show', 'signed')).id;
  plain = (await openstack.json<{ id: string }>('flavor', 'show', 'plain')).id;
  rich = (await openstack.json<{ id: string }>('flavor', 'show', 'rich')).id;
  await openstack.ok(...words('server create --image signed --flavor plain --network private --wait vm'));
});

afterAll(() => cloud?.destroy());

async function idOf(name: string): Promise<string> {
  const server = (await rest.servers()).find((one) => one.name === name);
  if (server === undefined) throw new Error(`there is no server ${name}`);
  return server.id;
}

async function specOf(name: string): Promise<VmSpec> {
  const shown = await runAsAdmin(cloud, `nova-hyperv vm show ${await idOf(name)} --json --state "$STATE"`, {
    variables: { STATE: cloud.state },
  });
  return (JSON.parse(shown) as { spec: VmSpec }).spec;
}

/** The machine as its host has it, as far as the flavors differ, and what must stay. */
async function machine(): Promise<unknown> {
  const spec = await specOf('vm');
  return {
    devices: spec.pciDevices.length,
    video: spec.video.kind,
    limits: spec.drives.map(({ iopsLimit }) => iopsLimit),
    shutdown: spec.automaticShutdown,
    processors: spec.processors.count,
    secureBoot: spec.security.secureBoot,
  };
}

const PLAIN = {
  devices: 0,
  video: 'synthetic',
  limits: [0],
  shutdown: 'save',
  processors: 1,
  secureBoot: 'MicrosoftUEFICertificateAuthority',
};
const RICH = {
  ...PLAIN,
  devices: 1,
  video: 'remotefx',
  limits: [IOPS],
  shutdown: 'shut-down',
  processors: 2,
};

/** Processors that Placement has claimed, over all consumers: the server, and while a resize waits the migration too. */
async function claimed(): Promise<readonly number[]> {
  const { resource_providers: providers } = await rest.call<{ resource_providers: { uuid: string }[] }>(
    'GET',
    '/placement/resource_providers',
  );
  const found = await Promise.all(
    providers.map(({ uuid }) =>
      rest.call<{ allocations: Record<string, { resources: Record<string, number> }> }>(
        'GET',
        `/placement/resource_providers/${uuid}/allocations`,
      ),
    ),
  );
  return found
    .flatMap(({ allocations }) => Object.values(allocations).map(({ resources }) => resources['VCPU'] ?? 0))
    .toSorted((a, b) => a - b);
}

/** Whether the host has a device left for somebody else. Asked over REST: the clients take seconds to start. */
async function deviceIsFree(name: string): Promise<boolean> {
  await rest.createServers(name, image, 1, rich);
  await rest.waitServers((server) => server.name !== name || server.status !== 'BUILD', 60_000);
  const { id, status } = (await rest.servers()).find((one) => one.name === name)!;
  await rest.deleteServer(id);
  await expect.poll(async () => (await rest.servers()).length, { timeout: 30_000 }).toBe(1);
  return status === 'ACTIVE';
}

const state = async () => {
  const { status } = (await rest.servers()).find(({ name }) => name === 'vm') ?? {};
  return status;
};

describe('a cold resize of a machine with Secure Boot', () => {
  it('gives a PCI device, RemoteFX and a disk limit; a revert takes them away and frees the device', async () => {
    expect(await machine()).toEqual(PLAIN);
    await openstack.ok(...words('server resize --flavor rich --wait vm'));
    expect(await machine()).toEqual(RICH);
    expect(await claimed()).toEqual([1, 2]);
    expect(await deviceIsFree('while-it-waits')).toBe(false);
    await openstack.ok(...words('server resize revert vm'));
    await expect.poll(state, { timeout: 30_000 }).toBe('ACTIVE');
    expect(await machine()).toEqual(PLAIN);
    expect(await claimed()).toEqual([1]);
    expect(await deviceIsFree('after-the-revert')).toBe(true);
  });

  it('confirmed holds the device; one back keeps it until it is confirmed, and can be reverted', async () => {
    await openstack.ok(...words('server resize --flavor rich --wait vm'));
    await openstack.ok(...words('server resize confirm vm'));
    await expect.poll(state, { timeout: 30_000 }).toBe('ACTIVE');
    expect(await claimed()).toEqual([2]);

    await openstack.ok(...words('server resize --flavor plain --wait vm'));
    expect(await machine()).toEqual(PLAIN);
    expect(await deviceIsFree('before-the-confirm')).toBe(false);
    await openstack.ok(...words('server resize revert vm'));
    await expect.poll(state, { timeout: 30_000 }).toBe('ACTIVE');
    expect(await machine()).toEqual(RICH);

    await openstack.ok(...words('server resize --flavor plain --wait vm'));
    await openstack.ok(...words('server resize confirm vm'));
    await expect.poll(state, { timeout: 30_000 }).toBe('ACTIVE');
    expect([await machine(), await claimed()]).toEqual([PLAIN, [1]]);
    expect(await deviceIsFree('after-the-confirm')).toBe(true);
  });

  it('leaves nothing when the server is deleted', async () => {
    await openstack.ok('server', 'delete', '--wait', 'vm');
    expect(await cloud.machines(HOST)).toEqual([]);
    expect(await cloud.instanceFiles(HOST)).toEqual([]);
    expect(await rest.consumers()).toEqual([]);
  });
});

describe('a cold resize of a secured machine', () => {
  it.each([
    ['tpm-vm', false],
    ['shielded-vm', true],
  ])('%s keeps it secured, and so does a revert', async (name, shielded) => {
    if (!(await rest.servers()).some((server) => server.name === name)) {
      const [block = ''] = await commandsOf('vtpm-shielded.md');
      const work = await mkdtemp(join(cloud.state, 'pdk-'));
      await runAsAdmin(cloud, block, { variables: { WORK: work, LINUX_IMAGE: GUEST, WINDOWS_IMAGE: GUEST } });
    }
    const before = await specOf(name);
    expect(before.security).toMatchObject({ vtpm: true, shielded });
    const action = async (body: object, wanted: string): Promise<void> => {
      await rest.call('POST', `/compute/v2.1/servers/${await idOf(name)}/action`, body);
      const settled = (server: Server): boolean =>
        server.name !== name || (server.status === wanted && server['OS-EXT-STS:task_state'] === null);
      await rest.waitServers(settled, 60_000);
    };
    await action({ resize: { flavorRef: plain } }, 'VERIFY_RESIZE');
    expect(await specOf(name)).toEqual({ ...before, memory: (await specOf(name)).memory });
    await action({ revertResize: null }, 'ACTIVE');
    expect(await specOf(name)).toEqual(before);
    await action({ resize: { flavorRef: plain } }, 'VERIFY_RESIZE');
    await action({ confirmResize: null }, 'ACTIVE');
    expect((await specOf(name)).security).toEqual(before.security);
  });
});
