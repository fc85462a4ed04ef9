import type { Logger } from 'pino';
import type { VolumeBackend } from './backend.js';
import { IscsiBackend, type IscsiOptions } from './iscsi-backend.js';
import { SmbBackend, smbShare, type SmbShareOptions } from './smb-backend.js';
import { findTgtdProgram } from './tgt/process.js';

export interface BackendsOptions {
  /** Of the cloud. */
  readonly stateDir: string;
  readonly log: Logger;
  readonly smb?: SmbShareOptions;
  readonly iscsi?: IscsiOptions;
}

/** The back ends that this machine can have; the first is the default one. */
export async function createBackends(options: BackendsOptions): Promise<readonly VolumeBackend[]> {
  const { stateDir, log } = options;
  const share = await smbShare(stateDir, options.smb);
  const smb = new SmbBackend(stateDir, share, log.child({ backend: 'smb' }));
  const program = await findTgtdProgram();
  if (program === undefined) {
    log.info('there is no tgtd (package tgt): volumes are served by SMB only');
    return [smb];
  }
  return [smb, new IscsiBackend(stateDir, program, options.iscsi ?? {}, log.child({ backend: 'iscsi' }))];
}
