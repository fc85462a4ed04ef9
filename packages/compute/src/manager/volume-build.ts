import type { BlockDeviceRecord } from '../block-device.js';
import { ComputeError } from '../errors.js';
import type { InstanceRecord } from '../ports.js';
import type { CallOptions } from '../rest/rest-client.js';
import { isBootVolume } from '../block-device.js';
import type { ComputeContext } from './context.js';
import { completeVolume, connectVolume } from './volume-connect.js';

/**
 * The phase `block_device_mapping` of a build: every volume is made or taken, reserved, and Cinder knows this host. What fails is for
 * `releaseVolumes` to take back. @throws ComputeError, RestError, or the signal's reason
 */
export async function connectVolumes(
  ctx: ComputeContext,
  record: InstanceRecord,
  call: CallOptions,
): Promise<readonly BlockDeviceRecord[]> {
  const devices = await ctx.blockDevices.list(record.uuid);
  if (record.imageRef === '' && !devices.some(isBootVolume)) {
    throw new ComputeError(
      'InvalidInput',
      'Invalid input received: an instance without an image boots from a volume, and has none. Give an image or a volume with boot index 0.',
    );
  }
  if (devices.length === 0) return [];
  const connector = await ctx.driver.volumeConnector();
  const connected: BlockDeviceRecord[] = [];
  for (const device of devices) {
    call.signal?.throwIfAborted();
    connected.push(await connectVolume(ctx, record, device, connector, call));
  }
  return connected;
}

/** The machine has them: they are in use. */
export async function completeVolumes(
  ctx: ComputeContext,
  devices: readonly BlockDeviceRecord[],
  call: CallOptions,
): Promise<void> {
  for (const device of devices) await completeVolume(ctx, device, call);
}
