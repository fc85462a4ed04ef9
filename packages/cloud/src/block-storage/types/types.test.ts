import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Tenant } from '../../testing/test-cloud.js';
import { VolumeBench } from '../testing/bench.js';

let bench: VolumeBench;
let alice: Tenant;
beforeAll(async () => {
  bench = await VolumeBench.create();
  alice = await bench.tenant('alice');
});
afterAll(() => bench.close());

interface Named {
  readonly id: string;
  readonly name: string;
  readonly qos_specs_id?: string | null;
}

const types = async (query = '', token?: string): Promise<readonly string[]> => {
  const answer = await bench.ask('GET', `/types${query}`, undefined, token === undefined ? {} : { token });
  return answer
    .json<{ volume_types: Named[] }>()
    .volume_types.map(({ name }) => name)
    .toSorted();
};
const type = async (name: string, fields: object = {}): Promise<string> => {
  const answer = await bench.ask('POST', '/types', { volume_type: { name, ...fields } });
  return answer.json<{ volume_type: Named }>().volume_type.id;
};

describe('volume types', () => {
  it('are there from the start: the default one, and one for each back end', async () => {
    expect(await types()).toEqual(['__DEFAULT__', 'iscsi', 'smb']);
    const shown = await bench.ask('GET', '/types/default', undefined, { token: alice.token });
    expect(shown.json()).toMatchObject({ volume_type: { name: '__DEFAULT__', extra_specs: {} } });
  });

  it('are made, changed and deleted by administrators; users see no specs that are not for them', async () => {
    const id = await type('gold', { description: 'd', extra_specs: { volume_backend_name: 'smb' } });
    const refused = await bench.ask('POST', '/types', { volume_type: { name: 'x' } }, { token: alice.token });
    expect(refused.status).toBe(403);
    const twice = await bench.ask('POST', '/types', { volume_type: { name: 'gold' } });
    expect([twice.status, twice.message]).toEqual([409, 'Volume Type gold already exists.']);
    await bench.ask('PUT', `/types/${id}`, { volume_type: { name: 'silver' } });
    await bench.ask('POST', `/types/${id}/extra_specs`, { extra_specs: { multiattach: '<is> True' } });
    const seen = await bench.ask('GET', `/types/${id}`, undefined, { token: alice.token });
    expect(seen.json()).toEqual({
      volume_type: {
        id,
        name: 'silver',
        description: 'd',
        is_public: true,
        'os-volume-type-access:is_public': true,
        extra_specs: { multiattach: '<is> True' },
      },
    });
    expect((await bench.ask('DELETE', `/types/${id}/extra_specs/multiattach`)).status).toBe(202);
    expect((await bench.ask('GET', `/types/${id}/extra_specs`)).json()).toEqual({
      extra_specs: { volume_backend_name: 'smb' },
    });
    expect((await bench.ask('DELETE', `/types/${id}`)).status).toBe(202);
    expect((await bench.ask('GET', `/types/${id}`)).message).toBe(`Volume type ${id} could not be found.`);
  });

  it('are private to the projects that have access', async () => {
    const id = await type('hidden', { 'os-volume-type-access:is_public': false });
    const { token, projectId } = alice;
    expect(await types('', token)).not.toContain('hidden');
    expect(await types('?is_public=None')).toContain('hidden');
    expect(
      (await bench.ask('POST', '/volumes', { volume: { size: 1, volume_type: 'hidden' } }, { token })).status,
    ).toBe(404);
    const access = { addProjectAccess: { project: projectId } };
    expect((await bench.ask('POST', `/types/${id}/action`, access)).status).toBe(202);
    expect((await bench.ask('POST', `/types/${id}/action`, access)).status).toBe(409);
    expect(await types('', token)).toContain('hidden');
    await bench.volume({ volume_type: 'hidden' }, token);
    expect((await bench.ask('DELETE', `/types/${id}`)).message).toBe('Target volume type is still in use.');
    await bench.ask('POST', `/types/${id}/action`, { removeProjectAccess: { project: projectId } });
    expect(await types('', token)).not.toContain('hidden');
  });

  it('say what a volume without one gets, for a project too', async () => {
    const id = await type('own');
    const path = `/default-types/${alice.projectId}`;
    await bench.ask('PUT', path, { default_type: { volume_type: 'own' } });
    expect((await bench.ask('GET', path)).json()).toMatchObject({ default_type: { volume_type_id: id } });
    expect((await bench.volume({}, alice.token)).volume_type).toBe('own');
    await bench.ask('DELETE', path);
    expect((await bench.volume({}, alice.token)).volume_type).toBe('__DEFAULT__');
    const [first] = (await bench.ask('GET', '/types?sort=name:asc'))
      .json<{ volume_types: Named[] }>()
      .volume_types.filter(({ name }) => name === '__DEFAULT__');
    expect((await bench.ask('DELETE', `/types/${first?.id}`)).message).toMatch(
      /is a default volume type and cannot be deleted/,
    );
  });

  it('that ask for encryption are kept, their volumes refused', async () => {
    const id = await type('secret');
    const encryption = {
      provider: 'luks',
      cipher: 'aes-xts-plain64',
      key_size: 256,
      control_location: 'front-end',
    };
    expect((await bench.ask('POST', `/types/${id}/encryption`, { encryption })).status).toBe(200);
    expect((await bench.ask('GET', `/types/${id}/encryption`)).json()).toMatchObject(encryption);
    const refused = await bench.ask('POST', '/volumes', { volume: { size: 1, volume_type: 'secret' } });
    expect([refused.status, refused.message]).toEqual([
      400,
      expect.stringMatching(/secret asks for encrypted volumes/),
    ]);
    expect((await bench.ask('DELETE', `/types/${id}/encryption/x`)).status).toBe(202);
    expect((await bench.ask('GET', `/types/${id}/encryption`)).json()).toEqual({});
  });

  it('that ask for multiattach have no back end', async () => {
    await type('shared', { extra_specs: { multiattach: '<is> True' } });
    expect((await bench.volume({ volume_type: 'shared' })).status).toBe('error');
  });
});

