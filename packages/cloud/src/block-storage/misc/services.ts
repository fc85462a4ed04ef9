import { z } from 'zod';
import { single } from '../../kernel/collection.js';
import { badRequest, notFound } from '../../kernel/errors.js';
import { parse } from '../../kernel/validate.js';
import { cinderTime, type Call, type Route } from '../api/call.js';
import { nowIso, ZONE, type Cinder } from '../deps.js';
import { invalidInput } from '../errors.js';
import type { ServiceRow } from '../tables.js';

const VOLUME = 'cinder-volume';
const SCHEDULER = 'cinder-scheduler';

/** The scheduler and one volume service for each back end; those of before that are gone stay as they are, down. */
export async function registerServicesOf(
  cinder: Pick<Cinder, 'db' | 'backends'>,
  hostname: string,
): Promise<void> {
  const own = [
    { binary: SCHEDULER, host: hostname },
    ...cinder.backends.entries.map(({ serviceHost }) => ({ binary: VOLUME, host: serviceHost })),
  ];
  for (const service of own) {
    await cinder.db
      .insertInto('block_storage_service')
      .values({ ...service, disabled: 0, disabled_reason: null, updated_at: nowIso() })
      .onConflict((on) => on.columns(['binary', 'host']).doUpdateSet({ updated_at: nowIso() }))
      .execute();
  }
}

function isUp(cinder: Cinder, row: ServiceRow): boolean {
  if (row.binary === SCHEDULER) return true;
  const entry = cinder.backends.entries.find(({ serviceHost }) => serviceHost === row.host);
  return entry !== undefined && cinder.backends.isUp(entry);
}

async function list(cinder: Cinder, call: Call): Promise<object> {
  const [host, binary] = [single(call.query, 'host'), single(call.query, 'binary')];
  const rows = await cinder.db
    .selectFrom('block_storage_service')
    .selectAll()
    .orderBy('binary')
    .orderBy('host')
    .execute();
  return {
    services: rows
      .filter(
        (row) => (host === undefined || row.host === host) && (binary === undefined || row.binary === binary),
      )
      .map((row) => {
        const state = isUp(cinder, row) ? 'up' : 'down';
        const isVolume = row.binary === VOLUME;
        return {
          binary: row.binary,
          host: row.host,
          zone: ZONE,
          status: row.disabled === 1 ? 'disabled' : 'enabled',
          state,
          // It is this process that answers: what serves has just been seen.
          updated_at: cinderTime(state === 'up' ? nowIso() : row.updated_at),
          disabled_reason: row.disabled_reason,
          ...(call.version >= 7 ? { cluster: null } : {}),
          ...(isVolume && call.version >= 49 ? { backend_state: state } : {}),
          ...(isVolume ? { replication_status: 'disabled', active_backend_id: null, frozen: false } : {}),
        };
      }),
  };
}

const BODY = z.object({
  host: z.string().min(1).max(255),
  binary: z.string().max(255).optional(),
  service: z.string().max(255).optional(),
  disabled_reason: z.string().min(1).max(255).optional(),
});

async function change(cinder: Cinder, call: Call): Promise<object> {
  const action = call.param('action');
  const wanted = parse(BODY, call.body);
  const disabling = action === 'disable' || action === 'disable-log-reason';
  if (!disabling && action !== 'enable') throw notFound('Unknown action');
  const binary = wanted.binary ?? wanted.service;
  if (binary === undefined) throw invalidInput("Either 'binary' or 'service' must be given.");
  const reason = action === 'disable-log-reason' ? wanted.disabled_reason : undefined;
  if (action === 'disable-log-reason' && reason === undefined)
    throw badRequest("Missing required element 'disabled_reason' in request body.");
  const { numUpdatedRows } = await cinder.db
    .updateTable('block_storage_service')
    .set({ disabled: Number(disabling), disabled_reason: reason ?? null, updated_at: nowIso() })
    .where('binary', '=', binary)
    .where('host', '=', wanted.host)
    .executeTakeFirst();
  if (numUpdatedRows === 0n) throw notFound('Unknown service');
  return {
    host: wanted.host,
    service: binary,
    binary,
    disabled: disabling,
    status: disabling ? 'disabled' : 'enabled',
    ...(reason === undefined ? {} : { disabled_reason: reason }),
  };
}

/** `/os-services` and the volume hosts that `/os-hosts` shows. */
export function registerServices(route: Route, cinder: Cinder): void {
  route('GET', '/os-services', (call) => list(cinder, call), { admin: 'volume_extension:services:index' });
  route('PUT', '/os-services/:action', (call) => change(cinder, call), {
    admin: 'volume_extension:services:update',
  });
}
