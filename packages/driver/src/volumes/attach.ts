import { hasCode, isOutcomeUnknown, STATE } from '@nova-hyperv/hyperv';
import type { MachineHandle } from '@nova-hyperv/hyperv';
import type { DriverContext } from '../context.js';
import { DriverError } from '../errors.js';
import { findMachine, requireMachine } from '../lookup.js';
import { SlotAllocator } from '../plan/slots.js';
import { ignoredQos, volumeDrive } from '../plan/volumes.js';
import { compareDrives } from '../plan/vm-spec.js';
import type { DriveSpec } from '../plan/vm-spec.js';
import type { PlanVolume } from '../plan/input.js';
import { nextDriveStep } from '../realise/next-step.js';
import { sameSlot } from '../realise/drive-steps.js';
import type { ObservedMachine } from '../realise/observed.js';
import { observe, realise } from '../realise/realise.js';
import { specOf } from '../realise/spec-of.js';
import { planFactsOf } from '../spawn.js';
import type { InstanceRef } from '../types.js';
import type { VolumeDevice } from '../volume-types.js';
import { addressOf } from './address.js';
import type { VolumeAddress } from './address.js';
import { attachFailed } from './connections.js';
import type { ConnectedVolume } from './connector.js';
import { disconnectOne } from './disconnect.js';
import { addressIfAny, isDriveOf, resolveVolumes, takeOut } from './drives.js';
import { changeRecord, readRecord } from './record.js';

/** Nova's attach_volume. After a failure no session, mapping or drive is left. */
export async function attachVolume(
  context: DriverContext,
  instance: InstanceRef,
  volume: VolumeDevice,
): Promise<void> {
  const { host, log, volumes } = context;
  const { volumeId } = volume;
  const address = addressOf(volume);
  const machine = await requireMachine(host, instance);
  const [[planned], observed, state] = await Promise.all([
    resolveVolumes(context, [volume]),
    observe(host, machine),
    host.power.state(machine),
  ]);
  if (planned === undefined || hasAlready(observed, planned)) return;
  const drive = await placeFor(context, observed, planned);
  if (drive.bus === 'ide' && state !== STATE.off) refuseIde(volumeId);
  const ignored = ignoredQos(planned);
  if (ignored !== undefined) log.warn({ instance: instance.uuid }, ignored);
  const release = volumes.hold([address]);
  let connected: ConnectedVolume | undefined;
  try {
    await changeRecord(context, instance, { add: [address] });
    connected = await volumes.connect(volume);
    const disks = new Map(connected.kind === 'block' ? [[volumeId, connected.disk]] : []);
    const spec = specOf(observed);
    const drives = [...spec.drives, drive].toSorted(compareDrives);
    const made = await realise(host, machine, { ...spec, drives }, observed, { disks, next: nextDriveStep });
    await measure(context, instance, made, drive);
  } catch (error) {
    if (connected !== undefined && isOutcomeUnknown(error)) await settled(context, machine);
    await undo(context, instance, machine, address, connected && { drive, connected });
    throw error instanceof DriverError || hasCode(error, 'HYPERV_NOT_FOUND')
      ? error
      : attachFailed(volumeId, error);
  } finally {
    release();
  }
  log.info(
    { instance: instance.uuid, volume: volumeId },
    `Volume attached at ${drive.bus} slot ${drive.slot}`,
  );
}

function hasAlready({ drives }: ObservedMachine, { device, path }: PlanVolume): boolean {
  const { volumeId } = device;
  const file = path === undefined ? undefined : ({ kind: 'file', volumeId, path } as const);
  return drives.some((drive) => isDriveOf(drive, volumeId, file));
}

async function placeFor(
  { host }: DriverContext,
  observed: ObservedMachine,
  volume: PlanVolume,
): Promise<DriveSpec> {
  const slots = new SlotAllocator(observed.controllers);
  for (const drive of observed.drives) slots.occupy(drive);
  const generation = observed.settings?.generation ?? 1;
  return volumeDrive(volume, generation, slots, planFactsOf(await host.facts())).drive;
}

function refuseIde(volumeId: string): never {
  throw new DriverError(
    'InvalidDiskInfo',
    `Disk info of volume ${volumeId} is invalid: it asks for disk_bus ide, and a running machine takes disks on SCSI only. Stop the instance first, or leave disk_bus out.`,
  );
}

/** The volume is worth more than its metrics. */
async function measure(
  { host, config, log }: DriverContext,
  instance: InstanceRef,
  made: ObservedMachine,
  place: DriveSpec,
): Promise<void> {
  const image = made.drives.find((drive) => sameSlot(drive, place))?.image;
  if (!config.enableInstanceMetricsCollection || image === undefined) return;
  try {
    await host.metrics.enable(image.reference, 'all');
  } catch (error) {
    log.warn({ err: error, instance: instance.uuid }, 'Metrics of the volume are not collected');
  }
}

/** What was asked for and not answered comes now or never. */
async function settled({ host, log }: DriverContext, machine: MachineHandle): Promise<void> {
  try {
    await host.power.jobsEnded(machine);
  } catch (error) {
    log.debug({ err: error }, 'The host does not tell what it is doing with the machine');
  }
}

/**
 * The failure that made it necessary is what is told; what remains is in the record, for the next start. `made`: undefined where it came to no
 * drive.
 */
async function undo(
  context: DriverContext,
  instance: InstanceRef,
  machine: MachineHandle,
  address: VolumeAddress,
  made: { readonly drive: DriveSpec; readonly connected: ConnectedVolume } | undefined,
): Promise<void> {
  const { volumeId } = address;
  try {
    if (made !== undefined) {
      const { drive: place, connected } = made;
      // What is at its place now is its own, also without a disk in it.
      await takeOut(
        context,
        machine,
        (drive) => sameSlot(drive, place) || isDriveOf(drive, volumeId, connected),
      );
    }
    await disconnectOne(context, instance, address);
  } catch (error) {
    context.log.warn(
      { err: error, instance: instance.uuid, volume: volumeId },
      'What a failed attachment left cannot be taken back now; it is at the next start',
    );
  }
}

/** Nova's detach_volume: harmless when it is not attached, or there is no machine. */
export async function detachVolume(
  context: DriverContext,
  instance: InstanceRef,
  volume: VolumeDevice,
): Promise<void> {
  const { host, log, volumes } = context;
  const { volumeId } = volume;
  const recorded = (await readRecord(context, instance)).find((entry) => entry.volumeId === volumeId);
  const address = addressIfAny(volume) ?? recorded;
  const machine = await findMachine(host, instance);
  let had = false;
  if (machine !== undefined) {
    const observed = await observe(host, machine);
    const tagged = observed.drives.some(({ physical }) => physical?.volumeId === volumeId);
    const connected = tagged || address === undefined ? undefined : await volumes.locate(address);
    had = await takeOut(context, machine, (drive) => isDriveOf(drive, volumeId, connected), observed);
  }
  if (address !== undefined) await disconnectOne(context, instance, address);
  log.info(
    { instance: instance.uuid, volume: volumeId },
    had ? 'Volume detached' : 'The machine did not have the volume: there was nothing to detach',
  );
}
