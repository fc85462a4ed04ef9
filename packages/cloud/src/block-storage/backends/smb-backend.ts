import { join } from 'node:path';
import type { Logger } from 'pino';
import { randomPassword, readOrCreateSecret } from '../../kernel/secrets.js';
import type { ConnectionInfo, Connector, StoredVolume, VolumeBackend } from './backend.js';
import { hostOf } from './connector.js';
import { FileBackend } from './file-backend.js';
import { FileVolumes } from './file-volumes.js';
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
export class SmbBackend extends FileBackend implements VolumeBackend {
  readonly name = 'smb';
  readonly storageProtocol = 'SMB';
  readonly onlineExtendRefusal =
    'SMB backed volumes cannot be extended while they are attached; detach it first.';
  readonly #share: SmbShare;
  readonly #hosts = new Map<string, ReadonlySet<string>>();

  constructor(stateDir: string, share: SmbShare, log: Logger) {
    super(new FileVolumes({ root: join(stateDir, ROOT), disks: new VhdxFiles(), log }));
    this.#share = share;
  }

  protected isAttached(volumeId: string): boolean {
    return this.#hosts.has(volumeId);
  }

  async start(known: Parameters<VolumeBackend['start']>[0]): Promise<void> {
    for (const { volume, connector } of known.attachments) this.#attach(volume.id, hostOf(connector));
    await this.volumes.start(known.volumes, known.snapshots, (id) => this.isAttached(id));
  }

  async stop(): Promise<void> {}

  async deleteVolume(volumeId: string): Promise<void> {
    this.refuseAttached(volumeId);
    await this.volumes.delete(volumeId);
  }

  async extendVolume(volume: StoredVolume, newSizeGb: number): Promise<void> {
    this.refuseAttached(volume.id, this.onlineExtendRefusal);
    await this.volumes.extend(volume, newSizeGb);
  }

  async initializeConnection(volume: StoredVolume, connector: Connector): Promise<ConnectionInfo> {
    await this.volumes.requireThere(volume.id);
    this.#attach(volume.id, hostOf(connector));
    const { server, share, username, password } = this.#share;
    return {
      driver_volume_type: 'smbfs',
      data: {
        export: `//${server}/${share}`,
        name: this.volumes.files.fileName(volume.id),
        format: 'vhdx',
        options: `-o username=${username},password=${password}`,
      },
    };
  }

  async terminateConnection(volume: StoredVolume, connector: Connector): Promise<void> {
    const left = new Set(this.#hosts.get(volume.id));
    left.delete(hostOf(connector));
    if (left.size === 0) this.#hosts.delete(volume.id);
    else this.#hosts.set(volume.id, left);
  }

  #attach(volumeId: string, host: string): void {
    this.#hosts.set(volumeId, new Set(this.#hosts.get(volumeId)).add(host));
  }
}
