import { createHash } from 'node:crypto';
import path from 'node:path';
import type { DriveConfig, NicConfig, UnitConfig } from '../engine.js';
import { hasContent } from '../engine.js';
import type { QmpObject } from './qmp-commands.js';

/**
 * The devices of a machine as QEMU's own objects: the same go on its command line (as JSON) and, at run time, to
 * `blockdev-add`, `device_add` and `netdev_add`. Names are derived from where a device sits, so that the next
 * process knows them without being told.
 */

/** How long a guest's disk requests wait for this process to come back before they fail (QEMU, nbd driver). */
const NBD_RECONNECT_SECONDS = 3_600;
/** Hyper-V counts I/O in units of 8 KiB (Msvm_StorageAllocationSettingData.IOPSLimit). */
const IOPS_UNIT = 8192;

export interface SectorSizes {
  readonly logical: number;
  readonly physical: number;
}

/** `scsi0-12`: a drive by its place; also the name of its NBD export. */
export function driveKey(drive: Pick<DriveConfig, 'bus' | 'controller' | 'slot'>): string {
  return `${drive.bus}${drive.controller}-${drive.slot}`;
}

export const deviceId = (key: string): string => `d-${key}`;
export const throttleNode = (key: string): string => `t-${key}`;
export const throttleGroup = (key: string): string => `g-${key}`;
/** The nodes of successive connections or media; `sequence` grows with each. */
export const contentNode = (key: string, sequence: number): string => `n-${key}-${sequence}`;

export function throttleLimits(iopsLimit: number | undefined): QmpObject {
  const limit = iopsLimit ?? 0;
  // Absent fields would keep what was set before.
  return { 'iops-total': limit, 'iops-size': limit === 0 ? 0 : IOPS_UNIT };
}

export function throttleGroupObject(drive: DriveConfig): QmpObject {
  return {
    'qom-type': 'throttle-group',
    id: throttleGroup(driveKey(drive)),
    limits: throttleLimits(drive.iopsLimit),
  };
}

/** A connection to the drive's export on our NBD server. */
export function nbdNode(drive: DriveConfig, nbdSocket: string, sequence: number): QmpObject {
  return {
    driver: 'nbd',
    'node-name': contentNode(driveKey(drive), sequence),
    server: { type: 'unix', path: nbdSocket },
    export: driveKey(drive),
    'reconnect-delay': NBD_RECONNECT_SECONDS,
    'read-only': drive.readOnly ?? false,
    discard: 'unmap',
  };
}

/** Sits on top of the connection: limits I/O, and lets the connection below be replaced while the guest runs. */
export function throttleNodeOptions(drive: DriveConfig, sequence: number): QmpObject {
  const key = driveKey(drive);
  return {
    driver: 'throttle',
    'node-name': throttleNode(key),
    'throttle-group': throttleGroup(key),
    file: contentNode(key, sequence),
    'read-only': drive.readOnly ?? false,
    discard: 'unmap',
  };
}

export const secretId = (key: string): string => `s-${key}`;

/** The CHAP secret of a drive's unit, from a file or as it is; undefined when it has none. */
export function unitSecret(drive: DriveConfig, file?: string): QmpObject | undefined {
  const source = drive.unit?.source;
  if (source?.kind !== 'iscsi' || source.chap === undefined) return undefined;
  const content = file === undefined ? { data: source.chap.secret } : { file };
  return { 'qom-type': 'secret', id: secretId(driveKey(drive)), format: 'raw', ...content };
}

/** A logical unit. QEMU logs in by itself, and again when the connection is lost. */
export function unitNode(drive: DriveConfig, { source }: UnitConfig): QmpObject {
  const key = driveKey(drive);
  const common = {
    'node-name': contentNode(key, 0),
    'read-only': drive.readOnly ?? false,
    discard: 'unmap',
  } as const;
  if (source.kind === 'file')
    return { driver: 'raw', ...common, file: { driver: 'file', filename: source.path, discard: 'unmap' } };
  const { address, port } = source.portal;
  const { chap } = source;
  return {
    driver: 'iscsi',
    ...common,
    transport: 'tcp',
    portal: `${address.includes(':') ? `[${address}]` : address}:${port}`,
    target: source.target,
    lun: source.lun,
    'initiator-name': source.initiatorName,
    ...(chap === undefined ? {} : { user: chap.username, 'password-secret': secretId(key) }),
  };
}

