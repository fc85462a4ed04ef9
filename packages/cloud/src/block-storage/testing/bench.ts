import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestCloud, type Tenant, type TestCloud } from '../../testing/test-cloud.js';
import type { ComputeApi } from '../rest/nova.js';
import { createBlockStorageService, type BlockStorageService } from '../index.js';
import { FakeBackend } from './fake-backend.js';

export interface Answer {
  readonly status: number;
  /** What the service says when it refuses. */
  readonly message: string;
  /** Tests name the shape that they expect, and may check it. */
  json<T>(check?: (value: T) => void): T;
}

export interface Volume {
  readonly id: string;
  readonly status: string;
  readonly size: number;
  readonly volume_type: string;
  readonly bootable: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly volume_image_metadata?: Readonly<Record<string, string>>;
  readonly attachments: readonly { readonly attachment_id: string; readonly server_id: string }[];
  readonly 'os-vol-host-attr:host': string | null;
}

/** Nova as tests want it. */
export class FakeCompute implements ComputeApi {
  /** The attachment that a server uses, by server. */
  readonly attachments = new Map<string, string>();
  readonly extended: { volumeId: string; serverIds: readonly string[] }[] = [];

  async attachmentOf(serverId: string): Promise<string | null> {
    return this.attachments.get(serverId) ?? null;
  }

  async volumeExtended(volumeId: string, serverIds: readonly string[]): Promise<boolean> {
    this.extended.push({ volumeId, serverIds });
    return true;
  }
}

export interface BenchOptions {
  readonly stateDir?: string;
  readonly backendNames?: readonly string[];
  /** Of the back ends, before they start. */
  readonly prepare?: (backends: readonly FakeBackend[]) => void;
}

/** A whole cloud that listens, whose volumes are in fake back ends. */
export class VolumeBench {
  readonly backends: readonly FakeBackend[];
  readonly compute: FakeCompute;
  readonly dir: string;
  readonly #cloud: TestCloud;
  readonly #service: BlockStorageService;

  private constructor(
    dir: string,
    cloud: TestCloud,
    service: BlockStorageService,
    backends: readonly FakeBackend[],
    compute: FakeCompute,
  ) {
    this.dir = dir;
    this.#cloud = cloud;
    this.#service = service;
    this.backends = backends;
    this.compute = compute;
  }

  static async create(options: BenchOptions = {}): Promise<VolumeBench> {
    const dir = options.stateDir ?? (await mkdtemp(join(tmpdir(), 'nova-hyperv-volumes-')));
    const names = options.backendNames ?? ['smb', 'iscsi'];
    const backends = names.map((name) => new FakeBackend(join(dir, 'backends'), name));
    options.prepare?.(backends);
    const compute = new FakeCompute();
    let service: BlockStorageService | undefined;
    const cloud = await createTestCloud({
      stateDir: join(dir, 'cloud'),
      keepState: true,
      blockStorage: (kernel) =>
        (service = createBlockStorageService(kernel, { backends, hostname: 'machine', compute })),
    });
    await cloud.cloud.start();
    if (service === undefined) throw new Error('The cloud has no block storage.');
    return new VolumeBench(dir, cloud, service, backends, compute);
  }

  /** The first back end. */
  get backend(): FakeBackend {
    const [first] = this.backends;
    if (first === undefined) throw new Error('There is no back end.');
    return first;
  }

  tenant(name: string): Promise<Tenant> {
    return this.#cloud.tenant(name);
  }

  /** Of a path below `/volume/v3`; as the administrator when no token is given. */
  async ask(
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    path: string,
    body?: unknown,
    options: { readonly token?: string; readonly version?: string } = {},
  ): Promise<Answer> {
    const answer = await this.#cloud.request(method, `/volume/v3${path}`, {
      ...(body === undefined ? {} : { body }),
      ...(options.token === undefined ? {} : { token: options.token }),
      headers: { 'openstack-api-version': `volume ${options.version ?? '3.70'}` },
    });
    const first: unknown = answer.body.startsWith('{') ? Object.values(answer.json<object>())[0] : undefined;
    return {
      status: answer.statusCode,
      message: String(Object(first).message ?? ''),
      json<T>(check?: (value: T) => void): T {
        const value = answer.json<T>();
        check?.(value);
        return value;
      },
    };
  }

  /** Of other services. */
  request(...args: Parameters<TestCloud['request']>): ReturnType<TestCloud['request']> {
    return this.#cloud.request(...args);
  }

  serviceToken(): Promise<string> {
    return this.#cloud.cloud.kernel.serviceToken();
  }

  async act(id: string, action: string, value: unknown = {}, token?: string): Promise<Answer> {
    return this.ask(
      'POST',
      `/volumes/${id}/action`,
      { [action]: value },
      token === undefined ? {} : { token },
    );
  }

  idle(): Promise<void> {
    return this.#service.idle();
  }

  /** Makes a volume, and waits for it. */
  async volume(wanted: Readonly<Record<string, unknown>> = {}, token?: string): Promise<Volume> {
    const made = await this.ask(
      'POST',
      '/volumes',
      { volume: { size: 1, ...wanted } },
      token === undefined ? {} : { token },
    );
    if (made.status !== 202) throw new Error(`${made.status} ${made.message}`);
    await this.idle();
    return this.show(made.json<{ volume: Volume }>().volume.id);
  }

  async show(id: string): Promise<Volume> {
    return (await this.ask('GET', `/volumes/${id}`)).json<{ volume: Volume }>().volume;
  }

  /** An image with a text as its data. */
  async image(text: string, properties: Readonly<Record<string, unknown>> = {}): Promise<string> {
    const made = await this.request('POST', '/image/v2/images', {
      body: {
        name: 'img',
        disk_format: 'raw',
        container_format: 'bare',
        visibility: 'public',
        ...properties,
      },
    });
    const { id } = made.json<{ id: string }>();
    await this.request('PUT', `/image/v2/images/${id}/file`, {
      body: text,
      headers: { 'content-type': 'application/octet-stream' },
    });
    return id;
  }

  async stop(): Promise<void> {
    await this.#cloud.cloud.stop();
  }

  async close(): Promise<void> {
    await this.stop();
    await rm(this.dir, { recursive: true, force: true });
  }
}
