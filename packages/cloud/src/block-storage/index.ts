import { hostname } from 'node:os';
import { join } from 'node:path';
import { installErrorHandler } from '../kernel/errors.js';
import { openstackFault } from '../kernel/fault.js';
import type { CloudKernel, CloudService } from '../kernel/service.js';
import { createRoute, type Route } from './api/call.js';
import { registerVersions } from './api/versions.js';
import { registerAttachments } from './attachments/routes.js';
import type { VolumeBackend } from './backends/backend.js';
import type { Cinder } from './deps.js';
import { VolumeManager } from './manager/manager.js';
import { BackendRegistry } from './manager/registry.js';
import { blockStorageMigrations } from './migrations.js';
import { registerMisc } from './misc/routes.js';
import { registerServices, registerServicesOf } from './misc/services.js';
import { registerQuotas } from './quotas/routes.js';
import { createImageApi, type ImageApi } from './rest/glance.js';
import { createComputeApi, type ComputeApi } from './rest/nova.js';
import { registerSnapshots } from './snapshots/routes.js';
import type { BlockStorageTables } from './tables.js';
import { registerEncryption } from './types/encryption.js';
import { registerExtraSpecs, registerTypeAccess } from './types/extra-specs.js';
import { registerQos } from './types/qos.js';
import { registerTypes } from './types/routes.js';
import { seedTypes } from './types/store.js';
import { registerVolumes } from './volumes/routes.js';

export interface BlockStorageOptions {
  /** Where volumes are; the first is the default where all else is equal. */
  readonly backends: readonly VolumeBackend[];
  /** Name of this machine in the hosts of volumes. */
  readonly hostname?: string;
  /** Other services of the cloud; over REST when left out. */
  readonly images?: ImageApi;
  readonly compute?: ComputeApi;
}

/** Cinder of the one-machine cloud: API, scheduler and volume service in this process. */
export interface BlockStorageService extends CloudService {
  /** Settles when no volume is being worked on; for tests. */
  idle(): Promise<void>;
}

function registerAll(route: Route, cinder: Cinder): void {
  registerVolumes(route, cinder);
  registerAttachments(route, cinder);
  registerSnapshots(route, cinder);
  registerTypes(route, cinder);
  registerExtraSpecs(route, cinder);
  registerTypeAccess(route, cinder);
  registerEncryption(route, cinder);
  registerQos(route, cinder);
  registerQuotas(route, cinder);
  registerServices(route, cinder);
  registerMisc(route, cinder);
}

function assemble(kernel: CloudKernel, options: BlockStorageOptions, machine: string): Cinder {
  const log = kernel.log.child({ part: 'block-storage' });
  const db = kernel.db.withTables<BlockStorageTables>();
  const serviceToken = (): Promise<string> => kernel.serviceToken();
  const parts = {
    db,
    log,
    backends: new BackendRegistry(options.backends, machine, log),
    images: options.images ?? createImageApi(() => `${kernel.publicUrl()}/image`),
    compute: options.compute ?? createComputeApi(() => `${kernel.publicUrl()}/compute/v2.1`, serviceToken),
  };
  const conversionDir = join(kernel.stateDir, 'conversion');
  return { ...parts, kernel, manager: new VolumeManager({ ...parts, serviceToken, conversionDir }) };
}

/** Cinder's API v3. Volumes are made once `start` was called. */
export function createBlockStorageService(
  kernel: CloudKernel,
  options: BlockStorageOptions,
): BlockStorageService {
  const machine = options.hostname ?? hostname();
  const cinder = assemble(kernel, options, machine);
  const root = (): string => `${kernel.publicUrl()}/volume`;
  return {
    // The alias of block-storage that clients of every age look for: Debian 12's `openstack limits show` knows no other.
    type: 'volumev3',
    name: 'cinder',
    path: '/volume',
    endpoint: '/volume/v3',
    migrations: blockStorageMigrations,
    idle: () => cinder.manager.idle(),
    async register(app) {
      installErrorHandler(app, openstackFault, () => `${kernel.publicUrl()}/identity`);
      registerVersions(app, root);
      for (const prefix of ['/v3', '/v3/:projectInUrl([0-9a-f]{32})']) {
        await app.register(
          async (scope) =>
            registerAll(
              createRoute(scope, kernel, () => `${root()}/v3`),
              cinder,
            ),
          { prefix },
        );
      }
    },
    async prepare() {
      await seedTypes(
        cinder.db,
        options.backends.map(({ name }) => name),
      );
      await registerServicesOf(cinder, machine);
    },
    start: () => cinder.manager.start(),
    stop: () => cinder.manager.stop(),
  };
}
