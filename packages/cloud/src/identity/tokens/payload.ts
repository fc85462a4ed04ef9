import { z } from 'zod';
import { type Fernet, InvalidTokenError } from './fernet.js';

export type TokenScope =
  | { readonly kind: 'unscoped' }
  | { readonly kind: 'project'; readonly id: string }
  | { readonly kind: 'domain'; readonly id: string };

/** All that a token says by itself; roles and names are looked up when it is used. */
export interface TokenPayload {
  readonly userId: string;
  readonly methods: readonly string[];
  readonly scope: TokenScope;
  /** ms since 1970 */
  readonly issuedAt: number;
  /** ms since 1970 */
  readonly expiresAt: number;
  /** The token's own, then (when it was had for another token) that of the first of its chain. */
  readonly auditIds: readonly string[];
}

const Wire = z.tuple([
  z.literal(1),
  z.string(),
  z.array(z.string()),
  z.enum(['u', 'p', 'd']),
  z.string(),
  z.number(),
  z.number(),
  z.array(z.string()).min(1),
]);

const KIND = { unscoped: 'u', project: 'p', domain: 'd' } as const;

export function encodeToken(fernet: Fernet, payload: TokenPayload): string {
  const { scope } = payload;
  const wire: z.input<typeof Wire> = [
    1,
    payload.userId,
    [...payload.methods],
    KIND[scope.kind],
    scope.kind === 'unscoped' ? '' : scope.id,
    payload.issuedAt,
    payload.expiresAt,
    [...payload.auditIds],
  ];
  // Keystone hands its tokens out without the padding.
  return fernet.encrypt(Buffer.from(JSON.stringify(wire)), payload.issuedAt).replaceAll('=', '');
}

/** @throws InvalidTokenError when it is not ours, was altered, or has expired at `now` (ms). */
export function decodeToken(fernet: Fernet, token: string, now: number): TokenPayload {
  const message = fernet.decrypt(token, now);
  let parsed: z.output<typeof Wire>;
  try {
    parsed = Wire.parse(JSON.parse(message.toString('utf8')));
  } catch {
    throw new InvalidTokenError();
  }
  const [, userId, methods, kind, id, issuedAt, expiresAt, auditIds] = parsed;
  if (expiresAt <= now) throw new InvalidTokenError();
  const scope: TokenScope =
    kind === 'u' ? { kind: 'unscoped' } : kind === 'p' ? { kind: 'project', id } : { kind: 'domain', id };
  return { userId, methods, scope, issuedAt, expiresAt, auditIds };
}
