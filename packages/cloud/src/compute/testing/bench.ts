import type { ComputeNodeReport, InstanceStore, ServiceStore } from '@nova-hyperv/compute';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { migrate, openDatabase, type AnyDatabase } from '../../kernel/database.js';
import { installErrorHandler, keystoneFailure, unauthorized } from '../../kernel/errors.js';
import { createHttpApp } from '../../kernel/http-app.js';
import type { CloudKernel } from '../../kernel/service.js';
import {
  createSqliteBlockDeviceStore,
  createSqliteInstanceStore,
  createSqliteMigrationStore,
  createSqliteServiceStore,
  createNovaService,
  type NovaConfig,
  type NovaService,
} from '../index.js';
import { FakeCompute, FakeImages, FakeNetworks, FakePlacement, FakeVolumes, IMAGE_ID } from './fakes.js';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  /** Tests name the shape that they expect, and may check it. */
  json<T>(check?: (value: T) => void): T;
}

export interface Ask {
  /** `user:project:roles`; the administrator of the project `admin` when left out. */
  readonly as?: string;
  /** `2.79` */
  readonly version?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export const ADMIN = 'root:admin:admin,member';
export const ALICE = 'alice:p-alice:member';
export const BOB = 'bob:p-bob:member';

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

export interface BenchOptions {
  readonly config?: Partial<NovaConfig>;
  /** A file, to go on with what another bench stored. */
  readonly path?: string;
  readonly start?: boolean;
}

function fakeKernel(db: AnyDatabase): CloudKernel {
  return {
    db,
    log: pino({ level: process.env['TEST_LOG_LEVEL'] ?? 'silent' }),
    stateDir: '/nonexistent',
    region: 'RegionOne',
    publicUrl: () => 'http://cloud',
    serviceToken: async () => 'nova:service:admin',
    tokenOf: async ({ userId, projectId }) => `${userId}:${projectId}:member`,
    async authenticate(request) {
      const [userId, projectId, roles] = String(request.headers['x-auth-token'] ?? '').split(':');
      if (userId === undefined || projectId === undefined || roles === undefined) throw unauthorized();
      const context = { requestId: request.id, userId, userName: userId, userDomainId: 'default' };
      const isAdmin = roles.split(',').includes('admin');
      return { ...context, projectId, projectName: projectId, roles: roles.split(','), isAdmin };
    },
  };
}

/** The compute service with fakes all around, spoken to without a socket. */
export class NovaBench {
  readonly images = new FakeImages();
  readonly networks = new FakeNetworks();
  readonly placement = new FakePlacement();
  readonly volumes = new FakeVolumes();
  readonly computes = new Map<string, FakeCompute>();
  now: () => Date = () => new Date();
  readonly db: AnyDatabase;
  readonly nova: NovaService;
  readonly instances: InstanceStore;
  readonly services: ServiceStore;
  readonly app: FastifyInstance;

  private constructor(db: AnyDatabase, config: Partial<NovaConfig>) {
    this.db = db;
    const kernel = fakeKernel(db);
    this.nova = createNovaService(kernel, {
      computes: this.computes,
      images: this.images,
      networks: this.networks,
      placement: this.placement,
      volumesAs: () => this.volumes,
      now: () => this.now(),
      random: () => 0.5,
      config,
    });
    this.instances = createSqliteInstanceStore(db);
    this.services = createSqliteServiceStore(db);
    this.app = createHttpApp(kernel.log);
    installErrorHandler(this.app, keystoneFailure, () => 'http://cloud/identity');
  }

  static async create(options: BenchOptions = {}): Promise<NovaBench> {
    const db = await openDatabase(options.path ?? ':memory:');
    const bench = new NovaBench(db, options.config ?? {});
    await migrate(db, bench.nova.migrations, ['compute']);
    await bench.app.register((scope) => bench.nova.register(scope), { prefix: bench.nova.path });
    await bench.app.ready();
    if (options.start !== false) await bench.nova.start?.();
    return bench;
  }

