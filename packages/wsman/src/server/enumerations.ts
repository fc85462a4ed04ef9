import { randomUUID } from 'node:crypto';
import type { Xml } from '../xml/writer.js';
import { FaultError } from './fault-error.js';
import type { WsmanServerLimits } from './limits.js';

/** A result set being read. Items are written only when they are asked for. */
export interface Enumeration {
  readonly user: string;
  readonly resourceUri: string;
  readonly count: number;
  /** Writes the item at an index. */
  readonly item: (index: number) => Xml;
  next: number;
}

interface Open {
  readonly enumeration: Enumeration;
  timer: NodeJS.Timeout;
}

/** Enumeration contexts, each with its idle time. */
export class Enumerations {
  readonly #open = new Map<string, Open>();
  readonly #limits: WsmanServerLimits;

  constructor(limits: WsmanServerLimits) {
    this.#limits = limits;
  }

  add(enumeration: Enumeration): string {
    let own = 0;
    for (const { enumeration: other } of this.#open.values()) if (other.user === enumeration.user) own += 1;
    if (this.#open.size >= this.#limits.maxEnumerations || own >= this.#limits.maxEnumerationsPerUser) {
      throw new FaultError('QuotaLimit', 'Too many enumerations are open; finish or release some');
    }
    const context = `uuid:${randomUUID().toUpperCase()}`;
    this.#open.set(context, { enumeration, timer: this.#expire(context) });
    return context;
  }

  /** The enumeration of that caller; its idle time starts anew. */
  find(context: string, user: string): Enumeration {
    const found = this.#open.get(context);
    // Another user's context is not distinguished from none.
    if (found === undefined || found.enumeration.user !== user) {
      throw new FaultError(
        'InvalidEnumerationContext',
        'The enumeration context is not valid or has expired',
      );
    }
    clearTimeout(found.timer);
    found.timer = this.#expire(context);
    return found.enumeration;
  }

  remove(context: string): void {
    const found = this.#open.get(context);
    if (found === undefined) return;
    clearTimeout(found.timer);
    this.#open.delete(context);
  }

  get size(): number {
    return this.#open.size;
  }

  clear(): void {
    for (const context of this.#open.keys()) this.remove(context);
  }

  #expire(context: string): NodeJS.Timeout {
    return setTimeout(() => this.#open.delete(context), this.#limits.enumerationTimeoutMs).unref();
  }
}

export interface TakenItems {
  readonly items: readonly Xml[];
  readonly end: boolean;
}

/**
 * The next items: at most `maxElements`, and no more than fit into `maxBytes`. Throws an EncodingLimit fault when
 * not even one fits.
 */
export function takeItems(enumeration: Enumeration, maxElements: number, maxBytes: number): TakenItems {
  const items: Xml[] = [];
  let bytes = 0;
  let next = enumeration.next;
  while (next < enumeration.count && items.length < maxElements) {
    const item = enumeration.item(next);
    bytes += Buffer.byteLength(item);
    if (bytes > maxBytes) {
      if (items.length > 0) break;
      throw new FaultError(
        'EncodingLimit',
        'One item alone exceeds the MaxEnvelopeSize of the request; allow more',
      );
    }
    items.push(item);
    next += 1;
  }
  enumeration.next = next;
  return { items, end: next >= enumeration.count };
}
