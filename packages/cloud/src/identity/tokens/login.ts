import { z } from 'zod';
import { unauthorized, badRequest } from '../../kernel/errors.js';
import type { IdentityDeps } from '../deps.js';
import { checkPassword } from '../passwords.js';
import type { TokenPayload, TokenScope } from './payload.js';

/** No name or identifier is longer: a longer one is nobody's. */
const Text = z.string().max(255);
const Domain = z.object({ id: Text.optional(), name: Text.optional() });
const Target = z.object({
  id: Text.optional(),
  name: Text.optional(),
  domain: Domain.optional(),
});

/** The body of `POST /v3/auth/tokens` (Identity API v3, "Password authentication …", "Token authentication …"). */
export const AuthBody = z.object({
  auth: z.object({
    identity: z.object({
      methods: z.array(Text).min(1).max(16),
      password: z.object({ user: Target.extend({ password: z.string() }) }).optional(),
      token: z.object({ id: z.string() }).optional(),
    }),
    scope: z
      .union([
        z.literal('unscoped'),
        z.object({
          project: Target.optional(),
          domain: Domain.optional(),
          system: z.object({ all: z.boolean().optional() }).optional(),
          unscoped: z.object({}).optional(),
        }),
      ])
      .optional(),
  }),
});

type Auth = z.output<typeof AuthBody>['auth'];

export interface Login {
  readonly userId: string;
  readonly methods: readonly string[];
  readonly scope: TokenScope;
  readonly parent?: TokenPayload;
  /** When the password or the token was looked at, ms since 1970: what was changed since then counts against the new token. */
  readonly issuedAt: number;
}

async function domainId(
  deps: IdentityDeps,
  domain: z.output<typeof Domain> | undefined,
): Promise<string | undefined> {
  if (domain?.id !== undefined) return domain.id;
  if (domain?.name === undefined) return undefined;
  const row = await deps.db
    .selectFrom('identity_domain')
    .select('id')
    .where('name', '=', domain.name)
    .executeTakeFirst();
  return row?.id ?? '';
}

async function byPassword(deps: IdentityDeps, auth: Auth, address: string): Promise<string> {
  const wanted = auth.identity.password?.user;
  if (wanted === undefined) throw badRequest('Expecting to find password in identity.');
  const domain = await domainId(deps, wanted.domain);
  if (wanted.id === undefined && (wanted.name === undefined || domain === undefined)) {
    throw badRequest('Expecting to find the id of the user, or its name together with its domain.');
  }
  const query = deps.db.selectFrom('identity_user').selectAll();
  const user = await (
    wanted.id === undefined
      ? query.where('name', '=', wanted.name ?? '').where('domain_id', '=', domain ?? '')
      : query.where('id', '=', wanted.id)
  ).executeTakeFirst();
  // By name or by identifier, a user has one count.
  const key = `${address} ${user?.id ?? wanted.id ?? `${domain}/${wanted.name}`}`;
  const right = await deps.limiter.judge(
    key,
    async () =>
      (await checkPassword(wanted.password, user?.password_hash ?? null)) &&
      user !== undefined &&
      user.enabled === 1,
  );
  if (user === undefined || !right) throw unauthorized();
  return user.id;
}

async function chooseScope(deps: IdentityDeps, auth: Auth, userId: string): Promise<TokenScope> {
  const { scope } = auth;
  if (scope === undefined) return defaultScope(deps, userId);
  if (scope === 'unscoped' || scope.unscoped !== undefined) return { kind: 'unscoped' };
  if (scope.system !== undefined)
    throw unauthorized('This cloud has no system-scoped tokens; ask for a project.');
  if (scope.domain !== undefined) {
    const id = await domainId(deps, scope.domain);
    if (id === undefined) throw badRequest('Expecting to find id or name in domain.');
    return { kind: 'domain', id };
  }
  const { project } = scope;
  if (project === undefined) throw badRequest('Expecting to find project or domain in scope.');
  if (project.id !== undefined) return { kind: 'project', id: project.id };
  const domain = await domainId(deps, project.domain);
  if (project.name === undefined || domain === undefined) {
    throw badRequest('Expecting to find the id of the project, or its name together with its domain.');
  }
  const row = await deps.db
    .selectFrom('identity_project')
    .select('id')
    .where('name', '=', project.name)
    .where('domain_id', '=', domain)
    .executeTakeFirst();
  return { kind: 'project', id: row?.id ?? '' };
}

/** The user's default project when there are roles in it, else none. */
async function defaultScope(deps: IdentityDeps, userId: string): Promise<TokenScope> {
  const row = await deps.db
    .selectFrom('identity_user')
    .innerJoin('identity_assignment', (join) =>
      join
        .onRef('identity_assignment.user_id', '=', 'identity_user.id')
        .onRef('identity_assignment.project_id', '=', 'identity_user.default_project_id'),
    )
    .select('identity_assignment.project_id')
    .where('identity_user.id', '=', userId)
    .executeTakeFirst();
  return row === undefined ? { kind: 'unscoped' } : { kind: 'project', id: row.project_id };
}

/**
 * Checks who asks and for what.
 * @param address of the client, for the limit on failed logins.
 * @throws ApiError 400, 401, 429
 */
export async function login(deps: IdentityDeps, auth: Auth, address: string): Promise<Login> {
  const issuedAt = deps.tokens.now();
  const { methods } = auth.identity;
  if (methods.includes('password')) {
    if (methods.length > 1) throw unauthorized('Only one authentication method at a time is supported.');
    const userId = await byPassword(deps, auth, address);
    return { userId, methods: ['password'], scope: await chooseScope(deps, auth, userId), issuedAt };
  }
  if (methods.length !== 1 || methods[0] !== 'token') {
    throw unauthorized('Attempted to authenticate with an unsupported method.');
  }
  const parent = await deps.tokens.read(auth.identity.token?.id ?? '');
  if (parent === undefined) throw unauthorized();
  const userId = parent.user.id;
  const used = new Set([...parent.payload.methods, 'token']);
  const scope = await chooseScope(deps, auth, userId);
  return { userId, methods: [...used], scope, parent: parent.payload, issuedAt };
}