/** The medium of a DVD drive. QEMU reads it itself: an image needs nothing that its raw driver lacks. */
export function mediumNode(drive: DriveConfig, file: string, sequence: number): QmpObject {
  return {
    driver: 'raw',
    'node-name': contentNode(driveKey(drive), sequence),
    'read-only': true,
    file: { driver: 'file', filename: file, 'read-only': true },
  };
}

/** Undefined for a disk drive without a disk, which a guest does not see. */
export function driveDevice(
  drive: DriveConfig,
  served: SectorSizes | undefined,
  bootIndex: number | undefined,
): QmpObject | undefined {
  const key = driveKey(drive);
  const { unit } = drive;
  const sectors =
    unit === undefined ? served : { logical: unit.sectorBytes, physical: unit.physicalSectorBytes };
  const isDvd = drive.kind === 'dvd';
  if (!isDvd && !hasContent(drive)) return undefined;
  const place: QmpObject =
    drive.bus === 'ide'
      ? { bus: `ide.${drive.controller}`, unit: drive.slot }
      : { bus: `scsi${drive.controller}.0`, channel: 0, 'scsi-id': 0, lun: drive.slot };
  const content = isDvd ? contentNode(key, 0) : throttleNode(key);
  return {
    driver: `${drive.bus}-${isDvd ? 'cd' : 'hd'}`,
    id: deviceId(key),
    ...place,
    ...(hasContent(drive) ? { drive: content } : {}),
    ...identity(drive),
    ...(sectors === undefined
      ? {}
      : { logical_block_size: sectors.logical, physical_block_size: sectors.physical }),
    ...(bootIndex === undefined ? {} : { bootindex: bootIndex }),
  };
}

/** What guests see on Hyper-V: `Msft Virtual Disk` on SCSI, `Virtual HD` on IDE; of a unit what it tells of itself. */
function identity(drive: DriveConfig): QmpObject {
  if (drive.unit !== undefined) return unitIdentity(drive.unit, drive.bus);
  const serial = `HV-${driveKey(drive).toUpperCase()}`;
  if (drive.bus === 'ide') return { model: drive.kind === 'dvd' ? 'Virtual CD' : 'Virtual HD', serial };
  return {
    vendor: 'Msft',
    product: drive.kind === 'dvd' ? 'Virtual DVD-ROM' : 'Virtual Disk',
    ver: '1.0',
    serial,
  };
}

function unitIdentity({ vendor, product, revision, serialNumber }: UnitConfig, bus: string): QmpObject {
  // Longer ones are refused by QEMU (ATA and SCSI have so much room for them).
  const serial = serialNumber === '' ? {} : { serial: serialNumber.slice(0, bus === 'ide' ? 20 : 36) };
  if (bus === 'ide') return { model: `${vendor} ${product}`.trim().slice(0, 40), ...serial };
  return { vendor: vendor.slice(0, 8), product: product.slice(0, 16), ver: revision.slice(0, 4), ...serial };
}

/** A network adapter's short name: QEMU's own are limited in length and characters, ids from outside are not. */
export function nicKey(nicId: string): string {
  return createHash('sha256').update(nicId).digest('hex').slice(0, 8);
}

export const nicDeviceId = (key: string): string => `nic-${key}`;
export const netdevId = (key: string): string => `net-${key}`;
export const nicSocket = (folder: string, key: string): string => path.join(folder, `n-${key}`);

/** QEMU listens, so that our part of the cable can come back after a restart of this process. */
export function nicNetdev(nic: NicConfig, folder: string): QmpObject {
  const key = nicKey(nic.id);
  return {
    type: 'stream',
    id: netdevId(key),
    server: true,
    addr: { type: 'unix', path: nicSocket(folder, key) },
  };
}

/** @param bus the PCI bus that it is put on; undefined = the first one */
export function nicDevice(nic: NicConfig, bus: string | undefined, bootIndex: number | undefined): QmpObject {
  const key = nicKey(nic.id);
  const isLegacy = nic.type === 'legacy';
  return {
    // tulip is the family of the DEC 21140 that Hyper-V's legacy adapter emulates
    driver: isLegacy ? 'tulip' : 'virtio-net-pci',
    id: nicDeviceId(key),
    netdev: netdevId(key),
    mac: nic.mac,
    ...(bus === undefined ? {} : { bus }),
    ...(isLegacy ? {} : { romfile: '' }),
    ...(bootIndex === undefined ? {} : { bootindex: bootIndex }),
  };
}
