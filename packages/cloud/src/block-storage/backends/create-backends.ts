import type { Logger } from 'pino';
import type { VolumeBackend } from './backend.js';
import { SmbBackend, smbShare, type SmbShareOptions } from './smb-backend.js';

export interface BackendsOptions {
  /** Of the cloud. */
  readonly stateDir: string;
  readonly log: Logger;
  readonly smb?: SmbShareOptions;
}

/** The back ends that this machine can have; the first is the default one. */
export async function createBackends(options: BackendsOptions): Promise<readonly VolumeBackend[]> {
  const { stateDir, log } = options;
  const share = await smbShare(stateDir, options.smb);
  return [new SmbBackend(stateDir, share, log.child({ backend: 'smb' }))];
}
