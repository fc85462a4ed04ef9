import type { BlockDeviceRecord } from '@nova-hyperv/compute';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSqliteBlockDeviceStore } from '../store/block-devices.js';
import { ALICE, BOB, NovaBench, type Answer } from '../testing/bench.js';
import type { FakeCompute } from '../testing/fakes.js';

let bench: NovaBench;
let compute: FakeCompute;
let server: string;
let volume: string;
beforeEach(async () => {
  bench = await NovaBench.create();
  compute = await bench.addHost('hv1');
  server = await bench.bootId({}, { as: ALICE });
  volume = bench.volumes.add();
});
afterEach(() => bench.close());

const path = (id = ''): string => `/servers/${server}/os-volume_attachments${id === '' ? '' : `/${id}`}`;
const attach = (body: object = {}, version = '2.79', as = ALICE): Promise<Answer> =>
  bench.ask('POST', path(), { as, version, body: { volumeAttachment: { volumeId: volume, ...body } } });
const devices = (): Promise<readonly BlockDeviceRecord[]> =>
  createSqliteBlockDeviceStore(bench.db).list(server);
const status = (): string | undefined => bench.volumes.volumes.get(volume)?.status;
const message = (answer: Answer): string =>
  Object.values(answer.json<Record<string, { message: string }>>())[0]?.message ?? '';

describe('attaching a volume', () => {
  it('answers where it will be, and shows it', async () => {
    const answer = await attach({ device: '/dev/sdc', tag: 'data', delete_on_termination: true });
    expect(answer.status).toBe(200);
    const shown = {
      id: volume,
      serverId: server,
      volumeId: volume,
      device: '/dev/sdc',
      tag: 'data',
      delete_on_termination: true,
    };
    expect(answer.json()).toEqual({ volumeAttachment: shown });
    expect(status()).toBe('in-use');
    const ask = { as: ALICE, version: '2.79' };
    expect((await bench.ask('GET', path(), ask)).json()).toEqual({ volumeAttachments: [shown] });
    expect((await bench.ask('GET', path(volume), ask)).json()).toEqual({ volumeAttachment: shown });
    const [device] = await devices();
    expect((await bench.ask('GET', path(volume), { as: ALICE, version: '2.89' })).json()).toEqual({
      volumeAttachment: {
        volumeId: volume,
        serverId: server,
        device: '/dev/sdc',
        tag: 'data',
        delete_on_termination: true,
        attachment_id: device?.attachmentId,
        bdm_uuid: device?.uuid,
      },
    });
    const view = await bench.show<Record<string, unknown>>(server, { as: ALICE, version: '2.3' });
    expect(view['os-extended-volumes:volumes_attached']).toEqual([
      { id: volume, delete_on_termination: true },
    ]);
    const actions = (await bench.ask('GET', `/servers/${server}/os-instance-actions`, { as: ALICE })).text;
    expect(actions).toContain('"attach_volume"');
  });

  it('shows nothing that is secret', async () => {
    await attach();
    const [device] = await devices();
    const connectionInfo = { driverVolumeType: 'iscsi', data: { auth_password: 'top-secret' } };
    await createSqliteBlockDeviceStore(bench.db).save(device?.uuid ?? '', { connectionInfo });
    for (const url of [path(), path(volume), `/servers/${server}`, '/servers/detail'])
      expect((await bench.ask('GET', url, { version: '2.96' })).text).not.toContain('top-secret');
  });

  it.each([
    [
      'a volume that is not there',
      { volumeId: '99999999-9999-4999-8999-999999999999' },
      404,
      /^Volume \S+ could not be found\.$/,
    ],
    ['no UUID', { volumeId: 'x' }, 400, /volumeId/],
    ['a name that is none', { device: 'sdb' }, 400, /device/],
  ])('refuses %s', async (_, body, code, text) => {
    const answer = await attach(body);
    expect([answer.status, message(answer)]).toEqual([code, expect.stringMatching(text)]);
    expect(await devices()).toEqual([]);
  });

  it.each([
    [{ multiattach: true }, /^Volume \S+ has 'multiattach' set, which is not supported for this instance\.$/],
    [{ encrypted: true, volumeType: 'luks' }, /^Volume encryption is not supported for luks volume \S+$/],
    [{ status: 'in-use' }, /Invalid volume: /],
  ])('refuses a volume that is %j', async (changes, text) => {
    bench.volumes.add({ ...changes, id: volume });
    const answer = await attach();
    expect([answer.status, message(answer)]).toEqual([400, expect.stringMatching(text)]);
    expect(await devices()).toEqual([]);
  });

  it('refuses a second time, other people, wrong states and locked servers', async () => {
    await attach();
    const again = await attach();
    expect([again.status, message(again)]).toEqual([
      400,
      `Invalid volume: volume ${volume} is already attached to instances: ${server}`,
    ]);
    expect((await attach({}, '2.79', BOB)).status).toBe(404);
    volume = bench.volumes.add();
    await bench.instances.save(server, { taskState: 'powering-off' });
    const busy = await attach();
    expect([busy.status, message(busy)]).toEqual([
      409,
      `Cannot 'attach_volume' instance ${server} while it is in task_state powering-off`,
    ]);
    await bench.instances.save(server, { taskState: null });
    await bench.act(server, { lock: null });
    expect((await attach()).status).toBe(409);
  });

  it.each(['refuse', 'unavailable'] as const)(
    'leaves nothing when the host answers “%s”',
    async (outcome) => {
      compute.outcome = outcome;
      expect((await attach()).status).toBe(outcome === 'refuse' ? 409 : 503);
      expect(await devices()).toEqual([]);
      expect(status()).toBe('available');
      expect(bench.volumes.held.size).toBe(0);
    },
  );

  it('knows tags from 2.49 and delete_on_termination from 2.79 on', async () => {
    expect((await attach({ tag: 'x' }, '2.48')).status).toBe(400);
    expect((await attach({ delete_on_termination: true }, '2.78')).status).toBe(400);
    expect((await attach({}, '2.1')).json()).toEqual({
      volumeAttachment: { id: volume, serverId: server, volumeId: volume, device: '/dev/sdb' },
    });
  });
});

