import type { FastifyInstance } from 'fastify';
import { installErrorHandler } from '../kernel/errors.js';
import type { CloudKernel, CloudService } from '../kernel/service.js';
import type { NetworkDeps } from './deps.js';
import { neutronFailure } from './errors.js';
import { networkMigrations } from './migrations.js';
import { registerMiscRoutes } from './misc/routes.js';
import { registerNetworkRoutes } from './networks/routes.js';
import { registerPortRoutes } from './ports/routes.js';
import { registerSecurityGroupRoutes } from './security-groups/routes.js';
import { seedNetworks } from './seed.js';
import { registerSubnetRoutes } from './subnets/routes.js';
import type { NetworkTables } from './tables.js';

export interface NetworkOptions {
  /** Project that the first network belongs to. */
  readonly adminProjectId: () => string;
}

/** Neutron v2.0: networks, subnets, ports and security groups on the hosts' virtual switch. */
export function createNetworkService(kernel: CloudKernel, options: NetworkOptions): CloudService {
  const base = (): string => `${kernel.publicUrl()}/network/v2.0`;
  const deps: NetworkDeps = {
    db: kernel.db.withTables<NetworkTables>(),
    base,
    authenticate: (request) => kernel.authenticate(request),
  };
  return {
    type: 'network',
    name: 'neutron',
    path: '/network',
    endpoint: '/network',
    migrations: networkMigrations,
    prepare: () => seedNetworks(deps.db, options.adminProjectId()),
    async register(app: FastifyInstance): Promise<void> {
      installErrorHandler(app, neutronFailure, () => `${kernel.publicUrl()}/identity`);
      registerMiscRoutes(app, deps);
      registerNetworkRoutes(app, deps);
      registerSubnetRoutes(app, deps);
      registerPortRoutes(app, deps);
      registerSecurityGroupRoutes(app, deps);
    },
  };
}
