import type { FastifyInstance } from 'fastify';
import { installErrorHandler, type Failure, type RenderedFailure } from '../kernel/errors.js';
import type { CloudKernel, CloudService } from '../kernel/service.js';
import { registerContainerRoutes } from './containers.js';
import type { KeyManagerDeps } from './deps.js';
import { keyManagerMigrations } from './migrations.js';
import { registerSecretRoutes } from './secrets.js';
import type { KeyManagerTables } from './tables.js';
import { createVault } from './vault.js';

function barbicanFailure({ status, title, message }: Failure): RenderedFailure {
  return { body: { code: status, title, description: message } };
}

/** As much of Barbican (Key Manager API v1) as machines with shielding data need: secrets, and generic containers of them. */
export function createKeyManagerService(kernel: CloudKernel): CloudService {
  const base = (): string => `${kernel.publicUrl()}/key-manager/v1`;
  const deps: KeyManagerDeps = {
    db: kernel.db.withTables<KeyManagerTables>(),
    vault: createVault(kernel.stateDir),
    base,
    authenticate: (request) => kernel.authenticate(request),
  };
  const version = (): object => ({
    id: 'v1',
    status: 'CURRENT',
    min_version: '1.0',
    max_version: '1.0',
    links: [{ rel: 'self', href: `${base()}/` }],
    'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.key-manager-v1+json' }],
  });
  return {
    type: 'key-manager',
    name: 'barbican',
    path: '/key-manager',
    endpoint: '/key-manager',
    migrations: keyManagerMigrations,
    async register(app: FastifyInstance): Promise<void> {
      installErrorHandler(app, barbicanFailure, () => `${kernel.publicUrl()}/identity`);
      app.get('/', async (_request, reply) => reply.code(300).send({ versions: [version()] }));
      app.get('/v1', async () => ({ version: version() }));
      registerSecretRoutes(app, deps);
      registerContainerRoutes(app, deps);
    },
  };
}
