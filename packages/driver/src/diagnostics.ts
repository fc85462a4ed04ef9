import type { MetricValues } from '@nova-hyperv/hyperv';
import type { CimReference } from '@nova-hyperv/wsman';
import type { DriverContext } from './context.js';
import { powerStateOf, requireMachine } from './lookup.js';
import { diskImagesOf } from './metrics.js';
import { versionText } from './plan/generation.js';
import { observe } from './realise/realise.js';
import { POWER_STATE } from './types.js';
import type { InstanceDiagnostics, InstanceRef, PowerState } from './types.js';

const MIB = 1024 * 1024;

/** nova/objects/fields.py, InstancePowerState */
const STATE_NAMES: Readonly<Record<PowerState, InstanceDiagnostics['state']>> = {
  [POWER_STATE.NOSTATE]: 'pending',
  [POWER_STATE.RUNNING]: 'running',
  [POWER_STATE.PAUSED]: 'paused',
  [POWER_STATE.SHUTDOWN]: 'shutdown',
  [POWER_STATE.CRASHED]: 'crashed',
  [POWER_STATE.SUSPENDED]: 'suspended',
};

/**
 * What the host tells of an instance: the machine's summary, and with [hyperv] enable_instance_metrics_collection the metrics of its
 * disks and switch ports. What is not known is null, never 0.
 * @throws DriverError InstanceNotFound
 */
export async function instanceDiagnostics(
  { host, config, log }: DriverContext,
  instance: InstanceRef,
): Promise<InstanceDiagnostics> {
  const machine = await requireMachine(host, instance);
  const [facts, runtime, observed] = await Promise.all([
    host.facts(),
    host.runtimeOf(machine),
    observe(host, machine),
  ]);
  const metricsOf = async (what: string, element: CimReference | undefined): Promise<MetricValues> => {
    if (!config.enableInstanceMetricsCollection || element === undefined) return {};
    try {
      return await host.metrics.values(element);
    } catch (error) {
      // The rest is worth telling.
      log.warn({ err: error, instance: instance.uuid }, `The host does not tell the metrics of a ${what}`);
      return {};
    }
  };
  const [disks, nics] = await Promise.all([
    Promise.all(diskImagesOf(observed).map((disk) => metricsOf('disk', disk))),
    Promise.all(
      observed.nics.map(async ({ mac, connection }) => ({
        mac: macText(mac),
        traffic: await metricsOf('switch port', connection?.reference),
      })),
    ),
  ]);
  return {
    state: STATE_NAMES[powerStateOf(runtime.state)],
    driver: 'hyperv',
    hypervisor: 'hyperv',
    hypervisorOs: `Windows ${versionText({ windowsVersion: facts.version })}`,
    uptimeSeconds: Math.floor(runtime.uptimeMs / 1000),
    processors: runtime.processors,
    processorLoadPercent: runtime.processorLoad,
    memoryMb: { used: runtime.memoryMb, maximum: memoryOf(observed) },
    disks: disks.map(({ diskRead, diskWritten }) => ({
      readBytes: bytesOf(diskRead),
      writtenBytes: bytesOf(diskWritten),
    })),
    nics: nics.map(({ mac, traffic }) => ({
      mac,
      receivedBytes: bytesOf(traffic.trafficIn),
      sentBytes: bytesOf(traffic.trafficOut),
    })),
  };
}

function bytesOf(mebibytes: number | undefined): number | null {
  return mebibytes === undefined ? null : mebibytes * MIB;
}

/** The host's `FA163E010203` as Nova writes it. */
function macText(address: string): string {
  return (address.toLowerCase().match(/[\da-f]{2}/g) ?? []).join(':');
}

/** What it may have at most: with dynamic memory the maximum, else what it starts with. */
function memoryOf({ memory }: Awaited<ReturnType<typeof observe>>): number | null {
  if (memory === undefined) return null;
  return memory.dynamic ? memory.maximumMb : memory.startupMb;
}
