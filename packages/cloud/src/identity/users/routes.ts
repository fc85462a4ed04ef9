import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { parseBoolean, single } from '../../kernel/collection.js';
import { conflict, notFound, unauthorized } from '../../kernel/errors.js';
import { newHexId } from '../../kernel/ids.js';
import { parse } from '../../kernel/validate.js';
import { collectionLinks, type IdentityDeps, requireAdmin } from '../deps.js';
import { checkPassword, hashPassword, MAX_PASSWORD_LENGTH } from '../passwords.js';
import { projectBody } from '../projects/routes.js';
import type { UserRow } from '../tables.js';

const Password = z.string().min(1).max(MAX_PASSWORD_LENGTH);
const Fields = z.object({
  name: z.string().trim().min(1).max(255),
  domain_id: z.string().nullish(),
  password: Password.nullish(),
  enabled: z.boolean().optional(),
  email: z.string().nullish(),
  description: z.string().nullish(),
  default_project_id: z.string().nullish(),
});
const CreateBody = z.object({ user: Fields });
const UpdateBody = z.object({ user: Fields.partial() });
const PasswordBody = z.object({ user: z.object({ password: Password, original_password: z.string() }) });

const userBody = (deps: IdentityDeps, row: UserRow): Record<string, unknown> => ({
  id: row.id,
  name: row.name,
  domain_id: row.domain_id,
  enabled: row.enabled === 1,
  password_expires_at: null,
  options: {},
  ...(row.email === null ? {} : { email: row.email }),
  ...(row.description === null ? {} : { description: row.description }),
  ...(row.default_project_id === null ? {} : { default_project_id: row.default_project_id }),
  links: { self: `${deps.base()}/users/${row.id}` },
});

export async function findUser(deps: IdentityDeps, id: string): Promise<UserRow> {
  const row = await deps.db.selectFrom('identity_user').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined) throw notFound(`Could not find user: ${id}.`);
  return row;
}

async function refuseDuplicate(deps: IdentityDeps, row: UserRow): Promise<void> {
  const other = await deps.db
    .selectFrom('identity_user')
    .select('id')
    .where('name', '=', row.name)
    .where('domain_id', '=', row.domain_id)
    .where('id', '!=', row.id)
    .executeTakeFirst();
  if (other !== undefined) {
    throw conflict(
      `Conflict occurred attempting to store user - Duplicate entry found with name ${row.name}.`,
    );
  }
}

async function createUser(deps: IdentityDeps, body: unknown, ownDomain: string): Promise<UserRow> {
  const { user } = parse(CreateBody, body);
  const domainId = user.domain_id ?? ownDomain;
  const domain = await deps.db
    .selectFrom('identity_domain')
    .select('id')
    .where('id', '=', domainId)
    .executeTakeFirst();
  if (domain === undefined) throw notFound(`Could not find domain: ${domainId}.`);
  const row: UserRow = {
    id: newHexId(),
    name: user.name,
    domain_id: domainId,
    password_hash: typeof user.password === 'string' ? await hashPassword(user.password) : null,
    enabled: user.enabled === false ? 0 : 1,
    email: user.email ?? null,
    description: user.description ?? null,
    default_project_id: user.default_project_id ?? null,
    tokens_valid_from: 0,
  };
  await refuseDuplicate(deps, row);
  await deps.db.insertInto('identity_user').values(row).execute();
  return row;
}

async function updateUser(deps: IdentityDeps, id: string, body: unknown): Promise<UserRow> {
  const { user } = parse(UpdateBody, body);
  const old = await findUser(deps, id);
  const newPassword = typeof user.password === 'string';
  const enabled = Number(user.enabled ?? old.enabled === 1);
  const hash = typeof user.password === 'string' ? await hashPassword(user.password) : old.password_hash;
  const row: UserRow = {
    ...old,
    name: user.name ?? old.name,
    password_hash: hash,
    enabled,
    email: user.email === undefined ? old.email : user.email,
    description: user.description === undefined ? old.description : user.description,
    default_project_id:
      user.default_project_id === undefined ? old.default_project_id : user.default_project_id,
    tokens_valid_from: newPassword || enabled === 0 ? deps.tokens.now() : old.tokens_valid_from,
  };
  await refuseDuplicate(deps, row);
  await deps.db.updateTable('identity_user').set(row).where('id', '=', id).execute();
  return row;
}

