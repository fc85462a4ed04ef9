import { isInHostFolder, joinHostPath } from '@nova-hyperv/hyperv';
import type { VolumeDevice } from '../volume-types.js';
import { shareAccountOf } from './address.js';
import type { SmbAddress } from './address.js';
import type { ConnectedVolume, Connector, ConnectorContext } from './connector.js';

/** Volumes that are files on SMB shares. */
export class SmbConnector implements Connector<SmbAddress> {
  readonly #context: ConnectorContext;

  constructor(context: ConnectorContext) {
    this.#context = context;
  }

  sharedWith({ share }: SmbAddress): readonly string[] {
    return [share.toLowerCase()];
  }

  async connect(address: SmbAddress, volume: VolumeDevice): Promise<ConnectedVolume> {
    const { host } = this.#context;
    if ((await host.smb.localPath(address.share)) === undefined)
      await host.smb.connect(address.share, shareAccountOf(volume));
    return this.locate(address);
  }

  /** A path needs no connection: the share's, or of a share of the host itself the folder's. */
  async locate({ share, file, volumeId }: SmbAddress): Promise<ConnectedVolume> {
    const local = await this.#context.host.smb.localPath(share);
    const path = local === undefined ? `${share}\\${file}` : joinHostPath(local, file);
    return { kind: 'file', volumeId, path };
  }

  async disconnect({ share }: SmbAddress, isNeeded: (share: string) => boolean): Promise<void> {
    const { host } = this.#context;
    if ((await host.smb.localPath(share)) !== undefined || isNeeded(share.toLowerCase())) return;
    const files = await host.physicalDisks.filesInUse();
    if (files.some((file) => isInHostFolder(file, share))) return;
    await host.smb.disconnect(share);
  }
}
