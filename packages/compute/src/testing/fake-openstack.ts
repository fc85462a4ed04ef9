import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { FakeCinder } from './fake-cinder.js';

/** One request as it came, for tests to look at. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
}

export interface Answer {
  readonly status: number;
  readonly body?: unknown;
  readonly raw?: Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

type Json = Record<string, unknown>;
type Handler = (request: SeenRequest, match: RegExpExecArray) => Answer;
export type FakeRoute = readonly [method: string, path: RegExp, handler: Handler];

export interface FakeImage {
  readonly data: Buffer;
  readonly attributes: Json;
}

interface FakeProvider {
  readonly name: string;
  generation: number;
  inventories: Json;
  traits: string[];
}

function asJson(value: unknown): Json {
  return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}

function firstOf(value: unknown): Json {
  return asJson(Array.isArray(value) ? value[0] : undefined);
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Glance, Neutron, Placement and Cinder over real HTTP, with as much of a mind as the compute service asks for. */
export class FakeOpenStack {
  readonly cinder = new FakeCinder();
  readonly images = new Map<string, FakeImage>();
  readonly networks = new Map<string, Json>();
  readonly subnets = new Map<string, Json>();
  readonly ports = new Map<string, Json>();
  readonly securityGroups: Json[] = [];
  readonly providers = new Map<string, FakeProvider>();
  /** By consumer. */
  readonly allocations = new Map<string, Json>();
  readonly requests: SeenRequest[] = [];
  /** Asked first: an answer instead of the service's own, `hang`, or `cut` (connection broken); undefined = go on. */
  intercept: (request: SeenRequest) => Answer | 'hang' | 'cut' | undefined = () => undefined;
  /** What the service does after it has carried a request out, before it answers. */
  afterwards: (request: SeenRequest) => void = () => undefined;
  /** Status of new ports, and what a bound port's vif_type is. */
  portStatus = 'ACTIVE';
  vifType = 'hyperv';
  knownTraits = new Set([
    'COMPUTE_NODE',
    'COMPUTE_IMAGE_TYPE_VHD',
    'COMPUTE_IMAGE_TYPE_VHDX',
    'COMPUTE_STATUS_DISABLED',
  ]);
  readonly #server = createServer((request, response) => void this.#serve(request, response));
  #url = '';

  get url(): string {
    return this.#url;
  }

  get endpoints(): Readonly<Record<'image' | 'network' | 'placement' | 'volume', string>> {
    return {
      image: `${this.#url}/image`,
      network: `${this.#url}/network/v2.0`,
      placement: `${this.#url}/placement`,
      volume: `${this.#url}/volume/v3`,
    };
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => {
      this.#server.listen(0, '127.0.0.1', resolve);
    });
    const address: AddressInfo | string | null = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    this.#url = `http://127.0.0.1:${address.port}`;
    return this;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  addImage(id: string, data: Buffer, attributes: Json = {}): void {
    const sha512 = createHash('sha512').update(data).digest('hex');
    const md5 = createHash('md5').update(data).digest('hex');
    this.images.set(id, {
      data,
      attributes: {
        id,
        name: 'image',
        status: 'active',
        disk_format: 'vhd',
        container_format: 'bare',
        size: data.length,
        min_disk: 0,
        min_ram: 0,
        owner: 'p1',
        visibility: 'public',
        checksum: md5,
        os_hash_algo: 'sha512',
        os_hash_value: sha512,
        os_hidden: false,
        tags: [],
        ...attributes,
      },
    });
  }

  addNetwork(id: string, attributes: Json = {}): void {
    this.networks.set(id, {
      id,
      name: id,
      tenant_id: 'p1',
      admin_state_up: true,
      shared: false,
      'router:external': false,
      mtu: 1450,
      subnets: ['subnet-1'],
      ...attributes,
    });
  }

  addPort(id: string, attributes: Json = {}): void {
    this.ports.set(id, {
      id,
      network_id: 'net-1',
      tenant_id: 'p1',
      mac_address: 'fa:16:3e:00:00:01',
      status: 'DOWN',
      admin_state_up: true,
      device_id: '',
      device_owner: '',
      fixed_ips: [{ subnet_id: 'subnet-1', ip_address: '10.0.0.9' }],
      'binding:host_id': '',
      'binding:vif_type': 'unbound',
      ...attributes,
    });
  }

