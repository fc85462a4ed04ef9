import { z } from 'zod';
import { badRequest } from '../kernel/errors.js';
import { parse } from '../kernel/validate.js';

const Members = z.record(z.string(), z.unknown());
/** Resources in one bulk request at most. */
const MAX_BULK = 200;

/** One resource, or many at once: `{"port": {…}}` or `{"ports": [{…}]}`. */
export interface Wanted<T> {
  readonly items: readonly T[];
  /** How the answer is wrapped. */
  wrap(bodies: readonly unknown[]): Record<string, unknown>;
}

/** @throws ApiError 400 */
export function parseOneOrMany<T extends z.ZodType>(
  schema: T,
  one: string,
  many: string,
  body: unknown,
): Wanted<z.output<T>> {
  const members = parse(Members, body);
  if (members[many] !== undefined) {
    const items = parse(z.array(schema).min(1).max(MAX_BULK), members[many]);
    return { items, wrap: (bodies) => ({ [many]: bodies }) };
  }
  return { items: [parseOne(schema, one, body)], wrap: (bodies) => ({ [one]: bodies[0] }) };
}

/** `{"port": {…}}`. @throws ApiError 400 */
export function parseOne<T extends z.ZodType>(schema: T, one: string, body: unknown): z.output<T> {
  const members = parse(Members, body);
  if (members[one] === undefined) throw badRequest(`Unable to find '${one}' in request body`);
  return parse(schema, members[one]);
}
