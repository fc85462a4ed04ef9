import { mkdir } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { rootListing } from '@nova-hyperv/compute';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { createBlockStorageService } from './block-storage/index.js';
import type { VolumeBackend } from './block-storage/backends/backend.js';
import { createIdentityService, type IdentityService } from './identity/index.js';
import { createImageService } from './image/index.js';
import { type AnyDatabase, migrate, openDatabase } from './kernel/database.js';
import { installErrorHandler, keystoneFailure } from './kernel/errors.js';
import { createHttpApp } from './kernel/http-app.js';
import { randomPassword, readOrCreateSecret } from './kernel/secrets.js';
import type { CloudKernel, CloudService } from './kernel/service.js';
import { createKeyManagerService } from './key-manager/index.js';
import { isProxied } from './metadata/caller.js';
import { createNetworkService } from './network/index.js';
import { createPlacementService } from './placement/index.js';

export interface CloudOptions {
  /** Holds `cloud.db`, `secrets/`, `images/` and what volumes need; made when it is not there. */
  readonly stateDir: string;
  readonly listen: { readonly address: string; readonly port: number };
  /** What clients are told to use, without a trailing slash, where it is not the address listened on. */
  readonly publicUrl?: string;
  /** Of the user `admin`, first start only; generated when left out. Kept in `secrets/admin-password`. */
  readonly adminPassword?: string;
  readonly log: Logger;
  /** Largest image, bytes. */
  readonly maxImageSize?: number;
  /** Where volumes are kept; without any, block storage answers and makes none. */
  readonly volumeBackends?: readonly VolumeBackend[];
  /** Block storage made otherwise than of `volumeBackends`. */
  readonly blockStorage?: (kernel: CloudKernel) => CloudService;
  /** Services beside identity, image, network, placement, key manager and block storage: the compute API. */
  readonly services?: (kernel: CloudKernel) => readonly CloudService[];
}

export interface Cloud {
  /** `http://127.0.0.1:8780`, without a trailing slash. */
  readonly url: string;
  readonly app: FastifyInstance;
  readonly kernel: CloudKernel;
  /** Password that the user `admin` was made with. */
  readonly adminPassword: string;
  /** Listens, then starts the services. When that fails (the port is taken), everything is closed again. */
  start(): Promise<void>;
  /** Stops the services, ends connections, closes the database. Once; again is the same stop. */
  stop(): Promise<void>;
}

const REGION = 'RegionOne';
/** How long requests in flight are waited for when stopping, ms. */
const STOP_GRACE_MS = 5_000;

/** The first address of this machine that others can reach, for `0.0.0.0` and `::`. */
function reachableAddress(): string {
  for (const addresses of Object.values(networkInterfaces())) {
    const found = addresses?.find((address) => address.family === 'IPv4' && !address.internal);
    if (found !== undefined) return found.address;
  }
  return '127.0.0.1';
}