  /** How often a method and path were asked for. */
  count(method: string, path: RegExp): number {
    return this.requests.filter((request) => request.method === method && path.test(request.path)).length;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const url = new URL(request.url ?? '/', 'http://fake');
    const sent = Buffer.concat(chunks);
    const isBytes = request.headers['content-type'] === 'application/octet-stream';
    const body: unknown = sent.length === 0 ? undefined : isBytes ? sent : JSON.parse(sent.toString());
    const seen = {
      method: request.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body,
    };
    this.requests.push(seen);
    const instead = this.intercept(seen);
    if (instead === 'hang') return;
    if (instead === 'cut') {
      request.socket.destroy();
      return;
    }
    const answer = instead ?? this.#answer(seen);
    this.afterwards(seen);
    const raw =
      answer.raw ?? (answer.body === undefined ? undefined : Buffer.from(JSON.stringify(answer.body)));
    response.writeHead(answer.status, { 'x-openstack-request-id': 'req-fake', ...answer.headers });
    response.end(raw);
  }

  #answer(request: SeenRequest): Answer {
    for (const [method, pattern, handler] of [...this.#routes, ...this.cinder.routes]) {
      const match = method === request.method ? pattern.exec(request.path) : null;
      if (match !== null) return handler(request, match);
    }
    return { status: 404, body: { message: `no route ${request.method} ${request.path}` } };
  }