const detach = (): Promise<Answer> => bench.ask('DELETE', path(volume), { as: ALICE });

describe('detaching a volume', () => {
  it('gives it back', async () => {
    await attach();
    expect((await detach()).status).toBe(202);
    expect(await devices()).toEqual([]);
    expect(status()).toBe('available');
    expect((await detach()).status).toBe(404);
    expect((await bench.ask('GET', path(volume), { as: ALICE })).status).toBe(404);
  });

  it('keeps it when the host cannot be asked', async () => {
    await attach();
    compute.outcome = 'unavailable';
    expect((await detach()).status).toBe(503);
    expect(status()).toBe('in-use');
    expect(await devices()).toMatchObject([{ state: 'attached' }]);
  });

  it('refuses the disk that the server boots from, and one that is on its way', async () => {
    await attach();
    bench.volumes.add({ id: volume, status: 'detaching' });
    const answer = await detach();
    expect(answer.status).toBe(400);
    expect(await devices()).toMatchObject([{ state: 'attached' }]);
    const root = bench.volumes.add({ bootable: true });
    server = await bench.bootId(
      {
        imageRef: '',
        block_device_mapping_v2: [
          { uuid: root, source_type: 'volume', destination_type: 'volume', boot_index: 0 },
        ],
      },
      { as: ALICE },
    );
    volume = root;
    expect(message(await detach())).toBe('Cannot detach a root device volume');
  });
});

const update = (body: object, version: string, as = ALICE): Promise<Answer> =>
  bench.ask('PUT', path(volume), {
    as,
    version,
    body: { volumeAttachment: { volumeId: volume, ...body } },
  });

describe('changing an attachment', () => {
  it('changes what becomes of the volume, and nothing else', async () => {
    await attach({ tag: 'data' });
    expect((await update({ delete_on_termination: true, tag: 'data' }, '2.85')).status).toBe(202);
    expect(await devices()).toMatchObject([{ deleteOnTermination: true }]);
    expect(message(await update({ tag: 'other' }, '2.85'))).toBe('The tag property is not mutable');
  });

  it('does not swap: only Cinder may, and volumes do not migrate here', async () => {
    await attach();
    const other = bench.volumes.add();
    expect((await update({ volumeId: other }, '2.85')).status).toBe(403);
    const answer = await update({ volumeId: other }, '2.1', 'root:admin:admin,member');
    expect([answer.status, message(answer)]).toEqual([
      409,
      `volume ${volume} is not migrating; this API should only be called by Cinder`,
    ]);
  });
});

describe('growth of an attached volume', () => {
  it('is an action of the server, handed to its host', async () => {
    await attach();
    const events = [{ name: 'volume-extended', server_uuid: server, tag: volume }];
    const answer = await bench.ask('POST', '/os-server-external-events', {
      version: '2.51',
      body: { events },
    });
    expect(answer.status).toBe(200);
    expect(compute.calls).toContain(`volume-extended ${volume}`);
    const actions = (await bench.ask('GET', `/servers/${server}/os-instance-actions`, { as: ALICE })).text;
    expect(actions).toContain('"extend_volume"');
  });
});
