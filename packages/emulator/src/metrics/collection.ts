import type { DiskCounters, MetricDefinition, PortCounters } from './definitions.js';
import { METRIC_DEFINITIONS, NO_DISK_WORK, NO_TRAFFIC } from './definitions.js';

/** One metric that is collected of one element of a machine. */
export interface CollectedMetric {
  /** {@link MetricDefinition.name} */
  readonly metric: string;
  /** InstanceID of a disk or a port's connection in lower case; '' is the machine itself. */
  readonly element: string;
  /** When measuring began, ISO 8601; null = at the start of the machine. */
  readonly since: string | null;
  /** What the engine had counted by then. */
  readonly from: Counted;
}

export interface Counted {
  readonly processorMs: number;
  readonly disk: DiskCounters;
  /** Of a port. */
  readonly port?: PortCounters;
}

export const NOTHING_COUNTED: Counted = { processorMs: 0, disk: NO_DISK_WORK };

/**
 * What is left to collect once a machine is off: metrics of processor, memory and switch ports are lost and have to be turned on again;
 * those of disks begin anew with the next start.
 */
export function afterPowerOff(metrics: readonly CollectedMetric[] | undefined): readonly CollectedMetric[] {
  return (metrics ?? [])
    .filter(({ metric }) => METRIC_DEFINITIONS.some(({ name, of }) => name === metric && of === 'disk'))
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
  if (!isRecord(value)) return false;
  const { processorMs, disk, port } = value;
  return (
    typeof processorMs === 'number' &&
    hasNumbers(disk, NO_DISK_WORK) &&
    (port === undefined || isTraffic(port))
  );
}

function isTraffic(value: unknown): boolean {
  return (
    isRecord(value) &&
    hasNumbers(value['received'], NO_TRAFFIC.received) &&
    hasNumbers(value['sent'], NO_TRAFFIC.sent)
  );
}

function hasNumbers(value: unknown, model: object): boolean {
  return isRecord(value) && Object.keys(model).every((name) => typeof value[name] === 'number');
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
