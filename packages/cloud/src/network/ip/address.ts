import { isIP } from 'node:net';

/** An address as a number. */
export interface Address {
  readonly version: 4 | 6;
  readonly value: bigint;
}

/** A block of addresses, its host bits zero. */
export interface Block {
  readonly version: 4 | 6;
  readonly prefix: number;
  readonly first: bigint;
  readonly last: bigint;
}

const BITS = { 4: 32, 6: 128 } as const;

function parse4(text: string): bigint {
  return text.split('.').reduce((value, part) => (value << 8n) | BigInt(part), 0n);
}

const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));

function parse6(text: string): bigint {
  // The last 32 bits may be written as an IPv4 address.
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  const [, head = '', tail = ''] = dotted ?? [];
  const plain =
    dotted === null
      ? text
      : `${head}${(parse4(tail) >> 16n).toString(16)}:${(parse4(tail) & 0xffffn).toString(16)}`;
  const [left = '', right] = plain.split('::');
  const before = groups(left);
  const after = right === undefined ? [] : groups(right);
  const zeros = right === undefined ? 0 : 8 - before.length - after.length;
  const all = [...before, ...Array.from({ length: zeros }, () => '0'), ...after];
  return all.reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n);
}

/** Undefined for what is no address; a zone (`%eth0`) is none. */
export function parseAddress(text: string): Address | undefined {
  const version = text.includes('%') ? 0 : isIP(text);
  if (version === 4) return { version: 4, value: parse4(text) };
  return version === 6 ? { version: 6, value: parse6(text) } : undefined;
}

function format6(value: bigint): string {
  const parts = Array.from({ length: 8 }, (_, at) =>
    ((value >> BigInt(112 - 16 * at)) & 0xffffn).toString(16),
  );
  // RFC 5952: the longest run of two or more zero groups is shortened, the first of equals.
  let best = { start: 0, length: 0 };
  for (let start = 0; start < 8; start += 1) {
    let length = 0;
    while (parts[start + length] === '0') length += 1;
    if (length > best.length) best = { start, length };
  }
  if (best.length < 2) return parts.join(':');
  return `${parts.slice(0, best.start).join(':')}::${parts.slice(best.start + best.length).join(':')}`;
}

export function formatAddress({ version, value }: Address): string {
  if (version === 6) return format6(value);
  return [24n, 16n, 8n, 0n].map((shift) => ((value >> shift) & 0xffn).toString()).join('.');
}

/** `10.0.0.7/24` is the block 10.0.0.0/24; an address alone is a block of one. Undefined for what is none. */
export function parseBlock(text: string): Block | undefined {
  const [head = '', tail, ...rest] = text.split('/');
  const address = parseAddress(head);
  if (address === undefined || rest.length > 0) return undefined;
  const bits = BITS[address.version];
  if (tail !== undefined && !/^\d{1,3}$/.test(tail)) return undefined;
  const prefix = tail === undefined ? bits : Number(tail);
  if (prefix > bits) return undefined;
  const size = 1n << BigInt(bits - prefix);
  const first = address.value - (address.value % size);
  return { version: address.version, prefix, first, last: first + size - 1n };
}

export const formatBlock = (block: Block): string =>
  `${formatAddress({ version: block.version, value: block.first })}/${block.prefix}`;

export const overlap = (a: Block, b: Block): boolean =>
  a.version === b.version && a.first <= b.last && b.first <= a.last;

/** Addresses of a block that a host may have: without network and broadcast address in IPv4 (all of a /31 or /32). */
export function hostRange(block: Block): { readonly first: bigint; readonly last: bigint } {
  const size = block.last - block.first + 1n;
  if (size <= 2n) return { first: block.first, last: block.last };
  return { first: block.first + 1n, last: block.version === 4 ? block.last - 1n : block.last };
}
