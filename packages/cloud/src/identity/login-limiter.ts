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

/** Slows guessing down: after ten failed logins of a name from an address within a minute, the rest of that minute is refused. */
export class LoginLimiter {
  readonly #attempts = new Map<string, Attempts>();
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** @throws ApiError 429 with Retry-After */
  check(key: string): void {
    const attempts = this.#current(key);
    if (attempts === undefined || attempts.failures < MAX_FAILURES) return;
    const seconds = Math.max(1, Math.ceil((attempts.since + WINDOW_MS - this.#now()) / 1000));
    throw new ApiError(429, `Too many failed logins; try again in ${seconds} seconds.`, {
      headers: { 'Retry-After': String(seconds) },
    });
  }

  failed(key: string): void {
    const attempts = this.#current(key);
    if (attempts !== undefined) {
      attempts.failures += 1;
      return;
    }
    if (this.#attempts.size >= MAX_KEYS) {
      const oldest = this.#attempts.keys().next();
      if (oldest.done !== true) this.#attempts.delete(oldest.value);
    }
    this.#attempts.set(key, { failures: 1, since: this.#now() });
  }

  succeeded(key: string): void {
    this.#attempts.delete(key);
  }

  #current(key: string): Attempts | undefined {
    const attempts = this.#attempts.get(key);
    if (attempts === undefined) return undefined;
    if (attempts.since + WINDOW_MS > this.#now()) return attempts;
    this.#attempts.delete(key);
    return undefined;
  }
}
