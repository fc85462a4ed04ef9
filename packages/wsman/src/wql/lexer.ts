import { WBEM, WmiError } from '../errors.js';

export type WqlToken =
  | { readonly kind: 'word'; readonly text: string }
  | { readonly kind: 'string'; readonly text: string }
  | { readonly kind: 'number'; readonly value: number | bigint }
  | { readonly kind: 'symbol'; readonly text: string }
  | { readonly kind: 'path'; readonly text: string };

const MAX_QUERY = 65_536;
const MAX_TOKENS = 16_384;
const WORD = /[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*/uy;
const NUMBER = /[+-]?(?:0[xX][0-9a-fA-F]{1,16}|\d{1,40}(?:\.\d{1,40})?(?:[eE][+-]?\d{1,3})?)/uy;
const SYMBOL = /<>|!=|<=|>=|[=<>(),*]/uy;

/** A query that WMI would refuse with WBEM_E_INVALID_QUERY. */
export function invalidQuery(reason: string): WmiError {
  return new WmiError(WBEM.invalidQuery, `Invalid query: ${reason}`);
}

/** Cuts a WQL text into tokens. Throws {@link WmiError} with WBEM_E_INVALID_QUERY. */
export function lexWql(query: string): WqlToken[] {
  if (query.length > MAX_QUERY) throw invalidQuery(`longer than ${MAX_QUERY} characters`);
  const tokens: WqlToken[] = [];
  let at = 0;
  while (at < query.length) {
    const character = query[at] ?? '';
    if (/\s/u.test(character)) {
      at += 1;
      continue;
    }
    const { token, next } = readToken(query, at, character);
    tokens.push(token);
    if (tokens.length > MAX_TOKENS) throw invalidQuery('too many words');
    at = next;
  }
  return tokens;
}

function readToken(query: string, at: number, character: string): { token: WqlToken; next: number } {
  if (character === "'" || character === '"') return readString(query, at, character);
  if (character === '{') return readPath(query, at);
  const word = match(WORD, query, at);
  if (word !== undefined) return { token: { kind: 'word', text: word }, next: at + word.length };
  const number = match(NUMBER, query, at);
  if (number !== undefined) {
    return { token: { kind: 'number', value: numberOf(number) }, next: at + number.length };
  }
  const symbol = match(SYMBOL, query, at);
  if (symbol !== undefined) return { token: { kind: 'symbol', text: symbol }, next: at + symbol.length };
  throw invalidQuery(`unexpected "${character}" at character ${at + 1}`);
}

function match(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

function numberOf(text: string): number | bigint {
  if (/[.]|[eE][+-]?\d+$/u.test(text) && !/0[xX]/u.test(text)) return Number(text);
  const negative = text.startsWith('-');
  const whole = BigInt(text.replace(/^[+-]/u, ''));
  const value = negative ? -whole : whole;
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

/** Inside quotes a backslash makes the next character literal. Source: WMI SDK, "Querying with WQL". */
function readString(query: string, from: number, quote: string): { token: WqlToken; next: number } {
  let text = '';
  for (let at = from + 1; at < query.length; at += 1) {
    const character = query[at];
    if (character === quote) return { token: { kind: 'string', text }, next: at + 1 };
    if (character === '\\') {
      at += 1;
      if (at >= query.length) break;
    }
    text += query[at] ?? '';
  }
  throw invalidQuery('a string is not closed');
}

/** The object path between braces; braces inside its quoted key values do not end it. */
function readPath(query: string, from: number): { token: WqlToken; next: number } {
  let quote = '';
  for (let at = from + 1; at < query.length; at += 1) {
    const character = query[at] ?? '';
    if (quote !== '') {
      if (character === '\\') at += 1;
      else if (character === quote) quote = '';
    } else if (character === '"' || character === "'") {
      quote = character;
    } else if (character === '}') {
      return { token: { kind: 'path', text: query.slice(from + 1, at).trim() }, next: at + 1 };
    }
  }
  throw invalidQuery('the object path between braces is not closed');
}
