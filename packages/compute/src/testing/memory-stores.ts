import { randomUUID } from 'node:crypto';
import type { BlockDeviceRecord, BlockDeviceStore } from '../block-device.js';
import {
  InstanceNotFoundError,
  MIGRATION_IN_PROGRESS,
  UnexpectedTaskStateError,
  type ComputeNodeReport,
  type InstanceFault,
  type InstanceRecord,
  type InstanceStore,
  type MigrationRecord,
  type MigrationStore,
  type ServiceStore,
} from '../ports.js';

export interface MemoryEvent {
  readonly uuid: string;
  readonly requestId: string;
  readonly event: string;
  readonly host: string;
  finished: boolean;
  error: string | null;
}

/** An {@link InstanceStore} in memory, with the compare-and-set of the real ones. */
export interface MemoryInstanceStore extends InstanceStore {
  readonly records: Map<string, InstanceRecord>;
  readonly faults: Map<string, InstanceFault[]>;
  readonly events: MemoryEvent[];
}

export function createMemoryInstanceStore(initial: readonly InstanceRecord[] = []): MemoryInstanceStore {
  const records = new Map(initial.map((record) => [record.uuid, record]));
  const faults = new Map<string, InstanceFault[]>();
  const events: MemoryEvent[] = [];
  const known = (uuid: string): InstanceRecord => {
    const record = records.get(uuid);
    if (record === undefined) throw new InstanceNotFoundError(uuid);
    return record;
  };
  return {
    records,
    faults,
    events,
    async get(uuid) {
      return known(uuid);
    },
    async listByHost(host) {
      return [...records.values()].filter((record) => record.host === host && !record.deleted);
    },
    async save(uuid, changes, options = {}) {
      const record = known(uuid);
      if (record.deleted) throw new InstanceNotFoundError(uuid);
      const { expectedTaskState: expected } = options;
      if (expected !== undefined && !expected.includes(record.taskState)) {
        throw new UnexpectedTaskStateError(uuid, expected, record.taskState);
      }
      const saved = { ...record, ...changes, updatedAt: new Date() };
      records.set(uuid, saved);
      return saved;
    },
    async destroy(uuid) {
      records.set(uuid, { ...known(uuid), deleted: true });
    },
    async addFault(uuid, fault) {
      faults.set(uuid, [...(faults.get(uuid) ?? []), fault]);
    },
    async eventStarted(uuid, requestId, event, host) {
      events.push({ uuid, requestId, event, host, finished: false, error: null });
    },
    async eventFinished(uuid, requestId, event, error) {
      const started = events.find(
        (one) => one.uuid === uuid && one.requestId === requestId && one.event === event && !one.finished,
      );
      if (started === undefined) throw new Error(`event ${event} of ${uuid} was not started`);
      started.finished = true;
      started.error = error;
    },
  };
}

/** A {@link MigrationStore} in memory. */
export interface MemoryMigrationStore extends MigrationStore {
  readonly records: Map<string, MigrationRecord>;
}

export function createMemoryMigrationStore(): MemoryMigrationStore {
  const records = new Map<string, MigrationRecord>();
  return {
    records,
    async get(uuid) {
      return records.get(uuid) ?? null;
    },
    async inProgress(instanceUuid) {
      const found = [...records.values()].filter(
        (record) => record.instanceUuid === instanceUuid && MIGRATION_IN_PROGRESS.includes(record.status),
      );
      return found.at(-1) ?? null;
    },
    async unconfirmed(destCompute, before) {
      return [...records.values()].filter(
        (record) =>
          record.status === 'finished' &&
          record.destCompute === destCompute &&
          (record.updatedAt ?? record.createdAt) <= before,
      );
    },
    async save(uuid, changes) {
      const record = records.get(uuid);
      if (record === undefined) throw new Error(`no migration ${uuid}`);
      const saved = { ...record, ...changes, updatedAt: new Date() };
      records.set(uuid, saved);
      return saved;
    },
  };
}

/** A {@link BlockDeviceStore} in memory. */
export interface MemoryBlockDeviceStore extends BlockDeviceStore {
  readonly records: Map<string, BlockDeviceRecord>;
}

export function createMemoryBlockDeviceStore(): MemoryBlockDeviceStore {
  const records = new Map<string, BlockDeviceRecord>();
  return {
    records,
    async list(instanceUuid) {
      return [...records.values()].filter((record) => record.instanceUuid === instanceUuid);
    },
    async add(device) {
      records.set(device.uuid, device);
    },
    async save(uuid, changes) {
      const record = records.get(uuid);
      if (record === undefined) return null;
      const saved = { ...record, ...changes };
      records.set(uuid, saved);
      return saved;
    },
    async remove(uuid) {
      records.delete(uuid);
    },
  };
}

export interface MemoryServiceStore extends ServiceStore {
  readonly nodeUuid: string;
  readonly beats: string[];
  readonly nodes: Map<string, ComputeNodeReport>;
}

/** A {@link ServiceStore} of one host in memory. */
export function createMemoryServiceStore(options: { readonly disabled?: boolean } = {}): MemoryServiceStore {
  const nodeUuid = randomUUID();
  const beats: string[] = [];
  const nodes = new Map<string, ComputeNodeReport>();
  return {
    nodeUuid,
    beats,
    nodes,
    async register() {
      return { nodeUuid, disabled: options.disabled ?? false };
    },
    async beat(host) {
      beats.push(host);
    },
    async saveNode(report) {
      nodes.set(report.host, report);
    },
  };
}
