import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createNovaService } from '../compute/index.js';
import { saveIn } from '../compute/store/instance-store.js';
import { toRow, type NewServer } from '../compute/store/records.js';
import type { ComputeTables } from '../compute/store/tables.js';
import { createTestCloud, type TestCloud } from '../testing/test-cloud.js';
import { createMetadataService, type MetadataService } from './index.js';
import { sign } from './signature.js';

const FLAVOR = {
  flavorId: '1',
  name: 'm1.tiny',
  vcpus: 1,
  memoryMb: 512,
  rootGb: 1,
  ephemeralGb: 0,
  swapMb: 0,
  extraSpecs: {},
};

let cloud: TestCloud;
let metadata: MetadataService;
let alice: string;
let bob: string;

const db = () => cloud.cloud.kernel.db.withTables<ComputeTables>();

/** A server as the compute API stores one. */
async function addServer(name: string, projectId: string): Promise<string> {
  const uuid = randomUUID();
  const server: NewServer = {
    uuid,
    projectId,
    displayName: name,
    displayDescription: null,
    hostname: name,
    userId: 'u',
    imageRef: randomUUID(),
    flavor: FLAVOR,
    ephemeralsGb: [],
    keyName: 'me',
    keyData: `key of ${name}`,
    userData: Buffer.from(`data of ${name}`).toString('base64'),
    configDrive: false,
    availabilityZone: 'nova',
    metadata: {},
    systemMetadata: {},
    reservationId: 'r-1',
    launchIndex: 0,
    tags: [],
    diskConfig: 'MANUAL',
  };
  await db().insertInto('compute_instance').values(toRow(server, new Date())).execute();
  return uuid;
}

type Headers = Readonly<Record<string, string>>;
const signed = (uuid: string, project = 'p-alice', secret = metadata.sharedSecret()): Headers => ({
  'x-instance-id': uuid,
  'x-tenant-id': project,
  'x-instance-id-signature': sign(secret, uuid),
});
const get = (url: string, headers: Headers) => cloud.request('GET', url, { token: '', headers });

beforeAll(async () => {
  cloud = await createTestCloud({
    services: (kernel) => [
      createNovaService(kernel, { computes: new Map() }),
      (metadata = createMetadataService(kernel, { dhcpDomain: 'example.org' })),
    ],
  });
  alice = await addServer('alice', 'p-alice');
  bob = await addServer('bob', 'p-bob');
});

afterAll(() => cloud[Symbol.asyncDispose]());

