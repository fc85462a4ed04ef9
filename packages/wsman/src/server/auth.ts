import { createHash, timingSafeEqual } from 'node:crypto';
import type { Caller } from './provider.js';

/** Who calls, or what the client is asked for. */
export type AuthResult =
  | { readonly kind: 'accepted'; readonly caller: Caller }
  /** Answered with 401 and these WWW-Authenticate headers. */
  | { readonly kind: 'challenge'; readonly challenges: readonly string[] };

/** How a server learns who calls. What belongs to one connection lives in the {@link ServerConnectionAuth}. */
export interface ServerAuth {
  connection(): ServerConnectionAuth;
}

export interface ServerConnectionAuth {
  /** Judges one request by its Authorization header. */
  authenticate(authorization: string | undefined): Promise<AuthResult>;
}

export interface BasicUser {
  readonly user: string;
  readonly password: string;
}

const REALM = 'Basic realm="WSMAN"';
const MAX_HEADER = 4096;

/** RFC 7617, with fixed users. Names compare without regard to case, as Windows' do. */
export function basicServerAuth(users: readonly BasicUser[]): ServerAuth {
  const known = users.map(({ user, password }) => ({ user, digest: digest(user, password) }));
  const refused: AuthResult = { kind: 'challenge', challenges: [REALM] };
  const authenticate = (authorization: string | undefined): AuthResult => {
    const given = credentials(authorization);
    if (given === undefined) return refused;
    const presented = digest(given.user, given.password);
    let caller: Caller | undefined;
    // Every user is compared, in constant time, so that the time taken says nothing about names or passwords.
    for (const { user, digest: expected } of known)
      if (timingSafeEqual(presented, expected)) caller = { user };
    return caller === undefined ? refused : { kind: 'accepted', caller };
  };
  return {
    connection: () => ({ authenticate: (authorization) => Promise.resolve(authenticate(authorization)) }),
  };
}

function digest(user: string, password: string): Buffer {
  return createHash('sha256').update(`${user.toLowerCase()}\0${password}`).digest();
}

function credentials(authorization: string | undefined): BasicUser | undefined {
  if (authorization === undefined || authorization.length > MAX_HEADER) return undefined;
  const match = /^Basic ([A-Za-z0-9+/]+={0,2})$/iu.exec(authorization.trim());
  if (match?.[1] === undefined) return undefined;
  const decoded = Buffer.from(match[1], 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  return colon < 0 ? undefined : { user: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
}
