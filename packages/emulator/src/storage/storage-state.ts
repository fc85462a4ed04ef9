import { damaged } from '../state-files.js';
import type { StateFiles } from '../state-files.js';
import type { LogicalUnit } from './iscsi/logical-units.js';
import type { ChapCredentials, IscsiPortal } from './iscsi/session.js';

/** MSFT_StorageSetting.NewDiskPolicy. */
export const DISK_POLICY = { onlineAll: 1, offlineShared: 2, offlineAll: 3, offlineInternal: 4 } as const;

/** A portal that the host was told of. */
export interface KnownPortal extends IscsiPortal {
  readonly chap?: ChapCredentials;
}

export interface KnownTarget {
  readonly name: string;
  readonly portals: readonly IscsiPortal[];
}

/** A login of the host at a target. */
export interface KeptSession {
  /** `ffffe001-4000013700000001`: initiator's and target's part. */
  readonly id: string;
  readonly target: string;
  readonly portal: IscsiPortal;
  readonly chap?: ChapCredentials;
  /** Made again after a restart of the host. */
  readonly persistent: boolean;
  readonly multipath: boolean;
  /** As they were when last asked. */
  readonly units: readonly LogicalUnit[];
}

/** What the host remembers of a disk. */
export interface KeptDisk {
  /** Key of the device: the same for all paths to it where they are joined. */
  readonly key: string;
  readonly number: number;
  readonly offline: boolean;
  readonly readOnly: boolean;
}

export interface StorageState {
  readonly format: 1;
  readonly policy: number;
  readonly initiatorName: string;
  readonly serviceMode: 'Auto' | 'Manual' | 'Disabled';
  readonly portals: readonly KnownPortal[];
  readonly targets: readonly KnownTarget[];
  readonly sessions: readonly KeptSession[];
  readonly nextSession: number;
  readonly disks: readonly KeptDisk[];
}

const FILE = 'storage';

/**
 * The host's file of its storage, readable by its owner alone: secrets of sessions are in it, as Windows keeps those of
 * persistent logins, since sessions are made again with them.
 */
export function loadStorage(files: StateFiles, hostName: string): StorageState {
  const content = files.read(FILE);
  if (content === undefined) {
    return {
      format: 1,
      policy: DISK_POLICY.offlineShared,
      initiatorName: `iqn.1991-05.com.microsoft:${hostName.toLowerCase()}`,
      serviceMode: 'Auto',
      portals: [],
      targets: [],
      sessions: [],
      nextSession: 1,
      disks: [],
    };
  }
  if (!isState(content)) throw damaged(`${files.folder}/${FILE}.json`, 'it does not describe disks');
  return content;
}

export function saveStorage(files: StateFiles, state: StorageState): void {
  files.write(FILE, state);
}

function isState(content: unknown): content is StorageState {
  if (typeof content !== 'object' || content === null) return false;
  const values = new Map<string, unknown>(Object.entries(content));
  return (
    values.get('format') === 1 &&
    typeof values.get('policy') === 'number' &&
    typeof values.get('initiatorName') === 'string' &&
    ['portals', 'targets', 'sessions', 'disks'].every((key) => Array.isArray(values.get(key)))
  );
}
