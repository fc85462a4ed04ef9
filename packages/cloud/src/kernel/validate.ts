import type { z } from 'zod';
import { badRequest } from './errors.js';

type Issue = z.core.$ZodIssue;

/** What stands at a place of the request; undefined when it is left out. */
function at(value: unknown, path: readonly PropertyKey[]): unknown {
  let found: unknown = value;
  for (const key of path) {
    found = typeof found === 'object' && found !== null ? Reflect.get(found, key) : undefined;
  }
  return found;
}

/** One sentence for what may have several forms: each form's own complaint. */
function reason(issue: Issue): string {
  if (issue.code !== 'invalid_union') return issue.message;
  const reasons = issue.errors.flatMap((branch) => branch.slice(0, 1).map(reason));
  return reasons.length === 0 ? issue.message : [...new Set(reasons)].join(', or: ');
}

/**
 * A request's body or query by its schema. Throws a 400 that names the place: `server.name: Too big …`, and says of what is
 * missing that it is required.
 */
export function parse<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const result = schema.safeParse(value ?? {});
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  if (issue === undefined) throw badRequest('Invalid input for Request body: it does not fit the schema');
  const { path } = issue;
  const name = path.at(-1);
  if (name !== undefined && at(value, path) === undefined) {
    const parent = path.slice(0, -1).join('.');
    const where = parent === '' ? 'Request body' : parent;
    throw badRequest(`Invalid input for ${where}: '${String(name)}' is a required property`);
  }
  throw badRequest(
    `Invalid input for ${path.length === 0 ? 'Request body' : path.join('.')}: ${reason(issue)}`,
  );
}
