import { badRequest } from '../../kernel/errors.js';
import { page as cut, single } from '../../kernel/collection.js';
import type { Call, Link } from './call.js';

export interface PageRequest {
  readonly limit: number;
  readonly marker: string | undefined;
}

/** `limit` and `marker` of a query; no page is larger than `maxLimit`. Throws 400 for a negative or malformed limit. */
export function pageRequest(call: Call, maxLimit: number): PageRequest {
  const text = single(call.query, 'limit');
  const marker = single(call.query, 'marker');
  if (text === undefined || text === '') return { limit: maxLimit, marker };
  if (!/^-?\d{1,9}$/.test(text)) throw badRequest('limit param must be an integer');
  const limit = Number(text);
  if (limit < 0) throw badRequest('limit param must be positive');
  // As in Nova, 0 means: as many as the service gives.
  return { limit: limit === 0 ? maxLimit : Math.min(limit, maxLimit), marker };
}

export interface Paged<T> {
  readonly items: readonly T[];
  /** A link to the next page, in a list, or undefined on the last. */
  readonly links: readonly Link[] | undefined;
}

/** One page of what is filtered and sorted already. Throws 400 for a marker that is not there. */
export function paginate<T>(
  call: Call,
  items: readonly T[],
  idOf: (item: T) => string,
  request: PageRequest,
  collection: string,
): Paged<T> {
  if (request.marker !== undefined && !items.some((item) => idOf(item) === request.marker)) {
    throw badRequest(`marker [${request.marker}] not found`);
  }
  const { items: shown, more } = cut(items, idOf, request.marker, request.limit);
  const last = shown.at(-1);
  if (!more || last === undefined) return { items: shown, links: undefined };
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(call.query)) {
    for (const one of Array.isArray(value) ? value : [value]) query.append(key, String(one));
  }
  query.set('limit', String(request.limit));
  query.set('marker', idOf(last));
  return {
    items: shown,
    links: [{ rel: 'next', href: `${call.versionUrl}/${collection}?${query.toString()}` }],
  };
}