describe('the metadata service', () => {
  it('tells an instance of itself, in both formats', async () => {
    const found = await get('/openstack/latest/meta_data.json', signed(alice));
    expect(found.statusCode).toBe(200);
    expect(found.headers['content-type']).toMatch(/^application\/json/);
    expect(found.json()).toMatchObject({
      uuid: alice,
      name: 'alice',
      hostname: 'alice.example.org',
      project_id: 'p-alice',
      availability_zone: 'nova',
      launch_index: 0,
      public_keys: { me: 'key of alice' },
      devices: [],
    });
    const list = await get('/latest/meta-data/', signed(alice));
    expect(list.headers['content-type']).toBe('text/plain; charset=UTF-8');
    expect(list.body.split('\n')).toContain('public-keys/');
    for (const path of [
      '/2009-04-04/user-data',
      '/ec2/latest/user-data',
      '/openstack/2012-08-10/user_data',
    ]) {
      expect((await get(path, signed(alice))).body).toBe('data of alice');
    }
  });

  it('lists EC2’s versions at the root to guests, and services to others', async () => {
    expect((await get('/', signed(alice))).body).toMatch(/^1\.0\n2007-01-19\n[^]*\nlatest$/);
    const { services } = (await get('/', {})).json<{ services: { type: string }[] }>();
    expect(services.map(({ type }) => type)).not.toContain('metadata');
  });

  it('shows at once what has changed', async () => {
    const device = { type: 'disk', bus: 'scsi', address: '0:0:0:0', serial: 'v1', tags: [] } as const;
    await db()
      .transaction()
      .execute((trx) => saveIn(trx, alice, { deviceMetadata: [device] }));
    const found = await get('/openstack/latest/meta_data.json', signed(alice));
    expect(found.json<{ devices: unknown }>().devices).toEqual([device]);
  });

  it.each([
    ['no header', 400, () => ({}), /X-Instance-ID header is missing/],
    ['no signature', 400, () => ({ 'x-instance-id': alice, 'x-tenant-id': 'p-alice' }), /Signature header/],
    [
      'no project',
      400,
      () => ({ 'x-instance-id': alice, 'x-instance-id-signature': sign(metadata.sharedSecret(), alice) }),
      /X-Tenant-ID/,
    ],
    ['another secret', 403, () => signed(alice, 'p-alice', 'guess'), /Invalid proxy request signature/],
    [
      'a signature of another instance',
      403,
      () => ({ ...signed(alice), 'x-instance-id': bob, 'x-tenant-id': 'p-bob' }),
      /Invalid proxy/,
    ],
    ['an empty signature', 403, () => ({ ...signed(alice), 'x-instance-id-signature': '' }), /Invalid proxy/],
    ['another project', 404, () => signed(alice, 'p-bob'), /could not be found/],
    ['an instance that is not there', 404, () => signed(randomUUID()), /could not be found/],
    ['a provider without address', 400, () => ({ 'x-metadata-provider': 'n' }), /X-Forwarded-For is missing/],
    [
      'a provider without signature',
      403,
      () => ({ 'x-metadata-provider': 'n', 'x-forwarded-for': '10.10.0.5' }),
      /Invalid proxy/,
    ],
  ] as const)('refuses %s with %i, and tells nothing', async (_what, status, headers, words) => {
    const found = await get('/openstack/latest/meta_data.json', headers());
    expect(found.statusCode).toBe(status);
    expect(found.headers['content-type']).toBe('text/plain; charset=UTF-8');
    expect(found.body).toMatch(words);
    expect(found.body).not.toMatch(/alice|bob/);
  });

  it.each([
    ['/openstack/latest/nothing', 404],
    ['/latest/meta-data/nothing', 404],
    ['/openstack/content/..%2f..%2fsecrets', 404],
    ['/openstack/%ff', 400],
  ])('has nothing at %s', async (path, status) => {
    expect((await get(path, signed(alice))).statusCode).toBe(status);
  });

  it('knows an instance by its address on a network', async () => {
    const { networks } = (await cloud.request('GET', '/network/v2.0/networks')).json<{
      networks: { id: string }[];
    }>();
    const network = networks[0]?.id ?? '';
    const made = await cloud.request('POST', '/network/v2.0/ports', {
      body: { port: { network_id: network, device_id: bob, tenant_id: 'p-bob' } },
    });
    const { port } = made.json<{ port: { fixed_ips: { ip_address: string }[] } }>();
    const address = port.fixed_ips[0]?.ip_address ?? '';
    const headers = (from: string): Headers => ({
      'x-metadata-provider': network,
      'x-metadata-provider-signature': sign(metadata.sharedSecret(), network),
      'x-forwarded-for': from,
    });
    expect((await get('/latest/user-data', headers(address))).body).toBe('data of bob');
    expect((await get('/latest/user-data', headers(`${address}, 10.0.0.1`))).body).toBe('data of bob');
    const nobody = await get('/latest/user-data', headers('10.10.0.250'));
    expect(nobody.statusCode).toBe(400);
    expect(nobody.body).toMatch(/Expected a single port matching provider .* Found 0/);
    expect((await get('/latest/meta-data/security-groups', signed(bob, 'p-bob'))).body).toBe('default');
  });

  it('keeps one password that a guest posts, and shows it to that guest', async () => {
    const path = '/openstack/2013-04-04/password';
    const post = (body: string, method: 'POST' | 'PUT' = 'POST') =>
      cloud.request(method, path, { token: '', headers: { ...signed(alice), 'content-type': 'x/y' }, body });
    expect((await get(path, signed(alice))).body).toBe('');
    expect((await post('x'.repeat(1021))).statusCode).toBe(400);
    expect((await post('x', 'PUT')).statusCode).toBe(400);
    const encrypted = 'e'.repeat(600);
    expect((await post(encrypted)).statusCode).toBe(200);
    expect((await get(path, signed(alice))).body).toBe(encrypted);
    expect((await post('other')).statusCode).toBe(409);
    expect((await get(path, signed(bob, 'p-bob'))).body).toBe('');
  });
});
