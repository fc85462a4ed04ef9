import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Tenant } from '../../testing/test-cloud.js';
import { BackendError } from '../backends/backend.js';
import { VolumeBench, type Answer } from '../testing/bench.js';
import { perSize } from './connect.js';

interface Attachment {
  readonly id: string;
  readonly status: string;
  readonly attach_mode: string;
  readonly connection_info: Readonly<Record<string, unknown>>;
}

let bench: VolumeBench;
let alice: Tenant;
let service: string;
beforeAll(async () => {
  bench = await VolumeBench.create();
  alice = await bench.tenant('alice');
  service = await bench.serviceToken();
});
afterAll(() => bench.close());

const reserve = (volumeId: string, fields: Readonly<Record<string, unknown>> = {}): Promise<Answer> =>
  bench.ask('POST', '/attachments', { attachment: { volume_uuid: volumeId, ...fields } }, { token: service });
const connect = (id: string, host = 'hv1'): Promise<Answer> =>
  bench.ask(
    'PUT',
    `/attachments/${id}`,
    { attachment: { connector: { host, initiator: 'iqn.x' } } },
    { token: service },
  );
const attachment = (answer: Answer): Attachment => answer.json<{ attachment: Attachment }>().attachment;

describe('attachments', () => {
  it('reserves, connects, completes, and ends', async () => {
    const volume = await bench.volume({}, alice.token);
    const instance_uuid = randomUUID();
    const { id, status } = attachment(await reserve(volume.id, { instance_uuid }));
    expect(status).toBe('reserved');
    expect((await bench.show(volume.id)).status).toBe('reserved');

    const connected = attachment(await connect(id));
    expect(connected).toMatchObject({
      status: 'attaching',
      attach_mode: 'rw',
      connection_info: {
        driver_volume_type: 'smbfs',
        export: '//server/volumes',
        volume_id: volume.id,
        attachment_id: id,
        qos_specs: null,
        access_mode: 'rw',
        encrypted: false,
        cacheable: false,
        enforce_multipath: false,
      },
    });
    expect((await bench.show(volume.id)).status).toBe('attaching');
    expect(bench.backend.exports.get(volume.id)).toEqual(new Set(['hv1']));

    const done = await bench.ask(
      'POST',
      `/attachments/${id}/action`,
      { 'os-complete': {} },
      { token: service },
    );
    expect(done.status).toBe(204);
    expect(await bench.show(volume.id)).toMatchObject({
      status: 'in-use',
      attachments: [{ attachment_id: id, server_id: instance_uuid, host_name: 'hv1', device: 'na' }],
    });
    expect(attachment(await bench.ask('GET', `/attachments/${id}`))).toEqual({
      ...connected,
      status: 'attached',
    });
    const listed = await bench.ask('GET', `/attachments?volume_id=${volume.id}`, undefined, {
      token: alice.token,
    });
    expect(listed.json()).toEqual({
      attachments: [{ id, status: 'attached', instance: instance_uuid, volume_id: volume.id }],
    });

    const ended = await bench.ask('DELETE', `/attachments/${id}`, undefined, { token: service });
    expect([ended.status, ended.json()]).toEqual([200, { attachments: [] }]);
    expect(await bench.show(volume.id)).toMatchObject({ status: 'available', attachments: [] });
    expect(bench.backend.exports.has(volume.id)).toBe(false);
  });

  it('has one server at a time; the same server may come from another host', async () => {
    const volume = await bench.volume();
    const instance_uuid = randomUUID();
    const connector = { host: 'hv1' };
    const first = attachment(await reserve(volume.id, { instance_uuid, connector }));
    await bench.ask('POST', `/attachments/${first.id}/action`, { 'os-complete': {} });
    const other = await reserve(volume.id, { instance_uuid: randomUUID() });
    expect([other.status, other.message]).toEqual([
      400,
      `Invalid volume: Volume ${volume.id} status must be available or downloading to reserve, but the current status is in-use.`,
    ]);
    const second = attachment(await reserve(volume.id, { instance_uuid }));
    expect((await connect(second.id, 'hv1')).status).toBe(409);
    expect((await connect(second.id, 'hv2')).status).toBe(200);
    expect(bench.backend.exports.get(volume.id)).toEqual(new Set(['hv1', 'hv2']));
    await bench.ask('DELETE', `/attachments/${first.id}`, undefined, { token: service });
    expect(bench.backend.exports.get(volume.id)).toEqual(new Set(['hv2']));
    expect((await bench.show(volume.id)).status).toBe('attaching');
  });

  it('leaves nothing when the back end fails', async () => {
    const volume = await bench.volume();
    bench.backend.before = async (operation) => {
      if (operation === 'initializeConnection') throw new BackendError('FAILED', 'smbd does not run.');
    };
    const failed = await reserve(volume.id, { connector: { host: 'hv1' } });
    bench.backend.before = async () => {};
    expect(failed.status).toBe(500);
    expect(failed.message).toContain('Driver initialize connection failed (error: smbd does not run.)');
    expect((await bench.show(volume.id)).status).toBe('available');
    expect((await bench.ask('GET', `/attachments?volume_id=${volume.id}`)).json()).toEqual({
      attachments: [],
    });
  });

  it('stays when the back end does not end it', async () => {
    const volume = await bench.volume();
    const { id } = attachment(await reserve(volume.id, { connector: { host: 'hv1' } }));
    bench.backend.before = async (operation) => {
      if (operation === 'terminateConnection') throw new BackendError('FAILED', 'tgtd does not answer.');
    };
    const failed = await bench.ask('DELETE', `/attachments/${id}`, undefined, { token: service });
    bench.backend.before = async () => {};
    expect([failed.status, failed.message]).toEqual([
      500,
      'Unable to terminate volume connection from backend. tgtd does not answer.',
    ]);
    expect((await bench.show(volume.id)).status).toBe('attaching');
    expect((await bench.ask('DELETE', `/attachments/${id}`, undefined, { token: service })).status).toBe(200);
  });

  it('tells users to detach with Nova what a server uses', async () => {
    const volume = await bench.volume({}, alice.token);
    const instance_uuid = randomUUID();
    const { id } = attachment(await reserve(volume.id, { instance_uuid, connector: { host: 'hv1' } }));
    bench.compute.attachments.set(instance_uuid, id);
    const refused = await bench.ask('DELETE', `/attachments/${id}`, undefined, { token: alice.token });
    expect([refused.status, refused.message]).toEqual([
      409,
      `Detach volume from instance ${instance_uuid} using the Compute API`,
    ]);
    bench.compute.attachments.clear();
    expect((await bench.ask('DELETE', `/attachments/${id}`, undefined, { token: alice.token })).status).toBe(
      200,
    );
  });

  it('gives the consumer its QoS specs, read-only volumes as such', async () => {
    const qos = await bench.ask('POST', '/qos-specs', {
      qos_specs: { name: 'q', consumer: 'front-end', total_bytes_sec: '8192' },
    });
    const qosId = qos.json<{ qos_specs: { id: string } }>().qos_specs.id;
    await bench.ask('POST', '/types', { volume_type: { name: 'slow' } });
    await bench.ask('GET', `/qos-specs/${qosId}/associate?vol_type_id=slow`);
    const volume = await bench.volume({ volume_type: 'slow' });
    await bench.act(volume.id, 'os-update_readonly_flag', { readonly: true });
    const made = attachment(await reserve(volume.id, { connector: { host: 'hv1' } }));
    expect(made).toMatchObject({
      attach_mode: 'ro',
      connection_info: { qos_specs: { total_bytes_sec: '8192' }, access_mode: 'ro' },
    });
  });

  it('needs 3.27, and 3.44 to complete', async () => {
    expect((await bench.ask('GET', '/attachments', undefined, { version: '3.26' })).status).toBe(404);
    const path = `/attachments/${randomUUID()}/action`;
    expect((await bench.ask('POST', path, { 'os-complete': {} }, { version: '3.43' })).status).toBe(404);
  });
});

