import { WsmanError } from '../errors.js';

/**
 * How a client proves who it is. A scheme keeps what belongs to one connection (NTLM's and Kerberos's handshakes
 * do) in the {@link ConnectionAuth} that it makes for it.
 */
export interface ClientAuth {
  /** For messages: `Basic`, `Negotiate` … */
  readonly scheme: string;
  /** Throws when the scheme must not be used with this address. */
  check(url: URL): void;
  /** State for a new connection. */
  connection(): ConnectionAuth;
}

export interface ConnectionAuth {
  /**
   * The value of the Authorization header for the next request. `challenges` holds the WWW-Authenticate headers
   * of the 401 that the previous request on this connection got, and is undefined for a request that follows no 401.
   * Undefined means: nothing to send, or, after a 401, no way on.
   */
  authorization(challenges: readonly string[] | undefined): Promise<string | undefined>;
}

export interface BasicAuthOptions {
  readonly user: string;
  readonly password: string;
  /** Send the password readable over http to another machine. */
  readonly allowUnencrypted?: boolean;
}

/** RFC 7617. Without `allowUnencrypted` it is refused over http except to this machine itself. */
export function basicAuth(options: BasicAuthOptions): ClientAuth {
  if (options.user.includes(':') || /\p{Cc}/u.test(options.user + options.password)) {
    throw new WsmanError('WSMAN_CREDENTIALS', 'A user name for Basic has no colon and no control characters');
  }
  const token = Buffer.from(`${options.user}:${options.password}`, 'utf8').toString('base64');
  return {
    scheme: 'Basic',
    check(url) {
      if (url.protocol === 'https:' || isLoopback(url.hostname) || options.allowUnencrypted === true) return;
      throw new WsmanError(
        'WSMAN_UNENCRYPTED',
        `Basic would send the password readable to ${url.host}: use https, or allow unencrypted traffic explicitly`,
      );
    },
    connection: () => ({
      // A second Basic header after a 401 could only repeat the first.
      authorization: (challenges) => Promise.resolve(challenges === undefined ? `Basic ${token}` : undefined),
    }),
  };
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/u.test(hostname);
}
