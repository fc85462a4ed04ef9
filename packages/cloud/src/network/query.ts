import {
  multiple,
  nextSearch,
  page,
  parameters,
  parseBoolean,
  parseCount,
  single,
} from '../kernel/collection.js';
import { badRequest } from '../kernel/errors.js';

type Body = Readonly<Record<string, unknown>>;

const CONTROL = new Set(['fields', 'limit', 'marker', 'page_reverse', 'sort_key', 'sort_dir']);

function matches(value: unknown, wanted: readonly string[], name: string): boolean {
  if (typeof value === 'boolean') return wanted.some((text) => parseBoolean(text, name) === value);
  if (value === null || value === undefined) return wanted.includes('');
  return (typeof value === 'string' || typeof value === 'number') && wanted.includes(String(value));
}

/** One of an object's members by `key=value`, as `fixed_ips=ip_address=10.0.0.5` is given. */
function matchesEntry(entries: readonly Body[], wanted: readonly string[]): boolean {
  return wanted.every((text) => {
    const at = text.indexOf('=');
    const [key, value] = [text.slice(0, at), text.slice(at + 1)];
    return entries.some((entry) =>
      key === 'ip_address_substr' ? String(entry.ip_address).includes(value) : String(entry[key]) === value,
    );
  });
}

const sortText = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';

function sorted(items: readonly Body[], query: unknown): readonly Body[] {
  const keys = multiple(query, 'sort_key');
  const directions = multiple(query, 'sort_dir');
  const order = [...keys, 'id'].map((key, at) => ({ key, factor: directions[at] === 'desc' ? -1 : 1 }));
  return items.toSorted((a, b) => {
    for (const { key, factor } of order) {
      const [left, right] = [sortText(a[key]), sortText(b[key])];
      if (left !== right) return left < right ? -factor : factor;
    }
    return 0;
  });
}

/** Only the members asked for by `fields`, all without. */
export function project(body: Body, query: unknown): Body {
  const fields = multiple(query, 'fields');
  if (fields.length === 0) return body;
  return Object.fromEntries(Object.entries(body).filter(([name]) => fields.includes(name)));
}

/**
 * A list as Neutron answers it: filters by equality on any attribute (repeated: one of these), lists of objects by
 * `key=value`, order, pages with links, chosen fields.
 * @param url of the collection, for the links.
 * @throws ApiError 400
 */
export function listBody(
  name: string,
  url: string,
  bodies: readonly Body[],
  query: unknown,
): Record<string, unknown> {
  const given = Object.keys(parameters(query)).filter((key) => !CONTROL.has(key));
  const attributes = new Set(bodies.flatMap((body) => Object.keys(body)));
  const found = bodies.filter((body) =>
    given.every((key) => {
      // A filter on what no item has is left out of account, as Neutron does without `filter-validation`.
      if (!attributes.has(key)) return true;
      const wanted = multiple(query, key);
      const value = body[key];
      if (!Array.isArray(value)) return matches(value, wanted, key);
      const entries: readonly unknown[] = value;
      return entries.every((entry) => typeof entry === 'string')
        ? wanted.some((text) => entries.includes(text))
        : matchesEntry(entries.map(parameters), wanted);
    }),
  );
  const limit = single(query, 'limit');
  if (single(query, 'page_reverse')?.toLowerCase() === 'true')
    throw badRequest('Pages in reverse order are not served.');
  const count = limit === undefined ? undefined : parseCount(limit, 'limit');
  const { items, more } = page(
    sorted(found, query),
    (body) => String(body.id),
    single(query, 'marker'),
    count === 0 ? undefined : count,
  );
  const last = items.at(-1);
  const links =
    more && last !== undefined
      ? { [`${name}_links`]: [{ rel: 'next', href: `${url}?${nextSearch(query, String(last.id))}` }] }
      : {};
  return { [name]: items.map((body) => project(body, query)), ...links };
}
