import { z } from 'zod';
import { badRequest } from '../../kernel/errors.js';
import { parse } from '../../kernel/validate.js';

const Resources = z.record(z.string().regex(/^[A-Z0-9_]{1,255}$/), z.int().min(1));
const ByProvider = z.record(z.uuid(), z.object({ resources: Resources, generation: z.int().optional() }));
const AsList = z
  .array(z.object({ resource_provider: z.object({ uuid: z.uuid() }), resources: Resources }))
  .min(1);

const Common = z.object({
  allocations: z.union([ByProvider, AsList]),
  project_id: z.string().min(1).max(255).optional(),
  user_id: z.string().min(1).max(255).optional(),
  consumer_generation: z.int().nullish(),
  consumer_type: z
    .string()
    .regex(/^[A-Z0-9_]{1,255}$/)
    .optional(),
  mappings: z.record(z.string(), z.array(z.uuid())).optional(),
});

/** What one consumer shall have from now on, whatever it had before. */
export interface WantedAllocations {
  readonly consumer: string;
  /** By provider, then by resource class. Empty: nothing. */
  readonly allocations: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly projectId: string | undefined;
  readonly userId: string | undefined;
  /** What the writer last saw: a number, null for a consumer that is not there yet; undefined: not checked (before 1.28). */
  readonly seen: number | null | undefined;
  readonly type: string | undefined;
}

function missing(name: string): Error {
  return badRequest(`JSON does not validate: '${name}' is a required property`);
}

function checkMembers(body: z.output<typeof Common>, minor: number): void {
  if (minor >= 8 && (body.project_id === undefined || body.user_id === undefined)) {
    throw missing(body.project_id === undefined ? 'project_id' : 'user_id');
  }
  if (minor >= 28 && body.consumer_generation === undefined) throw missing('consumer_generation');
  if (minor < 28 && body.consumer_generation !== undefined) {
    throw badRequest("JSON does not validate: 'consumer_generation' needs microversion 1.28");
  }
  if (minor >= 38 && body.consumer_type === undefined) throw missing('consumer_type');
  if (minor < 34 && body.mappings !== undefined)
    throw badRequest("JSON does not validate: 'mappings' needs microversion 1.34");
  if (Array.isArray(body.allocations) !== minor < 12) {
    throw badRequest(
      `JSON does not validate: at microversion 1.${minor} allocations are ${minor < 12 ? 'an array' : 'an object'}`,
    );
  }
}

/**
 * Body of `PUT /allocations/{consumer}`, or of one consumer of `POST /allocations`. Nothing at all may be asked for since 1.28, in a
 * POST (which moves from one consumer to another) at any version.
 * @throws ApiError 400
 */
export function parseAllocations(
  consumer: string,
  value: unknown,
  minor: number,
  options: { readonly mayBeEmpty: boolean },
): WantedAllocations {
  const body = parse(Common, value);
  checkMembers(body, minor);
  const allocations: Record<string, Record<string, number>> = {};
  const entries = Array.isArray(body.allocations)
    ? body.allocations.map((entry) => [entry.resource_provider.uuid, entry.resources] as const)
    : Object.entries(body.allocations).map(([uuid, entry]) => [uuid, entry.resources] as const);
  for (const [uuid, resources] of entries) {
    if (Object.keys(resources).length === 0)
      throw badRequest(`JSON does not validate: no resources are asked of ${uuid}`);
    allocations[uuid.toLowerCase()] = resources;
  }
  if (entries.length === 0 && !options.mayBeEmpty)
    throw badRequest('JSON does not validate: allocations does not have enough properties');
  return {
    consumer,
    allocations,
    projectId: body.project_id,
    userId: body.user_id,
    seen: minor >= 28 ? (body.consumer_generation ?? null) : undefined,
    type: body.consumer_type,
  };
}
