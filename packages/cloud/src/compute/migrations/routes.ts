import { badRequest, notFound } from '../../kernel/errors.js';
import { single } from '../../kernel/collection.js';
import { requireAdmin, type Call, type Route } from '../api/call.js';
import { pageRequest, paginate } from '../api/paging.js';
import { novaTime } from '../api/times.js';
import type { Nova } from '../deps.js';
import { findServer } from '../servers/find.js';
import { listMigrations, type MigrationView } from '../store/instance-migrations.js';

/** 2.23 adds the type, 2.59 the UUID, 2.80 whose it is. nova/api/openstack/compute/migrations.py */
function view(call: Call, migration: MigrationView): object {
  return {
    id: migration.id,
    source_compute: migration.sourceCompute,
    source_node: migration.sourceNode,
    dest_compute: migration.destCompute,
    dest_node: migration.destNode,
    dest_host: migration.destHost,
    status: migration.status,
    instance_uuid: migration.instanceUuid,
    old_instance_type_id: migration.oldFlavorNumber,
    new_instance_type_id: migration.newFlavorNumber,
    created_at: novaTime(migration.createdAt),
    updated_at: novaTime(migration.updatedAt),
    ...(call.version >= 23 ? { migration_type: migration.migrationType } : {}),
    ...(call.version >= 59 ? { uuid: migration.uuid } : {}),
    ...(call.version >= 80 ? { user_id: migration.userId, project_id: migration.projectId } : {}),
  };
}

/** Query parameters by what they are compared with, and the microversion that brought them. */
const FILTERS: Readonly<
  Record<string, { readonly since: number; readonly of: (migration: MigrationView) => readonly unknown[] }>
> = {
  host: { since: 1, of: ({ sourceCompute, destCompute }) => [sourceCompute, destCompute] },
  source_compute: { since: 1, of: ({ sourceCompute }) => [sourceCompute] },
  status: { since: 1, of: ({ status }) => [status] },
  instance_uuid: { since: 1, of: ({ instanceUuid }) => [instanceUuid] },
  migration_type: { since: 1, of: ({ migrationType }) => [migrationType] },
  user_id: { since: 80, of: ({ userId }) => [userId] },
  project_id: { since: 80, of: ({ projectId }) => [projectId] },
};

function bound(call: Call, name: string, since: number): number | null {
  const text = call.version >= since ? single(call.query, name) : undefined;
  if (text === undefined) return null;
  const at = Date.parse(text);
  if (Number.isNaN(at)) throw badRequest(`Invalid filter field: ${name}.`);
  return at;
}

function matches(call: Call, migration: MigrationView): boolean {
  return Object.entries(FILTERS).every(([name, { since, of }]) => {
    const wanted = call.version >= since ? single(call.query, name) : undefined;
    return wanted === undefined || of(migration).includes(wanted);
  });
}

async function list(nova: Nova, call: Call): Promise<object> {
  const after = bound(call, 'changes-since', 59);
  const before = bound(call, 'changes-before', 66);
  const found = (await listMigrations(nova.db)).filter((migration) => {
    const at = (migration.updatedAt ?? migration.createdAt).getTime();
    return matches(call, migration) && (after === null || at >= after) && (before === null || at <= before);
  });
  if (call.version < 59) return { migrations: found.map((migration) => view(call, migration)) };
  const page = pageRequest(call, nova.config.maxLimit);
  const { items, links } = paginate(call, found, ({ uuid }) => uuid, page, 'os-migrations');
  return {
    migrations: items.map((migration) => view(call, migration)),
    ...(links === undefined ? {} : { migrations_links: links }),
  };
}

/** Resizes of servers; a server's own list is, as in Nova, of live migrations in progress, and there are none. */
export function registerMigrations(route: Route, nova: Nova): void {
  route('GET', '/os-migrations', (call) => list(nova, call), {
    admin: 'os-migrations:index',
    query: [...Object.keys(FILTERS), 'hidden', 'limit', 'marker', 'changes-since', 'changes-before'],
  });
  const base = '/servers/:id/migrations';
  route(
    'GET',
    base,
    async (call) => {
      await findServer(nova, call);
      requireAdmin(call.context, 'servers:migrations:index');
      return { migrations: [] };
    },
    { since: 23 },
  );
  route(
    'GET',
    `${base}/:migration`,
    async (call) => {
      const { uuid } = await findServer(nova, call);
      requireAdmin(call.context, 'servers:migrations:show');
      throw notFound(
        `In-progress live migration ${call.params['migration'] ?? ''} is not found for server ${uuid}.`,
      );
    },
    { since: 23 },
  );
}
