import { DriverError } from '../errors.js';
import { versionText } from './generation.js';
import type { EarlyPlanInput } from './input.js';
import { compareVersions, FIRST_WITH_DISK_LIMITS } from './limits.js';

/** What Hyper-V counts: an I/O of up to 8 KiB is one, a larger one as many as it has units. */
const UNIT_BYTES = 8192;
/** Msvm_StorageAllocationSettingData.IOPSLimit: largest value. */
const MOST_IOPS = 1_000_000_000;

/**
 * The limit of each local disk in units of 8 KiB a second; 0 = none. quota:disk_total_iops_sec goes before quota:disk_total_bytes_sec,
 * which is rounded down to units, 1 at least (usage guide, "Disk QoS").
 */
export function planDiskLimit({ instance, host }: Pick<EarlyPlanInput, 'instance' | 'host'>): number {
  const { flavor } = instance;
  const number = (key: string): number => {
    const text = flavor.extraSpecs[key] ?? '0';
    if (/^\s*\d{1,15}\s*$/.test(text)) return Number(text);
    throw new DriverError(
      'InstanceUnacceptable',
      `Flavor ${flavor.name} has ${key}=${text}: a whole number from 0 is needed.`,
    );
  };
  return checkedLimit(
    iopsLimitOf(number('quota:disk_total_iops_sec'), number('quota:disk_total_bytes_sec')),
    host,
    `Flavor ${flavor.name} limits its disks (quota:disk_total_*)`,
  );
}

/** I/O operations go before bytes; bytes are rounded down to units, one at least. 0 = none. */
export function iopsLimitOf(iops: number, bytes: number): number {
  return iops || (bytes > 0 ? Math.max(1, Math.floor(bytes / UNIT_BYTES)) : 0);
}

/** Refuses what the host cannot keep; `who` begins the sentence. */
export function checkedLimit(limit: number, host: EarlyPlanInput['host'], who: string): number {
  if (limit > MOST_IOPS) {
    throw new DriverError(
      'InstanceUnacceptable',
      `${who} to ${limit} I/O operations a second; Hyper-V's largest limit is ${MOST_IOPS}. Remove the limit for none.`,
    );
  }
  if (limit > 0 && compareVersions(host.windowsVersion, FIRST_WITH_DISK_LIMITS) < 0) {
    throw new DriverError(
      'InstanceUnacceptable',
      `${who}, which needs Windows Server 2012 R2 (6.3) or later; host ${host.name} runs Windows ${versionText(host)}.`,
      { scope: 'host' },
    );
  }
  return limit;
}
