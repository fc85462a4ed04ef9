import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { badRequest } from '../kernel/errors.js';
import type { RequestContext } from '../kernel/service.js';
import { parse } from '../kernel/validate.js';
import { callerOf, requireOwn, requireVisible, type KeyManagerDeps } from './deps.js';
import type { ContainerRow } from './tables.js';

type Params = { Params: { id: string } };

const MOST_LISTED = 100;
const MOST_SECRETS = 1000;

const Create = z.object({
  name: z.string().max(255).nullish(),
  type: z.literal('generic'),
  secret_refs: z
    .array(z.object({ name: z.string().min(1).max(255), secret_ref: z.string() }))
    .max(MOST_SECRETS)
    .default([]),
});

/** `/v1/containers`. Key Manager API v1; generic containers only. */
export function registerContainerRoutes(app: FastifyInstance, deps: KeyManagerDeps): void {
  const find = (id: string): Promise<ContainerRow | undefined> =>
    deps.db.selectFrom('key_manager_container').selectAll().where('id', '=', id).executeTakeFirst();
  const bodyOf = async (row: ContainerRow): Promise<Record<string, unknown>> => {
    const secrets = await deps.db
      .selectFrom('key_manager_container_secret')
      .selectAll()
      .where('container_id', '=', row.id)
      .orderBy('name')
      .execute();
    return {
      container_ref: `${deps.base()}/containers/${row.id}`,
      name: row.name,
      type: row.type,
      status: 'ACTIVE',
      creator_id: row.creator_id,
      created: row.created_at,
      updated: row.created_at,
      consumers: [],
      secret_refs: secrets.map(({ name, secret_id }) => ({
        name,
        secret_ref: `${deps.base()}/secrets/${secret_id}`,
      })),
    };
  };

  app.post('/v1/containers', async (request, reply) => {
    const context = await callerOf(deps, request);
    const id = await storeContainer(deps, context, request.body);
    return reply.code(201).send({ container_ref: `${deps.base()}/containers/${id}` });
  });

  app.get('/v1/containers', async (request) => {
    const context = await callerOf(deps, request);
    const rows = await deps.db
      .selectFrom('key_manager_container')
      .selectAll()
      .where('project_id', '=', context.projectId)
      .orderBy('created_at')
      .limit(MOST_LISTED)
      .execute();
    return { containers: await Promise.all(rows.map(bodyOf)), total: rows.length };
  });

  app.get<Params>('/v1/containers/:id', async (request) => {
    const context = await callerOf(deps, request);
    return bodyOf(requireVisible(context, await find(request.params.id), 'Container'));
  });

  app.delete<Params>('/v1/containers/:id', async (request, reply) => {
    const context = await callerOf(deps, request);
    const row = requireOwn(context, await find(request.params.id), 'Container');
    await deps.db.deleteFrom('key_manager_container').where('id', '=', row.id).execute();
    return reply.code(204).send();
  });
}

async function storeContainer(deps: KeyManagerDeps, context: RequestContext, body: unknown): Promise<string> {
  const wanted = parse(Create, body);
  const id = randomUUID();
  const secrets = wanted.secret_refs.map(({ name, secret_ref }) => ({
    container_id: id,
    name,
    secret_id: secret_ref.split('/').at(-1) ?? '',
  }));
  if (new Set(secrets.map(({ name }) => name)).size !== secrets.length)
    throw badRequest('Each secret of a container needs a name of its own.');
  await deps.db.transaction().execute(async (trx) => {
    for (const { secret_id: secretId } of secrets) {
      const row = await trx
        .selectFrom('key_manager_secret')
        .select('project_id')
        .where('id', '=', secretId)
        .executeTakeFirst();
      requireOwn(context, row, 'A secret of the container was');
    }
    const { projectId, userId } = context;
    await trx
      .insertInto('key_manager_container')
      .values({
        id,
        project_id: projectId,
        creator_id: userId,
        name: wanted.name ?? null,
        created_at: new Date().toISOString(),
        type: wanted.type,
      })
      .execute();
    if (secrets.length > 0) await trx.insertInto('key_manager_container_secret').values(secrets).execute();
  });
  return id;
}
