import { hostBaseName, isInHostFolder, sameHostPath } from '@nova-hyperv/hyperv';
import type { MachineHandle } from '@nova-hyperv/hyperv';
import type { DriverContext } from './context.js';
import { findMachines, isOf } from './lookup.js';
import { Stopwatch } from './stopwatch.js';
import type { InstanceRef, WithVolumes } from './types.js';
import { disconnectAll } from './volumes/disconnect.js';

/** Removes the instance's machine, its connections to volumes and its folder; harmless when there is none. */
export async function destroyInstance(
  context: DriverContext,
  instance: InstanceRef,
  { volumes }: WithVolumes = {},
): Promise<void> {
  const { consoles, folders, host, log } = context;
  const watch = new Stopwatch();
  await consoles.stop(instance.uuid);
  let machines = await findMachines(host, instance);
  // Renamed by somebody on the host: its notes still say whose it is.
  if (machines.length === 0) machines = (await host.machines.list()).filter(isOf(instance));
  for (const machine of machines) await destroyMachine(context, instance, machine);
  // Before the folder, which says what the host is connected to.
  await disconnectAll(context, instance, volumes);
  const hadFolder = await folders.remove(instance, { trusted: false });
  await folders.removeRevert(instance);
  if (machines.length === 0 && !hadFolder) {
    log.debug({ instance: instance.uuid }, 'Nothing of the instance is on the host');
    return;
  }
  log.info(
    { instance: instance.uuid },
    `Destroying the instance on the hypervisor took ${watch.seconds()} seconds`,
  );
}

/** Removes one machine, and its folder where that is the instance's own. */
export async function destroyMachine(
  context: DriverContext,
  instance: InstanceRef,
  machine: MachineHandle,
): Promise<void> {
  const { config, folders, host, log } = context;
  await host.power.destroy(machine);
  log.debug({ instance: instance.uuid, machine: machine.id }, `Machine ${machine.name} removed`);
  await disconnectAll(context, instance);
  const own = folders.pathOf(instance);
  const { dataRoot } = machine;
  if (sameHostPath(dataRoot, own)) {
    await folders.remove(instance, { trusted: true });
  } else if (dataRoot !== '' && isInHostFolder(dataRoot, config.instancesPath)) {
    // The machine was renamed: its folder has its old name and, when it is ours, our marker.
    await folders.remove({ uuid: instance.uuid, name: hostBaseName(dataRoot) }, { trusted: false });
  }
}
