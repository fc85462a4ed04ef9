import type { WsmanClient } from '@nova-hyperv/wsman';
import { basicAuth, createWsmanClient } from '@nova-hyperv/wsman';
import type { ClientAuth, ClientTls } from '@nova-hyperv/wsman';
import { HyperVError } from './errors.js';
import { HyperVHost } from './host.js';
import type { HostReach } from './reach.js';
import type { UnprovenShape } from './shapes.js';

export interface ConnectOptions {
  /** `https://host:5986/wsman` */
  readonly url: string;
  /** For Basic, which goes over https, or over http to this machine itself. Other schemes: `auth`. */
  readonly credentials?: { readonly username: string; readonly password: string };
  readonly auth?: ClientAuth;
  readonly tls?: ClientTls;
  /** Where the host's files and pipes are from here. */
  readonly reach: HostReach;
  /** A client to use instead of one that is made of `url`, `auth` and `tls`. */
  readonly client?: WsmanClient;
  readonly maxConnections?: number;
  /** Told once for each shape of call that the host refuses, so that the operator can report it. */
  readonly onShapeRefused?: (shape: UnprovenShape, reason: string) => void;
  /** Milliseconds that a job of the host may take; default 5 minutes. */
  readonly jobDeadlineMs?: number;
}

/**
 * Connects to a Hyper-V host and reads its facts, so that a wrong address or password is told at once. Close the host to free its
 * connections.
 */
export async function connectHost(options: ConnectOptions): Promise<HyperVHost> {
  const { url, reach, onShapeRefused, jobDeadlineMs } = options;
  const client = options.client ?? newClient(options);
  const address = new URL(url).hostname;
  const host = new HyperVHost({
    client,
    address,
    reach,
    ...(onShapeRefused === undefined ? {} : { onShapeRefused }),
    ...(jobDeadlineMs === undefined ? {} : { jobDeadlineMs }),
  });
  try {
    await host.facts();
  } catch (error) {
    await host.close();
    throw error;
  }
  return host;
}

function newClient({ url, auth, credentials, tls, maxConnections }: ConnectOptions): WsmanClient {
  const scheme =
    auth ?? (credentials && basicAuth({ user: credentials.username, password: credentials.password }));
  if (scheme === undefined) {
    throw new HyperVError(
      'HYPERV_UNEXPECTED',
      `There are no credentials for ${url}: give a user name and password.`,
    );
  }
  return createWsmanClient({
    url,
    auth: scheme,
    ...(tls === undefined ? {} : { tls }),
    ...(maxConnections === undefined ? {} : { maxConnections }),
  });
}