describe('QoS specs', () => {
  it('are made, changed, associated with types by id or name, and deleted', async () => {
    const made = await bench.ask('POST', '/qos-specs', {
      qos_specs: { name: 'q', total_iops_sec: '100', a: 'b' },
    });
    const { id } = made.json<{ qos_specs: { id: string } }>().qos_specs;
    expect(made.json()).toMatchObject({
      qos_specs: { consumer: 'back-end', specs: { total_iops_sec: '100' } },
    });
    expect((await bench.ask('POST', '/qos-specs', { qos_specs: { name: 'q' } })).status).toBe(409);
    await bench.ask('PUT', `/qos-specs/${id}`, { qos_specs: { consumer: 'both', total_iops_sec: '200' } });
    await bench.ask('PUT', `/qos-specs/${id}/delete_keys`, { keys: ['a'] });
    expect((await bench.ask('PUT', `/qos-specs/${id}/delete_keys`, { keys: ['a'] })).message).toBe(
      `QoS spec ${id} has no spec with key a.`,
    );
    expect((await bench.ask('GET', `/qos-specs/${id}`)).json()).toMatchObject({
      qos_specs: { id, name: 'q', consumer: 'both', specs: { total_iops_sec: '200' } },
    });
    const typeId = await type('limited');
    expect((await bench.ask('GET', '/qos-specs/q/associate?vol_type_id=limited')).status).toBe(202);
    expect((await bench.ask('GET', `/qos-specs/${id}/associations`)).json()).toEqual({
      qos_associations: [{ id: typeId, name: 'limited', association_type: 'volume_type' }],
    });
    await bench.ask('POST', '/qos-specs', { qos_specs: { name: 'other' } });
    expect((await bench.ask('GET', `/qos-specs/other/associate?vol_type_id=${typeId}`)).message).toBe(
      `Invalid volume type: Type ${typeId} is already associated with another qos specs: ${id}`,
    );
    expect((await bench.ask('DELETE', `/qos-specs/${id}`)).message).toBe('Qos specs still in use.');
    expect((await bench.ask('DELETE', `/qos-specs/${id}?force=True`)).status).toBe(202);
    expect((await bench.ask('GET', `/qos-specs/${id}`)).message).toBe(`No such QoS spec ${id}.`);
    expect((await bench.ask('GET', '/qos-specs', undefined, { token: alice.token })).status).toBe(403);
  });

  it.each([
    ['/qos-specs/none/associate?vol_type_id=x', 404, 'No such QoS spec none.'],
    ['/qos-specs/other/associate', 400, 'Volume Type id must not be None.'],
    ['/qos-specs/other/associate?vol_type_id=none', 404, 'Volume type none could not be found.'],
  ])('refuses %s', async (path, status, message) => {
    const answer = await bench.ask('GET', path);
    expect([answer.status, answer.message]).toEqual([status, message]);
  });
});

