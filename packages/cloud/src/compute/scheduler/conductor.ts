import {
  ComputeError,
  hostedFlavor,
  InstanceNotFoundError,
  MIGRATION_IN_PROGRESS,
  UnexpectedTaskStateError,
  type BuildRequest,
  type InstanceFault,
  type Rescheduler,
  type TaskState,
} from '@nova-hyperv/compute';
import type { Nova } from '../deps.js';
import { failAction } from '../store/actions.js';
import { migrationWithStatus, saveMigration } from '../store/instance-migrations.js';
import { addFaultIn, destroyIn, liveRow, saveIn } from '../store/instance-store.js';
import { toServer, type ServerRecord } from '../store/records.js';
import {
  findLostBuilds,
  findRequestSpec,
  pendingBuilds,
  saveRequestSpec,
  type RequestSpec,
} from '../store/request-specs.js';
import { ColdMigrations, type MigrateServerRequest } from './cold-migration.js';
import { KeyedLock } from '../../kernel/keyed-lock.js';
import { releaseLocally } from '../servers/block-devices/reserve.js';
import { flavorResources } from './resources.js';
import { NoValidHostError, selectHosts, type Choice } from './scheduler.js';
import { WorkQueue } from '../../kernel/work-queue.js';

/** How often hosts are chosen anew when others took their room in the meantime. */
const CLAIM_ROUNDS = 3;
/** Waits before trying again while a service of the cloud does not answer, ms: nearly a minute; then the build fails. */
const BACKOFF_MS = [250, 1000, 2000, 4000, 8000, 8000, 8000, 8000, 8000];
/** States of a build on its host, at which another host may be tried. */
const BUILDING: readonly TaskState[] = ['scheduling', 'block_device_mapping', 'networking', 'spawning', null];

type Failure = Parameters<Rescheduler['buildFailed']>[1];

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const startingError = (host: string): Error =>
  new ComputeError(
    'ComputeServiceUnavailable',
    `The compute service of ${host} does not take requests yet.`,
    {
      scope: 'host',
    },
  );
const isStarting = (error: unknown): boolean =>
  error instanceof ComputeError && error.novaName === 'ComputeServiceUnavailable';

/** The instance was deleted or taken over while its build was looked at: nothing to do, and nothing wrong. */
const overtaken = (error: unknown): boolean =>
  error instanceof UnexpectedTaskStateError || error instanceof InstanceNotFoundError;

/**
 * Takes builds from the stored request to a host:
 *
 *     stored, pending ──> claimed in Placement ──> instance has a host, not pending ──> handed to its compute service
 *          ^   └─ no host: ERROR                                                             │
 *          └───────────── build failed there, retryable: that host is excluded <─────────────┘
 *
 * Each arrow is one transaction or one idempotent request, so after a crash the store says where to go on: a pending build is scheduled (again), an
 * instance with a host is its compute service's.
 */
export class Conductor implements Rescheduler {
  readonly #nova: Nova;
  readonly #queue: WorkQueue;
  readonly #lock = new KeyedLock();
  readonly #migrations: ColdMigrations;
  readonly #failures = new Map<string, number>();
  readonly #timers = new Set<NodeJS.Timeout>();
  /** Builds found at start: they wait for compute services that are starting, too. */
  readonly #recovered = new Set<string>();
  #started = false;

  constructor(nova: Nova) {
    this.#nova = nova;
    this.#migrations = new ColdMigrations(nova);
    this.#queue = new WorkQueue(nova.config.schedulerWorkers, (uuid) => this.#process(uuid));
  }

