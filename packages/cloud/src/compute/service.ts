import { hostname } from 'node:os';
import { parseAliases, type Rescheduler } from '@nova-hyperv/compute';
import { installErrorHandler } from '../kernel/errors.js';
import type { CloudKernel, CloudService } from '../kernel/service.js';
import { createRoute, type Route } from './api/call.js';
import { openstackFault } from '../kernel/fault.js';
import { registerVersions } from './api/versions.js';
import { DEFAULT_CONFIG } from './config.js';
import { lookupCompute, type Nova, type NovaDeps } from './deps.js';
import { seedFlavors } from './flavors/defaults.js';
import { registerExtraSpecs } from './flavors/extra-specs.js';
import { registerFlavors } from './flavors/routes.js';
import { registerHypervisors } from './hypervisors/routes.js';
import { registerKeypairs } from './keypairs/routes.js';
import { registerLimits } from './limits/routes.js';
import { registerMigrations } from './migrations/routes.js';
import { registerMisc } from './misc/routes.js';
import { RestApis } from './rest/apis.js';
import { Conductor } from './scheduler/conductor.js';
import { registerServerActions } from './servers/actions.js';
import { registerServerCreate } from './servers/create.js';
import { registerServerDelete } from './servers/delete.js';
import { registerServerDiagnostics } from './servers/diagnostics.js';
import { registerInstanceActions } from './servers/instance-actions.js';
import { registerServerLists } from './servers/list.js';
import { registerServerMetadata } from './servers/metadata.js';
import { registerServerNetworks } from './servers/network-routes.js';
import { registerSecurityGroups } from './servers/security-groups.js';
import { registerServerTopology } from './servers/topology.js';
import { registerServerUpdate } from './servers/update.js';
import { registerExternalEvents } from './servers/external-events.js';
import { registerVolumeAttachments } from './servers/volume-attachments.js';
import { releaseLostReservations } from './servers/block-devices/reserve.js';
import { registerServices } from './services/routes.js';
import { registerZones } from './services/zones.js';
import { COMPUTE_MIGRATIONS } from './store/migrations.js';
import { beatService, registerService } from './store/service-store.js';
import type { ComputeTables } from './store/tables.js';
import { registerUsage } from './usage/routes.js';

/** Nova of the one-machine cloud: API, scheduler and conductor in this process. */
export interface NovaService extends CloudService {
  /** Where compute services report builds that another host may do. */
  readonly rescheduler: Rescheduler;
  /** Settles when every build is with a host or has failed; for tests and an orderly stop. */
  idle(): Promise<void>;
}

/** Services of this process that Nova lists beside nova-compute. */
const OWN_SERVICES = [
  { binary: 'nova-scheduler', topic: 'scheduler' },
  { binary: 'nova-conductor', topic: 'conductor' },
] as const;

function registerAll(route: Route, nova: Nova, conductor: Conductor): void {
  registerFlavors(route, nova);
  registerExtraSpecs(route, nova);
  registerKeypairs(route, nova);
  registerServerLists(route, nova);
  registerServerCreate(route, nova);
  registerServerUpdate(route, nova);
  registerServerDelete(route, nova, conductor);
  registerServerActions(route, nova, conductor);
  registerServerMetadata(route, nova);
  registerServerNetworks(route, nova);
  registerVolumeAttachments(route, nova);
  registerServerTopology(route, nova);
  registerSecurityGroups(route, nova);
  registerServerDiagnostics(route, nova);
  registerInstanceActions(route, nova);
  registerExternalEvents(route, nova);
  registerHypervisors(route, nova);
  registerServices(route, nova);
  registerZones(route, nova);
  registerLimits(route, nova);
  registerUsage(route, nova);
  registerMigrations(route, nova);
  registerMisc(route);
}

function assemble(kernel: CloudKernel, deps: NovaDeps, rest: RestApis): { nova: Nova; conductor: Conductor } {
  const config = { ...DEFAULT_CONFIG, ...deps.config };
  const nova: Nova = {
    kernel,
    db: kernel.db.withTables<ComputeTables>(),
    config,
    pciAliases: parseAliases(config.pciAlias),
    images: deps.images ?? rest.images,
    networks: deps.networks ?? rest.networks,
    placement: deps.placement ?? rest.placement,
    volumesAs: deps.volumesAs ?? rest.volumesAs,
    reserving: new Set(),
    now: deps.now ?? (() => new Date()),
    random: deps.random ?? Math.random,
    compute: (host) => lookupCompute(deps.computes, host),
    wakeConductor: () => {
      conductor
        .wake()
        .catch((error: unknown) => kernel.log.error({ err: error }, 'the conductor did not wake'));
    },
  };
  const conductor: Conductor = new Conductor(nova);
  return { nova, conductor };
}

/** Roots of the API: `/v2.1` with microversions, `/v2` without, each also with the project in the path. */
const ROOTS = [
  { path: '/v2.1', microversions: true },
  { path: '/v2', microversions: false },
] as const;

/**
 * Nova's API v2.1, scheduler and conductor as one service of the cloud. Builds run once `start` was called.
 */
export function createNovaService(kernel: CloudKernel, deps: NovaDeps): NovaService {
  const rest = new RestApis(kernel);
  const { nova, conductor } = assemble(kernel, deps, rest);
  const rootUrl = (): string => `${kernel.publicUrl()}/compute`;
  let beat: NodeJS.Timeout | undefined;
  return {
    type: 'compute',
    name: 'nova',
    path: '/compute',
    endpoint: '/compute/v2.1',
    migrations: COMPUTE_MIGRATIONS,
    rescheduler: conductor,
    idle: () => conductor.idle(),
    async register(app) {
      installErrorHandler(app, openstackFault, () => `${kernel.publicUrl()}/identity`);
      registerVersions(app, rootUrl);
      for (const { path, microversions } of ROOTS) {
        const versionUrl = (): string => `${rootUrl()}${path}`;
        for (const prefix of [path, `${path}/:projectInUrl([0-9a-f]{32})`]) {
          await app.register(
            async (scope) =>
              registerAll(
                createRoute(scope, kernel, { microversions, versionUrl, rootUrl }),
                nova,
                conductor,
              ),
            { prefix },
          );
        }
      }
    },
    async start() {
      await seedFlavors(nova.db);
      const host = hostname();
      for (const service of OWN_SERVICES)
        await registerService(nova.db, { ...service, host, startedAt: nova.now() });
      const beatAll = async (): Promise<void> => {
        for (const { binary } of OWN_SERVICES) await beatService(nova.db, host, binary);
      };
      beat = setInterval(() => {
        beatAll().catch((error: unknown) => kernel.log.warn({ err: error }, 'the heartbeat was not stored'));
      }, nova.config.reportIntervalS * 1000);
      beat.unref();
      await conductor.recover();
      releaseLostReservations(nova).catch((error: unknown) =>
        kernel.log.warn({ err: error }, 'lost reservations of volumes were not looked for'),
      );
    },
    async stop() {
      clearInterval(beat);
      await conductor.stop();
      await rest.close();
    },
  };
}
