import type { WsmanClient } from '@nova-hyperv/wsman';
import { WsmanFault, WsmanTransportError } from '@nova-hyperv/wsman';
import type { TestHost } from './driver-host.js';

export type Failure = 'fault' | 'unanswered' | 'lost answer';

/**
 * A client whose n-th changing or asking call fails: refused by a fault, not answered before it reached the host, or done by the host with
 * its answer lost. Calls after it work: the rollback needs them.
 */
export function failing(client: WsmanClient, which: number, failure: Failure, seen: string[]): WsmanClient {
  let calls = 0;
  return new Proxy(client, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      if (key === 'close') return () => Promise.resolve();
      if (key !== 'query' && key !== 'invoke') return value.bind(target) as unknown;
      return async (...given: unknown[]) => {
        calls += 1;
        seen.push(`${key} ${String(given[1])}`);
        if (calls !== which) return (await value.apply(target, given)) as unknown;
        if (failure === 'fault')
          throw new WsmanFault({ subcode: 'InternalError', message: 'made to fail', hresult: 0x80041001 });
        if (failure === 'lost answer') await value.apply(target, given);
        throw new WsmanTransportError('WSMAN_DEADLINE', 'made to fail');
      };
    },
  });
}

/** A client that can be exchanged for another later: connecting and starting are no part of what is tested. */
function switchable(first: WsmanClient): { readonly client: WsmanClient; use(other: WsmanClient): void } {
  let current = first;
  const client = new Proxy(first, {
    get(_target, key) {
      const value: unknown = Reflect.get(current, key, current);
      return typeof value === 'function' ? (value.bind(current) as unknown) : value;
    },
  });
  return { client, use: (other) => (current = other) };
}

/** A driver whose client can be exchanged. */
export async function connectSwitchable(host: TestHost) {
  let made: ReturnType<typeof switchable> | undefined;
  const { driver } = await host.connect((client) => {
    made = switchable(client);
    return made.client;
  });
  return { driver, use: (client: WsmanClient) => made?.use(client) };
}
