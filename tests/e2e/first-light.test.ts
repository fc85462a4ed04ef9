import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { debian13Client, novaClient, typedOpenstackClient, words, type Client } from '../support/clients.js';
import { consoleUntil } from '../support/console.js';
import { TestCloud } from '../support/test-cloud.js';

const GUESTS = process.env['NOVA_HYPERV_GUESTS'] ?? '';
const OLD = 'hv2012r2';
const NEW = 'hv2016';

let cloud: TestCloud;
let openstack: Client;
let debian13: Awaited<ReturnType<typeof debian13Client>>;

interface ServerShown {
  readonly id: string;
  readonly status: string;
  readonly fault?: { readonly message: string } | string;
  readonly 'OS-EXT-SRV-ATTR:host': string;
}

function faultOf(server: ServerShown): string {
  return typeof server.fault === 'string' ? server.fault : (server.fault?.message ?? '');
}

beforeAll(async () => {
  cloud = await TestCloud.prepare({ engine: 'qemu', hosts: [`${OLD}:2012R2`, `${NEW}:2016`] });
  await cloud.up();
  openstack = typedOpenstackClient(cloud);
  debian13 = await debian13Client(cloud);
});

afterAll(async () => {
  await debian13?.close();
  await cloud?.destroy();
});

describe('a fresh cloud', () => {
  it('has the flavors, the network and the hosts that the README names', async () => {
    const flavors = await openstack.json<{ Name: string }[]>('flavor', 'list');
    expect(flavors.map((flavor) => flavor.Name)).toEqual([
      'm1.tiny',
      'm1.small',
      'm1.medium',
      'm1.large',
      'm1.xlarge',
    ]);
    const networks = await openstack.json<{ Name: string }[]>('network', 'list');
    expect(networks.map((network) => network.Name)).toEqual(['private']);
    const services = await debian13.client.json<{ Host: string; State: string; Binary: string }[]>(
      'compute',
      'service',
      'list',
    );
    const computes = services.filter((service) => service.Binary === 'nova-compute');
    expect(Object.fromEntries(computes.map((service) => [service.Host, service.State]))).toEqual({
      [OLD]: 'up',
      [NEW]: 'up',
    });
  });
});

describe('a generation 2 machine', () => {
  it('boots by UEFI from a SCSI disk, created by Debian 12 and by Debian 13', async () => {
    const file = join(GUESTS, 'gen2.vhdx');
    await openstack.ok(
      ...words(
        `image create --property hypervisor_type=hyperv --property hw_machine_type=hyperv-gen2 --property 'hypervisor_version_requires=>=6.3' --disk-format vhd --container-format bare --file ${file} gen2`,
      ),
    );
    const create = words('server create --image gen2 --flavor m1.tiny --network private --wait');
    await Promise.all([openstack.ok(...create, 'vm2'), debian13.client.ok(...create, 'vm2-debian13')]);
    for (const [client, name] of [
      [openstack, 'vm2'],
      [debian13.client, 'vm2-debian13'],
    ] as const) {
      const text = await consoleUntil(client, name, /^HVG ready/);
      expect(text).toMatch(/booted by UEFI, Secure Boot off, root disk scsi 0:0:0:0, no IDE/);
      expect(text).toMatch(/^HVG firmware kind=EFI secureboot=(0|none)/m);
      expect(text).toMatch(/^HVG block .*bus=virtio-scsi .*hctl=0:0:0:0/m);
      expect(text).not.toMatch(/bus=(ide|ata)/);
      expect(text).toMatch(/^HVG nic .*mac=fa:16:3e:/m);
    }
    await debian13.client.ok('server', 'delete', '--wait', 'vm2-debian13');
  });

  it('stops, starts and reboots, and its console shows it', async () => {
    await openstack.ok('server', 'stop', 'vm2');
    await expect.poll(() => status('vm2'), { timeout: 90_000, interval: 500 }).toBe('SHUTOFF');
    await consoleUntil(openstack, 'vm2', /^HVG powerbutton pressed/);
    await openstack.ok('server', 'start', 'vm2');
    await consoleUntil(openstack, 'vm2', /^HVG ready/, 2);
    await openstack.ok(...words(`server reboot --soft --wait vm2`));
    await consoleUntil(openstack, 'vm2', /^HVG powerbutton pressed/, 2);
    await consoleUntil(openstack, 'vm2', /^HVG ready/, 3);
    await openstack.ok(...words(`server reboot --hard --wait vm2`));
    const text = await consoleUntil(openstack, 'vm2', /^HVG ready/, 4);
    expect(text.match(/^HVG powerbutton pressed/gm)).toHaveLength(2);
  });

  it('leaves nothing when it is deleted', async () => {
    const { 'OS-EXT-SRV-ATTR:host': host } = await openstack.json<ServerShown>('server', 'show', 'vm2');
    expect(await cloud.machines(host)).toHaveLength(1);
    await openstack.ok('server', 'delete', '--wait', 'vm2');
    for (const name of [OLD, NEW]) {
      expect(await cloud.machines(name)).toEqual([]);
      expect(await cloud.instanceFiles(name)).toEqual([]);
    }
    const rest = await cloud.rest();
    expect(await rest.ports()).toEqual([]);
    expect(await rest.consumers()).toEqual([]);
  });
});