  readonly #routes: readonly FakeRoute[] = [
    ['GET', /^\/image\/v2\/images\/([^/]+)$/, (_, [, id = '']) => this.#showImage(id)],
    ['GET', /^\/image\/v2\/images\/([^/]+)\/file$/, (_, [, id = '']) => this.#imageFile(id)],
    [
      'GET',
      /^\/image\/v2\/images$/,
      ({ query }) => ({ status: 200, body: { images: this.#listImages(query) } }),
    ],
    ['PATCH', /^\/image\/v2\/images\/([^/]+)$/, ({ body }, [, id = '']) => this.#patchImage(id, body)],
    ['PUT', /^\/image\/v2\/images\/([^/]+)\/file$/, ({ body }, [, id = '']) => this.#uploadImage(id, body)],
    [
      'DELETE',
      /^\/image\/v2\/images\/([^/]+)$/,
      (_, [, id = '']) => ({ status: this.images.delete(id) ? 204 : 404 }),
    ],
    [
      'GET',
      /^\/network\/v2.0\/networks$/,
      ({ query }) => ({ status: 200, body: { networks: filter(this.networks, query) } }),
    ],
    [
      'GET',
      /^\/network\/v2.0\/networks\/([^/]+)$/,
      (_, [, id = '']) => found('network', this.networks.get(id)),
    ],
    [
      'GET',
      /^\/network\/v2.0\/security-groups$/,
      () => ({ status: 200, body: { security_groups: this.securityGroups } }),
    ],
    [
      'GET',
      /^\/network\/v2.0\/subnets$/,
      ({ query }) => ({ status: 200, body: { subnets: filter(this.subnets, query) } }),
    ],
    [
      'GET',
      /^\/network\/v2.0\/ports$/,
      ({ query }) => ({ status: 200, body: { ports: filter(this.ports, query) } }),
    ],
    ['GET', /^\/network\/v2.0\/ports\/([^/]+)$/, (_, [, id = '']) => found('port', this.ports.get(id))],
    ['POST', /^\/network\/v2.0\/ports$/, ({ body }) => this.#createPort(asJson(asJson(body)['port']))],
    [
      'PUT',
      /^\/network\/v2.0\/ports\/([^/]+)$/,
      ({ body }, [, id = '']) => this.#updatePort(id, asJson(asJson(body)['port'])),
    ],
    [
      'DELETE',
      /^\/network\/v2.0\/ports\/([^/]+)$/,
      (_, [, id = '']) => ({ status: this.ports.delete(id) ? 204 : 404 }),
    ],
    ['GET', /^\/placement\/resource_providers\/([^/]+)$/, (_, [, id = '']) => this.#showProvider(id)],
    ['POST', /^\/placement\/resource_providers$/, ({ body }) => this.#createProvider(asJson(body))],
    [
      'GET',
      /^\/placement\/resource_providers\/([^/]+)\/(inventories|traits)$/,
      (_, [, id = '', part = '']) => this.#providerPart(id, part),
    ],
    [
      'PUT',
      /^\/placement\/resource_providers\/([^/]+)\/(inventories|traits)$/,
      ({ body }, [, id = '', part = '']) => this.#putProviderPart(id, part, asJson(body)),
    ],
    [
      'GET',
      /^\/placement\/resource_providers\/([^/]+)\/allocations$/,
      (_, [, id = '']) => this.#providerAllocations(id),
    ],
    ['GET', /^\/placement\/traits$/, ({ query }) => this.#traits(query)],
    [
      'PUT',
      /^\/placement\/traits\/([^/]+)$/,
      (_, [, name = '']) => (this.knownTraits.add(name), { status: 201 }),
    ],
    [
      'GET',
      /^\/placement\/allocations\/([^/]+)$/,
      (_, [, id = '']) => ({ status: 200, body: this.allocations.get(id) ?? { allocations: {} } }),
    ],
    [
      'PUT',
      /^\/placement\/allocations\/([^/]+)$/,
      ({ body }, [, id = '']) => this.#putAllocations(id, asJson(body)),
    ],
    ['POST', /^\/placement\/allocations$/, ({ body }) => this.#postAllocations(asJson(body))],
    [
      'DELETE',
      /^\/placement\/allocations\/([^/]+)$/,
      (_, [, id = '']) => ({ status: this.allocations.delete(id) ? 204 : 404 }),
    ],
  ];

  #showImage(id: string): Answer {
    const image = this.images.get(id);
    if (image === undefined) {
      return {
        status: 404,
        raw: Buffer.from(
          '<html><head><title>404 Not Found</title></head><body>No image found with ID</body></html>',
        ),
      };
    }
    return { status: 200, body: image.attributes };
  }

  #listImages(query: URLSearchParams): readonly Json[] {
    return [...this.images.values()]
      .map(({ attributes }) => attributes)
      .filter((attributes) => [...query].every(([name, value]) => attributes[name] === value));
  }

  #patchImage(id: string, changes: unknown): Answer {
    const image = this.images.get(id);
    if (image === undefined) return { status: 404 };
    const changed = (Array.isArray(changes) ? changes : []).map((change) => {
      const { path, value } = asJson(change);
      return [text(path).slice(1), value] as const;
    });
    this.images.set(id, { ...image, attributes: { ...image.attributes, ...Object.fromEntries(changed) } });
    return this.#showImage(id);
  }

  #uploadImage(id: string, data: unknown): Answer {
    const image = this.images.get(id);
    if (image === undefined || !Buffer.isBuffer(data)) return { status: 404 };
    this.images.set(id, { data, attributes: { ...image.attributes, status: 'active' } });
    return { status: 204 };
  }

  #imageFile(id: string): Answer {
    const image = this.images.get(id);
    return image === undefined ? { status: 404 } : { status: 200, raw: image.data };
  }

  #createPort(port: Json): Answer {
    const id = randomUUID();
    this.ports.set(id, {
      id,
      mac_address: `fa:16:3e:${id.slice(0, 2)}:${id.slice(2, 4)}:${id.slice(4, 6)}`,
      status: this.portStatus,
      admin_state_up: true,
      device_id: '',
      device_owner: '',
      ...port,
      fixed_ips: [{ subnet_id: 'subnet-1', ip_address: '10.0.0.5', ...firstOf(port['fixed_ips']) }],
      'binding:vif_type': this.vifType,
    });
    return found('port', this.ports.get(id), 201);
  }

  #updatePort(id: string, changes: Json): Answer {
    const port = this.ports.get(id);
    if (port === undefined) return found('port', undefined);
    const bound = text(changes['binding:host_id'] ?? '') !== '';
    this.ports.set(id, {
      ...port,
      ...changes,
      'binding:vif_type': bound ? this.vifType : 'unbound',
      status: bound ? this.portStatus : 'DOWN',
    });
    return found('port', this.ports.get(id));
  }

  #showProvider(id: string): Answer {
    const provider = this.providers.get(id);
    if (provider === undefined)
      return placementError(404, 'placement.undefined_code', 'No resource provider');
    return { status: 200, body: { uuid: id, name: provider.name, generation: provider.generation } };
  }

  #createProvider(body: Json): Answer {
    const id = text(body['uuid']);
    this.providers.set(id, { name: text(body['name']), generation: 0, inventories: {}, traits: [] });
    return this.#showProvider(id);
  }

  #providerPart(id: string, part: string): Answer {
    const provider = this.providers.get(id);
    if (provider === undefined)
      return placementError(404, 'placement.undefined_code', 'No resource provider');
    const value = part === 'traits' ? provider.traits : provider.inventories;
    return { status: 200, body: { resource_provider_generation: provider.generation, [part]: value } };
  }

  #putProviderPart(id: string, part: string, body: Json): Answer {
    const provider = this.providers.get(id);
    if (provider === undefined)
      return placementError(404, 'placement.undefined_code', 'No resource provider');
    if (body['resource_provider_generation'] !== provider.generation) {
      return placementError(409, 'placement.concurrent_update', 'resource provider generation conflict');
    }
    if (part === 'inventories') provider.inventories = asJson(body['inventories']);
    else provider.traits = (Array.isArray(body['traits']) ? body['traits'] : []).map(text);
    provider.generation += 1;
    return this.#providerPart(id, part);
  }

