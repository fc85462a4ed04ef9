import { HyperVError } from '@nova-hyperv/hyperv';
import type { HostNuma, HostNumaNode, HyperVHost, MachineHandle } from '@nova-hyperv/hyperv';
import { DriverError } from './errors.js';
import type { VmSpec } from './plan/vm-spec.js';
import { observe } from './realise/realise.js';
import { specOf } from './realise/spec-of.js';

/** "Out of memory" of a start, by return value or by its job. */
const OUT_OF_MEMORY = 32_778;

/**
 * What a failed start means, where the reason can be found: a machine that does not fit into the NUMA nodes of its host. Everything else
 * comes back as it was. Asks the host only about starts that failed for lack of memory.
 */
export async function explainStartFailure(
  host: HyperVHost,
  machine: MachineHandle,
  error: unknown,
): Promise<unknown> {
  if (!(error instanceof HyperVError) || (error.jobErrorCode ?? error.returnValue) !== OUT_OF_MEMORY)
    return error;
  try {
    const [numa, observed] = await Promise.all([host.numa(), observe(host, machine)]);
    const why = lackOfRoom(specOf(observed), numa, host.name);
    return why === undefined
      ? error
      : new DriverError('InstancePowerOnFailure', why, { cause: error, scope: 'host' });
  } catch {
    // The host's own words are better than none.
    return error;
  }
}

/** Why a machine that is off cannot start on these nodes; undefined when they are not the reason. */
export function lackOfRoom(
  spec: Pick<VmSpec, 'name' | 'processors' | 'memory'>,
  { spanning, nodes }: HostNuma,
  hostName: string,
): string | undefined {
  if (spanning || nodes.length < 2) return undefined;
  const { numa, count } = spec.processors;
  const needMb = numa?.memoryMbPerNode ?? spec.memory.startupMb;
  const virtualNodes =
    numa === null
      ? 1
      : Math.max(Math.ceil(spec.memory.startupMb / needMb), Math.ceil(count / numa.processorsPerNode));
  const fitting = nodes.filter((node) => node.freeMb >= needMb);
  if (fitting.length >= Math.min(virtualNodes, nodes.length)) return undefined;
  const full = nodes.filter((node) => !fitting.includes(node));
  const need =
    virtualNodes === 1
      ? `${needMb} MB on one NUMA node`
      : `${needMb} MB on each of ${virtualNodes} NUMA nodes`;
  return (
    `${spec.name} does not fit into the NUMA nodes of host ${hostName}: it needs ${need}, and ${full.map((node) => describe(node)).join('; ')}. ` +
    'Stop or move an instance there and start it again; start instances that span nodes before the others; keep them on hosts of their own ' +
    '(an aggregate with an availability zone); or allow NUMA spanning on the host (Set-VMHost -NumaSpanningEnabled $true).'
  );
}

function describe({ id, freeMb, memoryMb, machines }: HostNumaNode): string {
  const held = machines.map((machine) => `${machine.name} ${machine.memoryMb} MB`).join(', ');
  return `node ${id} has ${freeMb} MB free of ${memoryMb} MB${held === '' ? '' : ` (held by ${held})`}`;
}
