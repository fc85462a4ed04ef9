import { setTimeout } from 'node:timers/promises';

export interface Server {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly fault?: { readonly message: string };
  readonly 'OS-EXT-SRV-ATTR:host': string | null;
  readonly 'OS-EXT-STS:task_state': string | null;
}

/** OpenStack's REST APIs, bare: for tests that need many calls fast. */
export class Rest {
  readonly #url: string;
  readonly #token: string;
  private constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  static async logIn(url: string, password: string): Promise<Rest> {
    const project = { name: 'admin', domain: { id: 'default' } };
    const user = { name: 'admin', domain: { id: 'default' }, password };
    const answer = await fetch(`${url}/identity/v3/auth/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        auth: { identity: { methods: ['password'], password: { user } }, scope: { project } },
      }),
    });
    if (answer.status !== 201) throw new Error(`log in: ${answer.status} ${await answer.text()}`);
    return new Rest(url, answer.headers.get('x-subject-token')!);
  }

  async call<T>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<T> {
    const answer = await fetch(`${this.#url}${path}`, {
      method,
      headers: {
        'x-auth-token': this.#token,
        'OpenStack-API-Version': path.startsWith('/placement') ? 'placement 1.36' : 'compute 2.90',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: body instanceof Uint8Array ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  async uploadImage(
    name: string,
    diskFormat: string,
    bytes: Uint8Array,
    properties: Record<string, string> = {},
  ): Promise<string> {
    const image = await this.call<{ id: string }>('POST', '/image/v2/images', {
      name,
      disk_format: diskFormat,
      container_format: 'bare',
      ...properties,
    });
    await this.call('PUT', `/image/v2/images/${image.id}/file`, bytes, {
      'content-type': 'application/octet-stream',
    });
    return image.id;
  }

  async createServers(name: string, imageRef: string, count: number, flavorRef = '1'): Promise<void> {
    await this.call('POST', '/compute/v2.1/servers', {
      server: { name, imageRef, flavorRef, networks: 'auto', min_count: count, max_count: count },
    });
  }

  async servers(): Promise<Server[]> {
    return (await this.call<{ servers: Server[] }>('GET', '/compute/v2.1/servers/detail')).servers;
  }

  deleteServer(id: string): Promise<void> {
    return this.call('DELETE', `/compute/v2.1/servers/${id}`);
  }

  /** Waits until every server fulfils the condition; says which did not. */
  async waitServers(settled: (server: Server) => boolean, timeoutMs: number): Promise<Server[]> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const servers = await this.servers();
      if (servers.every(settled)) return servers;
      if (Date.now() > deadline) {
        const late = servers.filter((server) => !settled(server));
        throw new Error(
          `not settled after ${timeoutMs} ms: ${late.map((s) => `${s.name} ${s.status} ${s['OS-EXT-STS:task_state']}`).join(', ')}`,
        );
      }
      await setTimeout(200);
    }
  }

  async ports(): Promise<{ id: string; device_id: string }[]> {
    const { ports } = await this.call<{ ports: { id: string; device_id: string; device_owner: string }[] }>(
      'GET',
      '/network/v2.0/ports',
    );
    return ports.filter((port) => port.device_owner.startsWith('compute:'));
  }

  /** Consumers with allocations on any provider. */
  async consumers(): Promise<string[]> {
    const { resource_providers: providers } = await this.call<{ resource_providers: { uuid: string }[] }>(
      'GET',
      '/placement/resource_providers',
    );
    const all = await Promise.all(
      providers.map(async ({ uuid }) =>
        Object.keys(
          (
            await this.call<{ allocations: object }>(
              'GET',
              `/placement/resource_providers/${uuid}/allocations`,
            )
          ).allocations,
        ),
      ),
    );
    return all.flat().toSorted();
  }
}
