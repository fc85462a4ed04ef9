import { STATE } from '@nova-hyperv/hyperv';
import type { HyperVHost, MachineHandle } from '@nova-hyperv/hyperv';
import { DriverError } from './errors.js';
import { POWER_STATE } from './types.js';
import type { InstanceRef, PowerState } from './types.js';

/** The instance's machine: its name and its UUID in the notes. A machine of that name that is not ours is left alone. */
export async function findMachine(
  host: HyperVHost,
  instance: InstanceRef,
): Promise<MachineHandle | undefined> {
  return (await findMachines(host, instance))[0];
}

/** More than one only after a definition whose outcome was lost. */
export async function findMachines(
  host: HyperVHost,
  instance: InstanceRef,
): Promise<readonly MachineHandle[]> {
  const named = await host.machines.findByName(instance.name);
  return named.filter(isOf(instance));
}

/** Whether a machine's notes say that it is the instance's. */
export function isOf(instance: Pick<InstanceRef, 'uuid'>): (machine: MachineHandle) => boolean {
  return (machine) => machine.notes[0]?.toLowerCase() === instance.uuid.toLowerCase();
}

export async function requireMachine(host: HyperVHost, instance: InstanceRef): Promise<MachineHandle> {
  const machine = await findMachine(host, instance);
  if (machine === undefined) throw instanceNotFound(instance);
  return machine;
}

export function instanceNotFound(instance: InstanceRef): DriverError {
  return new DriverError(
    'InstanceNotFound',
    `Instance ${instance.uuid} (${instance.name}) has no machine on this host.`,
  );
}

/** Msvm_ComputerSystem.EnabledState as Nova's power state. What is between two states counts as running, as in the reference. */
export function powerStateOf(enabledState: number): PowerState {
  switch (enabledState) {
    case STATE.off:
      return POWER_STATE.SHUTDOWN;
    case STATE.paused:
      return POWER_STATE.PAUSED;
    case STATE.saved:
      return POWER_STATE.SUSPENDED;
    default:
      return POWER_STATE.RUNNING;
  }
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function isUuid(text: string): boolean {
  return UUID.test(text);
}
