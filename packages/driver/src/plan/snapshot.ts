import { hostBaseName } from '@nova-hyperv/hyperv';
import { DriverError } from '../errors.js';
import type { ObservedMachine } from '../realise/observed.js';
import { isInstanceDisk } from './resize.js';

/** The disk that an image is made of. */
export interface SnapshotSource {
  /** The host's path. */
  readonly path: string;
  readonly format: 'vhd' | 'vhdx';
  /** Somebody writes to it. */
  readonly needsCheckpoint: boolean;
}

/**
 * What an image of an instance is made of. Pure; throws {@link DriverError} for what has no image: an instance without a root disk of its own, and a
 * running one that its host cannot checkpoint.
 */
export function planSnapshot(
  { drives, pciDevices }: Pick<ObservedMachine, 'drives' | 'pciDevices'>,
  { isOff, directory }: { readonly isOff: boolean; readonly directory: string },
): SnapshotSource {
  const path = drives
    .flatMap(({ image }) => (image === undefined ? [] : [image.path]))
    .find((file) => isInstanceDisk(file, directory) && /^root\./i.test(hostBaseName(file)));
  const format = /\.(vhdx?)$/i.exec(path ?? '')?.[1]?.toLowerCase();
  if (path === undefined || (format !== 'vhd' && format !== 'vhdx')) {
    throw new DriverError(
      'InstanceInvalidState',
      'The instance has no root disk of its own to make an image of: it boots from a volume or from an ISO image. Make an image of the volume instead.',
    );
  }
  const hasDisksOfHost = drives.some(({ physical }) => physical !== undefined);
  if (!isOff && (pciDevices.length > 0 || hasDisksOfHost)) {
    throw new DriverError(
      'InstanceInvalidState',
      'The instance runs with devices or disks of its host for itself, of which Hyper-V takes no checkpoint. Stop it, and make the image then.',
    );
  }
  return { path, format, needsCheckpoint: !isOff };
}
