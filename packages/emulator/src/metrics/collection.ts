import type { DiskCounters, MetricDefinition } from './definitions.js';
import { METRIC_DEFINITIONS, NO_DISK_WORK } from './definitions.js';

/** One metric that is collected of one element of a machine. */
export interface CollectedMetric {
  /** {@link MetricDefinition.name} */
  readonly metric: string;
  /** InstanceID of a disk in lower case; '' is the machine itself. */
  readonly element: string;
  /** When measuring began, ISO 8601; null = at the start of the machine. */
  readonly since: string | null;
  /** What the engine had counted by then. */
  readonly from: Counted;
}

export interface Counted {
  readonly processorMs: number;
  readonly disk: DiskCounters;
}

export const NOTHING_COUNTED: Counted = { processorMs: 0, disk: NO_DISK_WORK };

/**
 * What is left to collect once a machine is off: processor and memory metrics are lost and have to be turned on again; those of
 * disks begin anew with the next start.
 */
export function afterPowerOff(metrics: readonly CollectedMetric[] | undefined): readonly CollectedMetric[] {
  return (metrics ?? [])
    .filter(({ element }) => element !== '')
    .map((one) => ({ ...one, since: null, from: NOTHING_COUNTED }));
}

export function isSame(
  one: CollectedMetric,
  element: string,
  definition: Pick<MetricDefinition, 'name'>,
): boolean {
  return one.element === element && one.metric === definition.name;
}

/** A record of a state file. */
export function isCollectedMetric(value: unknown): value is CollectedMetric {
  if (typeof value !== 'object' || value === null) return false;
  const record = value as Partial<Record<keyof CollectedMetric, unknown>>;
  return (
    METRIC_DEFINITIONS.some(({ name }) => name === record.metric) &&
    typeof record.element === 'string' &&
    (record.since === null || typeof record.since === 'string') &&
    isCounted(record.from)
  );
}

function isCounted(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !('disk' in value) || !('processorMs' in value))
    return false;
  const { disk, processorMs } = value;
  if (typeof processorMs !== 'number' || typeof disk !== 'object' || disk === null) return false;
  const counters = new Map<string, unknown>(Object.entries(disk));
  return Object.keys(NO_DISK_WORK).every((name) => typeof counters.get(name) === 'number');
}
