import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { ApiError, badRequest, notFound } from '../../kernel/errors.js';
import { parse } from '../../kernel/validate.js';
import { begin, type PlacementDeps } from '../deps.js';
import { needMinor } from '../microversion.js';
import { isCustomClassName, isStandardClass, STANDARD_CLASSES, unknownClasses } from './names.js';

const PostBody = z.object({ name: z.string() });

const body = (name: string): unknown => ({
  name,
  links: [{ rel: 'self', href: `/placement/resource_classes/${name}` }],
});

function checkName(name: string): void {
  if (!isCustomClassName(name)) {
    throw badRequest(
      `Invalid resource class name ${name}: it must begin with CUSTOM_ and hold only A-Z, 0-9 and _.`,
    );
  }
}

/** `/resource_classes`, since 1.2. */
export function registerClassRoutes(app: FastifyInstance, deps: PlacementDeps): void {
  /** Whether it was not there before. */
  const create = async (name: string): Promise<boolean> => {
    const result = await deps.db
      .insertInto('placement_custom_class')
      .values({ name })
      .onConflict((clash) => clash.doNothing())
      .executeTakeFirst();
    return (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
  };

  app.get('/resource_classes', async (request, reply) => {
    needMinor(await begin(deps, request, reply), 2);
    const custom = await deps.db
      .selectFrom('placement_custom_class')
      .select('name')
      .orderBy('name')
      .execute();
    return { resource_classes: [...STANDARD_CLASSES, ...custom.map((row) => row.name)].map(body) };
  });

  app.post('/resource_classes', async (request, reply) => {
    needMinor(await begin(deps, request, reply), 2);
    const { name } = parse(PostBody, request.body);
    checkName(name);
    if (!(await create(name))) throw new ApiError(409, `Conflicting resource class already exists: ${name}`);
    return reply.code(201).header('Location', `/placement/resource_classes/${name}`).send();
  });

  app.get<{ Params: { name: string } }>('/resource_classes/:name', async (request, reply) => {
    needMinor(await begin(deps, request, reply), 2);
    const { name } = request.params;
    if ((await unknownClasses(deps.db, [name])).length > 0) throw notFound(`No such resource class ${name}.`);
    return body(name);
  });

  app.put<{ Params: { name: string } }>('/resource_classes/:name', async (request, reply) => {
    needMinor(await begin(deps, request, reply), 7);
    const { name } = request.params;
    checkName(name);
    const created = await create(name);
    return reply
      .code(created ? 201 : 204)
      .header('Location', `/placement/resource_classes/${name}`)
      .send();
  });

  app.delete<{ Params: { name: string } }>('/resource_classes/:name', async (request, reply) => {
    needMinor(await begin(deps, request, reply), 2);
    const { name } = request.params;
    if (isStandardClass(name)) throw badRequest(`Cannot delete standard resource class ${name}.`);
    await deps.db.transaction().execute(async (trx) => {
      if ((await unknownClasses(trx, [name])).length > 0) throw notFound(`No such resource class ${name}.`);
      const used = await trx
        .selectFrom('placement_inventory')
        .select('provider_uuid')
        .where('resource_class', '=', name)
        .executeTakeFirst();
      if (used !== undefined) throw new ApiError(409, `Resource class ${name} is in use in inventory.`);
      await trx.deleteFrom('placement_custom_class').where('name', '=', name).execute();
    });
    return reply.code(204).send();
  });
}
