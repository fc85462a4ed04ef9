import { setTimeout as delay } from 'node:timers/promises';

/** Time, as the host sees it. Tests put a stepped one in its place. */
export interface Clock {
  now(): Date;
  /** Settles after that many milliseconds; rejects when the signal aborts. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => new Date(),
  sleep: async (milliseconds, signal) => {
    await delay(milliseconds, undefined, signal === undefined ? {} : { signal });
  },
};