async function status(server: string): Promise<string> {
  return (await openstack.json<ServerShown>('server', 'show', server)).status;
}

describe('a generation 1 machine', () => {
  it('is the default, boots by BIOS from an IDE disk', async () => {
    const file = join(GUESTS, 'gen1.vhd');
    await openstack.ok(
      ...words(
        `image create --property hypervisor_type=hyperv --disk-format vhd --container-format bare --file ${file} gen1`,
      ),
    );
    await openstack.ok(...words(`server create --image gen1 --flavor m1.tiny --network private --wait vm1`));
    const text = await consoleUntil(openstack, 'vm1', /^HVG ready/);
    expect(text).toMatch(/^HVG firmware kind=BIOS/m);
    expect(text).toMatch(/^HVG block .*bus=ide .*hctl=0:0:0:0/m);
    expect(await novaClient(cloud, await novaEnv()).ok('list')).toContain('vm1');
    await openstack.ok('server', 'delete', '--wait', 'vm1');
  });
});

/** The nova client reads the classic variables. */
async function novaEnv(): Promise<Record<string, string>> {
  const adminPassword = await cloud.adminPassword();
  return {
    OS_AUTH_URL: `${(await cloud.running()).url}/identity/v3`,
    OS_USERNAME: 'admin',
    OS_PASSWORD: adminPassword,
    OS_PROJECT_NAME: 'admin',
    OS_USER_DOMAIN_ID: 'default',
    OS_PROJECT_DOMAIN_ID: 'default',
  };
}

describe('refusals', () => {
  it('a VHD for generation 2 ends in ERROR with a fault that says why and what to do, and leaves nothing', async () => {
    await openstack.ok(
      'image',
      'create',
      '--property',
      'hw_machine_type=hyperv-gen2',
      '--disk-format',
      'vhd',
      '--container-format',
      'bare',
      '--file',
      join(GUESTS, 'gen1.vhd'),
      'vhd-gen2',
    );
    await openstack.run(
      ...words(`server create --image vhd-gen2 --flavor m1.tiny --network private --wait bad`),
    );
    const server = await openstack.json<ServerShown>('server', 'show', 'bad');
    expect(server.status).toBe('ERROR');
    expect(faultOf(server)).toMatch(/VHDX/);
    expect(faultOf(server)).toMatch(/generation 2|hyperv-gen2/i);
    for (const host of [OLD, NEW]) {
      expect(await cloud.machines(host)).toEqual([]);
      expect(await cloud.instanceFiles(host)).toEqual([]);
    }
    await openstack.ok('server', 'delete', '--wait', 'bad');
  });

  it('hypervisor_version_requires >=10.0 lands on the newer host', async () => {
    await openstack.ok(...words(`image set --property 'hypervisor_version_requires=>=10.0' gen2`));
    for (const name of ['new-1', 'new-2', 'new-3']) {
      await openstack.ok(
        ...words(`server create --image gen2 --flavor m1.tiny --network private --wait ${name}`),
      );
      const server = await openstack.json<ServerShown>('server', 'show', name);
      expect(server['OS-EXT-SRV-ATTR:host']).toBe(NEW);
      await openstack.ok('server', 'delete', '--wait', name);
    }
    await openstack.ok(...words(`image set --property 'hypervisor_version_requires=>=11.0' gen2`));
    await openstack.run(
      ...words(`server create --image gen2 --flavor m1.tiny --network private --wait nowhere`),
    );
    const server = await openstack.json<ServerShown>('server', 'show', 'nowhere');
    expect(server.status).toBe('ERROR');
    expect(faultOf(server)).toMatch(/No valid host/);
    await openstack.ok('server', 'delete', '--wait', 'nowhere');
  });
});