  #providerAllocations(id: string): Answer {
    const held = [...this.allocations].flatMap(([consumer, body]): [string, unknown][] => {
      const own = asJson(body['allocations'])[id];
      return own === undefined ? [] : [[consumer, own]];
    });
    return { status: 200, body: { allocations: Object.fromEntries(held), resource_provider_generation: 1 } };
  }

  #traits(query: URLSearchParams): Answer {
    const names = (query.get('name') ?? '').replace(/^in:/, '').split(',');
    return { status: 200, body: { traits: names.filter((name) => this.knownTraits.has(name)) } };
  }

  #isStale(id: string, body: Json): boolean {
    const generation = this.allocations.get(id)?.['consumer_generation'] ?? null;
    return (body['consumer_generation'] ?? null) !== generation;
  }

  /** All or nothing; a consumer without allocations is gone. */
  #postAllocations(bodies: Json): Answer {
    const consumers = Object.entries(bodies).map(([id, body]) => [id, asJson(body)] as const);
    if (consumers.some(([id, body]) => this.#isStale(id, body)))
      return placementError(409, 'placement.concurrent_update', 'consumer generation conflict');
    for (const [id, body] of consumers) {
      if (Object.keys(asJson(body['allocations'])).length === 0) this.allocations.delete(id);
      else this.#putAllocations(id, body);
    }
    return { status: 204 };
  }

  #putAllocations(id: string, body: Json): Answer {
    const generation = this.allocations.get(id)?.['consumer_generation'] ?? null;
    if (this.#isStale(id, body)) {
      return placementError(409, 'placement.concurrent_update', 'consumer generation conflict');
    }
    this.allocations.set(id, {
      ...body,
      consumer_generation: (typeof generation === 'number' ? generation : 0) + 1,
    });
    return { status: 204 };
  }
}

function found(name: string, value: Json | undefined, status = 200): Answer {
  if (value !== undefined) return { status, body: { [name]: value } };
  return {
    status: 404,
    body: { NeutronError: { type: `${name}NotFound`, message: `${name} could not be found.`, detail: '' } },
  };
}

/** Neutron's list filters: equality with one of the values given. */
function filter(items: ReadonlyMap<string, Json>, query: URLSearchParams): Json[] {
  const names = [...new Set(query.keys())];
  return [...items.values()].filter((item) =>
    names.every((name) =>
      query.getAll(name).some((value) => JSON.stringify(item[name]).replaceAll('"', '') === value),
    ),
  );
}

export function placementError(status: number, code: string, detail: string): Answer {
  return { status, body: { errors: [{ status, code, title: 'Conflict', detail, request_id: 'req-fake' }] } };
}
