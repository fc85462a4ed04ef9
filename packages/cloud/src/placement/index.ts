import type { FastifyInstance } from 'fastify';
import { type Failure, installErrorHandler, type RenderedFailure } from '../kernel/errors.js';
import type { CloudKernel, CloudService } from '../kernel/service.js';
import { registerAllocationRoutes } from './allocations/routes.js';
import { registerUsageRoutes } from './allocations/usages.js';
import { registerCandidateRoutes } from './candidates/routes.js';
import { registerClassRoutes } from './classes/routes.js';
import type { PlacementDeps } from './deps.js';
import { registerInventoryRoutes } from './inventories/routes.js';
import { MAX_VERSION, MIN_VERSION } from './microversion.js';
import { placementMigrations } from './migrations.js';
import { registerAggregateRoutes } from './providers/aggregates.js';
import { registerProviderRoutes } from './providers/routes.js';
import type { PlacementTables } from './tables.js';
import { registerTraitRoutes } from './traits/routes.js';

/** Placement's errors: `{errors: [{status, title, detail, code, request_id}]}` (placement-api-ref, "Errors"). */
function placementFailure(failure: Failure): RenderedFailure {
  const { status, title, message, type, requestId } = failure;
  const code = type ?? 'placement.undefined_code';
  return { body: { errors: [{ status, title, detail: `${message}\n\n   `, code, request_id: requestId }] } };
}

const version = {
  id: 'v1.0',
  min_version: MIN_VERSION,
  max_version: MAX_VERSION,
  status: 'CURRENT',
  links: [{ rel: 'self', href: '' }],
};

/** Placement: inventories of hosts and who uses them. Every write is one transaction, so that no inventory is given out twice. */
export function createPlacementService(kernel: CloudKernel): CloudService {
  const deps: PlacementDeps = {
    db: kernel.db.withTables<PlacementTables>(),
    authenticate: (request) => kernel.authenticate(request),
  };
  return {
    type: 'placement',
    name: 'placement',
    path: '/placement',
    endpoint: '/placement',
    migrations: placementMigrations,
    async register(app: FastifyInstance): Promise<void> {
      installErrorHandler(app, placementFailure, () => `${kernel.publicUrl()}/identity`);
      app.get('/', async () => ({ versions: [version] }));
      registerProviderRoutes(app, deps);
      registerAggregateRoutes(app, deps);
      registerInventoryRoutes(app, deps);
      registerTraitRoutes(app, deps);
      registerClassRoutes(app, deps);
      registerAllocationRoutes(app, deps);
      registerUsageRoutes(app, deps);
      registerCandidateRoutes(app, deps);
    },
  };
}
