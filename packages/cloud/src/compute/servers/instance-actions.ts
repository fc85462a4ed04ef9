import { createHash } from 'node:crypto';
import { badRequest, notFound } from '../../kernel/errors.js';
import { single } from '../../kernel/collection.js';
import type { Call, Route } from '../api/call.js';
import { pageRequest, paginate } from '../api/paging.js';
import { novaTime } from '../api/times.js';
import type { Nova } from '../deps.js';
import { actionOf, actionsOf, eventsOf, type ActionEventRow, type ActionRow } from '../store/actions.js';
import type { ServerRecord } from '../store/records.js';
import { findServer } from './find.js';

/** 2.58 adds `updated_at` and paging. */
function actionView(call: Call, action: ActionRow): object {
  return {
    action: action.action,
    instance_uuid: action.instance_uuid,
    request_id: action.request_id,
    user_id: action.user_id,
    project_id: action.project_id,
    start_time: novaTime(action.start_time),
    message: action.message,
    ...(call.version >= 58 ? { updated_at: novaTime(action.updated_at) } : {}),
  };
}

/** Hides which host it is and still tells two hosts apart, for one project. nova/utils.py, generate_hostid */
export const hostId = (host: string | null, projectId: string): string =>
  host === null ? '' : createHash('sha224').update(`${projectId}${host}`).digest('hex');

/** 2.62 adds the host, 2.84 details; tracebacks and hosts are for administrators. */
function eventView(call: Call, event: ActionEventRow, server: ServerRecord): object {
  const { isAdmin } = call.context;
  return {
    event: event.event,
    start_time: novaTime(event.start_time),
    finish_time: novaTime(event.finish_time),
    result: event.result,
    ...(isAdmin ? { traceback: event.result === 'Error' ? event.details : null } : {}),
    ...(isAdmin && call.version >= 62 ? { host: event.host } : {}),
    ...(call.version >= 62 ? { hostId: hostId(event.host, server.projectId) } : {}),
    ...(isAdmin && call.version >= 84 ? { details: event.details } : {}),
  };
}

/** From 2.21 on also of deleted servers. */
const serverOf = (nova: Nova, call: Call): Promise<ServerRecord> =>
  findServer(nova, call, { deleted: call.version >= 21 });

function bound(call: Call, name: string, since: number): number | null {
  const text = call.version >= since ? single(call.query, name) : undefined;
  if (text === undefined) return null;
  const at = Date.parse(text);
  if (Number.isNaN(at)) throw badRequest(`Invalid filter field: ${name}.`);
  return at;
}

async function list(nova: Nova, call: Call): Promise<object> {
  const server = await serverOf(nova, call);
  const after = bound(call, 'changes-since', 58);
  const before = bound(call, 'changes-before', 66);
  const actions = (await actionsOf(nova.db, server.uuid)).filter((action) => {
    const at = Date.parse(action.updated_at);
    return (after === null || at >= after) && (before === null || at <= before);
  });
  const view = (items: readonly ActionRow[]): object[] => items.map((action) => actionView(call, action));
  if (call.version < 58) return { instanceActions: view(actions) };
  const page = pageRequest(call, nova.config.maxLimit);
  const collection = `servers/${server.uuid}/os-instance-actions`;
  const { items, links } = paginate(call, actions, (action) => action.request_id, page, collection);
  return { instanceActions: view(items), ...(links === undefined ? {} : { links }) };
}

async function show(nova: Nova, call: Call): Promise<object> {
  const server = await serverOf(nova, call);
  const requestId = call.params['request'] ?? '';
  const action = await actionOf(nova.db, server.uuid, requestId);
  if (action === undefined) throw notFound(`Action ${requestId} not found`);
  const showEvents = call.context.isAdmin || call.version >= 51;
  const events = showEvents ? await eventsOf(nova.db, action.id) : [];
  return {
    instanceAction: {
      ...actionView(call, action),
      ...(showEvents ? { events: events.map((event) => eventView(call, event, server)) } : {}),
    },
  };
}

export function registerInstanceActions(route: Route, nova: Nova): void {
  const base = '/servers/:id/os-instance-actions';
  route('GET', base, (call) => list(nova, call), {
    query: ['limit', 'marker', 'changes-since', 'changes-before'],
  });
  route('GET', `${base}/:request`, (call) => show(nova, call));
}
