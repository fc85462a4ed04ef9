import type { MachineHandle, PhysicalDriveUse } from '@nova-hyperv/hyperv';
import type { DriverContext } from '../context.js';
import { isUuid } from '../lookup.js';
import { isSameDisk } from '../realise/drive-steps.js';
import type { InstanceRef } from '../types.js';
import type { VolumeDevice } from '../volume-types.js';
import type { VolumeAddress } from './address.js';
import { disconnectOne } from './disconnect.js';
import { isDriveOf, takeOut } from './drives.js';
import { readRecord } from './record.js';

type Exclusive = <T>(instance: InstanceRef, work: () => Promise<T>) => Promise<T>;

/**
 * Takes away what killed operations left of volumes: drives that have the id of a volume as their name, or the disk of a volume that the
 * instance's record names, where nobody knows the volume as the instance's; and the connections to such volumes. Two queries when there is nothing.
 */
export async function removeGhostVolumes(
  context: DriverContext,
  known: ReadonlyMap<string, readonly VolumeDevice[]>,
  exclusive: Exclusive,
): Promise<readonly string[]> {
  const { host } = context;
  const volumesOf = new Map([...known].map(([uuid, volumes]) => [uuid.toLowerCase(), volumes]));
  const [machines, drives] = await Promise.all([host.machines.list(), host.physicalDisks.drives()]);
  const removed: string[] = [];
  for (const machine of machines) {
    const uuid = machine.notes[0] ?? '';
    const expected = volumesOf.get(uuid.toLowerCase());
    if (expected === undefined) continue;
    const instance = { uuid, name: machine.name };
    const ids = new Set(expected.map(({ volumeId }) => volumeId));
    const recorded = (await readRecord(context, instance)).filter(({ volumeId }) => !ids.has(volumeId));
    const tags = tagsOf(machine, drives).filter((tag) => !ids.has(tag));
    if (recorded.length === 0 && tags.length === 0) continue;
    await exclusive(instance, () => remove(context, instance, machine, recorded, new Set(tags)));
    removed.push(...new Set([...tags, ...recorded.map(({ volumeId }) => volumeId)]));
  }
  return removed;
}

/** Names of pass-through drives that are ids of volumes: what an administrator attached by hand has another. */
function tagsOf({ id }: MachineHandle, drives: readonly PhysicalDriveUse[]): readonly string[] {
  const prefix = `microsoft:${id}\\`.toLowerCase();
  return drives
    .filter(({ instanceId, tag }) => instanceId.toLowerCase().startsWith(prefix) && isUuid(tag))
    .map(({ tag }) => tag);
}

async function remove(
  context: DriverContext,
  instance: InstanceRef,
  machine: MachineHandle,
  recorded: readonly VolumeAddress[],
  tags: ReadonlySet<string>,
): Promise<void> {
  const { volumes, log } = context;
  const located = (await Promise.all(recorded.map((address) => volumes.locate(address)))).filter(
    (one) => one !== undefined,
  );
  await takeOut(context, machine, (drive) => {
    const { physical, image, kind } = drive;
    // The process died between the drive and what it was to hold.
    if (kind === 'disk' && physical === undefined && image === undefined) return recorded.length > 0;
    if (physical !== undefined && tags.has(physical.volumeId)) return true;
    return located.some((one) =>
      // A drive with another volume's name is that volume's, whatever disk it has now.
      physical !== undefined && isUuid(physical.volumeId)
        ? physical.volumeId === one.volumeId
        : one.kind === 'block'
          ? physical !== undefined && isSameDisk(one.disk, physical.disk)
          : isDriveOf(drive, one.volumeId, one),
    );
  });
  for (const address of recorded) await disconnectOne(context, instance, address);
  log.warn(
    { instance: instance.uuid, volumes: [...tags, ...recorded.map(({ volumeId }) => volumeId)] },
    'Volumes that the instance does not have any more were taken away from its machine',
  );
}
