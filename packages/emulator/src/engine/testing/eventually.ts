import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until a condition holds; fails after the deadline and says what was waited for. */
export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  deadlineMs = 5_000,
): Promise<void> {
  const until = Date.now() + deadlineMs;
  while (!(await holds())) {
    if (Date.now() > until) throw new Error(`Not in ${deadlineMs} ms: ${what}`);
    await sleep(10);
  }
}