describe('quotas', () => {
  it('bound a project, by type too, and count what it has', async () => {
    const { token, projectId } = await bench.tenant('bob');
    const path = `/os-quota-sets/${projectId}`;
    const set = await bench.ask('PUT', path, {
      quota_set: { volumes: 3, gigabytes_smb: 2, per_volume_gigabytes: 5 },
    });
    expect(set.json()).toMatchObject({ quota_set: { volumes: 3, gigabytes: 1000, gigabytes_smb: 2 } });
    const make = (size: number, volume_type?: string) =>
      bench.ask('POST', '/volumes', { volume: { size, volume_type } }, { token });
    expect((await make(6)).message).toBe('Requested volume size 6G is larger than maximum allowed limit 5G.');
    expect((await make(2, 'smb')).status).toBe(202);
    expect((await make(1, 'smb')).message).toBe(
      'Requested volume or snapshot exceeds allowed gigabytes_smb quota. Requested 1G, quota is 2G and 2G has been consumed.',
    );
    await make(1);
    await make(1);
    const over = await make(1);
    expect([over.status, over.message]).toEqual([
      413,
      "Maximum number of volumes allowed (3) exceeded for quota 'volumes'.",
    ]);
    expect((await bench.ask('GET', `${path}?usage=True`, undefined, { token })).json()).toMatchObject({
      quota_set: { volumes: { limit: 3, in_use: 3, reserved: 0 }, gigabytes_smb: { in_use: 2 } },
    });
    expect((await bench.ask('GET', '/limits', undefined, { token })).json()).toMatchObject({
      limits: { absolute: { maxTotalVolumes: 3, totalVolumesUsed: 3, totalGigabytesUsed: 4 } },
    });
    expect((await bench.ask('PUT', path, { quota_set: { moons: 1 } })).message).toBe(
      'Bad key(s) in quota set: moons',
    );
    expect((await bench.ask('GET', `/os-quota-sets/${alice.projectId}`, undefined, { token })).status).toBe(
      403,
    );
    expect((await bench.ask('DELETE', path)).status).toBe(200);
    expect((await bench.ask('GET', path)).json()).toMatchObject({ quota_set: { volumes: 10 } });
    await bench.idle();
  });
});

describe('services', () => {
  it('are listed; a disabled one gets no new volumes', async () => {
    const disable = { host: 'machine@smb', binary: 'cinder-volume', disabled_reason: 'cleaning' };
    await bench.ask('PUT', '/os-services/disable-log-reason', disable);
    expect((await bench.ask('GET', '/os-services?binary=cinder-volume')).json()).toMatchObject({
      services: [
        { host: 'machine@iscsi', status: 'enabled', state: 'up', zone: 'nova' },
        { host: 'machine@smb', status: 'disabled', disabled_reason: 'cleaning' },
      ],
    });
    expect((await bench.volume())['os-vol-host-attr:host']).toBe('machine@iscsi#iscsi');
    await bench.ask('PUT', '/os-services/enable', disable);
    expect((await bench.ask('GET', '/scheduler-stats/get_pools?detail=true')).json()).toMatchObject({
      pools: [
        { name: 'machine@smb#smb', capabilities: { storage_protocol: 'SMB', total_capacity_gb: 100 } },
        { name: 'machine@iscsi#iscsi' },
      ],
    });
    expect((await bench.ask('GET', '/os-services', undefined, { token: alice.token })).status).toBe(403);
  });

  it.each([
    [
      '/os-availability-zone',
      { availabilityZoneInfo: [{ zoneName: 'nova', zoneState: { available: true } }] },
    ],
    [
      '/resource_filters?resource=snapshot',
      { resource_filters: [{ resource: 'snapshot', filters: ['name', 'status', 'volume_id'] }] },
    ],
    ['/clusters', { clusters: [] }],
  ])('%s', async (path, expected) => {
    expect((await bench.ask('GET', path)).json()).toEqual(expected);
  });

  it.each(['/backups', '/groups', '/volume-transfers', '/consistencygroups'])('has no %s', async (path) => {
    const answer = await bench.ask('GET', path);
    expect(answer.json()).toEqual({
      itemNotFound: { code: 404, message: 'The resource could not be found.' },
    });
  });

  it('tells its versions, and takes those alone', async () => {
    const root = await bench.request('GET', '/volume/', { token: '' });
    expect([root.statusCode, root.json()]).toMatchObject([
      300,
      { versions: [{ id: 'v3.0', status: 'CURRENT', version: '3.70', min_version: '3.0' }] },
    ]);
    expect((await bench.ask('GET', '/types', undefined, { version: '3.71' })).status).toBe(406);
    expect((await bench.ask('GET', '/types', undefined, { version: '2.0' })).status).toBe(406);
    expect((await bench.ask('GET', `/${'a'.repeat(32)}/types`)).message).toBe('Malformed request url');
    const own = await bench.ask('GET', `/${alice.projectId}/types`, undefined, { token: alice.token });
    expect(own.status).toBe(200);
  });
});