export function registerUserRoutes(app: FastifyInstance, deps: IdentityDeps): void {
  app.get('/v3/users', async (request) => {
    requireAdmin(await deps.authenticate(request), 'list_users');
    let query = deps.db.selectFrom('identity_user').selectAll().orderBy('name');
    const name = single(request.query, 'name');
    const domain = single(request.query, 'domain_id');
    const enabled = single(request.query, 'enabled');
    if (name !== undefined) query = query.where('name', '=', name);
    if (domain !== undefined) query = query.where('domain_id', '=', domain);
    if (enabled !== undefined) query = query.where('enabled', '=', parseBoolean(enabled, 'enabled') ? 1 : 0);
    const rows = await query.execute();
    return { users: rows.map((row) => userBody(deps, row)), links: collectionLinks(`${deps.base()}/users`) };
  });

  app.get<{ Params: { id: string } }>('/v3/users/:id', async (request) => {
    const context = await deps.authenticate(request);
    if (request.params.id !== context.userId) requireAdmin(context, 'get_user');
    return { user: userBody(deps, await findUser(deps, request.params.id)) };
  });

  app.post('/v3/users', async (request, reply) => {
    const context = await deps.authenticate(request);
    requireAdmin(context, 'create_user');
    return reply
      .code(201)
      .send({ user: userBody(deps, await createUser(deps, request.body, context.userDomainId)) });
  });

  app.patch<{ Params: { id: string } }>('/v3/users/:id', async (request) => {
    requireAdmin(await deps.authenticate(request), 'update_user');
    return { user: userBody(deps, await updateUser(deps, request.params.id, request.body)) };
  });

  app.delete<{ Params: { id: string } }>('/v3/users/:id', async (request, reply) => {
    requireAdmin(await deps.authenticate(request), 'delete_user');
    const { id } = await findUser(deps, request.params.id);
    await deps.db.deleteFrom('identity_user').where('id', '=', id).execute();
    return reply.code(204).send();
  });

  registerOwnRoutes(app, deps);
}

/** What users may do for themselves. */
function registerOwnRoutes(app: FastifyInstance, deps: IdentityDeps): void {
  app.post<{ Params: { id: string } }>('/v3/users/:id/password', async (request, reply) => {
    const { user } = parse(PasswordBody, request.body);
    const row = await findUserOr401(deps, request.params.id);
    const key = `${request.ip} ${row.id}`;
    const right = await deps.limiter.judge(
      key,
      async () => (await checkPassword(user.original_password, row.password_hash)) && row.enabled === 1,
    );
    if (!right) throw unauthorized();
    const hash = await hashPassword(user.password);
    const changes = { password_hash: hash, tokens_valid_from: deps.tokens.now() };
    await deps.db.updateTable('identity_user').set(changes).where('id', '=', row.id).execute();
    return reply.code(204).send();
  });

  app.get<{ Params: { id: string } }>('/v3/users/:id/projects', async (request) => {
    const context = await deps.authenticate(request);
    const { id } = request.params;
    if (id !== context.userId) requireAdmin(context, 'list_user_projects');
    await findUser(deps, id);
    const rows = await deps.db
      .selectFrom('identity_project')
      .selectAll()
      .where(
        'id',
        'in',
        deps.db.selectFrom('identity_assignment').select('project_id').where('user_id', '=', id),
      )
      .orderBy('name')
      .execute();
    return {
      projects: rows.map((row) => projectBody(deps, row)),
      links: collectionLinks(`${deps.base()}/users/${id}/projects`),
    };
  });

  app.get<{ Params: { id: string } }>('/v3/users/:id/groups', async (request) => {
    const context = await deps.authenticate(request);
    if (request.params.id !== context.userId) requireAdmin(context, 'list_groups_for_user');
    await findUser(deps, request.params.id);
    return { groups: [], links: collectionLinks(`${deps.base()}/users/${request.params.id}/groups`) };
  });
}

/** Without a token nobody learns which users there are. */
async function findUserOr401(deps: IdentityDeps, id: string): Promise<UserRow> {
  const row = await deps.db.selectFrom('identity_user').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined) throw unauthorized();
  return row;
}
