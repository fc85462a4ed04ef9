import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { debian13Client, openstackClient, words, type Client } from '../support/clients.js';
import type { Rest } from '../support/rest.js';
import { run, type Ran } from '../support/run.js';
import { TestCloud } from '../support/test-cloud.js';

// The unmodified clients' daily work, and what they are told when something cannot be. No guest has to run for it.
const GUESTS = process.env['NOVA_HYPERV_GUESTS'] ?? '';
const PUBLIC_KEY =
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBlJXuMgGS76pQ2QXVuI4ZbbgoADBugASG3iAp2J31s5 user@example';

interface Shown {
  readonly id: string;
  readonly status: string;
  readonly key_name: string;
  readonly properties: Record<string, string>;
  readonly security_groups?: readonly { readonly name: string }[];
  readonly 'OS-EXT-SRV-ATTR:host': string;
}

let cloud: TestCloud;
let rest: Rest;
let openstack: Client;
let debian13: Awaited<ReturnType<typeof debian13Client>>;
let image: string;

const said = (ran: Ran): string => ran.stdout + ran.stderr;
const show = (name: string): Promise<Shown> => openstack.json<Shown>('server', 'show', name);
const isElsewhere = (server: { readonly name: string }): boolean => server.name.startsWith('elsewhere');
const groupsOf = (server: Shown): readonly string[] =>
  (server.security_groups ?? []).map((group) => group.name).toSorted();

beforeAll(async () => {
  cloud = await TestCloud.prepare({ engine: 'none', hosts: ['hv1:2016', 'hv2:2022'] });
  await cloud.up();
  openstack = openstackClient(cloud);
  debian13 = await debian13Client(cloud);
  rest = await cloud.rest();
  const bytes = await readFile(join(GUESTS, 'gen2.vhdx'));
  image = await rest.uploadImage('gen2', 'vhdx', bytes, {
    hw_machine_type: 'hyperv-gen2',
    visibility: 'public',
  });
  const thirsty = await rest.uploadImage('thirsty', 'vhdx', bytes, { hw_machine_type: 'hyperv-gen2' });
  await rest.call(
    'PATCH',
    `/image/v2/images/${thirsty}`,
    [{ op: 'replace', path: '/min_ram', value: 4096 }],
    {
      'content-type': 'application/openstack-images-v2.1-json-patch',
    },
  );
});

afterAll(async () => {
  await debian13?.close();
  await cloud?.destroy();
});

describe('a server with everything that a user gives it', () => {
  it('has its key, groups, properties and host', async () => {
    const [key, userData] = [join(cloud.state, 'key.pub'), join(cloud.state, 'user-data')];
    await Promise.all([writeFile(key, PUBLIC_KEY), writeFile(userData, '#cloud-config\n')]);
    await Promise.all([
      openstack.ok(...words(`keypair create --public-key ${key} key`)),
      openstack.ok(...words('security group create web')),
    ]);
    await openstack.ok(
      ...words(
        `server create --image gen2 --flavor m1.tiny --key-name key --user-data ${userData} --property a=b --security-group web --network private --availability-zone nova:hv2 --wait full`,
      ),
    );
    const server = await show('full');
    expect(server).toMatchObject({ status: 'ACTIVE', key_name: 'key', properties: { a: 'b' } });
    expect(server['OS-EXT-SRV-ATTR:host']).toBe('hv2');
    expect(groupsOf(server)).toEqual(['web']);
  });

  it('gets and loses security groups', async () => {
    await openstack.ok(...words('server add security group full default'));
    await debian13.client.ok(...words('server remove security group full web'));
    expect(groupsOf(await show('full'))).toEqual(['default']);
  });

  it('is accounted for', async () => {
    const usage = await openstack.json<{ 'CPU Hours': number; Servers: object[] }>('usage', 'show');
    expect(usage.Servers).toHaveLength(1);
    // It has run for seconds, though clients ask for usage until tomorrow.
    expect(usage['CPU Hours']).toBeLessThan(1);
  });
});

