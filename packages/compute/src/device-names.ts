import type { Flavor } from '@nova-hyperv/driver';
import { ComputeError } from './errors.js';

/** Name of an instance's root disk; Hyper-V's guests name them themselves, so these names are for users' eyes. */
export const ROOT_DEVICE_NAME = '/dev/sda';
const PREFIX = '/dev/sd';
/** nova/block_device.py: what a device may be called. */
const DEVICE = /^\/dev\/x?[a-z]?d?([a-z]+)[0-9]*$/;

function letters(name: string): string {
  return DEVICE.exec(name.startsWith('/dev/') ? name : `/dev/${name}`)?.[1] ?? '';
}

/** 0 = a, 25 = z, 26 = aa. */
function letterAt(index: number): string {
  const last = String.fromCodePoint(97 + (index % 26));
  return index < 26 ? last : `${letterAt(Math.floor(index / 26) - 1)}${last}`;
}

/**
 * Name of one more disk (nova/compute/utils.py, get_next_device_name): the wish's letter, or the first that is free; `b` is the ephemeral
 * disk's and `c` swap's where the flavor has them. @throws ComputeError InvalidDevicePath, DevicePathInUse
 */
export function nextDeviceName(
  used: readonly (string | null)[],
  flavor: Pick<Flavor, 'ephemeralGb' | 'swapMb'>,
  wish: string | null = null,
): string {
  const taken = new Set(used.map((name) => letters(name ?? '')));
  taken.add(letters(ROOT_DEVICE_NAME));
  if (flavor.ephemeralGb > 0) taken.add('b');
  if (flavor.swapMb > 0) taken.add('c');
  if (wish === null) {
    let index = 0;
    while (taken.has(letterAt(index))) index += 1;
    return `${PREFIX}${letterAt(index)}`;
  }
  const letter = letters(wish);
  if (letter === '')
    throw new ComputeError('InvalidDevicePath', `The supplied device path (${wish}) is invalid.`);
  if (taken.has(letter))
    throw new ComputeError('DevicePathInUse', `The supplied device path (${wish}) is in use.`);
  return `${PREFIX}${letter}`;
}