function urlOf(address: string, port: number): string {
  const host = address === '0.0.0.0' || address === '::' ? reachableAddress() : address;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

async function adminPasswordOf(options: CloudOptions): Promise<string> {
  const given = options.adminPassword;
  return readOrCreateSecret(options.stateDir, 'admin-password', () => given ?? randomPassword());
}

function registerRoot(app: FastifyInstance, kernel: CloudKernel, services: readonly CloudService[]): void {
  installErrorHandler(app, keystoneFailure, () => `${kernel.publicUrl()}/identity`);
  app.get('/', async (request, reply) => {
    // A guest asks its metadata service for what there is.
    if (isProxied(request.headers)) return reply.type('text/plain; charset=UTF-8').send(rootListing());
    return {
      name: 'nova-hyperv',
      services: services
        .filter(({ endpoint }) => endpoint !== null)
        .map(({ type, name, path }) => ({ type, name, url: `${kernel.publicUrl()}${path}` })),
    };
  });
}

async function listen(app: FastifyInstance, at: CloudOptions['listen']): Promise<number> {
  await app.listen({ host: at.address, port: at.port });
  const bound = app.server.address();
  return bound !== null && typeof bound === 'object' ? bound.port : at.port;
}

async function closeApp(app: FastifyInstance): Promise<void> {
  const timer = setTimeout(() => app.server.closeAllConnections(), STOP_GRACE_MS);
  try {
    await app.close();
  } finally {
    clearTimeout(timer);
  }
}

function stopOnce(
  app: FastifyInstance,
  db: AnyDatabase,
  services: readonly CloudService[],
): () => Promise<void> {
  let stopping: Promise<void> | undefined;
  const run = async (): Promise<void> => {
    for (const service of services.toReversed()) await service.stop?.();
    await closeApp(app);
    await db.destroy();
  };
  return () => (stopping ??= run());
}

/** The services of every cloud, identity first. */
function composeServices(
  kernel: CloudKernel,
  identity: IdentityService,
  options: CloudOptions,
): readonly CloudService[] {
  return [
    identity,
    createImageService(
      kernel,
      options.maxImageSize === undefined ? {} : { maxImageSize: options.maxImageSize },
    ),
    createNetworkService(kernel, { adminProjectId: () => identity.seededIds().adminProjectId }),
    createPlacementService(kernel),
    createKeyManagerService(kernel),
    options.blockStorage?.(kernel) ??
      createBlockStorageService(kernel, { backends: options.volumeBackends ?? [] }),
    ...(options.services?.(kernel) ?? []),
  ];
}

/** Brings the database up to date, fills a fresh one, adds the routes. */
async function prepare(
  app: FastifyInstance,
  kernel: CloudKernel,
  identity: IdentityService,
  services: readonly CloudService[],
  adminPassword: string,
): Promise<void> {
  const migrations = Object.fromEntries(services.flatMap((service) => Object.entries(service.migrations)));
  const types = services.map((service) => service.type);
  await migrate(kernel.db, migrations, types);
  await identity.seed(adminPassword);
  await identity.syncCatalog(services);
  registerRoot(app, kernel, services);
  for (const service of services) {
    await app.register((scope) => service.register(scope), { prefix: service.path });
  }
  await app.ready();
  for (const service of services) await service.prepare?.();
}

/**
 * A small OpenStack on one machine: opens (and brings up to date) the database of the state folder, fills a fresh one, and adds the routes
 * of all services. Nothing listens before `start`.
 * @throws DatabaseError
 */
export async function createCloud(options: CloudOptions): Promise<Cloud> {
  await mkdir(options.stateDir, { recursive: true, mode: 0o700 });
  const adminPassword = await adminPasswordOf(options);
  const db = await openDatabase(join(options.stateDir, 'cloud.db'));
  let url = options.publicUrl ?? urlOf(options.listen.address, options.listen.port);
  const publicUrl = (): string => url;
  const app = createHttpApp(options.log);
  try {
    const identity = await createIdentityService({
      db,
      stateDir: options.stateDir,
      region: REGION,
      publicUrl,
    });
    const kernel: CloudKernel = {
      db,
      log: options.log,
      stateDir: options.stateDir,
      publicUrl,
      authenticate: (request) => identity.authenticate(request),
      serviceToken: () => identity.serviceToken(),
      tokenOf: (user) => identity.tokenOf(user),
      region: REGION,
    };
    const services = composeServices(kernel, identity, options);
    await prepare(app, kernel, identity, services, adminPassword);
    const stop = stopOnce(app, db, services);
    return {
      get url() {
        return url;
      },
      app,
      kernel,
      adminPassword,
      async start() {
        try {
          const port = await listen(app, options.listen);
          url = options.publicUrl ?? urlOf(options.listen.address, port);
          await identity.syncCatalog(services);
          for (const service of services) await service.start?.();
        } catch (error) {
          await stop();
          throw error;
        }
      },
      stop,
    };
  } catch (error) {
    await app.close();
    await db.destroy();
    throw error;
  }
}
