import { multiple, parameters, single } from '../../kernel/collection.js';
import { badRequest, type ApiError } from '../../kernel/errors.js';
import { invalidInput } from '../errors.js';
import type { Call, Link } from './call.js';

/** cinder.conf `osapi_max_limit`. */
const MAX_LIMIT = 1000;

function count(call: Call, name: 'limit' | 'offset'): number | undefined {
  const text = single(call.query, name);
  if (text === undefined || text === '') return undefined;
  if (!/^-?\d{1,9}$/.test(text)) throw badRequest(`${name} param must be an integer`);
  if (Number(text) < 0) throw badRequest(`${name} param must be positive`);
  return Number(text);
}

export interface Paged<T> {
  readonly items: readonly T[];
  /** A link to the next page, in a list; undefined on the last. */
  readonly links: readonly Link[] | undefined;
}

/** One page (`limit`, `marker`, `offset`) of what is filtered and sorted already. @throws ApiError 400; `missing` of an unknown marker */
export function paged<T extends { readonly id: string }>(
  call: Call,
  rows: readonly T[],
  collection: string,
  missing: (marker: string) => ApiError,
): Paged<T> {
  const limit = Math.min(count(call, 'limit') ?? MAX_LIMIT, MAX_LIMIT);
  const marker = single(call.query, 'marker');
  let start = count(call, 'offset') ?? 0;
  if (marker !== undefined && marker !== '') {
    const at = rows.findIndex(({ id }) => id === marker);
    if (at < 0) throw missing(marker);
    start += at + 1;
  }
  const items = rows.slice(start, start + limit);
  const last = items.at(-1);
  if (last === undefined || start + limit >= rows.length) return { items, links: undefined };
  const search = new URLSearchParams();
  for (const name of Object.keys(parameters(call.query))) {
    if (name !== 'marker' && name !== 'offset')
      for (const value of multiple(call.query, name)) search.append(name, value);
  }
  search.set('limit', String(limit));
  search.set('marker', last.id);
  return {
    items,
    links: [{ rel: 'next', href: `${call.baseUrl}/${collection}?${search.toString()}` }],
  };
}

/** What rows are sorted by: text and numbers by Cinder's names. */
export type SortFields<T> = Readonly<Record<string, (row: T) => string | number | null>>;

interface SortBy {
  readonly key: string;
  readonly descending: boolean;
}

/** @throws ApiError 400 */
function isDescending(direction: string): boolean {
  if (direction !== 'asc' && direction !== 'desc')
    throw invalidInput('Unknown sort direction, must be one of: asc, desc.');
  return direction === 'desc';
}

/** `sort=name:asc,size` or `sort_key=…&sort_dir=…`; the newest first without. cinder/api/common.py, get_sort_params */
function sortOf(call: Call): readonly SortBy[] {
  const sort = single(call.query, 'sort');
  if (sort !== undefined) {
    return sort.split(',').map((part) => {
      const [key = '', text = 'desc'] = part.trim().split(':');
      return { key, descending: isDescending(text) };
    });
  }
  const key = single(call.query, 'sort_key') ?? 'created_at';
  return [{ key, descending: isDescending(single(call.query, 'sort_dir') ?? 'desc') }];
}

/** @throws ApiError 400 for an unknown key */
export function sorted<T extends { readonly id: string }>(
  call: Call,
  rows: readonly T[],
  fields: SortFields<T>,
): readonly T[] {
  const order = sortOf(call);
  for (const { key } of order)
    if (!Object.hasOwn(fields, key)) throw invalidInput(`Sort key is invalid: ${key}`);
  return rows.toSorted((a, b) => {
    for (const { key, descending } of order) {
      const [left, right] = [fields[key]?.(a) ?? '', fields[key]?.(b) ?? ''];
      if (left !== right) return left < right === descending ? 1 : -1;
    }
    return a.id < b.id ? 1 : -1;
  });
}

/** Whether an administrator asks for every project's. */
export function allTenants(call: Call): boolean {
  const text = single(call.query, 'all_tenants') ?? 'false';
  return call.context.isAdmin && !['false', '0', 'f', 'no', 'n', 'off', ''].includes(text.toLowerCase());
}
