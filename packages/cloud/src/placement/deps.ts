import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Kysely, Transaction } from 'kysely';
import { ApiError, forbidden } from '../kernel/errors.js';
import type { RequestContext } from '../kernel/service.js';
import { announceVersion, requestedMinor } from './microversion.js';
import type { PlacementTables, ProviderRow } from './tables.js';

export type Db = Kysely<PlacementTables>;
/** The database itself or a transaction in it. */
export type Reader = Kysely<PlacementTables> | Transaction<PlacementTables>;

export interface PlacementDeps {
  readonly db: Db;
  readonly authenticate: (request: FastifyRequest) => Promise<RequestContext>;
}

/** Placement's error codes (placement/errors.py), which clients match on. */
export const CONCURRENT_UPDATE = 'placement.concurrent_update';
export const DUPLICATE_NAME = 'placement.duplicate_name';
export const INVENTORY_INUSE = 'placement.inventory.inuse';
export const PROVIDER_IN_USE = 'placement.resource_provider.inuse';
export const CANNOT_DELETE_PARENT = 'placement.resource_provider.cannot_delete_parent';
export const PROVIDER_NOT_FOUND = 'placement.resource_provider.not_found';
export const BAD_QUERY = 'placement.query.bad_value';

/** Checks the caller (administrators and services only) and the microversion; gives the latter's minor number. */
export async function begin(
  deps: PlacementDeps,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<number> {
  const minor = requestedMinor(request);
  announceVersion(reply, minor);
  const context = await deps.authenticate(request);
  if (!context.isAdmin && !context.roles.includes('service')) {
    throw forbidden('Access was denied to this resource: it is for administrators and services.');
  }
  return minor;
}

/** @throws ApiError 404 */
export async function findProvider(db: Reader, uuid: string): Promise<ProviderRow> {
  const row = await db
    .selectFrom('placement_provider')
    .selectAll()
    .where('uuid', '=', uuid)
    .executeTakeFirst();
  if (row === undefined) {
    throw new ApiError(404, `No resource provider with uuid ${uuid} found`, { type: PROVIDER_NOT_FOUND });
  }
  return row;
}

/** Compares what a writer last saw with what is. @throws ApiError 409 */
export function checkGeneration(provider: ProviderRow, seen: number): void {
  if (provider.generation !== seen) {
    throw new ApiError(
      409,
      `resource provider generation conflict: ${seen} was given, it is ${provider.generation} now`,
      {
        type: CONCURRENT_UPDATE,
      },
    );
  }
}

/** Counts a change of a provider; gives the new generation. */
export async function bumpGeneration(db: Reader, provider: ProviderRow): Promise<number> {
  const generation = provider.generation + 1;
  await db
    .updateTable('placement_provider')
    .set({ generation, updated_at: new Date().toISOString() })
    .where('uuid', '=', provider.uuid)
    .execute();
  return generation;
}
