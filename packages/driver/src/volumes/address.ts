import { checkFileName } from '@nova-hyperv/hyperv';
import type { ChapAccount, IscsiPortal, ShareAccount } from '@nova-hyperv/hyperv';
import { DriverError } from '../errors.js';
import type { VolumeDevice } from '../volume-types.js';

/** Where a volume is, without any secret: what is needed to find it again and to let go of it. */
export type VolumeAddress = IscsiAddress | FibreChannelAddress | SmbAddress;

export interface IscsiAddress {
  readonly type: 'iscsi';
  readonly volumeId: string;
  /** At least one. */
  readonly paths: readonly IscsiPath[];
}

export interface IscsiPath {
  readonly portal: IscsiPortal;
  /** The target's node name. */
  readonly target: string;
  readonly lun: number;
}

export interface FibreChannelAddress {
  readonly type: 'fibre_channel';
  readonly volumeId: string;
  /** Sixteen lower-case hexadecimal digits each. */
  readonly targetWwpns: readonly string[];
  readonly lun: number;
}

export interface SmbAddress {
  readonly type: 'smbfs';
  readonly volumeId: string;
  /** `\\server\share` */
  readonly share: string;
  readonly file: string;
}

const MOST_PATHS = 64;
const LARGEST_LUN = 0xffff;
const NODE_NAME = /^(?:iqn\.|eui\.|naa\.)[A-Za-z0-9.:_-]{1,219}$/i;
const SHARE = /^\\\\[^\\/:*?"<>|\p{Cc}]{1,255}\\[^\\/:*?"<>|\p{Cc}]{1,80}$/u;

/**
 * Reads what Cinder says of a volume.
 * @throws DriverError VolumeDriverNotFound, VolumeEncryptionNotSupported, VolumeAttachFailed for information that cannot be
 */
export function addressOf(volume: VolumeDevice): VolumeAddress {
  const { volumeId, connectionInfo } = volume;
  const { driverVolumeType, data } = connectionInfo;
  if (data['encrypted'] === true) {
    throw new DriverError(
      'VolumeEncryptionNotSupported',
      `Volume encryption is not supported for ${driverVolumeType} volume ${volumeId}: Hyper-V has no part that decrypts it. Use a volume type without encryption, and encrypt within the guest.`,
    );
  }
  switch (driverVolumeType) {
    case 'iscsi':
      return { type: 'iscsi', volumeId, paths: iscsiPaths(volume) };
    case 'fibre_channel':
      return {
        type: 'fibre_channel',
        volumeId,
        targetWwpns: wwpns(volume),
        lun: lunOf(volume, data['target_lun']),
      };
    case 'smbfs':
      return { type: 'smbfs', volumeId, ...fileOf(volume) };
    case 'rbd':
      throw new DriverError(
        'VolumeDriverNotFound',
        `Could not find a handler for rbd volume ${volumeId}: images of Ceph are mapped by a program on the host (rbd.exe), which Windows' management interface does not reach. Use an iSCSI gateway of Ceph, or another backend.`,
      );
    default:
      throw new DriverError(
        'VolumeDriverNotFound',
        `Could not find a handler for ${driverVolumeType} volume ${volumeId}: this driver attaches iscsi, fibre_channel and smbfs.`,
      );
  }
}

/** The account for a target; undefined when it asks for none. */
export function chapOf({ connectionInfo: { data } }: VolumeDevice): ChapAccount | undefined {
  return account(data['auth_username'], data['auth_password']);
}

export function discoveryChapOf({ connectionInfo: { data } }: VolumeDevice): ChapAccount | undefined {
  return account(data['discovery_auth_username'], data['discovery_auth_password']);
}

/** Of a share, from its mount options as os-brick reads them: `-o username=u,password=p`. Guests have no account. */
export function shareAccountOf({ connectionInfo: { data } }: VolumeDevice): ShareAccount | undefined {
  const options = typeof data['options'] === 'string' ? data['options'] : '';
  const username = /user(?:name)?=([^, ]+)/.exec(options)?.[1];
  const password = /pass(?:word)?=([^, ]+)/.exec(options)?.[1];
  if (username === undefined || username === 'guest') return undefined;
  return { username, password: password ?? '' };
}

