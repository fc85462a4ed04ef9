import type { VirtDriver } from '@nova-hyperv/driver';
import type { Logger } from 'pino';
import type { BlockDeviceStore } from '../block-device.js';
import type { ComputeConfig } from '../config.js';
import type { InstanceStore, MigrationStore, Rescheduler, ServiceStore } from '../ports.js';
import type { CinderClient } from '../rest/cinder.js';
import type { GlanceClient } from '../rest/glance.js';
import type { KeyManagerClient } from '../rest/key-manager.js';
import type { NeutronClient } from '../rest/neutron.js';
import type { PlacementClient } from '../rest/placement.js';
import type { Clock } from '../util/clock.js';

/** What the compute manager of one host works with: the driver, and a port to everything outside. */
export interface ComputePorts {
  /** Name of the service's host: Nova's `[DEFAULT] host`. */
  readonly host: string;
  readonly driver: VirtDriver;
  readonly instances: InstanceStore;
  readonly migrations: MigrationStore;
  readonly blockDevices: BlockDeviceStore;
  readonly services: ServiceStore;
  readonly images: GlanceClient;
  readonly network: NeutronClient;
  readonly placement: PlacementClient;
  readonly keyManager?: KeyManagerClient;
  readonly volumes?: CinderClient;
  readonly rescheduler: Rescheduler;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface ComputeContext extends ComputePorts {
  readonly config: ComputeConfig;
}
