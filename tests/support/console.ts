import { setTimeout } from 'node:timers/promises';
import type { Client } from './clients.js';

/** The console as `openstack console log show` prints it, once it holds what is waited for. */
export async function consoleUntil(
  client: Client,
  server: string,
  wanted: RegExp,
  times = 1,
  timeoutMs = 150_000,
): Promise<string> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const text = (await client.ok('console', 'log', 'show', server)).replaceAll('\r', '');
    if (text.split('\n').filter((line) => wanted.test(line)).length >= times) return text;
    if (Date.now() > deadline)
      throw new Error(`no ${String(wanted)} on the console of ${server}:\n${text.slice(-3000)}`);
    await setTimeout(1000);
  }
}
