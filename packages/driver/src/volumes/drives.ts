import { sameHostPath } from '@nova-hyperv/hyperv';
import type { MachineHandle } from '@nova-hyperv/hyperv';
import type { DriverContext } from '../context.js';
import type { PlanVolume } from '../plan/input.js';
import { nextDriveStep } from '../realise/next-step.js';
import { isSameDisk, sameSlot } from '../realise/drive-steps.js';
import type { ObservedDrive, ObservedMachine } from '../realise/observed.js';
import { observe, realise } from '../realise/realise.js';
import { specOf } from '../realise/spec-of.js';
import type { VolumeDevice } from '../volume-types.js';
import { addressOf } from './address.js';
import type { VolumeAddress } from './address.js';
import type { ConnectedVolume } from './connector.js';

/**
 * What a plan needs to know of volumes. Asks the host only about shares that may be its own.
 * @throws DriverError for volumes that this driver does not attach
 */
export async function resolveVolumes(
  { volumes }: Pick<DriverContext, 'volumes'>,
  devices: readonly VolumeDevice[],
): Promise<readonly PlanVolume[]> {
  return Promise.all(
    devices.map(async (device) => {
      const address = addressOf(device);
      if (address.type !== 'smbfs') return { device };
      const located = await volumes.locate(address);
      return located?.kind === 'file' ? { device, path: located.path } : { device };
    }),
  );
}

/** Undefined for what was never attached: a kind that is refused, a connection that was never told. */
export function addressIfAny(device: VolumeDevice): VolumeAddress | undefined {
  try {
    return addressOf(device);
  } catch {
    return undefined;
  }
}

/** Whether the drive is the volume's: by its name; one that got none yet by its disk; a file by its path. */
export function isDriveOf(
  drive: ObservedDrive,
  volumeId: string,
  connected: ConnectedVolume | undefined,
): boolean {
  const { physical, image } = drive;
  if (physical?.volumeId === volumeId) return true;
  if (connected === undefined) return false;
  if (connected.kind === 'block') return physical !== undefined && isSameDisk(connected.disk, physical.disk);
  return image !== undefined && sameHostPath(image.path, connected.path);
}

/** Takes the drives out of the machine that `isGone` names. False when there are none. */
export async function takeOut(
  { host }: Pick<DriverContext, 'host'>,
  machine: MachineHandle,
  isGone: (drive: ObservedDrive) => boolean,
  known?: ObservedMachine,
): Promise<boolean> {
  const observed = known ?? (await observe(host, machine));
  const gone = observed.drives.filter((drive) => isGone(drive));
  if (gone.length === 0) return false;
  const spec = specOf(observed);
  const drives = spec.drives.filter((drive) => !gone.some((one) => sameSlot(one, drive)));
  await realise(host, machine, { ...spec, drives }, observed, { next: nextDriveStep });
  return true;
}
