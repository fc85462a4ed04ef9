import type { DriverContext } from '../context.js';
import { DriverError } from '../errors.js';
import { requireMachine } from '../lookup.js';
import type { InstanceRef } from '../types.js';
import type { VolumeDevice } from '../volume-types.js';
import { addressOf } from './address.js';

/**
 * Nova's extend_volume: the host looks at the disk anew, and it must then have the size. The guest sees it at once.
 * @throws DriverError ExtendVolumeNotSupported, DiskNotFound, NovaException when it does not grow
 */
export async function extendVolume(
  context: DriverContext,
  instance: InstanceRef,
  volume: VolumeDevice,
  requestedBytes: number,
): Promise<void> {
  const { host, config, log, sleep, volumes } = context;
  const { volumeId } = volume;
  const address = addressOf(volume);
  if (address.type === 'smbfs') {
    throw new DriverError(
      'ExtendVolumeNotSupported',
      `Volume size extension is not supported by the hypervisor: volume ${volumeId} is a file on an SMB share, which Hyper-V has open while it is attached. Detach it, extend it, attach it again.`,
    );
  }
  await requireMachine(host, instance);
  let sizeBytes = 0;
  for (let tried = 1; ; tried += 1) {
    await host.physicalDisks.rescan();
    const connected = await volumes.locate(address);
    if (connected?.kind !== 'block') throw gone(volumeId, host.name);
    const disk = await host.physicalDisks.byNumber(connected.number);
    if (disk === undefined) throw gone(volumeId, host.name);
    await host.physicalDisks.refresh(disk);
    sizeBytes = (await host.physicalDisks.byNumber(connected.number))?.sizeBytes ?? 0;
    if (sizeBytes >= requestedBytes) break;
    if (tried >= config.mountedDiskQueryRetryCount) {
      throw new DriverError(
        'NovaException',
        `Volume ${volumeId} does not grow on host ${host.name}: ${sizeBytes} bytes are seen, and ${requestedBytes} were asked for. See whether the backend shows the new size to connected initiators; detaching and attaching again always does.`,
      );
    }
    await sleep(config.mountedDiskQueryRetryIntervalSeconds * 1000);
  }
  log.info({ instance: instance.uuid, volume: volumeId, bytes: sizeBytes }, 'The volume has its new size');
}

/** Usage guide, "Online volume extend". */
function gone(volumeId: string, host: string): DriverError {
  return new DriverError(
    'DiskNotFound',
    `Host ${host} has no disk of volume ${volumeId} any more: some backends make their iSCSI target anew when a volume grows (LVM with tgt), and Windows does not log in again by itself. Detach the volume and attach it again.`,
    { scope: 'host' },
  );
}
