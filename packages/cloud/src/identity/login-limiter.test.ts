import { describe, expect, it } from 'vitest';
import { LoginLimiter } from './login-limiter.js';
import { checkPassword, hashPassword } from './passwords.js';

describe('LoginLimiter', () => {
  it('refuses after ten failures in a minute, of that name only, until the minute is over', () => {
    let now = 0;
    const limiter = new LoginLimiter(() => now);
    for (let at = 0; at < 10; at += 1) {
      limiter.check('a');
      limiter.failed('a');
    }
    expect(() => limiter.check('a')).toThrow(/try again in 60 seconds/);
    expect(() => limiter.check('b')).not.toThrow();
    now = 60_000;
    expect(() => limiter.check('a')).not.toThrow();
  });

  it('forgets failures after a success', () => {
    const limiter = new LoginLimiter(() => 0);
    for (let at = 0; at < 9; at += 1) limiter.failed('a');
    limiter.succeeded('a');
    limiter.failed('a');
    expect(() => limiter.check('a')).not.toThrow();
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
