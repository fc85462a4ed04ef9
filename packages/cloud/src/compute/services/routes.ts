import { z } from 'zod';
import { badRequest, conflict, notFound } from '../../kernel/errors.js';
import { single } from '../../kernel/collection.js';
import { isUuid } from '../../kernel/ids.js';
import { parse } from '../../kernel/validate.js';
import type { Call, Route } from '../api/call.js';
import { boolean } from '../api/values.js';
import { novaTime } from '../api/times.js';
import type { Nova } from '../deps.js';
import { changeService, deleteService, hostsInstances, type ServiceChange } from '../store/service-admin.js';
import { isUp, listServices, type ServiceView } from '../store/service-store.js';
import { zoneOf } from './zones.js';

/** 2.53 identifies services by UUID. */
const BY_UUID = 53;

function serviceView(nova: Nova, call: Call, service: ServiceView): object {
  return {
    id: call.version >= BY_UUID ? service.uuid : service.id,
    binary: service.binary,
    host: service.host,
    zone: zoneOf(service, nova.config),
    status: service.disabled ? 'disabled' : 'enabled',
    state: isUp(service, nova.now(), nova.config.serviceDownTimeS) ? 'up' : 'down',
    updated_at: novaTime(service.lastSeenUp),
    disabled_reason: service.disabledReason,
    ...(call.version >= 11 ? { forced_down: service.forcedDown } : {}),
  };
}

async function list(nova: Nova, call: Call): Promise<object> {
  const [host, binary] = [single(call.query, 'host'), single(call.query, 'binary')];
  const services = (await listServices(nova.db)).filter(
    (service) => (!host || service.host === host) && (!binary || service.binary === binary),
  );
  return { services: services.map((service) => serviceView(nova, call, service)) };
}

function refuseOthers(binary: string): void {
  if (binary !== 'nova-compute') {
    throw badRequest(
      `Updating a ${binary} service is not supported. Only nova-compute services can be updated.`,
    );
  }
}

const reason = z.string().trim().min(1).max(255);
const NAMED = { host: z.string().min(1).max(255), binary: z.string().min(1).max(255) };
const OLD_BODY = z.strictObject({
  ...NAMED,
  disabled_reason: reason.optional(),
  forced_down: boolean.optional(),
});
type OldBody = z.output<typeof OLD_BODY>;

/** Actions in the path, before 2.53: what each changes, and what it answers beside host and binary. */
const OLD_ACTIONS: Readonly<Record<string, (body: OldBody) => readonly [ServiceChange, object]>> = {
  enable: () => [{ disabled: false, disabledReason: null }, { status: 'enabled' }],
  disable: () => [{ disabled: true, disabledReason: null }, { status: 'disabled' }],
  'disable-log-reason': (body) => {
    if (body.disabled_reason === undefined) throw badRequest('Missing disabled reason field');
    return [
      { disabled: true, disabledReason: body.disabled_reason },
      { status: 'disabled', disabled_reason: body.disabled_reason },
    ];
  },
  'force-down': (body) => {
    if (body.forced_down === undefined) throw badRequest('Missing forced_down field');
    return [{ forcedDown: body.forced_down }, { forced_down: body.forced_down }];
  },
};

async function updateByName(nova: Nova, call: Call): Promise<object> {
  const name = call.params['id'] ?? '';
  const known = Object.hasOwn(OLD_ACTIONS, name) && !(name === 'force-down' && call.version < 11);
  const action = known ? OLD_ACTIONS[name] : undefined;
  if (action === undefined) throw notFound('Unknown action');
  const body = parse(OLD_BODY, call.body);
  refuseOthers(body.binary);
  const [change, answer] = action(body);
  const service = (await listServices(nova.db)).find(
    (one) => one.host === body.host && one.binary === body.binary,
  );
  if (service === undefined) throw notFound(`Could not find binary ${body.binary} on host ${body.host}.`);
  await changeService(nova.db, service.uuid, change);
  return { service: { host: body.host, binary: body.binary, ...answer } };
}

const NEW_BODY = z.strictObject({
  status: z.enum(['enabled', 'disabled']).optional(),
  disabled_reason: reason.optional(),
  forced_down: boolean.optional(),
});

async function serviceByUuid(nova: Nova, uuid: string): Promise<ServiceView> {
  if (!isUuid(uuid)) throw badRequest(`Invalid uuid ${uuid}`);
  const service = (await listServices(nova.db)).find((one) => one.uuid === uuid);
  if (service === undefined) throw notFound(`Service ${uuid} could not be found.`);
  return service;
}

async function updateByUuid(nova: Nova, call: Call): Promise<object> {
  const service = await serviceByUuid(nova, call.params['id'] ?? '');
  refuseOthers(service.binary);
  const body = parse(NEW_BODY, call.body);
  if (body.status === undefined && body.forced_down === undefined) {
    throw badRequest("No updates were requested. Fields 'status' or 'forced_down' should be specified.");
  }
  if (body.disabled_reason !== undefined && body.status !== 'disabled') {
    throw badRequest('Specifying disabled_reason when status is enabled is invalid.');
  }
  await changeService(nova.db, service.uuid, {
    ...(body.status === undefined
      ? {}
      : { disabled: body.status === 'disabled', disabledReason: body.disabled_reason ?? null }),
    ...(body.forced_down === undefined ? {} : { forcedDown: body.forced_down }),
  });
  return { service: serviceView(nova, call, await serviceByUuid(nova, service.uuid)) };
}

async function findForDelete(nova: Nova, call: Call): Promise<ServiceView> {
  const id = call.params['id'] ?? '';
  if (call.version >= BY_UUID) return serviceByUuid(nova, id);
  if (!/^\d{1,10}$/.test(id)) throw badRequest(`id must be an integer: ${id}`);
  const service = (await listServices(nova.db)).find((one) => one.id === Number(id));
  if (service === undefined) throw notFound(`Service ${id} could not be found.`);
  return service;
}

async function remove(nova: Nova, call: Call): Promise<void> {
  const service = await findForDelete(nova, call);
  if (service.binary === 'nova-compute' && (await hostsInstances(nova.db, service.host))) {
    throw conflict(
      'Unable to delete compute service that is hosting instances. Migrate or delete the instances first.',
    );
  }
  await deleteService(nova.db, service);
  if (service.nodeUuid !== null) await nova.placement.deleteProvider(service.nodeUuid);
}

export function registerServices(route: Route, nova: Nova): void {
  route('GET', '/os-services', (call) => list(nova, call), {
    admin: 'os-services:list',
    query: ['host', 'binary'],
  });
  route(
    'PUT',
    '/os-services/:id',
    (call) => (call.version >= BY_UUID ? updateByUuid : updateByName)(nova, call),
    {
      admin: 'os-services:update',
    },
  );
  route('DELETE', '/os-services/:id', (call) => remove(nova, call), {
    admin: 'os-services:delete',
    status: 204,
  });
}
