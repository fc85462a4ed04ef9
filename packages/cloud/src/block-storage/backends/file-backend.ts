import {
  BackendError,
  type BackendStats,
  type ImageContent,
  type LongWork,
  type StoredSnapshot,
  type StoredVolume,
} from './backend.js';
import type { FileFormatOfVolumes } from './disk-files.js';
import type { FileVolumes } from './file-volumes.js';

const DETACH_FIRST = 'The volume is attached; detach it first.';

/** The part of a back end that is the same whichever way hosts reach the files. What a host has attached is not read: it may be half written. */
export abstract class FileBackend {
  readonly vendor = 'nova-hyperv';
  protected readonly volumes: FileVolumes;

  constructor(volumes: FileVolumes) {
    this.volumes = volumes;
  }

  protected abstract isAttached(volumeId: string): boolean;

  /** @throws BackendError VOLUME_IN_USE */
  protected refuseAttached(volumeId: string, why = DETACH_FIRST): void {
    if (this.isAttached(volumeId)) throw new BackendError('VOLUME_IN_USE', why);
  }

  stats(): Promise<BackendStats> {
    return this.volumes.stats();
  }

  createVolume(volume: StoredVolume): Promise<void> {
    return this.volumes.create(volume);
  }

  createVolumeFromSnapshot(volume: StoredVolume, snapshot: StoredSnapshot): Promise<void> {
    return this.volumes.createFromSnapshot(volume, snapshot);
  }

  async cloneVolume(volume: StoredVolume, source: StoredVolume): Promise<void> {
    this.refuseAttached(source.id);
    await this.volumes.clone(volume, source);
  }

  createVolumeFromImage(volume: StoredVolume, image: ImageContent, work?: LongWork): Promise<void> {
    return this.volumes.createFromImage(volume, image, work);
  }

  async createSnapshot(snapshot: StoredSnapshot): Promise<void> {
    this.refuseAttached(snapshot.volumeId);
    await this.volumes.createSnapshot(snapshot);
  }

  deleteSnapshot(snapshot: StoredSnapshot): Promise<void> {
    return this.volumes.deleteSnapshot(snapshot);
  }

  async copyVolumeToFile(
    volume: StoredVolume,
    path: string,
    diskFormat: FileFormatOfVolumes,
    work?: LongWork,
  ): Promise<void> {
    this.refuseAttached(volume.id);
    await this.volumes.copyToFile(volume, path, diskFormat, work);
  }
}
