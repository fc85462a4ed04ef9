import { randomUUID } from 'node:crypto';
import type { Flavor } from '@nova-hyperv/driver';
import { pino } from 'pino';
import type { BlockDeviceRecord } from '../block-device.js';
import type { ComputeConfig } from '../config.js';
import { createComputeManager, type ComputeManager } from '../manager/compute-manager.js';
import type { BuildRequest, InstanceRecord, InstanceRequest, MigrationRecord, TaskState } from '../ports.js';
import { createServiceClients, type ServiceClients } from '../rest/clients.js';
import { systemClock } from '../util/clock.js';
import { newRequestId } from '../util/request-id.js';
import { createFakeDriver, type FakeDriver } from './fake-driver.js';
import { FakeOpenStack } from './fake-openstack.js';
import {
  createMemoryBlockDeviceStore,
  createMemoryInstanceStore,
  createMemoryMigrationStore,
  createMemoryServiceStore,
  type MemoryBlockDeviceStore,
  type MemoryInstanceStore,
  type MemoryMigrationStore,
  type MemoryServiceStore,
} from './memory-stores.js';
import { instanceRecord } from './records.js';

export interface Reschedule {
  readonly uuid: string;
  readonly message: string;
  readonly retryable: boolean;
}

/** A compute manager with real HTTP to fake services, a scripted driver, and stores in memory that outlive it. */
export class BenchHost {
  readonly host = 'compute1';
  readonly openstack = new FakeOpenStack();
  readonly instances: MemoryInstanceStore = createMemoryInstanceStore();
  readonly migrations: MemoryMigrationStore = createMemoryMigrationStore();
  readonly blockDevices: MemoryBlockDeviceStore = createMemoryBlockDeviceStore();
  readonly services: MemoryServiceStore = createMemoryServiceStore();
  readonly reschedules: Reschedule[] = [];
  /** Task states and vm states in the order saved, per instance: `building/networking`. */
  readonly history = new Map<string, string[]>();
  driver: FakeDriver = createFakeDriver();
  clients!: ServiceClients;
  manager!: ComputeManager;

  static async create(
    config: Partial<ComputeConfig> = {},
    prepare?: (bench: BenchHost) => void,
  ): Promise<BenchHost> {
    const bench = new BenchHost();
    await bench.openstack.start();
    bench.openstack.addImage('image-1', Buffer.from('conectix'));
    bench.openstack.addNetwork('net-1');
    const save = bench.instances.save.bind(bench.instances);
    bench.instances.save = async (uuid, changes, options) => {
      const record = await save(uuid, changes, options);
      const states = bench.history.get(uuid) ?? [];
      const state = `${record.vmState}/${record.taskState ?? '-'}`;
      if (states.at(-1) !== state) states.push(state);
      bench.history.set(uuid, states);
      return record;
    };
    prepare?.(bench);
    await bench.restart(config);
    return bench;
  }

  /** A new manager over the same stores and the same host: what a restart of the process is. */
  async restart(config: Partial<ComputeConfig> = {}): Promise<void> {
    await this.clients?.close();
    this.clients = createServiceClients({
      endpoints: this.openstack.endpoints,
      tokens: { token: async () => 'token-1' },
      tokensOf: ({ projectId }) => ({ token: async () => projectId }),
      retryDelayMs: 1,
      timeoutMs: 2_000,
    });
    const rescheduler = {
      buildFailed: async (
        request: BuildRequest,
        failure: { readonly message: string; readonly retryable: boolean },
      ) => {
        this.reschedules.push({
          uuid: request.instanceUuid,
          message: failure.message,
          retryable: failure.retryable,
        });
      },
    };
    this.manager = createComputeManager({
      host: this.host,
      driver: this.driver,
      instances: this.instances,
      migrations: this.migrations,
      blockDevices: this.blockDevices,
      services: this.services,
      ...this.clients,
      rescheduler,
      config,
      clock: systemClock,
      log: pino({ enabled: false }),
    });
    await this.manager.start();
  }

  async close(): Promise<void> {
    await this.manager.stop({ drainMs: 200 });
    await this.clients.close();
    await this.openstack.stop();
  }

  add(changes: Partial<InstanceRecord> = {}): InstanceRecord {
    const record = instanceRecord(changes);
    this.instances.records.set(record.uuid, record);
    return record;
  }

