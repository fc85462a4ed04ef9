import { z } from 'zod';
import { parseBoolean, single } from '../../kernel/collection.js';
import { notFound } from '../../kernel/errors.js';
import { parse } from '../../kernel/validate.js';
import { cinderTime, links, type Call, type Route } from '../api/call.js';
import { paged } from '../api/list.js';
import { ZONE, type Cinder } from '../deps.js';
import { OVER_SUBSCRIPTION } from '../manager/schedule.js';
import { candidates } from '../manager/create-volume.js';
import type { MessageRow } from '../tables.js';
import { findTypeByNameOrId } from '../types/store.js';
import { EXTENSIONS } from './extensions.js';

const GIB = 2 ** 30;
const toGb = (bytes: number): number => Math.round((bytes / GIB) * 100) / 100;

async function pools(cinder: Cinder, call: Call): Promise<object> {
  const detailed = parseBoolean(single(call.query, 'detail') ?? 'false', 'detail');
  const known = await candidates(cinder.manager.deps);
  return {
    pools: known.map(({ name, host, protocol, stats, provisionedGb }) => {
      const backend = cinder.backends.entryOf(host)?.backend;
      return {
        name: host,
        ...(detailed
          ? {
              capabilities: {
                volume_backend_name: name,
                storage_protocol: protocol,
                vendor_name: backend?.vendor,
                driver_version: '1.0',
                pool_name: name,
                total_capacity_gb: toGb(stats.totalBytes),
                free_capacity_gb: toGb(stats.freeBytes),
                provisioned_capacity_gb: provisionedGb,
                allocated_capacity_gb: provisionedGb,
                reserved_percentage: 0,
                thin_provisioning_support: true,
                thick_provisioning_support: false,
                max_over_subscription_ratio: String(OVER_SUBSCRIPTION),
                multiattach: false,
                QoS_support: false,
                online_extend_support: backend?.onlineExtendRefusal === null,
              },
            }
          : {}),
      };
    }),
  };
}

const messageBody = (call: Call, row: MessageRow): object => ({
  id: row.id,
  event_id: row.event_id,
  user_message: row.user_message,
  message_level: 'ERROR',
  created_at: cinderTime(row.created_at),
  guaranteed_until: null,
  request_id: row.request_id,
  resource_type: row.resource_type,
  resource_uuid: row.resource_uuid,
  links: links(call, 'messages', row.id),
});

const noMessage = (id: string) => notFound(`Message ${id} could not be found.`);

async function findMessage(cinder: Cinder, call: Call): Promise<MessageRow> {
  const row = await cinder.db
    .selectFrom('block_storage_message')
    .selectAll()
    .where('id', '=', call.param('message'))
    .executeTakeFirst();
  if (row === undefined || (row.project_id !== call.context.projectId && !call.context.isAdmin))
    throw noMessage(call.param('message'));
  return row;
}

function registerMessages(route: Route, cinder: Cinder): void {
  const since = 3;
  route(
    'GET',
    '/messages',
    async (call) => {
      let query = cinder.db
        .selectFrom('block_storage_message')
        .selectAll()
        .where('project_id', '=', call.context.projectId)
        .orderBy('created_at', 'desc')
        .orderBy('id');
      for (const column of ['resource_uuid', 'resource_type', 'event_id', 'request_id'] as const) {
        const value = single(call.query, column);
        if (value !== undefined) query = query.where(column, '=', value);
      }
      const { items, links: next } = paged(call, await query.execute(), 'messages', noMessage);
      return {
        messages: items.map((row) => messageBody(call, row)),
        ...(next === undefined ? {} : { messages_links: next }),
      };
    },
    { since },
  );
  route(
    'GET',
    '/messages/:message',
    async (call) => ({
      message: messageBody(call, await findMessage(cinder, call)),
    }),
    { since },
  );
  route(
    'DELETE',
    '/messages/:message',
    async (call) => {
      const { id } = await findMessage(cinder, call);
      await cinder.db.deleteFrom('block_storage_message').where('id', '=', id).execute();
    },
    { since, status: 204 },
  );
}

const DEFAULT_TYPE_BODY = z.object({ default_type: z.object({ volume_type: z.string().min(1).max(255) }) });

const defaultTypeBody = (row: { project_id: string; type_id: string }): object => ({
  project_id: row.project_id,
  volume_type_id: row.type_id,
});

