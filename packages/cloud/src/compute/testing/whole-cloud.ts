import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createComputeManager,
  createServiceClients,
  systemClock,
  type ComputeManager,
} from '@nova-hyperv/compute';
import { pino } from 'pino';
import { createCloud, type Cloud } from '../../create-cloud.js';
import { openStackClient, type OpenStackClient } from '../../testing/openstack-client.js';
import {
  createNovaService,
  createSqliteBlockDeviceStore,
  createSqliteInstanceStore,
  createSqliteMigrationStore,
  createSqliteServiceStore,
  type NovaService,
} from '../index.js';
import { createSmallDriver } from './small-driver.js';

/** A cloud that listens, with the real compute manager over hosts that are maps, for the real clients. */
export interface WholeCloud extends AsyncDisposable {
  readonly cloud: Cloud;
  readonly nova: NovaService;
  readonly client: OpenStackClient;
  readonly managers: ReadonlyMap<string, ComputeManager>;
}

/** @param hosts names with their hypervisor versions: `{ hv2016: 10000 }` */
export async function startWholeCloud(hosts: Readonly<Record<string, number>>): Promise<WholeCloud> {
  const stateDir = await mkdtemp(join(tmpdir(), 'nova-hyperv-whole-'));
  const log = pino({ level: process.env['TEST_LOG_LEVEL'] ?? 'silent' });
  const managers = new Map<string, ComputeManager>();
  const services: NovaService[] = [];
  const cloud = await createCloud({
    stateDir,
    log,
    listen: { address: '127.0.0.1', port: 0 },
    services: (kernel) => {
      services.push(createNovaService(kernel, { computes: managers }));
      return services;
    },
  });
  await cloud.start();
  const [nova] = services;
  if (nova === undefined) throw new Error('The cloud has no compute service.');
  const clients = createServiceClients({
    tokens: { token: () => cloud.kernel.serviceToken() },
    endpoints: {
      image: `${cloud.url}/image`,
      network: `${cloud.url}/network`,
      placement: `${cloud.url}/placement`,
    },
  });
  for (const [host, version] of Object.entries(hosts)) {
    const manager = createComputeManager({
      host,
      driver: createSmallDriver(host, version),
      instances: createSqliteInstanceStore(cloud.kernel.db),
      migrations: createSqliteMigrationStore(cloud.kernel.db),
      blockDevices: createSqliteBlockDeviceStore(cloud.kernel.db),
      services: createSqliteServiceStore(cloud.kernel.db),
      ...clients,
      rescheduler: nova.rescheduler,
      clock: systemClock,
      log,
    });
    managers.set(host, manager);
    await manager.start();
  }
  return {
    cloud,
    nova,
    managers,
    client: openStackClient({ url: cloud.url, password: cloud.adminPassword }),
    async [Symbol.asyncDispose]() {
      for (const manager of managers.values()) await manager.stop({ drainMs: 1000 });
      await clients.close();
      await cloud.stop();
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}
