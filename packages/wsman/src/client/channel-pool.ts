import { WsmanTransportError } from '../errors.js';
import { abortReason } from './deadline.js';

interface Waiter<T> {
  readonly grant: (channel: T) => void;
  readonly fail: (error: Error) => void;
}

/** Hands out at most `limit` channels, the most recently used first; further callers wait in order. */
export class ChannelPool<T> {
  readonly #limit: number;
  readonly #create: () => T;
  readonly #idle: T[] = [];
  readonly #waiting: Waiter<T>[] = [];
  readonly #all: T[] = [];
  #closed = false;

  constructor(limit: number, create: () => T) {
    this.#limit = limit;
    this.#create = create;
  }

  async use<R>(signal: AbortSignal, work: (channel: T) => Promise<R>): Promise<R> {
    const channel = await this.#acquire(signal);
    try {
      return await work(channel);
    } finally {
      this.#release(channel);
    }
  }

  /** Refuses waiting and further callers; gives every channel made, for closing. */
  close(): readonly T[] {
    this.#closed = true;
    for (const waiter of this.#waiting.splice(0)) waiter.fail(closedError());
    return this.#all;
  }

  #acquire(signal: AbortSignal): Promise<T> {
    if (this.#closed) return Promise.reject(closedError());
    if (signal.aborted) return Promise.reject(abortReason(signal, false));
    const idle = this.#idle.pop();
    if (idle !== undefined) return Promise.resolve(idle);
    if (this.#all.length < this.#limit) {
      const created = this.#create();
      this.#all.push(created);
      return Promise.resolve(created);
    }
    return this.#wait(signal);
  }

  #wait(signal: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = (): void => signal.removeEventListener('abort', onAbort);
      const waiter: Waiter<T> = {
        grant: (channel) => {
          settle();
          resolve(channel);
        },
        fail: (error) => {
          settle();
          reject(error);
        },
      };
      const onAbort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        waiter.fail(abortReason(signal, false));
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.push(waiter);
    });
  }

  #release(channel: T): void {
    const waiter = this.#waiting.shift();
    if (waiter === undefined) this.#idle.push(channel);
    else waiter.grant(channel);
  }
}

function closedError(): WsmanTransportError {
  return new WsmanTransportError('WSMAN_ABORTED', 'The client is closed', { notSent: true });
}
