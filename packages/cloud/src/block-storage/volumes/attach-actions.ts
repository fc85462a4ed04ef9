import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { badRequest } from '../../kernel/errors.js';
import { parse } from '../../kernel/validate.js';
import { connect, terminate as terminateConnection } from '../attachments/connect.js';
import { refuseUsed } from '../attachments/guard.js';
import { endAttachment } from '../attachments/routes.js';
import { nowIso, type Cinder } from '../deps.js';
import { invalidInput, invalidVolume } from '../errors.js';
import type { VolumeRow } from '../tables.js';
import type { Action } from './actions.js';
import { attachmentsOf, changeVolume, refuseMaintenance } from './store.js';

const CONNECTOR = z.object({ connector: z.record(z.string(), z.unknown()) });
const ATTACH = z.object({
  instance_uuid: z.uuid().nullish(),
  host_name: z.string().max(255).nullish(),
  mountpoint: z.string().min(1).max(255),
  mode: z.enum(['rw', 'ro']).default('rw'),
});
const DETACH = z.object({ attachment_id: z.uuid().nullish() });

const reserve: Action = async (cinder, _call, volume) => {
  if (!(await changeVolume(cinder.db, volume.id, ['available'], { status: 'attaching' }))) {
    throw invalidVolume(`Volume status must be available to reserve, but the status is ${volume.status}.`);
  }
};

async function unreserveVolume(cinder: Cinder, volume: VolumeRow): Promise<void> {
  const attachments = await attachmentsOf(cinder.db, volume.id);
  const status = attachments.length === 0 ? 'available' : 'in-use';
  await changeVolume(cinder.db, volume.id, ['attaching'], { status });
}

const beginDetaching: Action = async (cinder, _call, volume) => {
  const attached = volume.attach_status === 'attached';
  if (!attached || !(await changeVolume(cinder.db, volume.id, ['in-use'], { status: 'detaching' }))) {
    throw invalidVolume(
      "Unable to detach volume. Volume status must be 'in-use' and attach_status must be 'attached' to detach.",
    );
  }
};

const rollDetaching: Action = async (cinder, _call, volume) => {
  await changeVolume(cinder.db, volume.id, ['detaching'], { status: 'in-use' });
};

const attach: Action = async (cinder, _call, volume, value) => {
  const wanted = parse(ATTACH, value);
  refuseMaintenance(volume, 'The volume cannot be attached in maintenance mode.');
  if (volume.readonly === 1 && wanted.mode !== 'ro')
    throw badRequest(`Invalid attaching mode '${wanted.mode}' for volume ${volume.id}.`);
  const instance = wanted.instance_uuid ?? null;
  const host = wanted.host_name ?? null;
  if (instance === null && host === null)
    throw invalidInput('Either instance_uuid or host_name must be given.');
  await cinder.db.transaction().execute(async (trx) => {
    const changes = {
      status: 'in-use',
      attach_status: 'attached',
      attached_mode: wanted.mode,
      readonly: volume.readonly ?? 0,
    } as const;
    if (!(await changeVolume(trx, volume.id, ['available', 'attaching'], changes)))
      throw invalidVolume(`volume is already attached or not available: its status is ${volume.status}`);
    await trx
      .insertInto('block_storage_attachment')
      .values({
        id: randomUUID(),
        volume_id: volume.id,
        project_id: volume.project_id,
        instance_uuid: instance,
        attach_status: 'attached',
        attach_mode: wanted.mode,
        attached_host: host,
        mountpoint: wanted.mountpoint,
        connector: null,
        connection_info: null,
        attached_at: nowIso(),
        created_at: nowIso(),
      })
      .execute();
  });
};

const detach: Action = async (cinder, call, volume, value) => {
  const wanted = parse(DETACH, value ?? {});
  refuseMaintenance(volume, 'The volume cannot be detached in maintenance mode.');
  const attachments = await attachmentsOf(cinder.db, volume.id);
  const named = attachments.find((row) => row.id === wanted.attachment_id);
  if (wanted.attachment_id && named === undefined)
    throw badRequest(
      `Volume attachment could not be found with filter: attachment_id = ${wanted.attachment_id}.`,
    );
  if (named === undefined && attachments.length > 1)
    throw invalidVolume('Detach volume failed: More than one attachment, but no attachment_id provided.');
  const chosen = named ?? attachments[0];
  if (chosen === undefined) {
    await changeVolume(cinder.db, volume.id, ['detaching', 'in-use'], {
      status: 'available',
      attach_status: 'detached',
    });
    return;
  }
  await refuseUsed(cinder, call, [chosen]);
  await endAttachment(cinder, volume, chosen);
};

const initialize: Action = async (cinder, _call, volume, value) => {
  const { connector } = parse(CONNECTOR, value);
  refuseMaintenance(volume, 'The volume connection cannot be initialized in maintenance mode.');
  return cinder.manager.lock(volume.id, async () => {
    const { driver_volume_type: type, data } = await connect(
      cinder,
      volume,
      connector,
      connector['mode'] === 'ro' || volume.readonly === 1 ? 'ro' : 'rw',
    );
    await cinder.db
      .updateTable('block_storage_volume')
      .set({ legacy_connector: JSON.stringify(connector) })
      .where('id', '=', volume.id)
      .execute();
    const multipath = connector['enforce_multipath'] === true;
    return { connection_info: { driver_volume_type: type, data, enforce_multipath: multipath } };
  });
};

const terminate: Action = async (cinder, call, volume, value) => {
  const { connector } = parse(CONNECTOR, value);
  await refuseUsed(cinder, call, await attachmentsOf(cinder.db, volume.id));
  await cinder.manager.lock(volume.id, async () => {
    await terminateConnection(cinder, volume, connector);
    await cinder.db
      .updateTable('block_storage_volume')
      .set({ legacy_connector: null })
      .where('id', '=', volume.id)
      .execute();
  });
  await unreserveVolume(cinder, volume);
};

/** Attaching as before 3.27, without attachments: cinder/api/contrib/volume_actions.py. */
export const attachmentActions: Readonly<Record<string, Action>> = {
  'os-reserve': reserve,
  'os-unreserve': (cinder, _call, volume) => unreserveVolume(cinder, volume),
  'os-begin_detaching': beginDetaching,
  'os-roll_detaching': rollDetaching,
  'os-attach': attach,
  'os-detach': detach,
  'os-initialize_connection': initialize,
  'os-terminate_connection': terminate,
};
