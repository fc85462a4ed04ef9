import type { BlockDeviceRecord, ComputeService } from '@nova-hyperv/compute';
import { z } from 'zod';
import { single } from '../../kernel/collection.js';
import { badRequest, conflict, notFound } from '../../kernel/errors.js';
import { isUuid } from '../../kernel/ids.js';
import { parse } from '../../kernel/validate.js';
import { requireAdmin, type Call, type Route } from '../api/call.js';
import { boolean, gated, tag } from '../api/values.js';
import type { Nova } from '../deps.js';
import { failAction, recordAction } from '../store/actions.js';
import {
  blockDevicesOf,
  blockDevicesWith,
  removeBlockDevice,
  saveBlockDevice,
} from '../store/block-devices.js';
import type { ServerRecord } from '../store/records.js';
import { cinderAnswer, refuseUnserved } from './block-devices/sources.js';
import { toApiError } from './compute-errors.js';
import { findServer } from './find.js';
import { computeOf } from './power.js';
import { checkLock, checkState, STATE_RULES } from './states.js';

const volumeId = z.string().refine(isUuid, 'must be a UUID');
const device = z
  .string()
  .regex(/^\/dev\/x?[a-z]?d?[a-z]+[0-9]*$/, 'must be the name of a device, as /dev/sdb')
  .nullish();

/** nova/api/openstack/compute/schemas/volume_attachments.py */
const createSchema = (version: number) =>
  z.strictObject({
    volumeAttachment: z.strictObject({
      volumeId,
      device,
      tag: gated(version >= 49, tag),
      delete_on_termination: gated(version >= 79, boolean),
    }),
  });

const updateSchema = (version: number) =>
  z.strictObject({
    volumeAttachment: z.strictObject({
      volumeId,
      device: gated(version >= 85, device),
      tag: gated(version >= 85, tag.nullable()),
      delete_on_termination: gated(version >= 85, boolean),
      serverId: gated(version >= 85, z.string()),
      id: gated(version >= 85, z.string()),
    }),
  });

type Attached = BlockDeviceRecord & { readonly volumeId: string };
const hasVolume = (one: BlockDeviceRecord): one is Attached => one.volumeId !== null;

/** 2.70 adds the tag, 2.79 what becomes of the volume, 2.89 the ids of attachment and mapping in place of `id`. */
function view(call: Call, one: Attached): object {
  return {
    ...(call.version >= 89 ? {} : { id: one.volumeId }),
    volumeId: one.volumeId,
    serverId: one.instanceUuid,
    ...(one.deviceName === null ? {} : { device: one.deviceName }),
    ...(call.version >= 70 ? { tag: one.tag } : {}),
    ...(call.version >= 79 ? { delete_on_termination: one.deleteOnTermination } : {}),
    ...(call.version >= 89 ? { attachment_id: one.attachmentId, bdm_uuid: one.uuid } : {}),
  };
}

const isShown = (call: Call, one: BlockDeviceRecord): boolean =>
  call.version < 89 || one.attachmentId !== null;

/** nova/api/openstack/common.py, limited */
function limited<T>(call: Call, items: readonly T[], maximum: number): readonly T[] {
  const number = (name: string, otherwise: number): number => {
    const text = single(call.query, name);
    if (text === undefined) return otherwise;
    if (!/^\d{1,9}$/.test(text)) throw badRequest(`${name} param must be an integer`);
    return Number(text);
  };
  const offset = number('offset', 0);
  const limit = Math.min(number('limit', maximum) || maximum, maximum);
  return items.slice(offset, offset + limit);
}

async function list(nova: Nova, call: Call): Promise<object> {
  const server = await findServer(nova, call);
  const devices = (await blockDevicesOf(nova.db, server.uuid)).filter((one) => isShown(call, one));
  const attached = limited(call, devices.filter(hasVolume), nova.config.maxLimit);
  return { volumeAttachments: attached.map((one) => view(call, one)) };
}

async function findAttached(nova: Nova, call: Call, server: ServerRecord): Promise<Attached> {
  const id = call.params['volume'] ?? '';
  const devices = await blockDevicesOf(nova.db, server.uuid);
  const found = devices.filter(hasVolume).find((one) => one.volumeId === id);
  if (found === undefined) throw notFound(`Instance ${server.uuid} is not attached to volume ${id}`);
  return found;
}

async function show(nova: Nova, call: Call): Promise<object> {
  const server = await findServer(nova, call);
  const found = await findAttached(nova, call, server);
  if (!isShown(call, found))
    throw notFound(`Instance ${server.uuid} is not attached to volume ${found.volumeId}`);
  return { volumeAttachment: view(call, found) };
}

const record = (nova: Nova, call: Call, server: ServerRecord, action: string): Promise<void> =>
  recordAction(nova.db, {
    instanceUuid: server.uuid,
    requestId: call.context.requestId,
    userId: call.context.userId,
    projectId: call.context.projectId,
    action,
  });

async function refuseAttached(nova: Nova, id: string): Promise<void> {
  const others = await blockDevicesWith(nova.db, id);
  if (others.length === 0) return;
  const uuids = others.map(({ instanceUuid }) => instanceUuid).join(' ');
  throw badRequest(`Invalid volume: volume ${id} is already attached to instances: ${uuids}`);
}

