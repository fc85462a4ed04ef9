import { randomUUID } from 'node:crypto';
import type { ComputeNodeReport, ServiceStore } from '@nova-hyperv/compute';
import { z } from 'zod';
import type { AnyDatabase } from '../../kernel/database.js';
import { readJson } from './columns.js';
import type { ComputeDatabase, ComputeTables } from './tables.js';

/** A service as the API shows it. */
export interface ServiceView {
  readonly id: number;
  readonly uuid: string;
  readonly host: string;
  readonly binary: string;
  readonly nodeUuid: string | null;
  readonly disabled: boolean;
  readonly disabledReason: string | null;
  readonly forcedDown: boolean;
  readonly lastSeenUp: Date | null;
  readonly createdAt: Date;
}

/** A compute node with the number that microversions before 2.53 show. */
export interface NodeView extends ComputeNodeReport {
  readonly id: number;
}

/** Heartbeats are every 10 s; a service is up when the last is younger than `downTimeS`. nova/servicegroup/drivers/db.py */
export function isUp(service: ServiceView, now: Date, downTimeS: number): boolean {
  if (service.forcedDown) return false;
  const last = service.lastSeenUp ?? service.createdAt;
  return Math.abs(now.getTime() - last.getTime()) <= downTimeS * 1000;
}

const REPORT = z.object({
  hypervisorType: z.string(),
  hypervisorVersion: z.number(),
  hostIp: z.string(),
  vcpus: z.number(),
  memoryMb: z.number(),
  localGb: z.number(),
  vcpusUsed: z.number(),
  memoryMbUsed: z.number(),
  localGbUsed: z.number(),
  diskAvailableLeastGb: z.number(),
  runningVms: z.number(),
  uptime: z.string(),
  cpuInfo: z.unknown(),
  supportedInstances: z.array(z.tuple([z.string(), z.string(), z.string()])),
  // A report of an earlier version has none.
  pciDevices: z
    .array(
      z.object({
        address: z.string(),
        vendorId: z.string(),
        productId: z.string(),
        devType: z.string(),
        tags: z.record(z.string(), z.string()),
      }),
    )
    .default([]),
  gpus: z
    .array(
      z.object({
        name: z.string(),
        driverVersion: z.string(),
        totalVideoRamMb: z.number(),
        availableVideoRamMb: z.number(),
        directXVersion: z.string(),
      }),
    )
    .default([]),
});

export async function listServices(db: ComputeDatabase): Promise<readonly ServiceView[]> {
  const rows = await db.selectFrom('compute_service').selectAll().orderBy('id').execute();
  return rows.map((row) => ({
    id: row.id,
    uuid: row.uuid,
    host: row.host,
    binary: row.binary,
    nodeUuid: row.node_uuid,
    disabled: row.disabled !== 0,
    disabledReason: row.disabled_reason,
    forcedDown: row.forced_down !== 0,
    lastSeenUp: row.last_seen_up === null ? null : new Date(row.last_seen_up),
    createdAt: new Date(row.created_at),
  }));
}

export async function listNodes(db: ComputeDatabase): Promise<readonly NodeView[]> {
  const rows = await db.selectFrom('compute_node').selectAll().orderBy('id').execute();
  return rows.map((row) => ({
    ...readJson(REPORT, row.report, 'report of a compute node'),
    id: row.id,
    uuid: row.uuid,
    host: row.host,
    hypervisorHostname: row.hypervisor_hostname,
  }));
}

interface NewService {
  readonly host: string;
  readonly binary: string;
  readonly topic: string;
  readonly startedAt: Date;
}

/** Creates or finds a service; only compute services get a node. */
export async function registerService(
  db: ComputeDatabase,
  service: NewService,
): Promise<{ readonly nodeUuid: string | null; readonly disabled: boolean }> {
  const now = new Date().toISOString();
  const row = await db
    .insertInto('compute_service')
    .values({
      uuid: randomUUID(),
      host: service.host,
      binary: service.binary,
      topic: service.topic,
      node_uuid: service.binary === 'nova-compute' ? randomUUID() : null,
      disabled: 0,
      disabled_reason: null,
      forced_down: 0,
      started_at: service.startedAt.toISOString(),
      last_seen_up: now,
      created_at: now,
    })
    .onConflict((conflict) =>
      conflict
        .columns(['host', 'binary'])
        .doUpdateSet({ started_at: service.startedAt.toISOString(), last_seen_up: now }),
    )
    .returning(['node_uuid', 'disabled'])
    .executeTakeFirstOrThrow();
  return { nodeUuid: row.node_uuid, disabled: row.disabled !== 0 };
}

export async function beatService(db: ComputeDatabase, host: string, binary: string): Promise<void> {
  await db
    .updateTable('compute_service')
    .set({ last_seen_up: new Date().toISOString() })
    .where('host', '=', host)
    .where('binary', '=', binary)
    .execute();
}

async function saveNode(db: ComputeDatabase, node: ComputeNodeReport): Promise<void> {
  const { uuid, host, hypervisorHostname, ...report } = node;
  const values = {
    hypervisor_hostname: hypervisorHostname,
    report: JSON.stringify({ ...report, cpuInfo: report.cpuInfo ?? null }),
    updated_at: new Date().toISOString(),
  };
  await db
    .insertInto('compute_node')
    .values({ uuid, host, ...values })
    .onConflict((conflict) => conflict.column('host').doUpdateSet({ uuid, ...values }))
    .execute();
}

/** Where compute services of the one-machine cloud report. */
export function createSqliteServiceStore(database: AnyDatabase): ServiceStore {
  const db = database.withTables<ComputeTables>();
  return {
    async register(report) {
      const { nodeUuid, disabled } = await registerService(db, report);
      if (nodeUuid === null)
        throw new Error(`The service ${report.binary} of ${report.host} has no compute node.`);
      return { nodeUuid, disabled };
    },
    beat: (host) => beatService(db, host, 'nova-compute'),
    saveNode: (report) => saveNode(db, report),
  };
}
