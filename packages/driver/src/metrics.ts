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

function connectionsOf({ nics }: Pick<ObservedMachine, 'nics'>): readonly CimReference[] {
  return nics.flatMap(({ connection }) => (connection === undefined ? [] : [connection.reference]));
}

/**
 * With [hyperv] enable_instance_metrics_collection, of a machine that has just been made: turns on the averages of processor and memory
 * and all metrics of the disks, and gives the switch ports their meters, all at once. An instance without metrics is worth more than
 * none: a failure is only told.
 */
export async function collectMetrics(
  context: DriverContext,
  instance: InstanceRef,
  machine: Pick<MachineHandle, 'system'>,
  made: Pick<ObservedMachine, 'drives' | 'nics'>,
): Promise<void> {
  const { host, config } = context;
  if (!config.enableInstanceMetricsCollection) return;
  await attempt(context, instance, [
    ...machineAndDisks(context, machine, made),
    host.portMeters.addAll(connectionsOf(made)),
  ]);
}

/** Once a machine runs, for only then it has ports: turns on the metrics of their traffic. */
export async function collectTraffic(
  context: DriverContext,
  instance: InstanceRef,
  made: Pick<ObservedMachine, 'nics'>,
): Promise<void> {
  if (!context.config.enableInstanceMetricsCollection) return;
  await attempt(context, instance, [enableTraffic(context, made)]);
}

/**
 * After a start: metrics of processor, memory and traffic do not outlive a power off, and disks and adapters may have come since. Those
 * that are on go on as they were.
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
    if (machine === undefined) return;
    const made = await observe(host, machine);
    const traffic = async (): Promise<void> => {
      await host.portMeters.ensure(machine, connectionsOf(made));
      await enableTraffic(context, made);
    };
    await attempt(context, instance, [
      ...machineAndDisks(context, machine, made),
      ...(made.nics.length === 0 ? [] : [traffic()]),
    ]);
  } catch (error) {
    log.warn(
      { err: error, instance: instance.uuid },
      'Metrics of the instance are not collected again after its start',
    );
  }
}

function machineAndDisks(
  { host }: DriverContext,
  machine: Pick<MachineHandle, 'system'>,
  made: Pick<ObservedMachine, 'drives'>,
): Promise<void>[] {
  return [
    host.metrics.enable(machine.system, [METRIC.cpu, METRIC.memory]),
    ...diskImagesOf(made).map((disk) => host.metrics.enable(disk, 'all')),
  ];
}

async function enableTraffic({ host }: DriverContext, made: Pick<ObservedMachine, 'nics'>): Promise<void> {
  await Promise.all(
    connectionsOf(made).map((port) => host.metrics.enable(port, [METRIC.trafficIn, METRIC.trafficOut])),
  );
}

async function attempt(
  { log }: DriverContext,
  instance: InstanceRef,
  works: readonly Promise<void>[],
): Promise<void> {
  for (const outcome of await Promise.allSettled(works)) {
    if (outcome.status === 'rejected')
      log.warn(
        { err: outcome.reason, instance: instance.uuid },
        'Metrics of the instance are not collected. The instance is not affected',
      );
  }
}
