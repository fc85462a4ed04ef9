import { describe, expect, it } from 'vitest';
import { AtOnce } from './at-once.js';

function waste(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

describe('calls made at once', () => {
  it('are advised until one is slow, then not for a while, longer each time', () => {
    const calls = new AtOnce(16);
    const rest = (): number => {
      let count = 0;
      while (!calls.isAdvised) count += 1;
      return count;
    };
    expect(rest()).toBe(0);
    expect(calls.run(() => 7)).toBe(7);
    calls.run(() => waste(2));
    const first = rest();
    expect(first).toBe(16);
    calls.run(() => waste(2));
    expect(rest()).toBe(first * 2);
  });

  it('leave the event loop its turns', async () => {
    const calls = new AtOnce(16);
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
