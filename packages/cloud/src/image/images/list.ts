import { multiple, page, parameters, parseBoolean, parseCount, single } from '../../kernel/collection.js';
import { badRequest } from '../../kernel/errors.js';
import type { RequestContext } from '../../kernel/service.js';
import type { ImageDeps } from '../deps.js';
import type { MemberRow } from '../tables.js';
import { complete, type FullImage } from './store.js';

/** glance-api.conf `limit_param_default` and `api_limit_max`. */
const DEFAULT_LIMIT = 25;
const MAX_LIMIT = 1_000;

const SORT_KEYS = [
  'name',
  'status',
  'container_format',
  'disk_format',
  'size',
  'id',
  'created_at',
  'updated_at',
] as const;
type SortKey = (typeof SORT_KEYS)[number];

/** Not filters by property. */
const CONTROL = new Set([
  'limit',
  'marker',
  'sort',
  'sort_key',
  'sort_dir',
  'visibility',
  'member_status',
  'os_hidden',
  'tag',
  'size_min',
  'size_max',
  'protected',
]);
/** Columns filtered by equality, some also by `in:`. */
const COLUMNS = [
  'id',
  'name',
  'status',
  'owner',
  'container_format',
  'disk_format',
  'checksum',
  'os_hash_algo',
  'os_hash_value',
] as const;
const TIMES = ['created_at', 'updated_at'] as const;
const MEGAS = ['min_disk', 'min_ram'] as const;

interface SortBy {
  readonly key: SortKey;
  readonly descending: boolean;
}

function sortBy(key: string, direction: string): SortBy {
  const known = SORT_KEYS.find((name) => name === key);
  if (known === undefined)
    throw badRequest(`Invalid sort key: ${key}. It must be one of the following: ${SORT_KEYS.join(', ')}.`);
  if (direction !== 'asc' && direction !== 'desc') throw badRequest(`Invalid sort direction: ${direction}`);
  return { key: known, descending: direction === 'desc' };
}

function parseSort(query: unknown): readonly SortBy[] {
  const sort = single(query, 'sort');
  if (sort !== undefined) {
    return sort.split(',').map((part) => {
      const [key = '', direction = 'desc'] = part.trim().split(':');
      return sortBy(key, direction);
    });
  }
  const keys = multiple(query, 'sort_key');
  const directions = multiple(query, 'sort_dir');
  return (keys.length === 0 ? ['created_at'] : keys).map((key, at) =>
    sortBy(key, directions[at] ?? directions[0] ?? 'desc'),
  );
}

function compare(order: readonly SortBy[]): (a: FullImage, b: FullImage) => number {
  const keys: readonly SortBy[] = [
    ...order,
    { key: 'created_at', descending: true },
    { key: 'id', descending: true },
  ];
  return (a, b) => {
    for (const { key, descending } of keys) {
      const [left, right] = [a[key] ?? '', b[key] ?? ''];
      if (left !== right) return left < right === descending ? 1 : -1;
    }
    return 0;
  };
}

/** Which of all images this caller's list is made of, before filters. */
function inScope(
  context: RequestContext,
  query: unknown,
  memberships: ReadonlyMap<string, MemberRow>,
): (image: FullImage) => boolean {
  const wanted = single(query, 'visibility');
  const memberStatus = single(query, 'member_status') ?? 'accepted';
  if (!['pending', 'accepted', 'rejected', 'all'].includes(memberStatus))
    throw badRequest(`Invalid status: ${memberStatus}`);
  if (wanted !== undefined && !['public', 'private', 'shared', 'community', 'all'].includes(wanted)) {
    throw badRequest(`Invalid visibility value: ${wanted}`);
  }
  return (image) => {
    if (wanted !== undefined && wanted !== 'all' && image.visibility !== wanted) return false;
    if (context.isAdmin || image.owner === context.projectId || image.visibility === 'public') return true;
    if (image.visibility === 'community') return wanted === 'community' || wanted === 'all';
    const member = memberships.get(image.id);
    return (
      image.visibility === 'shared' &&
      member !== undefined &&
      (memberStatus === 'all' || member.status === memberStatus)
    );
  };
}

