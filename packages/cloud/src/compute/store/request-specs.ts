import type { RequestedNetwork } from '@nova-hyperv/compute';
import type { Selectable, Transaction } from 'kysely';
import { z } from 'zod';
import type { ResolvedNetworks } from '../ports.js';
import { readJson } from './columns.js';
import type { ComputeDatabase, ComputeTables } from './tables.js';

/** What a build asked for, beside what the instance itself says: Nova's RequestSpec. */
export interface RequestSpec {
  readonly instanceUuid: string;
  readonly requestId: string;
  readonly imageProperties: Readonly<Record<string, string>>;
  readonly networks: ResolvedNetworks;
  /** Names or identifiers, as the build takes them. */
  readonly securityGroups: readonly string[];
  /** The same by name, as the server shows them; changes with the groups of its ports. */
  readonly securityGroupNames: readonly string[];
  /** The zone that the user asked for; null pins to none. */
  readonly availabilityZone: string | null;
  /** Administrators only: the build goes there or fails. */
  readonly requestedHost: string | null;
  readonly requestedNode: string | null;
  /** `zone:host:node`: also past the filters. */
  readonly forced: boolean;
  readonly hints: Readonly<Record<string, unknown>>;
  readonly attempts: number;
  readonly excludedHosts: readonly string[];
  /** Why the last attempt failed. */
  readonly lastError: string | null;
}

const NETWORK = z.object({
  networkId: z.string().optional(),
  portId: z.string().optional(),
  fixedIp: z.string().optional(),
  tag: z.string().optional(),
});

/** Drops members that are undefined: exact optional properties. */
function present(network: z.output<typeof NETWORK>): RequestedNetwork {
  return Object.fromEntries(Object.entries(network).filter(([, value]) => value !== undefined));
}

const SPEC = z
  .object({
    imageProperties: z.record(z.string(), z.string()),
    networks: z.union([z.literal('none'), z.array(NETWORK.transform(present))]),
    securityGroups: z.array(z.string()),
    securityGroupNames: z.array(z.string()).optional(),
    availabilityZone: z.string().nullable(),
    requestedHost: z.string().nullable(),
    requestedNode: z.string().nullable(),
    forced: z.boolean(),
    hints: z.record(z.string(), z.unknown()),
    attempts: z.number(),
    excludedHosts: z.array(z.string()),
    lastError: z.string().nullable(),
  })
  .transform((spec) => ({ ...spec, securityGroupNames: spec.securityGroupNames ?? spec.securityGroups }));

type Executor = ComputeDatabase | Transaction<ComputeTables>;

const toText = ({ instanceUuid: _uuid, requestId: _request, ...spec }: RequestSpec): string =>
  JSON.stringify(spec);

function toSpec(row: Selectable<ComputeTables['compute_request_spec']>): RequestSpec {
  const spec = readJson<Omit<RequestSpec, 'instanceUuid' | 'requestId'>>(
    SPEC,
    row.spec,
    'request of a build',
  );
  return { ...spec, instanceUuid: row.instance_uuid, requestId: row.request_id };
}

export async function insertRequestSpec(db: Executor, spec: RequestSpec): Promise<void> {
  const row = {
    instance_uuid: spec.instanceUuid,
    request_id: spec.requestId,
    spec: toText(spec),
    pending: 1,
  };
  await db.insertInto('compute_request_spec').values(row).execute();
}

export async function findRequestSpec(db: Executor, uuid: string): Promise<RequestSpec | null> {
  const row = await db
    .selectFrom('compute_request_spec')
    .selectAll()
    .where('instance_uuid', '=', uuid)
    .executeTakeFirst();
  return row === undefined ? null : toSpec(row);
}

/** `pending`: whether the conductor still has to find a host. */
export async function saveRequestSpec(db: Executor, spec: RequestSpec, pending: boolean): Promise<void> {
  await db
    .updateTable('compute_request_spec')
    .set({ spec: toText(spec), pending: pending ? 1 : 0 })
    .where('instance_uuid', '=', spec.instanceUuid)
    .execute();
}

/** After the groups of a server's ports changed: what it shows. */
export async function saveSecurityGroupNames(
  db: Executor,
  spec: RequestSpec,
  securityGroupNames: readonly string[],
): Promise<void> {
  await db
    .updateTable('compute_request_spec')
    .set({ spec: toText({ ...spec, securityGroupNames }) })
    .where('instance_uuid', '=', spec.instanceUuid)
    .execute();
}

/**
 * At start: builds that a compute service gave back in the moment before the end of the process, when the conductor had not been told yet, are
 * pending as well.
 */
export async function findLostBuilds(db: Executor): Promise<void> {
  const lost = db
    .selectFrom('compute_instance')
    .select('uuid')
    .where('host', 'is', null)
    .where('task_state', '=', 'scheduling')
    .where('deleted', '=', 0);
  await db
    .updateTable('compute_request_spec')
    .set({ pending: 1 })
    .where('instance_uuid', 'in', lost)
    .execute();
}

/** Instances whose build is with no host yet, oldest first. */
export async function pendingBuilds(db: Executor): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('compute_request_spec')
    .innerJoin('compute_instance', 'compute_instance.uuid', 'compute_request_spec.instance_uuid')
    .select('compute_instance.uuid')
    .where('compute_request_spec.pending', '=', 1)
    .where('compute_instance.deleted', '=', 0)
    .orderBy('compute_instance.id')
    .execute();
  return rows.map((row) => row.uuid);
}

/** Variables of one SQLite statement that are safe with every build. */
const CHUNK = 500;

/** Those of several instances at once, for lists. */
export async function requestSpecsOf(
  db: Executor,
  uuids: readonly string[],
): Promise<ReadonlyMap<string, RequestSpec>> {
  const specs = new Map<string, RequestSpec>();
  for (let start = 0; start < uuids.length; start += CHUNK) {
    const rows = await db
      .selectFrom('compute_request_spec')
      .selectAll()
      .where('instance_uuid', 'in', uuids.slice(start, start + CHUNK))
      .execute();
    for (const row of rows) specs.set(row.instance_uuid, toSpec(row));
  }
  return specs;
}
