import path from 'node:path';
import { CliError, EXIT } from '../../../errors.js';

export const DISK_FORMATS = ['vhd', 'vhdx'] as const;
export const IMAGE_FORMATS = ['raw', 'vhd', 'vhdx'] as const;
export type ImageFormat = (typeof IMAGE_FORMATS)[number];

/** What Windows goes by; .avhd and .avhdx are its names for checkpoints' disks. */
const BY_EXTENSION: Readonly<Record<string, ImageFormat>> = {
  '.vhd': 'vhd',
  '.avhd': 'vhd',
  '.vhdx': 'vhdx',
  '.avhdx': 'vhdx',
  '.raw': 'raw',
  '.img': 'raw',
};

/**
 * The form of a file that is to be made: as it was said, otherwise as its name ends. Files that are there already are
 * never judged by their names.
 * @throws CliError when neither tells.
 */
export function formatOfTarget<T extends ImageFormat>(
  file: string,
  said: T | undefined,
  possible: readonly T[],
): T {
  if (said !== undefined) return said;
  const extension = path.extname(file).toLowerCase();
  const format = possible.find((one) => one === BY_EXTENSION[extension]);
  if (format !== undefined) return format;
  throw new CliError(
    `${file}: its name does not tell what it is to become; say --format ${possible.join(' or ')}`,
    EXIT.usage,
  );
}
