import { DriverError } from '../errors.js';
import type { EarlyPlanInput } from './input.js';
import type { ProcessorSpec } from './vm-spec.js';

type Limits = Pick<ProcessorSpec, 'limit' | 'reservation' | 'weight'>;

/** Msvm_ProcessorSettingData.Limit and Reservation: thousandths of a percent of the machine's own processors. */
const WHOLE = 100_000;
const DEFAULT_WEIGHT = 100;
const MOST_WEIGHT = 10_000;
/** Nova's levels, in the proportions that they have elsewhere (nova/virt/vmwareapi: 500, 1000, 2000 a vCPU). */
const LEVELS: Readonly<Record<string, number>> = { low: 50, normal: DEFAULT_WEIGHT, high: 200 };
/** libvirt's default of quota:cpu_shares, which is what Hyper-V's 100 is. */
const DEFAULT_SHARES = 1024;

/**
 * Limit, reservation and weight of the processors by the flavor's `quota:cpu_*` extra specs, in the units that Nova's own validators
 * give them (nova/api/validation/extra_specs/quota.py): MHz of the whole instance, or quota and period of each vCPU.
 */
export function planProcessorLimits({ instance, host }: Pick<EarlyPlanInput, 'instance' | 'host'>): Limits {
  const { flavor } = instance;
  const specs = flavor.extraSpecs;
  const number = (key: string, lowest = 0): number | undefined => {
    const text = specs[key];
    if (text === undefined) return undefined;
    const value = /^\s*-?\d{1,15}\s*$/.test(text) ? Number(text) : Number.NaN;
    if (value >= lowest) return value;
    throw unacceptable(`${key}=${text}: a number from ${lowest} is needed`);
  };
  /** MHz of the instance as a part of its processors. */
  const partOf = (megahertz: number): number => {
    if (megahertz === 0) return 0;
    if (host.processorMhz > 0) return Math.round((megahertz / (flavor.vcpus * host.processorMhz)) * WHOLE);
    throw new DriverError(
      'InstanceUnacceptable',
      `Flavor ${flavor.name} limits or reserves MHz, and host ${host.name} does not tell the speed of its processors. Use quota:cpu_quota and quota:cpu_period.`,
      { scope: 'host' },
    );
  };

  const limitMhz = number('quota:cpu_limit') ?? 0;
  const quota = number('quota:cpu_quota', Number.NEGATIVE_INFINITY) ?? -1;
  const period = number('quota:cpu_period') || DEFAULT_PERIOD_US;
  if (limitMhz > 0 && quota > 0) {
    throw unacceptable(
      'quota:cpu_limit and quota:cpu_quota both limit the processors: remove one of the two',
    );
  }
  const wanted = limitMhz > 0 ? partOf(limitMhz) : quota > 0 ? Math.round((quota / period) * WHOLE) : WHOLE;
  const limit = Math.min(Math.max(wanted, 1), WHOLE);
  const reservationMhz = number('quota:cpu_reservation') ?? 0;
  const reservation = partOf(reservationMhz);
  if (reservation > limit) {
    const most = Math.floor((limit / WHOLE) * flavor.vcpus * host.processorMhz);
    throw new DriverError(
      'InstanceUnacceptable',
      `Flavor ${flavor.name} reserves ${reservationMhz} MHz (quota:cpu_reservation); ${flavor.vcpus} vCPUs of host ${host.name} have at most ${most} MHz` +
        `${limit < WHOLE ? ' within the limit that the flavor sets' : ''}. Reserve less.`,
      { scope: 'host' },
    );
  }
  return { limit, reservation, weight: weight() };

  function weight(): number {
    const level = specs['quota:cpu_shares_level'];
    const shares = number('quota:cpu_shares');
    if (level !== undefined && shares !== undefined) {
      throw unacceptable(
        'quota:cpu_shares_level and quota:cpu_shares both weigh the processors: remove one of the two',
      );
    }
    if (level === 'custom') return inRange(number('quota:cpu_shares_share') ?? DEFAULT_WEIGHT);
    if (level !== undefined) {
      const known = Object.hasOwn(LEVELS, level) ? LEVELS[level] : undefined;
      if (known !== undefined) return known;
      throw unacceptable(
        `quota:cpu_shares_level=${level}: one of ${Object.keys(LEVELS).join(', ')}, custom is needed`,
      );
    }
    if (shares === undefined || shares === 0) return DEFAULT_WEIGHT;
    return Math.min(Math.max(Math.round((shares / DEFAULT_SHARES) * DEFAULT_WEIGHT), 1), MOST_WEIGHT);
  }

  function inRange(value: number): number {
    if (value >= 1 && value <= MOST_WEIGHT) return value;
    throw unacceptable(
      `quota:cpu_shares_share=${value}: Hyper-V's weights are 1 to ${MOST_WEIGHT}, ${DEFAULT_WEIGHT} being every machine's own`,
    );
  }

  function unacceptable(what: string): DriverError {
    return new DriverError('InstanceUnacceptable', `Flavor ${flavor.name} has ${what}.`);
  }
}

/** libvirt's default of quota:cpu_period, microseconds. */
const DEFAULT_PERIOD_US = 100_000;