describe('what is not served', () => {
  it.each([
    ['this Debian', (): Client => openstack],
    ['Debian 13', (): Client => debian13.client],
  ])('is refused in words, and leaves the server as it is (%s)', async (_, client) => {
    const commands = ['server suspend full', 'server pause full'];
    const answers = await Promise.all(commands.map((command) => client().run(...words(command))));
    for (const answer of answers) {
      expect(answer.code).not.toBe(0);
      expect(said(answer)).toMatch(/is not served by this cloud/);
      expect(said(answer)).toMatch(/501/);
    }
    expect(await show('full')).toMatchObject({ status: 'ACTIVE' });
  });
});

describe('wrong input', () => {
  it('is refused before anything is built', async () => {
    const create = 'server create --flavor m1.tiny --network private';
    const cases: readonly (readonly [command: string, message: RegExp])[] = [
      [`${create} --image gen2 ${'n'.repeat(300)}`, /server\.name: Too big.*400/s],
      [`${create} --image thirsty small`, /Flavor's memory is too small for requested image.*400/s],
      [`${create} --image gen2 --availability-zone mars far`, /availability zone is not available.*400/s],
    ];
    for (const [command, message] of cases) {
      const answer = await openstack.run(...words(command));
      expect(answer.code).not.toBe(0);
      expect(said(answer)).toMatch(message);
    }
    expect((await rest.servers()).map((server) => server.name)).toEqual(['full']);
  });
});

describe('a member of another project', () => {
  let bob: (command: string) => Promise<Ran>;

  beforeAll(async () => {
    await openstack.ok(...words('project create other'));
    await openstack.ok(...words('user create --project other --password Secret-123 bob'));
    await openstack.ok(...words('role add --project other --user bob member'));
    await openstack.ok(...words('quota set --instances 1 other'));
    const env = {
      OS_AUTH_URL: `${(await cloud.running()).url}/identity`,
      OS_USERNAME: 'bob',
      OS_PASSWORD: 'Secret-123',
      OS_PROJECT_NAME: 'other',
      OS_USER_DOMAIN_ID: 'default',
      OS_PROJECT_DOMAIN_ID: 'default',
      OS_IDENTITY_API_VERSION: '3',
    };
    bob = (command) => run('openstack', words(command), { env });
  });

  it('neither sees nor touches what is not theirs', async () => {
    const { id } = await show('full');
    const [list, deletion, hypervisors] = await Promise.all([
      bob('server list -f json'),
      bob(`server delete ${id}`),
      bob('hypervisor list'),
    ]);
    expect(JSON.parse(list.stdout)).toEqual([]);
    expect(deletion.code).not.toBe(0);
    expect(said(deletion)).toMatch(/No server with a name or ID of/);
    expect(said(hypervisors)).toMatch(/Policy doesn't allow os_compute_api:os-hypervisors.*403/s);
    expect(await show('full')).toMatchObject({ status: 'ACTIVE' });
  });

  it('builds within the quota only', async () => {
    const answer = await bob(
      'server create --image gen2 --flavor m1.tiny --network private --max 2 --min 2 two',
    );
    expect(said(answer)).toMatch(/Quota exceeded for instances: Requested 2.*403/s);
    await bob('server create --image gen2 --flavor m1.tiny --network private --wait one');
    expect(JSON.parse((await bob('server list -f json -c Name -c Status')).stdout)).toEqual([
      { Name: 'one', Status: 'ACTIVE' },
    ]);
  });
});

describe('a disabled host', () => {
  it('gets nothing', async () => {
    await openstack.ok(...words('compute service set --disable --disable-reason repair hv1 nova-compute'));
    await rest.createServers('elsewhere', image, 3);
    const servers = await rest.waitServers(
      (server) => !isElsewhere(server) || server.status !== 'BUILD',
      60_000,
    );
    const hosts = servers.filter(isElsewhere).map((s) => s['OS-EXT-SRV-ATTR:host']);
    expect(hosts).toEqual(['hv2', 'hv2', 'hv2']);
  });
});