describe('the older way to attach', () => {
  it('reserves, exports, attaches and detaches', async () => {
    const volume = await bench.volume();
    const { id } = volume;
    expect((await bench.act(id, 'os-reserve')).status).toBe(202);
    expect((await bench.act(id, 'os-reserve')).message).toBe(
      'Invalid volume: Volume status must be available to reserve, but the status is attaching.',
    );
    const info = await bench.act(id, 'os-initialize_connection', { connector: { host: 'hv1' } });
    expect(info.json()).toMatchObject({
      connection_info: { driver_volume_type: 'smbfs', data: { export: '//server/volumes' } },
    });
    const instance_uuid = randomUUID();
    await bench.act(id, 'os-attach', { instance_uuid, mountpoint: '/dev/sdb' });
    expect(await bench.show(id)).toMatchObject({
      status: 'in-use',
      metadata: { readonly: 'False', attached_mode: 'rw' },
      attachments: [{ server_id: instance_uuid, device: '/dev/sdb' }],
    });
    await bench.act(id, 'os-begin_detaching');
    expect((await bench.show(id)).status).toBe('detaching');
    await bench.act(id, 'os-roll_detaching');
    expect((await bench.show(id)).status).toBe('in-use');
    await bench.act(id, 'os-begin_detaching');
    await bench.act(id, 'os-terminate_connection', { connector: { host: 'hv1' } });
    expect(bench.backend.exports.has(id)).toBe(false);
    expect((await bench.act(id, 'os-detach')).status).toBe(202);
    expect(await bench.show(id)).toMatchObject({ status: 'available', attachments: [] });
  });
});

describe('limits by size', () => {
  it.each([
    [{ total_iops_sec_per_gb: '10' }, 5, { total_iops_sec: '50' }],
    [{ total_iops_sec_per_gb: '10', total_iops_sec_per_gb_min: '80' }, 5, { total_iops_sec: '80' }],
    [{ read_bytes_sec_per_gb: '10', read_bytes_sec_max: '20' }, 5, { read_bytes_sec: '20' }],
    [{ total_iops_sec: '7', other: 'x' }, 5, { total_iops_sec: '7', other: 'x' }],
  ])('%j of %d GiB', (specs, sizeGb, expected) => {
    expect(perSize(specs, sizeGb)).toEqual(expected);
  });
});
