import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import type { Clock } from './clock.js';
import { sleep } from './clock.js';
import { KeyedQueue } from './keyed-queue.js';
import { PeriodicRunner } from './periodic.js';
import { Semaphore } from './semaphore.js';

/** A clock that goes on only when told to. */
class ManualClock implements Clock {
  readonly timers = new Set<{ readonly at: number; readonly fn: () => void }>();
  #time = 0;
  now(): Date {
    return new Date(this.#time);
  }
  after(ms: number, fn: () => void): () => void {
    const timer = { at: this.#time + ms, fn };
    this.timers.add(timer);
    return () => {
      this.timers.delete(timer);
    };
  }
  random(): number {
    return 0.5;
  }
  async advance(ms: number): Promise<void> {
    const end = this.#time + ms;
    for (;;) {
      const next = [...this.timers].filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.timers.delete(next);
      this.#time = next.at;
      next.fn();
      await new Promise(setImmediate);
    }
    this.#time = end;
  }
}

describe('KeyedQueue', () => {
  it('keeps the order within a key, goes on after failures, and forgets idle keys', async () => {
    const queue = new KeyedQueue();
    const seen: string[] = [];
    const job = (name: string) => async (): Promise<string> => {
      seen.push(`${name}+`);
      await new Promise(setImmediate);
      seen.push(`${name}-`);
      return name;
    };
    const failing = queue.run('a', async () => {
      throw new Error('no');
    });
    const results = Promise.all([
      queue.run('a', job('a1')),
      queue.run('a', job('a2')),
      queue.run('b', job('b1')),
    ]);
    await expect(failing).rejects.toThrow('no');
    expect(await results).toEqual(['a1', 'a2', 'b1']);
    expect(seen.filter((name) => name.startsWith('a'))).toEqual(['a1+', 'a1-', 'a2+', 'a2-']);
    expect(seen.indexOf('b1+')).toBeLessThan(seen.indexOf('a1-'));
    await queue.idle();
    expect(queue.isBusy('a')).toBe(false);
  });
});

describe('Semaphore', () => {
  it('lets in no more than its bound, in order, and lets waiters give up', async () => {
    const semaphore = new Semaphore(1);
    const first = await semaphore.acquire();
    const controller = new AbortController();
    const second = semaphore.acquire(controller.signal);
    const third = semaphore.acquire();
    const reason = new Error('gone');
    controller.abort(reason);
    await expect(second).rejects.toBe(reason);
    first();
    first();
    const leave = await third;
    let fourth = false;
    void semaphore.acquire().then(() => (fourth = true));
    await new Promise(setImmediate);
    expect(fourth).toBe(false);
    leave();
    await new Promise(setImmediate);
    expect(fourth).toBe(true);
  });
});

describe('PeriodicRunner', () => {
  it('runs with jitter, never beside itself, sooner after a failure, and no more after stop', async () => {
    const clock = new ManualClock();
    const runner = new PeriodicRunner(clock, pino({ enabled: false }));
    const starts: number[] = [];
    let finish: (() => void) | undefined;
    let mode: 'hang' | 'fail' | 'fine' = 'hang';
    runner.add({ name: 'never', intervalSeconds: 0, run: async () => expect.unreachable() });
    runner.add({
      name: 'task',
      intervalSeconds: 100,
      run: () => {
        starts.push(clock.now().getTime() / 1000);
        if (mode === 'fail') return Promise.reject(new Error('no'));
        if (mode === 'fine') return Promise.resolve();
        return new Promise((resolve) => {
          finish = resolve;
        });
      },
    });
    await clock.advance(300_000);
    expect(starts).toEqual([95]);
    mode = 'fail';
    finish?.();
    await new Promise(setImmediate);
    await clock.advance(95_000);
    mode = 'fine';
    await clock.advance(5_000);
    expect(starts).toEqual([95, 395, 399.75]);
    await runner.stop();
    await clock.advance(1_000_000);
    expect(starts).toHaveLength(3);
  });
});

describe('sleep', () => {
  it('ends at its time or with its signal, leaving no timer', async () => {
    const clock = new ManualClock();
    const slept = sleep(clock, 1000);
    await clock.advance(1000);
    await slept;
    const controller = new AbortController();
    const broken = sleep(clock, 1000, controller.signal);
    controller.abort(new Error('stop'));
    await expect(broken).rejects.toThrow('stop');
    expect(clock.timers.size).toBe(0);
    await expect(sleep(clock, 1, AbortSignal.abort(new Error('before')))).rejects.toThrow('before');
  });
});