  get(uuid: string): InstanceRecord {
    const record = this.instances.records.get(uuid);
    if (record === undefined) throw new Error(`no instance ${uuid}`);
    return record;
  }

  /** A block device of an instance that is yet to be built. */
  device(record: InstanceRecord, changes: Partial<BlockDeviceRecord> = {}): BlockDeviceRecord {
    const device: BlockDeviceRecord = {
      uuid: randomUUID(),
      instanceUuid: record.uuid,
      sourceType: 'volume',
      volumeId: null,
      snapshotId: null,
      imageId: null,
      volumeSizeGb: null,
      volumeType: null,
      bootIndex: null,
      deviceName: '/dev/sdb',
      diskBus: null,
      deviceType: null,
      guestFormat: null,
      deleteOnTermination: false,
      attachmentId: null,
      connectionInfo: null,
      tag: null,
      state: 'reserved',
      ...changes,
    };
    this.blockDevices.records.set(device.uuid, device);
    return device;
  }

  /** What the scheduler does before the cast: claims in Placement. */
  async allocate(uuid: string): Promise<void> {
    await this.clients.placement.putAllocations(uuid, {
      allocations: { [this.services.nodeUuid]: { resources: { VCPU: 1, MEMORY_MB: 512, DISK_GB: 1 } } },
      projectId: 'p1',
      userId: 'u1',
    });
  }

  async build(record: InstanceRecord, request: Partial<BuildRequest> = {}): Promise<void> {
    await this.allocate(record.uuid);
    await this.manager.buildAndRunInstance({
      instanceUuid: record.uuid,
      requestId: newRequestId(),
      requestedNetworks: 'auto',
      securityGroups: ['default'],
      ...request,
    });
  }

  /** An instance that is built and active. */
  async active(request: Partial<BuildRequest> = {}): Promise<InstanceRecord> {
    const record = this.add();
    await this.build(record, request);
    await this.manager.idle();
    return this.get(record.uuid);
  }

  /** What the API does: sets the task if none is set (deletion: always), and makes the request. */
  ask(uuid: string, taskState: TaskState): InstanceRequest {
    this.instances.records.set(uuid, { ...this.get(uuid), taskState });
    return { instanceUuid: uuid, requestId: newRequestId() };
  }

  /** What the conductor does before the cast: a migration that holds what the instance had, and the claim of the new size. */
  async migration(
    uuid: string,
    newFlavor: Flavor,
    changes: Partial<MigrationRecord> = {},
  ): Promise<MigrationRecord> {
    const { flavor, userId, projectId } = this.get(uuid);
    const record: MigrationRecord = {
      id: this.migrations.records.size + 1,
      uuid: randomUUID(),
      instanceUuid: uuid,
      migrationType: 'resize',
      status: 'pre-migrating',
      sourceCompute: this.host,
      sourceNode: 'hv1',
      destCompute: null,
      destNode: null,
      destHost: null,
      oldFlavor: flavor,
      newFlavor,
      userId,
      projectId,
      createdAt: new Date(),
      updatedAt: null,
      ...changes,
    };
    this.migrations.records.set(record.uuid, record);
    await this.clients.placement.moveAllocations(uuid, record.uuid);
    await this.clients.placement.putAllocations(uuid, {
      allocations: { [this.services.nodeUuid]: { resources: { VCPU: newFlavor.vcpus } } },
      projectId,
      userId,
    });
    return record;
  }

  /** VCPUs that a consumer holds in Placement. */
  vcpus(consumer: string): number | undefined {
    const allocations: { readonly [provider: string]: { readonly resources: { readonly VCPU: number } } } =
      JSON.parse(JSON.stringify(this.openstack.allocations.get(consumer)?.['allocations'] ?? {}));
    return allocations[this.services.nodeUuid]?.resources.VCPU;
  }

  /** What is left of an instance outside the store. */
  traces(uuid: string): readonly string[] {
    return [
      ...(this.driver.machines.has(uuid) ? ['machine'] : []),
      ...(this.driver.volumes.get(uuid) ?? []).map(() => 'volume'),
      ...[...this.openstack.cinder.attachments.values()]
        .filter(({ instance }) => instance === uuid)
        .map(() => 'attachment'),
      ...[...this.openstack.ports.values()].filter((port) => port['device_id'] === uuid).map(() => 'port'),
      ...(this.openstack.allocations.has(uuid) ? ['allocation'] : []),
    ];
  }
}
