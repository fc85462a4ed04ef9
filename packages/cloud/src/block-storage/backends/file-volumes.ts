import type { Logger } from 'pino';
import type { BackendStats, ImageContent, LongWork, StoredSnapshot, StoredVolume } from './backend.js';
import type { DiskFiles, FileFormatOfVolumes, Scratch } from './disk-files.js';
import { guarded } from './failure.js';
import { readImage } from './image-content.js';
import { VolumeFiles } from './volume-files.js';

const GIB = 2 ** 30;
const bytesOf = (sizeGb: number): number => sizeGb * GIB;

export interface FileVolumesOptions {
  /** Folder of the back end. */
  readonly root: string;
  readonly disks: DiskFiles;
  readonly log: Logger;
}

/** Volumes and snapshots that are files, each a full sparse copy, so that none depends on another. Everything but how hosts reach them. */
export class FileVolumes {
  readonly files: VolumeFiles;
  readonly #disks: DiskFiles;
  readonly #log: Logger;
  readonly #scratch: Scratch;

  constructor(options: FileVolumesOptions) {
    this.#disks = options.disks;
    this.#log = options.log;
    this.files = new VolumeFiles(options.root, options.disks.extension);
    this.#scratch = (work) => this.files.withScratch(work);
  }

  /**
   * Leaves exactly what is known; see `VolumeBackend.start`.
   * @param isAttached such volumes are left alone.
   */
  async start(
    volumes: readonly StoredVolume[],
    snapshots: readonly StoredSnapshot[],
    isAttached: (volumeId: string) => boolean,
  ): Promise<void> {
    const removed = await this.files.prepare(volumes, snapshots);
    if (removed.length > 0)
      this.#log.warn({ removed }, 'files of unfinished or unknown volumes were removed');
    for (const volume of volumes) if (!isAttached(volume.id)) await this.#check(volume);
  }

  /** A growth that was cut off before it was written down is taken back. */
  async #check({ id, sizeGb }: StoredVolume): Promise<void> {
    const path = this.files.volume(id);
    try {
      if ((await this.#disks.size(path)) > bytesOf(sizeGb))
        await this.#disks.shrinkBack(path, bytesOf(sizeGb));
    } catch (error) {
      this.#log.error({ err: error, volume: id }, 'the file of a volume is missing or cannot be read');
    }
  }

  stats(): Promise<BackendStats> {
    return this.files.stats();
  }

  async create({ id, sizeGb }: StoredVolume): Promise<void> {
    await this.#make(this.files.volume(id), (path) => this.#disks.create(path, bytesOf(sizeGb)));
  }

  async createFromSnapshot({ id, sizeGb }: StoredVolume, snapshot: StoredSnapshot): Promise<void> {
    await this.#make(this.files.volume(id), (path) =>
      this.#disks.copy(this.files.snapshot(snapshot.id), path, bytesOf(sizeGb)),
    );
  }

  async clone({ id, sizeGb }: StoredVolume, source: StoredVolume): Promise<void> {
    await this.#make(this.files.volume(id), (path) =>
      this.#disks.copy(this.files.volume(source.id), path, bytesOf(sizeGb)),
    );
  }

  async createFromImage(
    { id, sizeGb }: StoredVolume,
    image: ImageContent,
    work: LongWork = {},
  ): Promise<void> {
    await this.#make(this.files.volume(id), async (path) => {
      const readable = await readImage(image, bytesOf(sizeGb));
      await this.#disks.fromImage(readable, path, bytesOf(sizeGb), this.#scratch, work);
    });
  }

  #make(target: string, fill: (path: string) => Promise<void>): Promise<void> {
    return guarded(() => this.files.make(target, fill));
  }

  delete(volumeId: string): Promise<void> {
    return guarded(() => this.#disks.remove(this.files.volume(volumeId)));
  }

  extend({ id }: StoredVolume, newSizeGb: number): Promise<void> {
    return guarded(async () => {
      const path = this.files.volume(id);
      if ((await this.#disks.size(path)) < bytesOf(newSizeGb))
        await this.#disks.grow(path, bytesOf(newSizeGb));
    });
  }

  /** Undoes an {@link extend} of which nobody was told. */
  takeBack({ id, sizeGb }: StoredVolume): Promise<void> {
    return guarded(() => this.#disks.shrinkBack(this.files.volume(id), bytesOf(sizeGb)));
  }

  async createSnapshot(snapshot: StoredSnapshot): Promise<void> {
    await this.#make(this.files.snapshot(snapshot.id), (path) =>
      this.#disks.copy(this.files.volume(snapshot.volumeId), path, bytesOf(snapshot.sizeGb)),
    );
  }

  deleteSnapshot({ id }: StoredSnapshot): Promise<void> {
    return guarded(() => this.#disks.remove(this.files.snapshot(id)));
  }

  copyToFile(
    { id }: StoredVolume,
    path: string,
    format: FileFormatOfVolumes,
    work: LongWork = {},
  ): Promise<void> {
    return guarded(() => this.#disks.toFile(this.files.volume(id), path, format, this.#scratch, work));
  }

  /** @throws BackendError NOT_FOUND */
  async requireThere(volumeId: string): Promise<void> {
    await guarded(() => this.#disks.size(this.files.volume(volumeId)));
  }
}
