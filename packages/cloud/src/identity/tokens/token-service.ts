import { randomBytes } from 'node:crypto';
import type { Kysely } from 'kysely';
import { unauthorized } from '../../kernel/errors.js';
import type { IdentityTables, ProjectRow, UserRow } from '../tables.js';
import { Fernet, InvalidTokenError } from './fernet.js';
import { decodeToken, encodeToken, type TokenPayload, type TokenScope } from './payload.js';

/** How long a token is good for, ms. */
export const TOKEN_LIFETIME_MS = 24 * 3_600_000;

export interface DomainRef {
  readonly id: string;
  readonly name: string;
}

/** A token with what it stands for at this moment: the user, the scope, and the user's roles there. */
export interface ResolvedToken {
  readonly payload: TokenPayload;
  readonly user: UserRow;
  readonly userDomain: DomainRef;
  readonly project: (ProjectRow & { readonly domain: DomainRef }) | undefined;
  readonly domain: DomainRef | undefined;
  readonly roles: readonly { readonly id: string; readonly name: string }[];
}

export interface IssueRequest {
  readonly userId: string;
  readonly methods: readonly string[];
  readonly scope: TokenScope;
  /** The token that this one was had for: its end and audit chain are kept. */
  readonly parent?: TokenPayload;
  /** ms since 1970; default: now. */
  readonly issuedAt?: number;
}

/** Issues, reads and revokes tokens. Roles are looked up at each use: what is taken away counts at once. */
export class TokenService {
  readonly #db: Kysely<IdentityTables>;
  readonly #fernet: Fernet;
  readonly #now: () => number;

  constructor(db: Kysely<IdentityTables>, key: string, now: () => number = Date.now) {
    this.#db = db;
    this.#fernet = new Fernet(key);
    this.#now = now;
  }

  /** ms since 1970 */
  now(): number {
    return this.#now();
  }

  /** @throws ApiError 401 when the user may not have a token for this scope. */
  async issue(request: IssueRequest): Promise<{ readonly token: string; readonly resolved: ResolvedToken }> {
    const issuedAt = request.issuedAt ?? this.#now();
    const auditId = randomBytes(16).toString('base64url');
    const root = request.parent?.auditIds.at(-1);
    const payload: TokenPayload = {
      userId: request.userId,
      methods: request.methods,
      scope: request.scope,
      issuedAt,
      expiresAt: request.parent?.expiresAt ?? issuedAt + TOKEN_LIFETIME_MS,
      auditIds: root === undefined ? [auditId] : [auditId, root],
    };
    const resolved = await this.#resolve(payload);
    if (resolved === undefined) throw unauthorized();
    return { token: encodeToken(this.#fernet, payload), resolved };
  }

  /** What a token stands for now, or undefined when it is forged, expired, revoked, or has lost its meaning. */
  async read(token: string): Promise<ResolvedToken | undefined> {
    let payload: TokenPayload;
    try {
      payload = decodeToken(this.#fernet, token, this.#now());
    } catch (error) {
      if (error instanceof InvalidTokenError) return undefined;
      throw error;
    }
    const revoked = await this.#db
      .selectFrom('identity_revoked_token')
      .select('audit_id')
      .where('audit_id', '=', payload.auditIds[0] ?? '')
      .executeTakeFirst();
    return revoked === undefined ? this.#resolve(payload) : undefined;
  }

  /** The token is refused from now on; what has run out anyway is forgotten. */
  async revoke(payload: TokenPayload): Promise<void> {
    await this.#db.transaction().execute(async (trx) => {
      await trx.deleteFrom('identity_revoked_token').where('expires_at', '<', this.#now()).execute();
      await trx
        .insertInto('identity_revoked_token')
        .values({ audit_id: payload.auditIds[0] ?? '', expires_at: payload.expiresAt })
        .onConflict((clash) => clash.doNothing())
        .execute();
    });
  }

  async #resolve(payload: TokenPayload): Promise<ResolvedToken | undefined> {
    const user = await this.#db
      .selectFrom('identity_user')
      .selectAll()
      .where('id', '=', payload.userId)
      .executeTakeFirst();
    if (user === undefined || user.enabled === 0 || payload.issuedAt < user.tokens_valid_from)
      return undefined;
    const userDomain = await this.#enabledDomain(user.domain_id);
    if (userDomain === undefined) return undefined;
    const base = { payload, user, userDomain, project: undefined, domain: undefined, roles: [] };
    const { scope } = payload;
    if (scope.kind === 'unscoped') return base;
    const roles = await this.#roles(user.id, scope);
    if (roles.length === 0) return undefined;
    if (scope.kind === 'domain') {
      const domain = await this.#enabledDomain(scope.id);
      return domain === undefined ? undefined : { ...base, domain, roles };
    }
    const project = await this.#db
      .selectFrom('identity_project')
      .selectAll()
      .where('id', '=', scope.id)
      .executeTakeFirst();
    if (project === undefined || project.enabled === 0) return undefined;
    const domain = await this.#enabledDomain(project.domain_id);
    return domain === undefined ? undefined : { ...base, project: { ...project, domain }, roles };
  }

  async #enabledDomain(id: string): Promise<DomainRef | undefined> {
    const row = await this.#db
      .selectFrom('identity_domain')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirst();
    return row === undefined || row.enabled === 0 ? undefined : { id: row.id, name: row.name };
  }

  async #roles(
    userId: string,
    scope: Exclude<TokenScope, { kind: 'unscoped' }>,
  ): Promise<ResolvedToken['roles']> {
    return this.#db
      .selectFrom('identity_assignment')
      .innerJoin('identity_role', 'identity_role.id', 'identity_assignment.role_id')
      .select(['identity_role.id', 'identity_role.name'])
      .where('user_id', '=', userId)
      .where('project_id', '=', scope.kind === 'project' ? scope.id : '')
      .where('domain_id', '=', scope.kind === 'domain' ? scope.id : '')
      .orderBy('identity_role.name')
      .execute();
  }
}
