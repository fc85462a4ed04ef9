import { createHash } from 'node:crypto';
import { ApiError } from '../kernel/errors.js';

interface Attempts {
  failures: number;
  /** ms */
  since: number;
}

/** Failures of one name from one address before it has to wait. */
const MAX_FAILURES = 10;
const WINDOW_MS = 60_000;
/** Names and addresses remembered at most: the oldest are forgotten first. */
const MAX_KEYS = 10_000;

/** Of one size whatever a client calls itself, so that long names cannot fill the memory. */
const digest = (key: string): string => createHash('sha256').update(key).digest('base64');

/** Slows guessing down: after ten failed logins of a name from an address within a minute, the rest of that minute is refused. */
export class LoginLimiter {
  readonly #attempts = new Map<string, Attempts>();
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /**
   * Counts an attempt as failed until `succeeded` takes it back: attempts that are made all at once are seen, too.
   * @throws ApiError 429 with Retry-After
   */
  attempt(name: string): void {
    const key = digest(name);
    const attempts = this.#current(key);
    if (attempts === undefined) {
      this.#remember(key);
      return;
    }
    if (attempts.failures < MAX_FAILURES) {
      attempts.failures += 1;
      return;
    }
    const seconds = Math.max(1, Math.ceil((attempts.since + WINDOW_MS - this.#now()) / 1000));
    throw new ApiError(429, `Too many failed logins; try again in ${seconds} seconds.`, {
      headers: { 'Retry-After': String(seconds) },
    });
  }

  /**
   * Judges an attempt: false counts, true forgets what failed before, an error counts for neither.
   * @throws ApiError 429, and what `check` throws
   */
  async judge(name: string, check: () => Promise<boolean>): Promise<boolean> {
    this.attempt(name);
    let right: boolean;
    try {
      right = await check();
    } catch (error) {
      this.withdrawn(name);
      throw error;
    }
    if (right) this.succeeded(name);
    return right;
  }

  succeeded(name: string): void {
    this.#attempts.delete(digest(name));
  }

  /** The attempt came to nothing, neither right nor wrong: it does not count. */
  withdrawn(name: string): void {
    const attempts = this.#current(digest(name));
    if (attempts !== undefined && attempts.failures > 0) attempts.failures -= 1;
  }

  #remember(key: string): void {
    if (this.#attempts.size >= MAX_KEYS) {
      const oldest = this.#attempts.keys().next();
      if (oldest.done !== true) this.#attempts.delete(oldest.value);
    }
    this.#attempts.set(key, { failures: 1, since: this.#now() });
  }

  #current(key: string): Attempts | undefined {
    const attempts = this.#attempts.get(key);
    if (attempts === undefined) return undefined;
    if (attempts.since + WINDOW_MS > this.#now()) return attempts;
    this.#attempts.delete(key);
    return undefined;
  }
}