  /** A host that has reported, with room in Placement, and a compute service. */
  async addHost(host: string, report: Partial<ComputeNodeReport> = {}): Promise<FakeCompute> {
    const registered = await this.services.register({
      host,
      binary: 'nova-compute',
      topic: 'compute',
      startedAt: new Date(),
    });
    await this.services.saveNode(nodeReport(host, { uuid: registered.nodeUuid, ...report }));
    this.placement.capacity.set(registered.nodeUuid, { VCPU: 64, MEMORY_MB: 65_536, DISK_GB: 1000 });
    const compute = new FakeCompute(
      host,
      this.instances,
      createSqliteMigrationStore(this.db),
      this.placement,
      () => this.nova.rescheduler,
      { devices: createSqliteBlockDeviceStore(this.db), volumes: this.volumes },
    );
    this.computes.set(host, compute);
    return compute;
  }

  async ask(method: Method, path: string, { as = ADMIN, version, body, headers }: Ask = {}): Promise<Answer> {
    const response = await this.app.inject({
      method,
      url: path.startsWith('/compute') ? path : `/compute/v2.1${path}`,
      headers: {
        ...(as === '' ? {} : { 'x-auth-token': as }),
        ...(version === undefined ? {} : { 'openstack-api-version': `compute ${version}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
    });
    const json = <T>(check?: (value: T) => void): T => {
      const value: T = JSON.parse(response.body);
      check?.(value);
      return value;
    };
    return { status: response.statusCode, headers: response.headers, text: response.body, json };
  }

  /** Creates a server and waits until the conductor has nothing left to do. */
  async boot(
    server: Readonly<Record<string, unknown>> = {},
    ask: Ask = {},
    more: object = {},
  ): Promise<Answer> {
    const body = { server: { name: 'vm', imageRef: IMAGE_ID, flavorRef: '1', ...server }, ...more };
    const answer = await this.ask('POST', '/servers', { ...ask, body });
    await this.settle();
    return answer;
  }

  async bootId(
    server: Readonly<Record<string, unknown>> = {},
    ask: Ask = {},
    more: object = {},
  ): Promise<string> {
    const answer = await this.boot(server, ask, more);
    if (answer.status !== 202) throw new Error(answer.text);
    return answer.json<{ server: { id: string } }>().server.id;
  }

  async show<T = object>(id: string, ask: Ask = {}, check?: (server: T) => void): Promise<T> {
    const answer = await this.ask('GET', `/servers/${id}`, ask);
    if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
    const { server } = answer.json<{ server: T }>();
    check?.(server);
    return server;
  }

  act(id: string, action: object, ask: Ask = {}): Promise<Answer> {
    return this.ask('POST', `/servers/${id}/action`, { ...ask, body: action });
  }

  /** Builds that were given back come a turn of the event loop later. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 3; quiet += 1) {
      await new Promise((resolve) => {
        setTimeout(resolve, 5);
      });
      await this.nova.idle();
    }
  }

  async close(): Promise<void> {
    await this.nova.stop?.();
    await this.app.close();
    await this.db.destroy();
  }
}

export function nodeReport(host: string, changes: Partial<ComputeNodeReport> = {}): ComputeNodeReport {
  return {
    uuid: '33333333-3333-4333-8333-333333333333',
    host,
    hypervisorHostname: host,
    hypervisorType: 'hyperv',
    hypervisorVersion: 10_000,
    hostIp: '127.0.0.1',
    vcpus: 8,
    memoryMb: 16_384,
    localGb: 100,
    vcpusUsed: 1,
    memoryMbUsed: 512,
    localGbUsed: 1,
    diskAvailableLeastGb: 99,
    runningVms: 1,
    uptime: '10:00:00 up 1 day,  0 users,  load average: 0, 0, 0',
    cpuInfo: { arch: 'x86_64', vendor: 'Intel' },
    supportedInstances: [
      ['i686', 'hyperv', 'hvm'],
      ['x86_64', 'hyperv', 'hvm'],
    ],
    pciDevices: [],
    gpus: [],
    ...changes,
  };
}
