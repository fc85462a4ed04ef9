import {
  createSqliteBlockDeviceStore,
  createSqliteInstanceStore,
  createSqliteMigrationStore,
  createSqliteServiceStore,
  type Cloud,
} from '@nova-hyperv/cloud';
import {
  createComputeManager,
  computeOptions,
  createServiceClients,
  driverOptions,
  systemClock,
  type ComputeService,
  type NovaConf,
  type Rescheduler,
} from '@nova-hyperv/compute';
import { createDriver } from '@nova-hyperv/driver';
import type { EmulatedHost } from '@nova-hyperv/emulator';
import { connectHost, mappedReach } from '@nova-hyperv/hyperv';
import type { Logger } from 'pino';
import { Teardown } from './teardown.js';

export interface RunningCompute {
  stop(): Promise<void>;
}

export interface ComputeParts {
  readonly host: EmulatedHost;
  readonly cloud: Cloud;
  readonly rescheduler: Rescheduler;
  /** Where the cloud's API finds compute services; this one is added. */
  readonly computes: Map<string, ComputeService>;
  /** nova.conf. */
  readonly conf: NovaConf;
  readonly log: Logger;
}

/** Starts the compute service of one host: settles when it serves requests; on failure nothing of it is left. */
export async function startCompute(parts: ComputeParts): Promise<RunningCompute> {
  const { host, cloud, computes } = parts;
  const log = parts.log.child({ component: 'compute', host: host.name });
  const teardown = new Teardown(log);
  try {
    const connection = await connectHost({
      url: host.url,
      credentials: host.credentials,
      reach: mappedReach({ drives: { C: host.driveC }, pipes: host.pipes }),
      onShapeRefused: (shape, reason) =>
        log.warn(`host refuses the call shape ${shape}, using the proven one: ${reason}`),
    });
    teardown.add('connection to the host', () => connection.close());
    const clients = createServiceClients({
      endpoints: {
        image: `${cloud.url}/image`,
        network: `${cloud.url}/network`,
        placement: `${cloud.url}/placement`,
        keyManager: `${cloud.url}/key-manager`,
        volume: `${cloud.url}/volume/v3`,
      },
      tokens: { token: () => cloud.kernel.serviceToken() },
      tokensOf: (user) => ({ token: () => cloud.kernel.tokenOf(user) }),
    });
    teardown.add('REST clients', () => clients.close());
    const manager = createComputeManager({
      host: host.name,
      config: computeOptions(parts.conf),
      driver: createDriver({
        host: connection,
        config: driverOptions(parts.conf),
        log,
        nodeName: host.name,
      }),
      instances: createSqliteInstanceStore(cloud.kernel.db),
      migrations: createSqliteMigrationStore(cloud.kernel.db),
      blockDevices: createSqliteBlockDeviceStore(cloud.kernel.db),
      services: createSqliteServiceStore(cloud.kernel.db),
      images: clients.images,
      network: clients.network,
      placement: clients.placement,
      ...(clients.volumes === undefined ? {} : { volumes: clients.volumes }),
      ...(clients.keyManager === undefined ? {} : { keyManager: clients.keyManager }),
      rescheduler: parts.rescheduler,
      clock: systemClock,
      log,
    });
    await manager.start();
    computes.set(host.name, manager);
    teardown.add('compute manager', () => {
      computes.delete(host.name);
      return manager.stop();
    });
    return { stop: () => teardown.run() };
  } catch (error) {
    await teardown.run();
    throw error;
  }
}