/** `/default-types`, from 3.62 on. */
function registerDefaultTypes(route: Route, cinder: Cinder): void {
  const options = { since: 62, admin: 'volume_extension:default_set_or_update' };
  const path = '/default-types/:project';
  const find = (projectId: string) =>
    cinder.db
      .selectFrom('block_storage_default_type')
      .selectAll()
      .where('project_id', '=', projectId)
      .executeTakeFirst();
  route(
    'GET',
    '/default-types',
    async () => ({
      default_types: (await cinder.db.selectFrom('block_storage_default_type').selectAll().execute()).map(
        defaultTypeBody,
      ),
    }),
    options,
  );
  route(
    'GET',
    path,
    async (call) => {
      const row = await find(call.param('project'));
      if (row === undefined) throw notFound(`Default type for project ${call.param('project')} not found.`);
      return { default_type: defaultTypeBody(row) };
    },
    options,
  );
  route(
    'PUT',
    path,
    async (call) => {
      const { volume_type: text } = parse(DEFAULT_TYPE_BODY, call.body).default_type;
      const type = await findTypeByNameOrId(cinder.db, call.context, text);
      const row = { project_id: call.param('project'), type_id: type.id };
      await cinder.db
        .insertInto('block_storage_default_type')
        .values(row)
        .onConflict((on) => on.column('project_id').doUpdateSet({ type_id: type.id }))
        .execute();
      return { default_type: defaultTypeBody(row) };
    },
    options,
  );
  route(
    'DELETE',
    path,
    async (call) => {
      await cinder.db
        .deleteFrom('block_storage_default_type')
        .where('project_id', '=', call.param('project'))
        .execute();
    },
    { ...options, status: 204 },
  );
}

const RESOURCE_FILTERS = {
  volume: [
    'name',
    'status',
    'metadata',
    'bootable',
    'migration_status',
    'availability_zone',
    'group_id',
    'size',
    'created_at',
    'updated_at',
  ],
  snapshot: ['name', 'status', 'volume_id'],
  attachment: ['volume_id', 'status', 'instance_id', 'attach_status'],
  message: ['resource_uuid', 'resource_type', 'event_id', 'request_id'],
  volume_type: ['is_public'],
};

/** What Cinder tells of itself. */
export function registerMisc(route: Route, cinder: Cinder): void {
  route('GET', '/os-availability-zone', async () => ({
    availabilityZoneInfo: [{ zoneName: ZONE, zoneState: { available: true } }],
  }));
  route('GET', '/extensions', async () => ({ extensions: EXTENSIONS }));
  route('GET', '/extensions/:alias', async (call) => {
    const extension = EXTENSIONS.find(({ alias }) => alias === call.param('alias'));
    if (extension === undefined) throw notFound('The resource could not be found.');
    return { extension };
  });
  route('GET', '/scheduler-stats/get_pools', (call) => pools(cinder, call), {
    admin: 'scheduler_extension:scheduler_stats:get_pools',
  });
  route(
    'GET',
    '/capabilities/:host',
    async (call) => {
      const entry = cinder.backends.entryOf(call.param('host').replace('@', '#'));
      if (entry === undefined) throw notFound(`Service could not be found on host ${call.param('host')}.`);
      return {
        namespace: `OS::Storage::Capabilities::${call.param('host')}`,
        vendor_name: entry.backend.vendor,
        volume_backend_name: entry.backend.name,
        pool_name: null,
        driver_version: '1.0',
        storage_protocol: entry.backend.storageProtocol,
        display_name: null,
        description: null,
        visibility: null,
        replication_targets: [],
        properties: {},
      };
    },
    { admin: 'volume_extension:capabilities' },
  );
  route(
    'GET',
    '/resource_filters',
    async (call) => {
      const resource = single(call.query, 'resource');
      const all = Object.entries(RESOURCE_FILTERS).map(([name, filters]) => ({ resource: name, filters }));
      return { resource_filters: all.filter((each) => resource === undefined || each.resource === resource) };
    },
    { since: 33 },
  );
  route('GET', '/clusters', async () => ({ clusters: [] }), { since: 7, admin: 'clusters:get_all' });
  registerMessages(route, cinder);
  registerDefaultTypes(route, cinder);
}
