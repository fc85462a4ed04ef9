import type { CimInstance } from '@nova-hyperv/wsman';
import { numberOf } from '../cim.js';
import { HV, HyperVError } from '../errors.js';

const MOST_IOPS = 1_000_000_000;

/** Limits and modes of an attached image file. */
export function checkStorage(disk: CimInstance): void {
  const limit = numberOf(disk.properties['IOPSLimit']);
  const reservation = numberOf(disk.properties['IOPSReservation']);
  if (limit > MOST_IOPS || reservation > MOST_IOPS) {
    throw new HyperVError(HV.invalidParameter, `IOPSLimit and IOPSReservation are at most ${MOST_IOPS}.`);
  }
  if (limit !== 0 && reservation > limit) {
    throw new HyperVError(HV.invalidParameter, 'IOPSReservation must not be above IOPSLimit.');
  }
  const weight = numberOf(disk.properties['Weight']);
  if (weight > 10_000) throw new HyperVError(HV.invalidParameter, 'Weight is at most 10000.');
  if (![0, 2, 3, 4].includes(numberOf(disk.properties['CachingMode']))) {
    throw new HyperVError(HV.invalidParameter, 'CachingMode must be 0, 2, 3 or 4.');
  }
}
