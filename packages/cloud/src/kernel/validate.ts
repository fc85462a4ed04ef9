import type { z } from 'zod';
import { badRequest } from './errors.js';

/**
 * A request's body or query by its schema. Throws a 400 that names the place: `server.name: Invalid input …`.
 */
export function parse<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const result = schema.safeParse(value ?? {});
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const where = issue === undefined || issue.path.length === 0 ? 'Request body' : issue.path.join('.');
  throw badRequest(`Invalid input for ${where}: ${issue?.message ?? 'it does not fit the schema'}`);
}
