import { hostBaseName, isInHostFolder, sameHostPath } from '@nova-hyperv/hyperv';
import type { MachineHandle } from '@nova-hyperv/hyperv';
import type { DriverContext } from './context.js';
import { findMachines } from './lookup.js';
import type { InstanceRef } from './types.js';

/** Removes the instance's machine and its folder; harmless when there is neither. */
export async function destroyInstance(context: DriverContext, instance: InstanceRef): Promise<void> {
  await context.consoles.stop(instance.uuid);
  for (const machine of await findMachines(context.host, instance))
    await destroyMachine(context, instance, machine);
  await context.folders.remove(instance, { trusted: false });
}

/** Removes one machine, and its folder where that is the instance's own. */
export async function destroyMachine(
  context: DriverContext,
  instance: InstanceRef,
  machine: MachineHandle,
): Promise<void> {
  const { config, folders, host } = context;
  await host.power.destroy(machine);
  const own = folders.pathOf(instance);
  const { dataRoot } = machine;
  if (sameHostPath(dataRoot, own)) {
    await folders.remove(instance, { trusted: true });
  } else if (dataRoot !== '' && isInHostFolder(dataRoot, config.instancesPath)) {
    // The machine was renamed: its folder has its old name and, when it is ours, our marker.
    await folders.remove({ uuid: instance.uuid, name: hostBaseName(dataRoot) }, { trusted: false });
  }
}
