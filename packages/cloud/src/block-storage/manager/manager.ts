import { mkdir, rm } from 'node:fs/promises';
import { KeyedLock } from '../../kernel/keyed-lock.js';
import { WorkQueue } from '../../kernel/work-queue.js';
import type { VolumeBackend } from '../backends/backend.js';
import { readMembers } from '../json.js';
import type { VolumeRow } from '../tables.js';
import { createVolume } from './create-volume.js';
import { deleteVolume } from './delete-volume.js';
import type { ManagerDeps, Task } from './deps.js';
import { extendVolume } from './extend-volume.js';
import type { BackendEntry } from './registry.js';
import { retypeVolume } from './retype-volume.js';
import { workOnSnapshot } from './snapshots.js';
import { uploadVolume } from './upload-volume.js';
import { readWork } from './work.js';

/** Pieces of work at a time: copies keep a disk busy. */
const AT_ONCE = 3;
const VOLUME = 'volume:';
const SNAPSHOT = 'snapshot:';

/**
 * cinder-volume: does in the background what the rows of volumes and snapshots say is to be done. Work on one volume never overlaps; what a
 * process that was killed had begun is begun anew at the next start.
 */
export class VolumeManager {
  readonly deps: ManagerDeps;
  readonly #queue: WorkQueue;
  readonly #locks = new KeyedLock();
  readonly #running = new Map<string, AbortController>();
  #serving = false;

  constructor(deps: ManagerDeps) {
    this.deps = deps;
    this.#queue = new WorkQueue(AT_ONCE, (key) => this.#run(key));
  }

  /** Starts the back ends, then what is unfinished. */
  async start(): Promise<void> {
    await rm(this.deps.conversionDir, { recursive: true, force: true });
    await mkdir(this.deps.conversionDir, { recursive: true, mode: 0o700 });
    await this.deps.backends.start((entry) => this.#known(entry));
    this.#serving = true;
    const volumes = await this.deps.db
      .selectFrom('block_storage_volume')
      .select('id')
      .where('work', 'is not', null)
      .execute();
    const snapshots = await this.deps.db
      .selectFrom('block_storage_snapshot')
      .select('id')
      .where('status', 'in', ['creating', 'deleting'])
      .execute();
    for (const { id } of volumes) this.workOn(id);
    for (const { id } of snapshots) this.workOnSnapshot(id);
  }

  /** Gives up what runs; its rows stay as they are for the next start. */
  async stop(): Promise<void> {
    this.#serving = false;
    for (const running of this.#running.values()) running.abort();
    await this.#queue.stop();
    await this.deps.backends.stop();
  }

  /** There is work in the row of a volume. Before the start it waits for that. */
  workOn(volumeId: string): void {
    if (this.#serving) this.#queue.add(VOLUME + volumeId);
  }

  workOnSnapshot(snapshotId: string): void {
    if (this.#serving) this.#queue.add(SNAPSHOT + snapshotId);
  }

  /** Gives up what is being done with a volume, because other work stands in its row now. */
  interrupt(volumeId: string): void {
    this.#running.get(VOLUME + volumeId)?.abort();
  }

  /** Nobody else works on the volume meanwhile. */
  lock<T>(volumeId: string, work: () => Promise<T>): Promise<T> {
    return this.#locks.run(volumeId, work);
  }

  /** Settles when nothing is being done. */
  idle(): Promise<void> {
    return this.#queue.idle();
  }

  async #run(key: string): Promise<void> {
    const abort = new AbortController();
    this.#running.set(key, abort);
    try {
      if (key.startsWith(VOLUME)) await this.#onVolume(key.slice(VOLUME.length), abort.signal);
      else await this.#onSnapshot(key.slice(SNAPSHOT.length));
    } catch (error) {
      if (!abort.signal.aborted) this.deps.log.error({ err: error, key }, 'work on a volume failed');
    } finally {
      this.#running.delete(key);
    }
  }

  async #onVolume(id: string, signal: AbortSignal): Promise<void> {
    const task: Task = { signal, lock: (volumeId, work) => this.lock(volumeId, work) };
    const after = await this.lock(id, async () => {
      const volume = await this.deps.db
        .selectFrom('block_storage_volume')
        .selectAll()
        .where('id', '=', id)
        .executeTakeFirst();
      return volume === undefined || volume.work === null || signal.aborted
        ? undefined
        : this.#do(volume, volume.work, task);
    });
    await after?.();
  }

  /** What is left to do when others may work on the volume again, if anything. */
  async #do(volume: VolumeRow, json: string, task: Task): Promise<(() => Promise<void>) | undefined> {
    const work = readWork(json);
    if (work.kind === 'extend') return extendVolume(this.deps, volume, work.newSizeGb);
    if (work.kind === 'create') await createVolume(this.deps, volume, task);
    if (work.kind === 'delete') await deleteVolume(this.deps, volume, work.cascade);
    if (work.kind === 'upload') await uploadVolume(this.deps, volume, work, task);
    if (work.kind === 'retype') await retypeVolume(this.deps, volume, work, task);
    return undefined;
  }

  async #onSnapshot(id: string): Promise<void> {
    const find = () =>
      this.deps.db.selectFrom('block_storage_snapshot').selectAll().where('id', '=', id).executeTakeFirst();
    const found = await find();
    if (found === undefined) return;
    await this.lock(found.volume_id, async () => {
      const row = await find();
      if (row !== undefined) await workOnSnapshot(this.deps, row);
    });
  }

  /** What a back end has to have: all that is made, nothing that is being made. */
  async #known({ backend }: BackendEntry): Promise<Parameters<VolumeBackend['start']>[0]> {
    const rows = await this.deps.db.selectFrom('block_storage_volume').selectAll().execute();
    const own = rows.filter(
      ({ host, work }) =>
        host?.split('#').at(-1) === backend.name && (work === null || readWork(work).kind !== 'create'),
    );
    const volumes = new Map(own.map((row) => [row.id, { id: row.id, sizeGb: row.size }]));
    const snapshots = await this.deps.db
      .selectFrom('block_storage_snapshot')
      .selectAll()
      .where('status', '!=', 'creating')
      .execute();
    const attachments = await this.deps.db
      .selectFrom('block_storage_attachment')
      .select(['volume_id', 'connector'])
      .where('connection_info', 'is not', null)
      .execute();
    const legacy = own.map((row) => ({ volume_id: row.id, connector: row.legacy_connector }));
    return {
      volumes: [...volumes.values()],
      snapshots: snapshots
        .filter((row) => volumes.has(row.volume_id))
        .map((row) => ({ id: row.id, volumeId: row.volume_id, sizeGb: row.volume_size })),
      attachments: [...attachments, ...legacy].flatMap(({ volume_id: volumeId, connector }) => {
        const volume = volumes.get(volumeId);
        return volume === undefined || connector === null
          ? []
          : [{ volume, connector: readMembers(connector) }];
      }),
    };
  }
}