  /** Takes up what is pending: at start, and whenever something was stored. Nothing before {@link recover}. */
  async wake(): Promise<void> {
    if (!this.#started) return;
    for (const uuid of await pendingBuilds(this.#nova.db)) this.#queue.add(uuid);
  }

  /** Starts; after a crash also finishes deletions of instances without a host. */
  async recover(): Promise<void> {
    const rows = await this.#nova.db
      .selectFrom('compute_instance')
      .select('uuid')
      .where('host', 'is', null)
      .where('task_state', '=', 'deleting')
      .where('deleted', '=', 0)
      .execute();
    for (const { uuid } of rows) this.#queue.add(uuid);
    await findLostBuilds(this.#nova.db);
    this.#started = true;
    for (const uuid of await pendingBuilds(this.#nova.db)) this.#recovered.add(uuid);
    await this.wake();
  }

  /** Settles when all that was taken up is with a host or failed. */
  async idle(): Promise<void> {
    await this.#queue.idle();
    await this.#migrations.idle();
  }

  /** Nova's conductor's migrate_server, for a resize: settles at once, its end is seen in the server. */
  migrateServer(request: MigrateServerRequest): void {
    this.#migrations.add(request);
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    await this.#queue.stop();
    await this.#migrations.stop();
  }

  /**
   * Ends an instance in state `deleting` that no compute service will end. Its ports must be gone.
   * Waits for a build of it that is being scheduled, so that no allocation is left.
   * @param abandonedHost of an instance whose host has no compute service any more
   */
  async deleteLocally(uuid: string, abandonedHost: string | null = null): Promise<void> {
    await this.#lock.run(uuid, async () => {
      const row = await this.#find(uuid);
      if (row === null || row.taskState !== 'deleting' || row.host !== abandonedHost) return;
      await this.#nova.placement.release(uuid);
      await this.#endMigration(uuid);
      await releaseLocally(this.#nova, uuid);
      await this.#nova.db.transaction().execute((trx) => destroyIn(trx, uuid));
    });
  }

  /** Of an abandoned host: what its compute service would have done with a resize that was not confirmed. */
  async #endMigration(uuid: string): Promise<void> {
    const migration = await migrationWithStatus(this.#nova.db, uuid, MIGRATION_IN_PROGRESS);
    if (migration === null) return;
    await this.#nova.placement.release(migration.uuid);
    await saveMigration(this.#nova.db, migration.uuid, { status: 'error' });
  }

  async buildFailed(request: BuildRequest, failure: Failure): Promise<void> {
    const uuid = request.instanceUuid;
    await this.#lock.run(uuid, async () => {
      const instance = await this.#find(uuid);
      if (instance === null) return;
      if (!failure.retryable) {
        if (instance.host === null) await this.#nova.placement.release(uuid);
        return;
      }
      await this.#backToScheduling(instance, failure);
    });
    this.#queue.add(uuid);
  }

  async #find(uuid: string): Promise<ServerRecord | null> {
    try {
      return toServer(await liveRow(this.#nova.db, uuid));
    } catch (error) {
      if (error instanceof InstanceNotFoundError) return null;
      throw error;
    }
  }

  async #backToScheduling(instance: ServerRecord, failure: Failure): Promise<void> {
    const spec = await findRequestSpec(this.#nova.db, instance.uuid);
    if (spec === null || (instance.host !== null && instance.host !== failure.host)) return;
    const excludedHosts = [...new Set([...spec.excludedHosts, failure.host])];
    try {
      await this.#nova.db.transaction().execute(async (trx) => {
        const changes = { host: null, node: null, vmState: 'building', taskState: 'scheduling' } as const;
        await saveIn(trx, instance.uuid, changes, BUILDING);
        await saveRequestSpec(trx, { ...spec, excludedHosts, lastError: failure.message }, true);
      });
    } catch (error) {
      if (!overtaken(error)) throw error;
    }
  }

  async #process(uuid: string): Promise<void> {
    try {
      await this.#lock.run(uuid, () => this.#advance(uuid));
      this.#failures.delete(uuid);
      this.#recovered.delete(uuid);
    } catch (error) {
      this.#nova.kernel.log.warn(
        { err: error, instance: uuid },
        'scheduling did not succeed; it is tried again',
      );
      await this.#retryLater(uuid, error).catch((second: unknown) =>
        this.#nova.kernel.log.error({ err: second, instance: uuid }, 'a build is left to the next start'),
      );
    }
  }

