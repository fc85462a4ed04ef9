import { join } from 'node:path';
import type { Logger } from 'pino';
import { randomPassword, readOrCreateSecret } from '../../kernel/secrets.js';
import type {
  BackendStats,
  ConnectionInfo,
  Connector,
  ImageContent,
  LongWork,
  StoredSnapshot,
  StoredVolume,
  VolumeBackend,
} from './backend.js';
import { hostOf } from './connector.js';
import type { FileFormatOfVolumes } from './disk-files.js';
import { Attached, FileVolumes } from './file-volumes.js';
import { VhdxFiles } from './vhdx-files.js';

/** A share as a file server has it and hosts use it. */
export interface SmbShare {
  readonly server: string;
  readonly share: string;
  /** What is shared, on this machine. */
  readonly folder: string;
  readonly username: string;
  readonly password: string;
}

export interface SmbShareOptions {
  /** Name or address of the file server, as the hosts reach it. */
  readonly server?: string;
  readonly share?: string;
}

const ROOT = join('volumes', 'smb');
const USERNAME = 'cinder';
const DETACH_FIRST = 'The volume is attached; detach it first.';

/** The share of a cloud's volumes; its password is made at the first call and kept among the cloud's secrets. */
export async function smbShare(stateDir: string, options: SmbShareOptions = {}): Promise<SmbShare> {
  return {
    server: options.server ?? 'nova-hyperv',
    share: options.share ?? 'volumes',
    folder: join(stateDir, ROOT, 'share'),
    username: USERNAME,
    password: await readOrCreateSecret(stateDir, 'volume-share-password', randomPassword),
  };
}

/**
 * Volumes as VHDX files on an SMB share, as Cinder's driver for Windows keeps them (cinder/volume/drivers/windows/smbfs.py): hosts map the
 * share and attach the files.
 */
export class SmbBackend implements VolumeBackend {
  readonly name = 'smb';
  readonly storageProtocol = 'SMB';
  readonly vendor = 'nova-hyperv';
  readonly onlineExtendRefusal =
    'SMB backed volumes cannot be extended while they are attached; detach it first.';
  readonly #share: SmbShare;
  readonly #volumes: FileVolumes;
  readonly #attached = new Attached();

  constructor(stateDir: string, share: SmbShare, log: Logger) {
    this.#share = share;
    this.#volumes = new FileVolumes({ root: join(stateDir, ROOT), disks: new VhdxFiles(), log });
  }

  async start(known: Parameters<VolumeBackend['start']>[0]): Promise<void> {
    for (const { volume, connector } of known.attachments) this.#attached.add(volume.id, hostOf(connector));
    await this.#volumes.start(known.volumes, known.snapshots, (id) => this.#attached.has(id));
  }

  async stop(): Promise<void> {}

  stats(): Promise<BackendStats> {
    return this.#volumes.stats();
  }

  createVolume(volume: StoredVolume): Promise<void> {
    return this.#volumes.create(volume);
  }

  createVolumeFromSnapshot(volume: StoredVolume, snapshot: StoredSnapshot): Promise<void> {
    return this.#volumes.createFromSnapshot(volume, snapshot);
  }

  async cloneVolume(volume: StoredVolume, source: StoredVolume): Promise<void> {
    this.#attached.refuse(source.id, DETACH_FIRST);
    await this.#volumes.clone(volume, source);
  }

  createVolumeFromImage(volume: StoredVolume, image: ImageContent, work?: LongWork): Promise<void> {
    return this.#volumes.createFromImage(volume, image, work);
  }

  async deleteVolume(volumeId: string): Promise<void> {
    this.#attached.refuse(volumeId, DETACH_FIRST);
    await this.#volumes.delete(volumeId);
  }

  async extendVolume(volume: StoredVolume, newSizeGb: number): Promise<void> {
    this.#attached.refuse(volume.id, this.onlineExtendRefusal);
    await this.#volumes.extend(volume, newSizeGb);
  }

  async createSnapshot(snapshot: StoredSnapshot): Promise<void> {
    this.#attached.refuse(snapshot.volumeId, DETACH_FIRST);
    await this.#volumes.createSnapshot(snapshot);
  }

  deleteSnapshot(snapshot: StoredSnapshot): Promise<void> {
    return this.#volumes.deleteSnapshot(snapshot);
  }

  async copyVolumeToFile(
    volume: StoredVolume,
    path: string,
    diskFormat: FileFormatOfVolumes,
    work?: LongWork,
  ): Promise<void> {
    this.#attached.refuse(volume.id, DETACH_FIRST);
    await this.#volumes.copyToFile(volume, path, diskFormat, work);
  }

  async initializeConnection(volume: StoredVolume, connector: Connector): Promise<ConnectionInfo> {
    await this.#volumes.requireThere(volume.id);
    this.#attached.add(volume.id, hostOf(connector));
    const { server, share, username, password } = this.#share;
    return {
      driver_volume_type: 'smbfs',
      data: {
        export: `//${server}/${share}`,
        name: this.#volumes.files.fileName(volume.id),
        format: 'vhdx',
        options: `-o username=${username},password=${password}`,
      },
    };
  }

  async terminateConnection(volume: StoredVolume, connector: Connector): Promise<void> {
    this.#attached.remove(volume.id, hostOf(connector));
  }
}
