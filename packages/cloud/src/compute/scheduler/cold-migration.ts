import { hostname } from 'node:os';
import {
  hostedFlavor,
  InstanceNotFoundError,
  UnexpectedTaskStateError,
  type MigrationRecord,
} from '@nova-hyperv/compute';
import type { Flavor } from '@nova-hyperv/driver';
import type { Nova } from '../deps.js';
import { finishEvent, startEvent } from '../store/actions.js';
import { addFaultIn, liveRow, saveIn } from '../store/instance-store.js';
import { insertMigration, saveMigration } from '../store/instance-migrations.js';
import { toServer, type ServerRecord } from '../store/records.js';
import { findRequestSpec } from '../store/request-specs.js';
import { flavorResources } from './resources.js';
import { NoValidHostError, selectHosts } from './scheduler.js';
import { WorkQueue } from '../../kernel/work-queue.js';

/** What the API hands over: the server is marked `resize_prep` already. */
export interface MigrateServerRequest {
  readonly instanceUuid: string;
  readonly requestId: string;
  readonly userId: string;
  readonly projectId: string;
  readonly flavor: Flavor;
}

const EVENT = 'conductor_migrate_server';
/** Resizes that are scheduled at the same time. */
const WORKERS = 2;

const isOvertaken = (error: unknown): boolean =>
  error instanceof UnexpectedTaskStateError || error instanceof InstanceNotFoundError;

/**
 * Nova's MigrationTask: what the instance holds goes to the migration in Placement, the new size is claimed for the instance, and the destination
 * gets the request. It lives in memory only: after a crash the compute service leads an instance in `resize_prep` back.
 */
export class ColdMigrations {
  readonly #nova: Nova;
  readonly #queue: WorkQueue;
  readonly #requests = new Map<string, MigrateServerRequest>();

  constructor(nova: Nova) {
    this.#nova = nova;
    this.#queue = new WorkQueue(WORKERS, (uuid) => this.#run(uuid));
  }

  add(request: MigrateServerRequest): void {
    this.#requests.set(request.instanceUuid, request);
    this.#queue.add(request.instanceUuid);
  }

  idle(): Promise<void> {
    return this.#queue.idle();
  }

  stop(): Promise<void> {
    return this.#queue.stop();
  }

  async #run(uuid: string): Promise<void> {
    const request = this.#requests.get(uuid);
    if (request === undefined) return;
    this.#requests.delete(uuid);
    const { db, kernel } = this.#nova;
    const { requestId } = request;
    let failure: string | null = null;
    try {
      await startEvent(db, uuid, requestId, EVENT, hostname());
      failure = await this.#migrate(request);
    } catch (error) {
      failure = error instanceof Error ? error.message : String(error);
      kernel.log.error({ err: error, instance: uuid }, 'a resize was not begun');
    }
    await finishEvent(db, uuid, requestId, EVENT, failure).catch((error: unknown) =>
      kernel.log.warn({ err: error, instance: uuid }, 'an instance action event could not be recorded'),
    );
  }

  /** Null when the destination has the request, or nothing is to be done any more; else why not. */
  async #migrate(request: MigrateServerRequest): Promise<string | null> {
    const { db } = this.#nova;
    const server = await this.#find(request.instanceUuid);
    if (server === null) return null;
    const { flavor: newFlavor, userId, projectId } = request;
    const migration = await insertMigration(db, { server, newFlavor, userId, projectId });
    try {
      await this.#nova.placement.move(server.uuid, migration.uuid);
      const host = await this.#claim(server, newFlavor);
      if ((await this.#find(server.uuid)) === null) return await this.#drop(server, migration);
      const compute = this.#nova.compute(host);
      if (compute === undefined)
        throw new NoValidHostError(`The compute service of ${host} is not there.`, []);
      await compute.prepResize({
        instanceUuid: server.uuid,
        requestId: request.requestId,
        migrationUuid: migration.uuid,
        flavor: newFlavor,
      });
      return null;
    } catch (error) {
      await this.#takeBack(server, migration, error);
      return error instanceof Error ? error.message : String(error);
    }
  }

  async #find(uuid: string): Promise<ServerRecord | null> {
    try {
      const server = toServer(await liveRow(this.#nova.db, uuid));
      return server.taskState === 'resize_prep' ? server : null;
    } catch (error) {
      if (error instanceof InstanceNotFoundError) return null;
      throw error;
    }
  }

  /** On the host that the instance is on, which the filters may still refuse. @throws NoValidHostError */
  async #claim(server: ServerRecord, flavor: Flavor): Promise<string> {
    const { config, db, placement } = this.#nova;
    const spec = await findRequestSpec(db, server.uuid);
    if (!config.allowResizeToSameHost || server.host === null || spec === null) {
      throw new NoValidHostError(
        'Resizing on the same host is switched off (allow_resize_to_same_host), and moving to another host is not served.',
        [],
      );
    }
    const wanted = { ...server, flavor };
    const here = { requestedHost: server.host, requestedNode: server.node, excludedHosts: [], forced: false };
    for (const { candidate, host } of await selectHosts(this.#nova, wanted, { ...spec, ...here })) {
      const claimed = await placement.claim({
        consumerUuid: server.uuid,
        providerUuid: candidate.providerUuid,
        resources: flavorResources(hostedFlavor(server, flavor)),
        projectId: server.projectId,
        userId: server.userId,
      });
      if (claimed) return host.host;
    }
    throw new NoValidHostError('Others took the room while this resize was scheduled.', []);
  }

  /** The instance was deleted meanwhile. */
  async #drop(server: ServerRecord, migration: MigrationRecord): Promise<null> {
    await this.#nova.placement.release(migration.uuid);
    await this.#nova.placement.release(server.uuid);
    await saveMigration(this.#nova.db, migration.uuid, { status: 'error' });
    return null;
  }

  /** The instance is as it was; why is in its fault. */
  async #takeBack(server: ServerRecord, migration: MigrationRecord, error: unknown): Promise<void> {
    const { db, placement } = this.#nova;
    await placement.move(migration.uuid, server.uuid);
    const message = error instanceof Error ? error.message : String(error);
    const noHost = error instanceof NoValidHostError;
    const fault = {
      code: 500,
      message: noHost
        ? message
        : 'The resize was not begun because another service did not answer. Try again.',
      details: noHost ? error.details() : message,
    };
    try {
      await db.transaction().execute(async (trx) => {
        await saveMigration(trx, migration.uuid, { status: 'error' });
        await saveIn(trx, server.uuid, { taskState: null }, ['resize_prep']);
        await addFaultIn(trx, server.uuid, fault);
      });
    } catch (second) {
      if (!isOvertaken(second)) throw second;
      await this.#drop(server, migration);
    }
  }
}
