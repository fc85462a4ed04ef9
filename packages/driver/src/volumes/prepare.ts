import { STATE } from '@nova-hyperv/hyperv';
import type { MachineHandle } from '@nova-hyperv/hyperv';
import type { DriverContext } from '../context.js';
import { localBootIndexes, uefiOrder } from '../plan/boot-order.js';
import { bootDeviceOfDrive } from '../plan/vm-spec.js';
import type { BootDevice, DriveSpec, FirmwareSpec, VmSpec } from '../plan/vm-spec.js';
import { isSameDisk, sameSlot } from '../realise/drive-steps.js';
import type { DiskPaths } from '../realise/drive-steps.js';
import type { ObservedMachine } from '../realise/observed.js';
import { observe, realise } from '../realise/realise.js';
import { specOf } from '../realise/spec-of.js';
import type { InstanceRef } from '../types.js';
import type { VolumeDevice } from '../volume-types.js';
import { addressOf } from './address.js';
import type { ConnectedVolume } from './connector.js';
import { isDriveOf } from './drives.js';
import { changeRecord } from './record.js';

/**
 * Before a start: connects what a restart of the host has disconnected, and gives drives their disks again, whose numbers may have
 * changed. A machine that is off gets the boot order that the volumes' boot indexes say.
 */
export async function prepareVolumes(
  context: DriverContext,
  instance: InstanceRef,
  machine: MachineHandle,
  devices: readonly VolumeDevice[] = [],
): Promise<void> {
  if (devices.length === 0) return;
  const { host, log, volumes } = context;
  const addresses = devices.map((device) => addressOf(device));
  const release = volumes.hold(addresses);
  try {
    await changeRecord(context, instance, { add: addresses });
    const connected = await connectAll(context, devices);
    const [observed, state] = await Promise.all([observe(host, machine), host.power.state(machine)]);
    if (state !== STATE.off) return;
    const disks = diskPathsOf(connected);
    const spec = specOf(observed);
    const drives = spec.drives.map((drive) => named(drive, observed, disks));
    for (const { volumeId } of drives) {
      if (volumeId === undefined || disks.has(volumeId)) continue;
      log.warn(
        { instance: instance.uuid },
        `The machine has a disk of the host that is no volume of the instance (${volumeId}); it is left as it is`,
      );
    }
    const firmware = firmwareFor({ ...spec, drives }, observed, devices, connected);
    await realise(host, machine, { ...spec, drives, firmware }, observed, { disks });
  } finally {
    release();
  }
}

/** All at once; one failing waits for the others' end. */
export async function connectAll(
  { volumes }: Pick<DriverContext, 'volumes'>,
  devices: readonly VolumeDevice[],
  signal?: AbortSignal,
): Promise<readonly ConnectedVolume[]> {
  const outcomes = await Promise.allSettled(devices.map((device) => volumes.connect(device, signal)));
  return outcomes.map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  });
}

export function diskPathsOf(connected: readonly ConnectedVolume[]): DiskPaths {
  return new Map(connected.flatMap((one) => (one.kind === 'block' ? [[one.volumeId, one.disk]] : [])));
}

/** A drive that was never given its volume's name is known by its disk. */
function named(drive: DriveSpec, { drives }: ObservedMachine, disks: DiskPaths): DriveSpec {
  if (drive.volumeId === undefined || disks.has(drive.volumeId)) return drive;
  const has = drives.find((one) => sameSlot(one, drive))?.physical;
  const volumeId = [...disks.keys()].find((id) => has !== undefined && isSameDisk(disks.get(id), has.disk));
  return volumeId === undefined ? drive : { ...drive, volumeId };
}

function firmwareFor(
  spec: VmSpec,
  observed: ObservedMachine,
  devices: readonly VolumeDevice[],
  connected: readonly ConnectedVolume[],
): FirmwareSpec {
  const { firmware } = spec;
  if (firmware.kind === 'bios') return firmware;
  const indexes = new Map(localBootIndexes(spec.drives, spec.directory));
  for (const { volumeId, bootIndex } of devices) {
    const at = connected.find((one) => one.volumeId === volumeId);
    const drive = observed.drives.find((candidate) => isDriveOf(candidate, volumeId, at));
    if (drive !== undefined && bootIndex !== null) indexes.set(bootDeviceOfDrive(drive), bootIndex);
  }
  const rank = ({ portId }: { portId: string }) => {
    const device: BootDevice = `nic:${portId}`;
    const place = firmware.bootOrder.indexOf(device);
    return place < 0 ? firmware.bootOrder.length : place;
  };
  const nics = spec.nics.toSorted((a, b) => rank(a) - rank(b));
  return { kind: 'uefi', bootOrder: uefiOrder(spec.drives, indexes, nics) };
}
