import { z } from 'zod';
import { ApiError, badRequest, conflict, forbidden } from '../../kernel/errors.js';
import type { RequestContext } from '../../kernel/service.js';
import { parse } from '../../kernel/validate.js';
import { checkSettable, isAttribute, withField } from './fields.js';
import type { FullImage } from './store.js';

export interface Change {
  readonly op: 'add' | 'replace' | 'remove';
  /** Attribute or property. */
  readonly name: string;
  readonly value?: unknown;
}

const V21 = z
  .array(
    z.object({ op: z.enum(['add', 'replace', 'remove']), path: z.string(), value: z.unknown().optional() }),
  )
  .max(1_000);
/** The older form: the operation is the key, its value the path. */
const V20 = z
  .array(
    z.object({
      add: z.string().optional(),
      replace: z.string().optional(),
      remove: z.string().optional(),
      value: z.unknown().optional(),
    }),
  )
  .max(1_000);

/** The name that a JSON pointer of one step means (RFC 6901; Image API v2, "HTTP PATCH media types"). @throws ApiError 400 */
export function parsePointer(path: string): string {
  if (!/^\/(?:[^~/]|~[01])+$/.test(path)) {
    throw badRequest(
      `Invalid JSON pointer for this resource: '${path}'. Write / as ~1 and ~ as ~0 within a name.`,
    );
  }
  return path.slice(1).replaceAll('~1', '/').replaceAll('~0', '~');
}

/**
 * The changes of a PATCH.
 * @throws ApiError 400, and 415 for another content type
 */
export function parsePatch(contentType: string, body: unknown): readonly Change[] {
  const type = contentType.split(';', 1)[0]?.trim();
  if (type === 'application/openstack-images-v2.1-json-patch') {
    return parse(V21, body).map(({ op, path, value }) => ({ op, name: parsePointer(path), value }));
  }
  if (type !== 'application/openstack-images-v2.0-json-patch') {
    throw new ApiError(415, 'An image is changed with application/openstack-images-v2.1-json-patch.');
  }
  return parse(V20, body).map((entry): Change => {
    for (const op of ['add', 'replace', 'remove'] as const) {
      const path = entry[op];
      if (path !== undefined) return { op, name: parsePointer(path), value: entry.value };
    }
    throw badRequest('Operations must be one of add, replace, or remove.');
  });
}

function remove(image: FullImage, name: string): FullImage {
  checkSettable(name);
  if (isAttribute(name)) throw forbidden(`Property ${name} may not be removed.`);
  if (!Object.hasOwn(image.properties, name)) throw conflict(`Property ${name} does not exist.`);
  const properties = Object.fromEntries(Object.entries(image.properties).filter(([key]) => key !== name));
  return { ...image, properties };
}

/** The image as it shall be; nothing is written. @throws ApiError 400, 403, 409 */
export function applyChanges(
  context: RequestContext,
  image: FullImage,
  changes: readonly Change[],
): FullImage {
  let result = image;
  for (const { op, name, value } of changes) {
    if (op === 'remove') {
      result = remove(result, name);
      continue;
    }
    if (op === 'replace' && !isAttribute(name)) {
      checkSettable(name);
      if (!Object.hasOwn(result.properties, name)) throw conflict(`Property ${name} does not exist.`);
    }
    result = withField(context, result, name, value);
  }
  return result;
}