/** nova/compute/api.py, attach_volume */
async function attach(nova: Nova, call: Call): Promise<object> {
  const server = await findServer(nova, call);
  const { volumeAttachment: wanted } = parse(createSchema(call.version), call.body);
  checkLock(server, call.context);
  checkState(server, STATE_RULES.attachVolume);
  const compute = computeOf(nova, server);
  const cinder = nova.volumesAs(call.token);
  try {
    refuseUnserved(await cinder.volume(wanted.volumeId));
  } catch (error) {
    throw toApiError(error);
  }
  await refuseAttached(nova, wanted.volumeId);
  await record(nova, call, server, 'attach_volume');
  const request = { instanceUuid: server.uuid, requestId: call.context.requestId };
  const deleteOnTermination = wanted.delete_on_termination ?? false;
  try {
    const reserved = await compute.reserveBlockDeviceName({
      ...request,
      volumeId: wanted.volumeId,
      deviceName: wanted.device ?? null,
      diskBus: null,
      deviceType: null,
      tag: wanted.tag ?? null,
      deleteOnTermination,
    });
    await reserveAndCast(nova, call, compute, reserved);
    return {
      volumeAttachment: {
        id: wanted.volumeId,
        serverId: server.uuid,
        volumeId: wanted.volumeId,
        device: reserved.deviceName,
        ...(call.version >= 70 ? { tag: wanted.tag ?? null } : {}),
        ...(call.version >= 79 ? { delete_on_termination: deleteOnTermination } : {}),
      },
    };
  } catch (error) {
    await failAction(nova.db, server.uuid, request.requestId);
    throw toApiError(error);
  }
}

/** Reserves the volume at Cinder and hands it to the host; when either fails nothing is reserved. */
async function reserveAndCast(
  nova: Nova,
  call: Call,
  compute: ComputeService,
  reserved: BlockDeviceRecord,
): Promise<void> {
  const cinder = nova.volumesAs(call.token);
  let attachmentId: string | null = null;
  try {
    attachmentId = await cinderAnswer(() => cinder.reserve(reserved.volumeId ?? '', reserved.instanceUuid));
    await saveBlockDevice(nova.db, reserved.uuid, { attachmentId });
    await compute.attachVolume({
      instanceUuid: reserved.instanceUuid,
      requestId: call.context.requestId,
      deviceUuid: reserved.uuid,
    });
  } catch (error) {
    if (attachmentId !== null) await cinder.deleteAttachment(attachmentId).catch(() => undefined);
    await removeBlockDevice(nova.db, reserved.uuid);
    throw error;
  }
}

/** nova/compute/api.py, detach_volume. The store is marked first: what a kill interrupts is finished at the next start. */
async function detach(nova: Nova, call: Call): Promise<void> {
  const server = await findServer(nova, call);
  const found = await findAttached(nova, call, server);
  if (found.bootIndex === 0) throw badRequest('Cannot detach a root device volume');
  checkLock(server, call.context);
  checkState(server, STATE_RULES.detachVolume);
  const compute = computeOf(nova, server);
  const cinder = nova.volumesAs(call.token);
  const wasAttached = found.state === 'attached';
  if (wasAttached) await saveBlockDevice(nova.db, found.uuid, { state: 'detaching' });
  const request = { instanceUuid: server.uuid, requestId: call.context.requestId, deviceUuid: found.uuid };
  let begun = false;
  try {
    await cinderAnswer(() => cinder.beginDetaching(found.volumeId));
    begun = true;
    await record(nova, call, server, 'detach_volume');
    await compute.detachVolume(request);
  } catch (error) {
    if (begun) {
      await cinder.rollDetaching(found.volumeId).catch(() => undefined);
      await failAction(nova.db, server.uuid, request.requestId);
    }
    if (wasAttached) await saveBlockDevice(nova.db, found.uuid, { state: 'attached' });
    throw toApiError(error);
  }
}

/** PUT: up to 2.84 it asks for another volume, which only Cinder does when it moves one; from 2.85 on it may change what becomes of the volume. */
async function update(nova: Nova, call: Call): Promise<void> {
  const server = await findServer(nova, call);
  const { volumeAttachment: wanted } = parse(updateSchema(call.version), call.body);
  const swaps = call.version < 85 || wanted.volumeId !== call.params['volume'];
  if (swaps) requireAdmin(call.context, 'os-volumes-attachments:swap');
  const found = await findAttached(nova, call, server);
  if (call.version >= 85) {
    checkUnchanged('id', wanted.id, found.volumeId);
    checkUnchanged('serverId', wanted.serverId, server.uuid);
    checkUnchanged('device', wanted.device, found.deviceName);
    checkUnchanged('tag', wanted.tag, found.tag);
    const { delete_on_termination: deleteOnTermination } = wanted;
    if (deleteOnTermination !== undefined)
      await saveBlockDevice(nova.db, found.uuid, { deleteOnTermination });
  }
  if (!swaps) return;
  // Volumes are not moved from back end to back end while they are attached, and Hyper-V could not follow.
  throw conflict(`volume ${found.volumeId} is not migrating; this API should only be called by Cinder`);
}

function checkUnchanged(name: string, wanted: string | null | undefined, is: string | null): void {
  if (wanted !== undefined && wanted !== is) throw badRequest(`The ${name} property is not mutable`);
}

export function registerVolumeAttachments(route: Route, nova: Nova): void {
  const base = '/servers/:id/os-volume_attachments';
  route('GET', base, (call) => list(nova, call), { query: ['limit', 'offset'] });
  route('POST', base, (call) => attach(nova, call));
  route('GET', `${base}/:volume`, (call) => show(nova, call));
  route('PUT', `${base}/:volume`, (call) => update(nova, call), { status: 202 });
  route('DELETE', `${base}/:volume`, (call) => detach(nova, call), { status: 202 });
}
