import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { debian13Client, openstackClient, words, type Client } from '../support/clients.js';
import { runAsAdmin } from '../support/feature-page.js';
import type { Rest } from '../support/rest.js';
import { runOk, type Ran } from '../support/run.js';
import { TestCloud } from '../support/test-cloud.js';

// Volumes by the unmodified clients, in the cloud's own back ends. No guest has to run for it: servers that use volumes are another test's.

interface Volume {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly size: number;
  readonly volume_type: string;
  readonly bootable: string;
  readonly volume_image_metadata?: Readonly<Record<string, string>>;
}

let cloud: TestCloud;
let rest: Rest;
let openstack: Client;
let debian13: Awaited<ReturnType<typeof debian13Client>>;

const said = (ran: Ran): string => ran.stdout + ran.stderr;
const BUSY = ['creating', 'downloading', 'extending', 'uploading', 'retyping', 'deleting'];

async function volumes(): Promise<readonly Volume[]> {
  return (await rest.call<{ volumes: Volume[] }>('GET', '/volume/v3/volumes/detail')).volumes;
}

/** All volumes, once nothing is done with them any more. */
async function settled(): Promise<readonly Volume[]> {
  for (let tries = 0; tries < 120; tries += 1) {
    const all = await volumes();
    if (!all.some(({ status }) => BUSY.includes(status))) return all;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  throw new Error(`volumes do not settle: ${JSON.stringify(await volumes())}`);
}

async function named(name: string): Promise<Volume> {
  const found = (await settled()).find((volume) => volume.name === name);
  if (found === undefined) throw new Error(`there is no volume ${name}`);
  return found;
}

beforeAll(async () => {
  cloud = await TestCloud.prepare({ engine: 'none', hosts: ['hv1:2022'] });
  await cloud.up();
  openstack = openstackClient(cloud);
  debian13 = await debian13Client(cloud);
  rest = await cloud.rest();
});

afterAll(async () => {
  await debian13?.close();
  await cloud?.destroy();
});

describe('the usage guide', () => {
  it('limits volumes of a type by QoS specs, as it is printed', async () => {
    const printed = await runAsAdmin(
      cloud,
      `
        cinder qos-create my-qos consumer=front-end total_bytes_sec=10485760
        cinder qos-associate my-qos smb
        cinder create 1 --volume-type smb
      `,
    );
    expect(printed).toMatch(/\| specs +\| total_bytes_sec : 10485760 +\|/);
    const [volume] = await settled();
    expect(volume).toMatchObject({ status: 'available', size: 1, volume_type: 'smb' });
    const body = { attachment: { volume_uuid: volume?.id, connector: { host: 'hv1' } } };
    const headers = { 'openstack-api-version': 'volume 3.44' };
    const { attachment } = await rest.call<{
      attachment: { id: string; connection_info: Readonly<Record<string, unknown>> };
    }>('POST', '/volume/v3/attachments', body, headers);
    expect(attachment.connection_info).toMatchObject({
      driver_volume_type: 'smbfs',
      name: `volume-${volume?.id}.vhdx`,
      qos_specs: { total_bytes_sec: '10485760' },
    });
    await rest.call('DELETE', `/volume/v3/attachments/${attachment.id}`, undefined, headers);
    expect((await settled())[0]).toMatchObject({ status: 'available' });
  });
});

/** The life of a volume, of the client of either Debian. */
async function life(client: Client, name: string): Promise<void> {
  await client.ok('volume', 'create', '--size', '1', '--property', 'purpose=test', name);
  expect(await named(name)).toMatchObject({ status: 'available', bootable: 'false' });
  await client.ok('volume', 'set', '--size', '2', '--bootable', '--description', 'larger', name);
  expect(await named(name)).toMatchObject({ status: 'available', size: 2, bootable: 'true' });
  await client.ok('volume', 'snapshot', 'create', '--volume', name, `${name}-snapshot`);
  await settled();
  await client.ok('volume', 'create', '--snapshot', `${name}-snapshot`, `${name}-copy`);
  expect(await named(`${name}-copy`)).toMatchObject({ status: 'available', size: 2, bootable: 'true' });
  const shown = await client.json<Readonly<Record<string, unknown>>>('volume', 'show', name);
  expect(shown).toMatchObject({
    status: 'available',
    size: 2,
    description: 'larger',
    properties: { purpose: 'test' },
  });
  expect(said(await client.run('volume', 'delete', name))).toMatch(/have snapshots/);
  await client.ok('volume', 'snapshot', 'delete', `${name}-snapshot`);
  await client.ok('volume', 'delete', '--purge', name, `${name}-copy`);
  expect((await settled()).filter((volume) => volume.name?.startsWith(name))).toEqual([]);
}

describe('openstack volume', () => {
  it.each(['Debian 12', 'Debian 13'])(
    'makes, grows, snapshots, copies and deletes volumes: %s',
    async (debian) => {
      const client = debian === 'Debian 12' ? openstack : debian13.client;
      await life(client, debian.replace(' ', '-').toLowerCase());
    },
  );

  it.each([
    ['quota show', /gigabytes +\| +1000/],
    ['quota show --default', /gigabytes_smb +\| +-1/],
    ['availability zone list', /nova/],
    ['limits show --absolute', /otal_?[vV]olumes/],
    ['volume type list --long', /__DEFAULT__/],
    ['volume service list', /cinder-volume +\| [^ ]+@smb/],
    ['volume type show smb', /volume_backend_name='smb'/],
    ['volume list --all-projects --long', /smb/],
  ])('%s', async (command, expected) => {
    for (const client of [openstack, debian13.client])
      expect(await client.ok(...words(command)), client.name).toMatch(expected);
  });

  it.each([
    ['volume create --size 5000 huge', /exceeds allowed gigabytes quota/],
    ['volume create --size 1 --type nothing refused', /could not be found|No volumetype/i],
    ['volume show nothing', /[Nn]o volume with a name or ID/],
    ['volume backup list', /404/],
    ['volume create --size 1 --availability-zone moon refused', /Availability zone 'moon' is invalid/],
  ])('is refused: %s', async (command, expected) => {
    for (const client of [openstack, debian13.client])
      expect(said(await client.run(...words(command))), client.name).toMatch(expected);
  });

  it('makes volumes from images, and images from volumes', async () => {
    const disk = join(cloud.state, 'disk.qcow2');
    const raw = join(cloud.state, 'disk.raw');
    await writeFile(raw, Buffer.alloc(4 * 1024 * 1024, 'volumes '));
    await runOk('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, disk]);
    await openstack.ok(
      ...words('image create --disk-format qcow2 --property hw_machine_type=hyperv-gen2 --file'),
      disk,
      'source',
    );
    await openstack.ok(...words('volume create --size 1 --image source from-image'));
    const volume = await named('from-image');
    expect(volume).toMatchObject({
      status: 'available',
      bootable: 'true',
      volume_image_metadata: { image_name: 'source', hw_machine_type: 'hyperv-gen2' },
    });
    await runAsAdmin(cloud, `cinder upload-to-image --disk-format vhdx ${volume.id} from-volume`);
    expect(await named('from-image')).toMatchObject({ status: 'available' });
    const saved = join(cloud.state, 'saved.vhdx');
    await openstack.ok('image', 'save', '--file', saved, 'from-volume');
    // The volume is larger than the image: what follows is zeros.
    await runOk('qemu-img', ['compare', '-f', 'vhdx', '-F', 'raw', saved, raw]);
  });
});
