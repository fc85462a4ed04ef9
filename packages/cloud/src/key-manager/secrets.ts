import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { ApiError, badRequest } from '../kernel/errors.js';
import type { RequestContext } from '../kernel/service.js';
import { parse } from '../kernel/validate.js';
import { callerOf, requireOwn, requireVisible, type KeyManagerDeps } from './deps.js';
import type { SecretRow } from './tables.js';

type Params = { Params: { id: string } };

/** Barbican's max_secret_bytes. */
const LARGEST_PAYLOAD = 20_000;
const MOST_LISTED = 100;
const TYPES = ['opaque', 'symmetric', 'public', 'private', 'certificate', 'passphrase'] as const;

const Create = z.object({
  name: z.string().max(255).nullish(),
  secret_type: z.enum(TYPES).nullish(),
  payload: z.string().min(1),
  payload_content_type: z.string().regex(/^(text\/plain(;\s*charset=utf-?8)?|application\/octet-stream)$/i),
  payload_content_encoding: z.literal('base64').nullish(),
});

/** `/v1/secrets`. Key Manager API v1: secrets are stored whole with their payload, and never change. */
export function registerSecretRoutes(app: FastifyInstance, deps: KeyManagerDeps): void {
  const find = (id: string): Promise<SecretRow | undefined> =>
    deps.db.selectFrom('key_manager_secret').selectAll().where('id', '=', id).executeTakeFirst();
  const bodyOf = (row: Omit<SecretRow, 'payload'>): Record<string, unknown> => ({
    secret_ref: `${deps.base()}/secrets/${row.id}`,
    name: row.name,
    secret_type: row.secret_type,
    status: 'ACTIVE',
    content_types: { default: row.content_type },
    creator_id: row.creator_id,
    created: row.created_at,
    updated: row.created_at,
    expiration: null,
    algorithm: null,
    bit_length: null,
    mode: null,
  });

  app.post('/v1/secrets', async (request, reply) => {
    const context = await callerOf(deps, request);
    const id = await storeSecret(deps, context, request.body);
    return reply.code(201).send({ secret_ref: `${deps.base()}/secrets/${id}` });
  });

  app.get('/v1/secrets', async (request) => {
    const context = await callerOf(deps, request);
    const rows = await deps.db
      .selectFrom('key_manager_secret')
      .select(['id', 'project_id', 'creator_id', 'name', 'created_at', 'secret_type', 'content_type'])
      .where('project_id', '=', context.projectId)
      .orderBy('created_at')
      .limit(MOST_LISTED)
      .execute();
    return { secrets: rows.map(bodyOf), total: rows.length };
  });

  app.get<Params>('/v1/secrets/:id', async (request) => {
    const context = await callerOf(deps, request);
    return bodyOf(requireVisible(context, await find(request.params.id), 'Secret'));
  });

  app.get<Params>('/v1/secrets/:id/payload', async (request, reply) => {
    const context = await callerOf(deps, request);
    const row = requireVisible(context, await find(request.params.id), 'Secret');
    const payload = await deps.vault.open(row.id, row.payload);
    return reply.type(row.content_type).send(payload);
  });

  app.delete<Params>('/v1/secrets/:id', async (request, reply) => {
    const context = await callerOf(deps, request);
    const row = requireOwn(context, await find(request.params.id), 'Secret');
    await deps.db.deleteFrom('key_manager_secret').where('id', '=', row.id).execute();
    return reply.code(204).send();
  });
}

async function storeSecret(deps: KeyManagerDeps, context: RequestContext, body: unknown): Promise<string> {
  const wanted = parse(Create, body);
  const isBinary = wanted.payload_content_type.toLowerCase() === 'application/octet-stream';
  if (isBinary && wanted.payload_content_encoding !== 'base64') {
    throw badRequest(
      'payload_content_encoding must be base64 when payload_content_type is application/octet-stream.',
    );
  }
  const payload = Buffer.from(wanted.payload, isBinary ? 'base64' : 'utf8');
  if (payload.length > LARGEST_PAYLOAD)
    throw new ApiError(413, `The payload has ${payload.length} bytes; ${LARGEST_PAYLOAD} are the most.`);
  const id = randomUUID();
  await deps.db
    .insertInto('key_manager_secret')
    .values({
      id,
      project_id: context.projectId,
      creator_id: context.userId,
      name: wanted.name ?? null,
      created_at: new Date().toISOString(),
      secret_type: wanted.secret_type ?? 'opaque',
      content_type: isBinary ? 'application/octet-stream' : 'text/plain',
      payload: await deps.vault.seal(id, payload),
    })
    .execute();
  return id;
}
