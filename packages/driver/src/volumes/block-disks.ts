import type { PhysicalDisk } from '@nova-hyperv/hyperv';
import { DriverError } from '../errors.js';
import type { ConnectedVolume, ConnectorContext } from './connector.js';

/** Refuses a host that would take new disks for itself. @throws DriverError ValidationError */
export async function refuseUnfitPolicy({ host }: Pick<ConnectorContext, 'host'>): Promise<void> {
  const policy = await host.physicalDisks.unfitPolicy();
  if (policy === undefined) return;
  throw new DriverError(
    'ValidationError',
    `Host ${host.name} brings new disks online by itself (its policy is ${policy}), and a machine can have only a disk that is offline. On the host: Set-StorageSetting -NewDiskPolicy OfflineShared`,
    { scope: 'host' },
  );
}

/**
 * Waits until `find` shows the volume's disk and Hyper-V offers it to machines; the host is let look for disks before each try.
 * @throws DriverError DiskNotFound
 */
export async function waitForDisk(
  context: ConnectorContext,
  volumeId: string,
  find: () => Promise<PhysicalDisk | undefined>,
  signal?: AbortSignal,
): Promise<ConnectedVolume> {
  const { host, config, sleep } = context;
  for (let tried = 1; ; tried += 1) {
    signal?.throwIfAborted();
    await host.physicalDisks.rescan();
    const disk = await find();
    if (disk !== undefined) {
      await takeOffline(context, disk, volumeId);
      const connected = await asConnected(context, disk, volumeId);
      if (connected !== undefined) return connected;
    }
    if (tried >= config.mountedDiskQueryRetryCount) break;
    await sleep(config.mountedDiskQueryRetryIntervalSeconds * 1000, signal);
  }
  throw new DriverError(
    'DiskNotFound',
    `Host ${host.name} is connected to volume ${volumeId} and shows no disk for it. See Get-Disk there and the backend's mapping; a slow one needs a larger mounted_disk_query_retry_count.`,
    { scope: 'host' },
  );
}

export async function asConnected(
  { host }: Pick<ConnectorContext, 'host'>,
  { number }: PhysicalDisk,
  volumeId: string,
): Promise<ConnectedVolume | undefined> {
  const disk = await host.physicalDisks.virtualizationPath(number);
  return disk === undefined ? undefined : { kind: 'block', volumeId, disk, number };
}

/** Two disks that are one volume: without MPIO both would be written to. */
export function onlyDisk(
  disks: readonly PhysicalDisk[],
  volumeId: string,
  host: string,
): PhysicalDisk | undefined {
  if (disks.length <= 1) return disks[0];
  throw new DriverError(
    'VolumeAttachFailed',
    `Volume ${volumeId} could not be attached. Reason: host ${host} shows it as ${disks.length} disks (${disks.map(({ number }) => number).join(', ')}), which would destroy it. Configure MPIO to claim such disks (mpclaim, Enable-MSDSMAutomaticClaim) and set [hyperv] use_multipath_io, or leave one path.`,
    { scope: 'host' },
  );
}

async function takeOffline(
  { host, log }: ConnectorContext,
  disk: PhysicalDisk,
  volumeId: string,
): Promise<void> {
  if (disk.isOffline) return;
  if (disk.belongsToHost) {
    throw new DriverError(
      'VolumeAttachFailed',
      `Volume ${volumeId} could not be attached. Reason: its disk ${disk.number} of host ${host.name} is the host's or its cluster's own.`,
      { scope: 'host' },
    );
  }
  log.warn(
    { volume: volumeId },
    `Disk ${disk.number} of the host is online and is taken offline for a machine`,
  );
  await host.physicalDisks.takeOffline(disk);
}
