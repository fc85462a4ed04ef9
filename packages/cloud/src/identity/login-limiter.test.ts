import { describe, expect, it } from 'vitest';
import { LoginLimiter } from './login-limiter.js';
import { checkPassword, hashPassword } from './passwords.js';

const busy = async (): Promise<boolean> => {
  throw new RangeError('busy');
};

describe('LoginLimiter', () => {
  it('refuses after ten failures in a minute, of that name only, until the minute is over', () => {
    let now = 0;
    const limiter = new LoginLimiter(() => now);
    for (let at = 0; at < 10; at += 1) limiter.attempt('a');
    expect(() => limiter.attempt('a')).toThrow(/try again in 60 seconds/);
    expect(() => limiter.attempt('b')).not.toThrow();
    now = 60_000;
    expect(() => limiter.attempt('a')).not.toThrow();
  });

  it('does not count attempts that could not be judged, and does not forget the others for them', async () => {
    const limiter = new LoginLimiter(() => 0);
    for (let at = 0; at < 9; at += 1) expect(await limiter.judge('a', async () => false)).toBe(false);
    for (let at = 0; at < 20; at += 1) await expect(limiter.judge('a', busy)).rejects.toThrow('busy');
    expect(await limiter.judge('a', async () => false)).toBe(false);
    await expect(limiter.judge('a', async () => true)).rejects.toThrow(/Too many/);
  });

  it('forgets failures after a success', () => {
    const limiter = new LoginLimiter(() => 0);
    for (let at = 0; at < 10; at += 1) limiter.attempt('a');
    limiter.succeeded('a');
    expect(() => limiter.attempt('a')).not.toThrow();
  });
});

describe('passwords', () => {
  it('are recognised, and no other is', async () => {
    const hash = await hashPassword('päss word');
    expect(hash).not.toContain('päss');
    expect(await checkPassword('päss word', hash)).toBe(true);
    expect(await checkPassword('pass word', hash)).toBe(false);
    expect(await checkPassword('', hash)).toBe(false);
    expect(await checkPassword('x'.repeat(2_000), hash)).toBe(false);
    expect(await checkPassword('anything', null)).toBe(false);
    expect(await checkPassword('anything', 'no hash at all')).toBe(false);
  });
});
