import { METRIC } from '@nova-hyperv/hyperv';
import type { MachineHandle } from '@nova-hyperv/hyperv';
import type { CimReference } from '@nova-hyperv/wsman';
import type { DriverContext } from './context.js';
import { findMachine } from './lookup.js';
import { observe } from './realise/realise.js';
import type { ObservedMachine } from './realise/observed.js';
import type { InstanceRef } from './types.js';

/** The settings objects of the virtual hard disks, in the order of the drives. */
export function diskImagesOf({ drives }: Pick<ObservedMachine, 'drives'>): readonly CimReference[] {
  return drives.flatMap(({ kind, image }) =>
    kind === 'disk' && image !== undefined ? [image.reference] : [],
  );
}

/**
 * With [hyperv] enable_instance_metrics_collection: turns on the averages of processor and memory, and all metrics of the disks, all at
 * once. An instance without metrics is worth more than none: a failure is only told.
 */
export async function collectMetrics(
  context: DriverContext,
  instance: InstanceRef,
  machine: Pick<MachineHandle, 'system'>,
  made: Pick<ObservedMachine, 'drives'>,
): Promise<void> {
  const { host, config, log } = context;
  if (!config.enableInstanceMetricsCollection) return;
  const outcomes = await Promise.allSettled([
    host.metrics.enable(machine.system, [METRIC.cpu, METRIC.memory]),
    ...diskImagesOf(made).map((disk) => host.metrics.enable(disk, 'all')),
  ]);
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected')
      log.warn(
        { err: outcome.reason, instance: instance.uuid },
        'Metrics of the instance are not collected. The instance is not affected',
      );
  }
}

/**
 * After a start: metrics of processor and memory do not outlive a power off, and disks may have come since. Those that are on go on
 * as they were.
 */
export async function collectAgain(
  context: DriverContext,
  instance: InstanceRef,
  known?: MachineHandle,
): Promise<void> {
  const { host, config, log } = context;
  if (!config.enableInstanceMetricsCollection) return;
  try {
    const machine = known ?? (await findMachine(host, instance));
    if (machine !== undefined) await collectMetrics(context, instance, machine, await observe(host, machine));
  } catch (error) {
    log.warn(
      { err: error, instance: instance.uuid },
      'Metrics of the instance are not collected again after its start',
    );
  }
}