  /** Trouble that is not the request's fault: again a little later, a few times. */
  async #retryLater(uuid: string, error: unknown): Promise<void> {
    const failures = this.#failures.get(uuid) ?? 0;
    const delay = BACKOFF_MS[failures];
    if (delay !== undefined) {
      this.#failures.set(uuid, failures + 1);
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        this.#queue.add(uuid);
      }, delay);
      this.#timers.add(timer);
      return;
    }
    this.#failures.delete(uuid);
    this.#recovered.delete(uuid);
    const spec = await findRequestSpec(this.#nova.db, uuid);
    if (spec === null) return;
    const noHost = error instanceof NoValidHostError;
    const message = noHost
      ? error.message
      : 'Scheduling failed because another service did not answer. Delete the server and create it again.';
    const fault = { code: 500, message, details: noHost ? error.details() : messageOf(error) };
    await this.#lock.run(uuid, () => this.#fail(spec, fault));
  }

  /** One step of one instance, under its lock. */
  async #advance(uuid: string): Promise<void> {
    const instance = await this.#find(uuid);
    if (instance === null || instance.host !== null) return;
    if (instance.taskState === 'deleting') {
      await this.#nova.placement.release(uuid);
      await releaseLocally(this.#nova, uuid);
      await this.#nova.db.transaction().execute((trx) => destroyIn(trx, uuid));
      return;
    }
    const spec = await findRequestSpec(this.#nova.db, uuid);
    if (spec === null || instance.taskState !== 'scheduling') return;
    if (spec.attempts >= this.#nova.config.maxAttempts) {
      const message =
        'Exceeded maximum number of retries. Exhausted all hosts available for retrying build failures for ' +
        `instance ${uuid}. Last error: ${spec.lastError ?? 'unknown'}`;
      await this.#fail(spec, { code: 500, message, details: `Tried: ${spec.excludedHosts.join(', ')}` });
      return;
    }
    await this.#schedule(instance, spec);
  }

  async #schedule(instance: ServerRecord, spec: RequestSpec): Promise<void> {
    let choice: Choice | null;
    try {
      choice = await this.#claim(instance, spec);
    } catch (error) {
      if (!(error instanceof NoValidHostError)) throw error;
      if (this.#recovered.has(instance.uuid) && error.mayPass()) throw error;
      const last = spec.lastError === null ? '' : ` Last error: ${spec.lastError}`;
      await this.#fail(spec, { code: 500, message: `${error.message}${last}`, details: error.details() });
      return;
    }
    if (choice === null) {
      const message =
        'No valid host was found. Others took the room on every host while this build was scheduled.';
      await this.#fail(spec, { code: 500, message, details: `After ${CLAIM_ROUNDS} rounds of claims.` });
      return;
    }
    await this.#handOver(instance, spec, choice);
  }

  /** Claims resources on the best host that still has them; null when all were lost to others. */
  async #claim(instance: ServerRecord, spec: RequestSpec): Promise<Choice | null> {
    for (let round = 0; round < CLAIM_ROUNDS; round += 1) {
      for (const choice of await selectHosts(this.#nova, instance, spec)) {
        const claimed = await this.#nova.placement.claim({
          consumerUuid: instance.uuid,
          providerUuid: choice.candidate.providerUuid,
          resources: flavorResources(hostedFlavor(instance, instance.flavor)),
          projectId: instance.projectId,
          userId: instance.userId,
        });
        if (claimed) return choice;
      }
    }
    return null;
  }

  async #handOver(instance: ServerRecord, spec: RequestSpec, { host }: Choice): Promise<void> {
    const { uuid } = instance;
    try {
      await this.#nova.db.transaction().execute(async (trx) => {
        const { availabilityZone } = host;
        await saveIn(trx, uuid, { host: host.host, node: host.node.hypervisorHostname, availabilityZone }, [
          'scheduling',
        ]);
        await saveRequestSpec(trx, { ...spec, attempts: spec.attempts + 1 }, false);
      });
    } catch (error) {
      if (!overtaken(error)) throw error;
      await this.#nova.placement.release(uuid);
      return;
    }
    const request: BuildRequest = {
      instanceUuid: uuid,
      requestId: spec.requestId,
      requestedNetworks: spec.networks,
      securityGroups: spec.securityGroups,
    };
    try {
      const compute = this.#nova.compute(host.host);
      if (compute === undefined) throw startingError(host.host);
      await compute.buildAndRunInstance(request);
    } catch (error) {
      if (isStarting(error)) await this.#giveBack(spec, error);
      await this.#refused(uuid, { host: host.host, message: messageOf(error), retryable: true });
    }
  }

  /** The host's service is only starting: as if it had not been tried, and again a little later. */
  async #giveBack(spec: RequestSpec, error: unknown): Promise<never> {
    await this.#nova.db.transaction().execute(async (trx) => {
      await saveIn(trx, spec.instanceUuid, { host: null, node: null }, ['scheduling']);
      await saveRequestSpec(trx, spec, true);
    });
    throw error;
  }

  /** The compute service did not take the build: on to the next host, under the lock that is held already. */
  async #refused(uuid: string, failure: Failure): Promise<void> {
    const instance = await this.#find(uuid);
    if (instance === null) return;
    await this.#backToScheduling(instance, failure);
    this.#queue.add(uuid);
  }

  async #fail(spec: RequestSpec, fault: InstanceFault): Promise<void> {
    const uuid = spec.instanceUuid;
    try {
      await this.#nova.placement.release(uuid);
    } catch (error) {
      // The user is told all the same; compute services remove allocations of failed instances now and then.
      this.#nova.kernel.log.warn(
        { err: error, instance: uuid },
        'the allocation of a failed build was not removed',
      );
    }
    try {
      await this.#nova.db.transaction().execute(async (trx) => {
        await saveIn(trx, uuid, { vmState: 'error', taskState: null, host: null, node: null }, [
          'scheduling',
        ]);
        await addFaultIn(trx, uuid, fault);
        await saveRequestSpec(trx, spec, false);
      });
      await failAction(this.#nova.db, uuid, spec.requestId);
    } catch (error) {
      if (!overtaken(error)) throw error;
    }
  }
}
