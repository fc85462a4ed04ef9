import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LightMyRequestResponse } from 'fastify';
import { pino } from 'pino';
import { type Cloud, type CloudOptions, createCloud } from '../create-cloud.js';

export interface TestRequest {
  /** Default: the administrator's; empty: none. */
  readonly token?: string;
  /** JSON, or text and bytes as they are. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD';

export interface Tenant {
  readonly token: string;
  readonly projectId: string;
  readonly userId: string;
}

export interface TestCloud extends AsyncDisposable {
  readonly cloud: Cloud;
  readonly stateDir: string;
  /** A request without a socket. */
  request(method: Method, url: string, options?: TestRequest): Promise<LightMyRequestResponse>;
  /** A token of `user` of the default domain for a project by name. */
  login(user: string, password: string, project: string): Promise<string>;
  /** A project with one user (role member), both called `name`. */
  tenant(name: string): Promise<Tenant>;
}

export const TEST_ADMIN_PASSWORD = 'a password for tests';

export interface TestCloudOptions extends Partial<CloudOptions> {
  /** The state folder stays when the cloud is disposed of. */
  readonly keepState?: boolean;
}

class InjectedCloud implements TestCloud {
  readonly cloud: Cloud;
  readonly stateDir: string;
  readonly #keepState: boolean;
  #adminToken: Promise<string> | undefined;

  constructor(cloud: Cloud, stateDir: string, keepState: boolean) {
    this.cloud = cloud;
    this.stateDir = stateDir;
    this.#keepState = keepState;
  }

  async request(method: Method, url: string, options: TestRequest = {}): Promise<LightMyRequestResponse> {
    const { body } = options;
    const token =
      options.token ?? (await (this.#adminToken ??= this.login('admin', this.cloud.adminPassword, 'admin')));
    const raw = typeof body === 'string' || Buffer.isBuffer(body);
    return this.cloud.app.inject({
      method,
      url,
      headers: {
        ...(token === '' ? {} : { 'x-auth-token': token }),
        ...(body !== undefined && !raw ? { 'content-type': 'application/json' } : {}),
        ...options.headers,
      },
      ...(body === undefined ? {} : { payload: raw ? body : JSON.stringify(body) }),
    });
  }

  async login(user: string, password: string, project: string): Promise<string> {
    const domain = { id: 'default' };
    const body = {
      auth: {
        identity: { methods: ['password'], password: { user: { name: user, domain, password } } },
        scope: { project: { name: project, domain } },
      },
    };
    const response = await this.request('POST', '/identity/v3/auth/tokens', { token: '', body });
    if (response.statusCode !== 201)
      throw new Error(`login of ${user}: ${response.statusCode} ${response.body}`);
    return String(response.headers['x-subject-token']);
  }

  async tenant(name: string): Promise<Tenant> {
    const project = await this.request('POST', '/identity/v3/projects', { body: { project: { name } } });
    const user = await this.request('POST', '/identity/v3/users', {
      body: { user: { name, password: name } },
    });
    const roles = await this.request('GET', '/identity/v3/roles?name=member');
    const projectId = project.json<{ project: { id: string } }>().project.id;
    const userId = user.json<{ user: { id: string } }>().user.id;
    const roleId = roles.json<{ roles: { id: string }[] }>().roles[0]?.id ?? '';
    await this.request('PUT', `/identity/v3/projects/${projectId}/users/${userId}/roles/${roleId}`);
    return { token: await this.login(name, name, name), projectId, userId };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cloud.stop();
    if (!this.#keepState) await rm(this.stateDir, { recursive: true, force: true });
  }
}

/** A cloud in a folder of its own, not listening until its `start`; to be disposed of. */
export async function createTestCloud(options: TestCloudOptions = {}): Promise<TestCloud> {
  const { keepState = false, ...cloudOptions } = options;
  const stateDir = options.stateDir ?? (await mkdtemp(join(tmpdir(), 'nova-hyperv-cloud-')));
  const cloud = await createCloud({
    listen: { address: '127.0.0.1', port: 0 },
    log: pino({ level: process.env.TEST_LOG_LEVEL ?? 'silent' }),
    adminPassword: TEST_ADMIN_PASSWORD,
    ...cloudOptions,
    stateDir,
  });
  return new InjectedCloud(cloud, stateDir, keepState);
}
