import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isRefusal, joinHostPath, STATE } from '@nova-hyperv/hyperv';
import type { MachineHandle } from '@nova-hyperv/hyperv';
import type { DriverContext } from '../context.js';
import { removeFile } from '../disks/files.js';
import { instanceNotFound, requireMachine } from '../lookup.js';
import { cannotResize, isInstanceDisk } from '../plan/resize.js';
import { SlotAllocator } from '../plan/slots.js';
import { compareDrives } from '../plan/vm-spec.js';
import type { DriveSpec, VmSpec } from '../plan/vm-spec.js';
import { powerOff, start } from '../power.js';
import { sameSlot } from '../realise/drive-steps.js';
import { observe, realise } from '../realise/realise.js';
import { specOf } from '../realise/spec-of.js';
import type { InstanceRef, PowerOffOptions, WithVolumes } from '../types.js';
import { overlay, readKept, restoreDisks } from './kept.js';
import type { Kept } from './kept.js';

/** Nova's confirm_migration. */
export async function confirmMigration(context: DriverContext, instance: InstanceRef): Promise<void> {
  if (await context.folders.removeRevert(instance)) {
    context.log.info({ instance: instance.uuid }, 'What the instance was before its resize is gone');
  }
}

/**
 * Nova's finish_revert_migration. What is kept goes last, so that an interruption at any point leaves enough to begin again; the order within
 * is: disks back, machine back, what is new removed.
 */
export async function finishRevertMigration(
  context: DriverContext,
  instance: InstanceRef,
  options: PowerOffOptions & WithVolumes & { readonly powerOn: boolean },
): Promise<void> {
  const { host, folders, log } = context;
  const machine = await requireMachine(host, instance);
  const kept = await readKept(context, instance);
  if (kept?.kind === 'live') await shrinkBack(context, instance, machine, kept, options);
  else if (kept !== undefined) await restore(context, instance, machine, kept);
  if (options.powerOn && (await host.power.state(machine)) !== STATE.running)
    await start(context, instance, machine, options);
  if (!options.powerOn && (await host.power.state(machine)) === STATE.running)
    await powerOff(context, instance, options);
  await folders.removeRevert(instance);
  if (kept !== undefined)
    log.info({ instance: instance.uuid }, 'The instance is what it was before its resize');
}

/** The contents go back, too: there is no reason to ask the guest for an orderly end. */
async function restore(
  context: DriverContext,
  instance: InstanceRef,
  machine: MachineHandle,
  kept: Extract<Kept, { kind: 'cold' }>,
): Promise<void> {
  const { host } = context;
  await powerOff(context, instance, { timeoutSeconds: 0 });
  await restoreDisks(context, instance, kept.disks);
  const observed = await observe(host, machine);
  const now = specOf(observed, kept.spec);
  const spec = overlay(now, kept.spec);
  await realise(host, machine, { ...spec, drives: drivesBack(now, kept.spec) }, observed);
  await removeNewDisks(context, instance, kept.disks);
}

/** The instance's own disks as they were; volumes as they are: they are attached and detached while a resize waits for its confirmation. */
function drivesBack(now: VmSpec, kept: VmSpec): readonly DriveSpec[] {
  const isOwn = ({ path }: DriveSpec) => isInstanceDisk(path, now.directory);
  // A drive that holds nothing and is new was meant for a disk that did not come.
  const isWhole = (drive: DriveSpec) =>
    drive.path !== '' ||
    drive.volumeId !== undefined ||
    kept.drives.some((had) => sameSlot(had, drive) && !isOwn(had));
  const volumes = now.drives.filter((drive) => !isOwn(drive) && isWhole(drive));
  const slots = new SlotAllocator(now.controllers);
  const own = kept.drives.filter((drive) => isOwn(drive));
  for (const drive of [...own, ...volumes]) slots.occupy(drive);
  const back = own.map((drive) =>
    volumes.some((volume) => sameSlot(volume, drive)) ? { ...drive, ...slots.take(drive.bus) } : drive,
  );
  return [...back, ...volumes].toSorted(compareDrives);
}

async function removeNewDisks(
  { folders }: DriverContext,
  instance: InstanceRef,
  kept: readonly string[],
): Promise<void> {
  const keptNames = new Set(kept.map((name) => name.toLowerCase()));
  const local = folders.localOf(instance);
  const directory = folders.pathOf(instance);
  for (const name of await readdir(local)) {
    const isDisk = isInstanceDisk(joinHostPath(directory, name), directory) && !/\.iso$/i.test(name);
    if (isDisk && !keptNames.has(name.toLowerCase())) await removeFile(join(local, name));
  }
}

/** The guest's data of meanwhile stay; the disk becomes smaller only where nothing lies in what goes. */
async function shrinkBack(
  context: DriverContext,
  instance: InstanceRef,
  machine: MachineHandle,
  kept: Extract<Kept, { kind: 'live' }>,
  options: PowerOffOptions,
): Promise<void> {
  const { host } = context;
  const { virtualSize } = await host.disks.facts(kept.rootPath);
  if (virtualSize === kept.rootBytes) return;
  const state = await host.power.state(machine);
  if (state === undefined) throw instanceNotFound(instance);
  await powerOff(context, instance, options);
  try {
    await host.disks.resize(kept.rootPath, kept.rootBytes);
  } catch (error) {
    if (state === STATE.running) await start(context, instance, machine);
    if (!isRefusal(error)) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw cannotResize(
      `the host does not give the root disk the ${kept.rootBytes} bytes back that it had before, most likely because a partition reaches beyond them. Shrink that partition and revert again, or confirm the resize. The host says: ${why}`,
      error,
    );
  }
}
