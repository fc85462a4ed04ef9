import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { isUuid } from '../../kernel/ids.js';
import { BackendError, type BackendStats, type StoredSnapshot, type StoredVolume } from './backend.js';

/** Folders of a back end whose volumes are files. */
const VOLUMES = 'share';
const SNAPSHOTS = 'snapshots';
const WORK = 'work';

/** cinder.conf `volume_name_template`, `snapshot_name_template`. @throws RangeError for what is no UUID, so that no path leaves the folder. */
export const volumeName = (id: string): string => `volume-${checked(id)}`;
const snapshotName = (id: string): string => `snapshot-${checked(id)}`;

function checked(id: string): string {
  if (!isUuid(id)) throw new RangeError(`Not the identifier of a volume or snapshot: ${id}`);
  return id;
}

/**
 * Where a back end keeps its files: volumes in a folder that holds nothing else (it may be a share), snapshots in another, what is being made in
 * a third. A file is made there and gets its name when it is whole, so that whatever lies in the first two is whole.
 */
export class VolumeFiles {
  readonly #root: string;
  readonly #extension: string;

  /** @param extension of the files: `.vhdx` */
  constructor(root: string, extension: string) {
    this.#root = root;
    this.#extension = extension;
  }

  get volumesDir(): string {
    return join(this.#root, VOLUMES);
  }

  fileName(volumeId: string): string {
    return volumeName(volumeId) + this.#extension;
  }

  volume(id: string): string {
    return join(this.volumesDir, this.fileName(id));
  }

  snapshot(id: string): string {
    return join(this.#root, SNAPSHOTS, snapshotName(id) + this.#extension);
  }

  /** Makes the folders; removes what is half made and volumes and snapshots that nobody knows. Gives the names removed. */
  async prepare(
    volumes: readonly StoredVolume[],
    snapshots: readonly StoredSnapshot[],
  ): Promise<readonly string[]> {
    await rm(join(this.#root, WORK), { recursive: true, force: true });
    for (const folder of [VOLUMES, SNAPSHOTS, WORK])
      await mkdir(join(this.#root, folder), { recursive: true, mode: 0o700 });
    return [
      ...(await this.#removeStrays(
        VOLUMES,
        volumes.map(({ id }) => volumeName(id)),
      )),
      ...(await this.#removeStrays(
        SNAPSHOTS,
        snapshots.map(({ id }) => snapshotName(id)),
      )),
    ];
  }

  /** Only names that are made here: whatever else somebody put there is not ours to delete. */
  async #removeStrays(folder: string, keep: readonly string[]): Promise<readonly string[]> {
    const kept = new Set(keep);
    const strays: string[] = [];
    for (const name of await readdir(join(this.#root, folder))) {
      const stem = name.endsWith(this.#extension) ? name.slice(0, name.length - this.#extension.length) : '';
      const [, id = ''] = /^(?:volume|snapshot)-(.+)$/.exec(stem) ?? [];
      if (isUuid(id) && !kept.has(stem)) strays.push(name);
    }
    for (const name of strays) await rm(join(this.#root, folder, name), { force: true });
    return strays;
  }

  /** A path for something on the way, which is removed afterwards. */
  async withScratch<T>(work: (path: string) => Promise<T>): Promise<T> {
    const path = join(this.#root, WORK, randomUUID());
    try {
      return await work(path);
    } finally {
      await rm(path, { force: true });
    }
  }

  /** Makes a new file at `target`, whole or not at all. @throws BackendError FAILED when there is one; what `fill` throws. */
  async make(target: string, fill: (path: string) => Promise<void>): Promise<void> {
    await this.withScratch(async (path) => {
      if (await isThere(target))
        throw new BackendError(
          'FAILED',
          'A volume or snapshot of this identifier is there already; delete it first.',
        );
      await fill(path);
      await rename(path, target);
      await syncFolder(join(target, '..'));
    });
  }

  async stats(): Promise<BackendStats> {
    const { blocks, bavail, bsize } = await statfs(this.#root);
    return { totalBytes: blocks * bsize, freeBytes: bavail * bsize };
  }
}

export async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}

/** Makes a new name in a folder last through a power cut. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
