import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { parseBoolean, single } from '../../kernel/collection.js';
import { ApiError, badRequest, notFound } from '../../kernel/errors.js';
import { parse } from '../../kernel/validate.js';
import {
  begin,
  bumpGeneration,
  checkGeneration,
  findProvider,
  type PlacementDeps,
  type Reader,
} from '../deps.js';
import { needMinor } from '../microversion.js';
import { isCustomTraitName, isStandardTrait, unknownTraits } from './names.js';
import { STANDARD_TRAITS } from './standard-traits.js';

const PutBody = z.object({
  traits: z.array(z.string()).max(1_000),
  resource_provider_generation: z.int().min(0),
});

const ofProvider = async (db: Reader, uuid: string): Promise<readonly string[]> => {
  const rows = await db
    .selectFrom('placement_provider_trait')
    .select('trait')
    .where('provider_uuid', '=', uuid)
    .orderBy('trait')
    .execute();
  return rows.map((row) => row.trait);
};

/** `name=in:A,B` or `name=startswith:CUSTOM_`. @throws ApiError 400 */
function nameFilter(text: string | undefined): (name: string) => boolean {
  if (text === undefined) return () => true;
  if (text.startsWith('in:')) {
    const names = new Set(text.slice(3).split(','));
    return (name) => names.has(name);
  }
  if (text.startsWith('startswith:')) return (name) => name.startsWith(text.slice(11));
  throw badRequest(
    'Badly formatted name parameter. Expected name query string parameter in form: ?name=[in|startswith]:[name1,name2|prefix].',
  );
}

function registerNames(app: FastifyInstance, deps: PlacementDeps): void {
  app.get('/traits', async (request, reply) => {
    needMinor(await begin(deps, request, reply), 6);
    const custom = await deps.db.selectFrom('placement_custom_trait').select('name').execute();
    const associated = single(request.query, 'associated');
    const used = new Set(
      (await deps.db.selectFrom('placement_provider_trait').select('trait').distinct().execute()).map(
        (row) => row.trait,
      ),
    );
    const wantUsed = associated === undefined ? undefined : parseBoolean(associated, 'associated');
    const traits = [...STANDARD_TRAITS, ...custom.map((row) => row.name)]
      .filter(nameFilter(single(request.query, 'name')))
      .filter((name) => wantUsed === undefined || used.has(name) === wantUsed);
    return { traits: traits.toSorted() };
  });

  app.get<{ Params: { name: string } }>('/traits/:name', async (request, reply) => {
    needMinor(await begin(deps, request, reply), 6);
    const { name } = request.params;
    if ((await unknownTraits(deps.db, [name])).length > 0) throw notFound(`No such trait(s): ${name}.`);
    return reply.code(204).send();
  });

  app.put<{ Params: { name: string } }>('/traits/:name', async (request, reply) => {
    needMinor(await begin(deps, request, reply), 6);
    const { name } = request.params;
    if (!isCustomTraitName(name)) {
      throw badRequest(
        'The trait is invalid. A valid trait must be no longer than 255 characters, start with the prefix "CUSTOM_" and use following characters: "A"-"Z", "0"-"9" and "_"',
      );
    }
    const result = await deps.db
      .insertInto('placement_custom_trait')
      .values({ name })
      .onConflict((clash) => clash.doNothing())
      .executeTakeFirst();
    const created = (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
    return reply
      .code(created ? 201 : 204)
      .header('Location', `/placement/traits/${name}`)
      .send();
  });

  app.delete<{ Params: { name: string } }>('/traits/:name', async (request, reply) => {
    needMinor(await begin(deps, request, reply), 6);
    const { name } = request.params;
    if (isStandardTrait(name)) throw badRequest(`Cannot delete standard trait ${name}.`);
    await deps.db.transaction().execute(async (trx) => {
      if ((await unknownTraits(trx, [name])).length > 0) throw notFound(`No such trait(s): ${name}.`);
      const used = await trx
        .selectFrom('placement_provider_trait')
        .select('trait')
        .where('trait', '=', name)
        .executeTakeFirst();
      if (used !== undefined) throw new ApiError(409, `The trait ${name} is in use by a resource provider.`);
      await trx.deleteFrom('placement_custom_trait').where('name', '=', name).execute();
    });
    return reply.code(204).send();
  });
}

async function replace(
  deps: PlacementDeps,
  uuid: string,
  traits: readonly string[],
  seen?: number,
): Promise<unknown> {
  return deps.db.transaction().execute(async (trx) => {
    const provider = await findProvider(trx, uuid);
    if (seen !== undefined) checkGeneration(provider, seen);
    const unknown = await unknownTraits(trx, traits);
    if (unknown.length > 0) throw badRequest(`No such trait(s): ${unknown.join(', ')}.`);
    await trx.deleteFrom('placement_provider_trait').where('provider_uuid', '=', uuid).execute();
    for (const trait of new Set(traits)) {
      await trx.insertInto('placement_provider_trait').values({ provider_uuid: uuid, trait }).execute();
    }
    const generation = await bumpGeneration(trx, provider);
    return { traits: await ofProvider(trx, uuid), resource_provider_generation: generation };
  });
}

/** `/traits` and `/resource_providers/{uuid}/traits`, since 1.6. */
export function registerTraitRoutes(app: FastifyInstance, deps: PlacementDeps): void {
  registerNames(app, deps);
  const path = '/resource_providers/:uuid/traits';

  app.get<{ Params: { uuid: string } }>(path, async (request, reply) => {
    needMinor(await begin(deps, request, reply), 6);
    const { uuid, generation } = await findProvider(deps.db, request.params.uuid);
    return { traits: await ofProvider(deps.db, uuid), resource_provider_generation: generation };
  });

  app.put<{ Params: { uuid: string } }>(path, async (request, reply) => {
    needMinor(await begin(deps, request, reply), 6);
    const { traits, resource_provider_generation: seen } = parse(PutBody, request.body);
    return replace(deps, request.params.uuid, traits, seen);
  });

  app.delete<{ Params: { uuid: string } }>(path, async (request, reply) => {
    needMinor(await begin(deps, request, reply), 6);
    await replace(deps, request.params.uuid, []);
    return reply.code(204).send();
  });
}
