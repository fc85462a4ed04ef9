import { describe, expect, it } from 'vitest';
import { AtOnce } from './at-once.js';

describe('calls made at once', () => {
  it('are advised until one is slow, then not for a while, longer each time, and shortly again after a quick one', () => {
    let clock = 0;
    const calls = new AtOnce(16, () => clock);
    const rest = (): number => {
      let count = 0;
      while (!calls.isAdvised) count += 1;
      return count;
    };
    const take = (milliseconds: number): void => {
      calls.run(() => {
        clock += milliseconds;
      });
    };
    expect(rest()).toBe(0);
    expect(calls.run(() => 7)).toBe(7);
    const rests = [2, 2, 2, 0.01, 2].map((milliseconds) => {
      take(milliseconds);
      return rest();
    });
    expect(rests).toEqual([16, 32, 64, 0, 16]);
  });

  it('leave the event loop its turns', async () => {
    const calls = new AtOnce(16, () => 0);
    const loop = { turned: false };
    setImmediate(() => {
      loop.turned = true;
    });
    let count = 0;
    for (; !loop.turned && count < 10_000; count += 1) {
      if (calls.isSpent) await calls.nextTurn();
      calls.run(() => undefined);
    }
    expect(count).toBeLessThan(1000);
  });
});
