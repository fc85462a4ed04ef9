import { request } from 'undici';
import { z } from 'zod';
import { RestError, parseServiceFault } from './rest-error.js';
import type { TokenSource } from './rest-client.js';

/** What a person logs in with, in Keystone's own words; names or ids. */
export interface PasswordLogin {
  /** With or without `/v3`. */
  readonly authUrl: string;
  readonly username?: string;
  readonly userId?: string;
  readonly password: string;
  readonly userDomainId?: string;
  readonly userDomainName?: string;
  readonly projectName?: string;
  readonly projectId?: string;
  readonly projectDomainId?: string;
  readonly projectDomainName?: string;
}

export interface KeystoneSession extends TokenSource {
  /**
   * Address of a service of the catalogue.
   * @param types the service's type and its other names, first found first taken
   * @returns undefined where the catalogue has none in the region
   */
  endpoint(types: readonly string[], region?: string, face?: string): string | undefined;
}

const answerSchema = z.looseObject({
  token: z.looseObject({
    catalog: z
      .array(
        z.looseObject({
          type: z.string(),
          endpoints: z.array(
            z.looseObject({
              interface: z.string(),
              url: z.string(),
              region_id: z.string().nullish(),
              region: z.string().nullish(),
            }),
          ),
        }),
      )
      .default([]),
  }),
});

const TIMEOUT_MS = 30_000;
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/** Logs in with a password (Identity API v3, POST /v3/auth/tokens). @throws RestError */
export async function logInWithPassword(login: PasswordLogin): Promise<KeystoneSession> {
  const url = `${login.authUrl.replace(/\/+$/, '').replace(/\/v[23](\.\d)?$/, '')}/v3/auth/tokens`;
  let { token, catalog } = await ask(url, login);
  return {
    async token({ refused } = {}) {
      if (refused === token) ({ token, catalog } = await ask(url, login));
      return token;
    },
    endpoint(types, region, face = 'public') {
      const fits = (endpoint: {
        interface: string;
        region_id?: string | null | undefined;
        region?: string | null | undefined;
      }) =>
        endpoint.interface === face &&
        (region === undefined || region === (endpoint.region_id ?? endpoint.region));
      for (const type of types) {
        const service = catalog.find((one) => one.type === type && one.endpoints.some(fits));
        const found = service?.endpoints.find(fits);
        if (found !== undefined) return found.url;
      }
      return undefined;
    },
  };
}

type Catalog = z.infer<typeof answerSchema>['token']['catalog'];

async function ask(
  url: string,
  login: PasswordLogin,
): Promise<{ readonly token: string; readonly catalog: Catalog }> {
  const failure = { service: 'identity', method: 'POST', url };
  let status: number;
  let token: string | string[] | undefined;
  let text: string;
  try {
    const response = await request(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json',
        'user-agent': 'nova-hyperv',
      },
      body: JSON.stringify(loginBody(login)),
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    status = response.statusCode;
    token = response.headers['x-subject-token'];
    text = await readBounded(response.body);
  } catch (error) {
    const serviceMessage = error instanceof Error ? error.message : String(error);
    throw new RestError({ ...failure, kind: 'unreachable', serviceMessage }, { cause: error });
  }
  if (status >= 300) {
    throw new RestError({
      ...failure,
      kind: 'http',
      status,
      serviceMessage: parseServiceFault(text).message,
    });
  }
  const answer = answerSchema.safeParse(parseJson(text));
  if (typeof token !== 'string' || !answer.success) {
    throw new RestError({ ...failure, kind: 'protocol', serviceMessage: 'the answer holds no token' });
  }
  return { token, catalog: answer.data.token.catalog };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function readBounded(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) throw new Error(`the answer is longer than ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

const DEFAULT_DOMAIN = 'default';

function domain(id: string | undefined, name: string | undefined): object {
  return id === undefined && name !== undefined ? { name } : { id: id ?? DEFAULT_DOMAIN };
}

function loginBody(login: PasswordLogin): object {
  const user =
    login.userId === undefined
      ? { name: login.username, domain: domain(login.userDomainId, login.userDomainName) }
      : { id: login.userId };
  const project =
    login.projectId === undefined
      ? { name: login.projectName, domain: domain(login.projectDomainId, login.projectDomainName) }
      : { id: login.projectId };
  return {
    auth: {
      identity: { methods: ['password'], password: { user: { ...user, password: login.password } } },
      scope: { project },
    },
  };
}