function account(username: unknown, secret: unknown): ChapAccount | undefined {
  if (typeof username !== 'string' || username === '' || typeof secret !== 'string') return undefined;
  return { username, secret };
}

/** One path, or, of a backend with several, all of them in their order. */
function iscsiPaths(volume: VolumeDevice): readonly IscsiPath[] {
  const { data } = volume.connectionInfo;
  const { target_portals: portals, target_iqns: targets, target_luns: luns } = data;
  if (!Array.isArray(portals) || !Array.isArray(targets) || portals.length === 0) {
    return [iscsiPath(volume, data['target_portal'], data['target_iqn'], data['target_lun'])];
  }
  if (portals.length !== targets.length || portals.length > MOST_PATHS)
    throw malformed(volume, 'target_portals and target_iqns do not go together');
  return portals.map((portal: unknown, index) =>
    iscsiPath(volume, portal, targets[index], Array.isArray(luns) ? luns[index] : data['target_lun']),
  );
}

function iscsiPath(volume: VolumeDevice, portal: unknown, target: unknown, lun: unknown): IscsiPath {
  if (typeof target !== 'string' || !NODE_NAME.test(target))
    throw malformed(volume, 'target_iqn is not the name of an iSCSI node');
  return { portal: portalOf(volume, portal), target, lun: lunOf(volume, lun) };
}

/** `10.0.0.1:3260`, `[fd00::1]:3260` */
function portalOf(volume: VolumeDevice, text: unknown): IscsiPortal {
  const match =
    typeof text === 'string' ? /^(?:\[([0-9a-f:.]{2,45})\]|([^:[\]\s]{1,253})):(\d{1,5})$/i.exec(text) : null;
  const port = Number(match?.[3]);
  if (match === null || port < 1 || port > 65_535)
    throw malformed(volume, 'target_portal is not an address with a port');
  return { address: match[1] ?? match[2] ?? '', port };
}

function lunOf(volume: VolumeDevice, value: unknown): number {
  const lun = typeof value === 'string' && /^\d{1,5}$/.test(value) ? Number(value) : value;
  if (typeof lun === 'number' && Number.isInteger(lun) && lun >= 0 && lun <= LARGEST_LUN) return lun;
  throw malformed(volume, 'target_lun is not the number of a logical unit');
}

function wwpns(volume: VolumeDevice): readonly string[] {
  const { target_wwn: given } = volume.connectionInfo.data;
  const all: readonly unknown[] = Array.isArray(given) ? given : [given];
  const found = all.map((one) =>
    typeof one === 'string' ? one.replaceAll(/^0x|[:-]/gi, '').toLowerCase() : '',
  );
  if (found.length === 0 || found.length > MOST_PATHS || !found.every((one) => /^[0-9a-f]{16}$/.test(one)))
    throw malformed(volume, 'target_wwn is not the name of a Fibre Channel port');
  return found;
}

function fileOf(volume: VolumeDevice): Pick<SmbAddress, 'share' | 'file'> {
  const { export: exported, name } = volume.connectionInfo.data;
  const share = typeof exported === 'string' ? exported.replaceAll('/', '\\').replace(/\\$/, '') : '';
  if (!SHARE.test(share)) throw malformed(volume, 'export is not a share (//server/share)');
  if (typeof name !== 'string' || !/\.vhdx?$/i.test(name))
    throw malformed(volume, 'name is not that of a VHD or VHDX file');
  try {
    checkFileName(name);
  } catch (error) {
    throw malformed(volume, error instanceof Error ? error.message : String(error));
  }
  return { share, file: name };
}

/** Names no value: among them are secrets. */
function malformed({ volumeId, connectionInfo }: VolumeDevice, why: string): DriverError {
  return new DriverError(
    'VolumeAttachFailed',
    `Volume ${volumeId} could not be attached. Reason: what Cinder tells of its ${connectionInfo.driverVolumeType} connection cannot be: ${why}. See the log of cinder-volume.`,
  );
}