function equalsOrIn(filter: string): (value: string) => boolean {
  if (!filter.startsWith('in:')) return (value) => value === filter;
  const values = new Set(
    filter
      .slice(3)
      .split(',')
      .map((text) => text.replace(/^"(.*)"$/, '$1')),
  );
  return (value) => values.has(value);
}

/** Glance's times have whole seconds. */
const wholeSeconds = (value: string): number => Math.floor(Date.parse(value) / 1000) * 1000;

/** `gte:2026-01-01T00:00:00Z`; without an operator: equal. */
function timeFilter(filter: string, name: string): (value: string) => boolean {
  const match = /^(?:(gt|gte|lt|lte|eq|neq):)?(.+)$/.exec(filter);
  const at = Date.parse(match?.[2] ?? '');
  if (Number.isNaN(at)) throw badRequest(`Invalid time in the filter ${name}: ${filter}`);
  const tests: Readonly<Record<string, (value: number) => boolean>> = {
    gt: (value) => value > at,
    gte: (value) => value >= at,
    lt: (value) => value < at,
    lte: (value) => value <= at,
    eq: (value) => value === at,
    neq: (value) => value !== at,
  };
  const test = tests[match?.[1] ?? 'eq'];
  return (value) => test?.(wholeSeconds(value)) ?? false;
}

/** All filters of a query but visibility; a name that is no attribute is a property. @throws ApiError 400 */
function filters(query: unknown): readonly ((image: FullImage) => boolean)[] {
  const tests: ((image: FullImage) => boolean)[] = [];
  for (const name of Object.keys(parameters(query))) {
    if (CONTROL.has(name)) continue;
    const text = single(query, name) ?? '';
    const column = COLUMNS.find((each) => each === name);
    const time = TIMES.find((each) => each === name);
    const mega = MEGAS.find((each) => each === name);
    if (column !== undefined) {
      const test = equalsOrIn(text);
      tests.push((image) => test(image[column] ?? ''));
    } else if (time !== undefined) {
      const test = timeFilter(text, name);
      tests.push((image) => test(image[time]));
    } else if (mega !== undefined) {
      tests.push((image) => image[mega] === parseCount(text, name));
    } else {
      tests.push((image) => Object.hasOwn(image.properties, name) && image.properties[name] === text);
    }
  }
  for (const tag of multiple(query, 'tag')) tests.push((image) => image.tags.includes(tag));
  const hidden = single(query, 'os_hidden');
  const wantHidden = hidden === undefined ? 0 : Number(parseBoolean(hidden, 'os_hidden'));
  tests.push((image) => image.os_hidden === wantHidden);
  const isProtected = single(query, 'protected');
  if (isProtected !== undefined) {
    const wanted = Number(parseBoolean(isProtected, 'protected'));
    tests.push((image) => image.protected === wanted);
  }
  const least = single(query, 'size_min');
  const most = single(query, 'size_max');
  if (least !== undefined) tests.push((image) => image.size !== null && image.size >= Number(least));
  if (most !== undefined) tests.push((image) => image.size !== null && image.size <= Number(most));
  return tests;
}

/** One page of the images that the caller sees. @throws ApiError 400 */
export async function listImages(
  deps: ImageDeps,
  context: RequestContext,
  query: unknown,
): Promise<{ readonly items: readonly FullImage[]; readonly more: boolean }> {
  const rows = await deps.db.selectFrom('image_image').selectAll().where('status', '!=', 'deleted').execute();
  const members = await deps.db
    .selectFrom('image_member')
    .selectAll()
    .where('member_id', '=', context.projectId)
    .execute();
  const scope = inScope(context, query, new Map(members.map((row) => [row.image_id, row])));
  const tests = filters(query);
  const found = (await complete(deps.db, rows))
    .filter((image) => scope(image) && tests.every((test) => test(image)))
    .toSorted(compare(parseSort(query)));
  const limit = single(query, 'limit');
  const count = Math.min(limit === undefined ? DEFAULT_LIMIT : parseCount(limit, 'limit'), MAX_LIMIT);
  return page(found, (image) => image.id, single(query, 'marker'), count);
}
