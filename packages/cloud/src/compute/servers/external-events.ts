import { z } from 'zod';
import { badRequest, notFound } from '../../kernel/errors.js';
import { isUuid } from '../../kernel/ids.js';
import { parse } from '../../kernel/validate.js';
import type { Call, Route } from '../api/call.js';
import type { Nova } from '../deps.js';
import { recordAction } from '../store/actions.js';

const STATUSES = ['completed', 'failed', 'in-progress'] as const;
/** nova/objects/external_event.py; 2.51, 2.76 and 2.82 added the last three. */
const NAMES = [
  'network-changed',
  'network-vif-plugged',
  'network-vif-unplugged',
  'network-vif-deleted',
  'volume-extended',
  'power-update',
  'accelerator-request-bound',
] as const;
const ADDED: Readonly<Record<string, number>> = {
  'volume-extended': 51,
  'power-update': 76,
  'accelerator-request-bound': 82,
};

const BODY = z.strictObject({
  events: z
    .array(
      z.strictObject({
        server_uuid: z.string().refine(isUuid, 'must be a UUID'),
        name: z.enum(NAMES),
        status: z.enum(STATUSES).default('completed'),
        tag: z.string().max(255).optional(),
      }),
    )
    .min(1)
    .max(1000),
});

async function deliver(nova: Nova, call: Call): Promise<object> {
  const { events } = parse(BODY, call.body);
  const results: object[] = [];
  let [taken, missing] = [0, 0];
  for (const event of events) {
    if (call.version < (ADDED[event.name] ?? 0))
      throw badRequest(`The event ${event.name} is not known at this microversion.`);
    const row = await nova.db
      .selectFrom('compute_instance')
      .select('host')
      .where('uuid', '=', event.server_uuid)
      .where('deleted', '=', 0)
      .executeTakeFirst();
    const compute = row?.host === undefined || row.host === null ? undefined : nova.compute(row.host);
    const { server_uuid: instanceUuid, name, status } = event;
    const tag = event.tag ?? null;
    if (compute !== undefined) {
      if (name === 'volume-extended') await recordExtension(nova, call, instanceUuid);
      const { requestId } = call.context;
      await compute.externalInstanceEvent({ name, instanceUuid, tag, status, requestId });
    }
    // 422: the server is there, its host does not take events (yet).
    const code = row === undefined ? 404 : compute === undefined ? 422 : 200;
    if (code === 200) taken += 1;
    if (code === 404) missing += 1;
    results.push({ ...event, status: code === 200 ? status : 'failed', code });
  }
  if (taken === 0 && missing === events.length) throw notFound('No instances found for any event');
  call.reply.code(taken === events.length ? 200 : 207);
  return { events: results };
}

/** nova/compute/api.py, external_instance_event: users see that their volume grew. */
function recordExtension(nova: Nova, call: Call, instanceUuid: string): Promise<void> {
  const { requestId, userId, projectId } = call.context;
  return recordAction(nova.db, { instanceUuid, requestId, userId, projectId, action: 'extend_volume' });
}

/** What Neutron and Cinder tell Nova: passed on to the server's host. */
export function registerExternalEvents(route: Route, nova: Nova): void {
  route('POST', '/os-server-external-events', (call) => deliver(nova, call), {
    admin: 'os-server-external-events:create',
  });
}
