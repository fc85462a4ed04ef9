import { badRequest } from './errors.js';

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A request's query with its parameters by name: text, or an array of texts for a repeated one. */
export const parameters = (query: unknown): Readonly<Record<string, unknown>> =>
  isRecord(query) ? query : {};

/** A query parameter that is given at most once. Throws 400 when it is repeated. */
export function single(query: unknown, name: string): string | undefined {
  const value = parameters(query)[name];
  if (value === undefined) return undefined;
  if (typeof value !== 'string') throw badRequest(`The query parameter ${name} may be given only once.`);
  return value;
}

/** A query parameter that may be repeated. */
export function multiple(query: unknown, name: string): readonly string[] {
  const value = parameters(query)[name];
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  return values.filter((each) => typeof each === 'string');
}

/** A boolean as OpenStack's clients write them (oslo.utils strutils.bool_from_string). Throws 400 otherwise. */
export function parseBoolean(text: string, name: string): boolean {
  const lower = text.trim().toLowerCase();
  if (['1', 't', 'true', 'on', 'y', 'yes'].includes(lower)) return true;
  if (['0', 'f', 'false', 'off', 'n', 'no'].includes(lower)) return false;
  throw badRequest(`Invalid value for ${name}: '${text}' is not a boolean.`);
}

/** A whole number of a query, zero or more. Throws 400 otherwise. */
export function parseCount(text: string, name: string): number {
  if (!/^\d{1,9}$/.test(text))
    throw badRequest(`Invalid value for ${name}: '${text}' must be a whole number, zero or more.`);
  return Number(text);
}

/** One page of a list sorted already: what follows `marker`, at most `limit`. Throws 400 when the marker is not in the list. */
export function page<T>(
  items: readonly T[],
  idOf: (item: T) => string,
  marker: string | undefined,
  limit: number | undefined,
): { readonly items: readonly T[]; readonly more: boolean } {
  let start = 0;
  if (marker !== undefined) {
    const at = items.findIndex((item) => idOf(item) === marker);
    if (at < 0) throw badRequest(`Marker ${marker} could not be found.`);
    start = at + 1;
  }
  const end = limit === undefined ? items.length : start + limit;
  return { items: items.slice(start, end), more: end < items.length };
}

/** The same query with another marker (left out: without one), for links to pages. */
export function nextSearch(query: unknown, marker: string | undefined): string {
  const search = new URLSearchParams();
  for (const name of Object.keys(parameters(query))) {
    if (name !== 'marker') for (const value of multiple(query, name)) search.append(name, value);
  }
  if (marker !== undefined) search.set('marker', marker);
  return search.toString();
}
