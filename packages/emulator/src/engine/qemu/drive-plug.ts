import { EngineError, hasContent, sameContent } from '../engine.js';
import type { DriveConfig } from '../engine.js';
import { nbdSocket } from './argv.js';
import {
  contentNode,
  deviceId,
  driveDevice,
  driveKey,
  mediumNode,
  nbdNode,
  throttleGroup,
  throttleGroupObject,
  throttleLimits,
  throttleNode,
  throttleNodeOptions,
  secretId,
  unitNode,
  unitSecret,
} from './devices.js';
import type { Machine } from './machine.js';
import type { UndoableStep } from './undo.js';
import { runUndoable } from './undo.js';

/** SCSI devices go at once, whatever the guest does. */
const UNPLUG_DEADLINE_MS = 15_000;

/** Adds a drive to a running machine, or changes what is in it. @throws EngineError */
export async function attachDrive(machine: Machine, drive: DriveConfig): Promise<void> {
  const present = machine.drive(drive.id);
  if (present !== undefined && !isSamePlace(present, drive)) {
    throw new EngineError('UNSUPPORTED', `The drive ${drive.id} cannot be moved while its machine runs.`);
  }
  checkPlace(machine, drive, present);
  if (present !== undefined && sameContent(present, drive)) await limitDrive(machine, drive);
  else if (present?.kind === 'dvd') await changeMedium(machine, present, drive);
  else await replaceDrive(machine, present, drive);
}

/** Takes a drive out of a running machine. @throws EngineError */
export async function detachDrive(machine: Machine, driveId: string): Promise<void> {
  const drive = machine.drive(driveId);
  if (drive === undefined) throw new EngineError('FAILED', `Machine ${machine.id} has no drive ${driveId}.`);
  if (drive.bus === 'ide')
    throw new EngineError('UNSUPPORTED', 'IDE drives cannot be removed while the machine runs.');
  await unplug(machine, drive);
  await keepDrives(machine, without(machine, drive));
}

/**
 * Grows a drive's disk: a second connection sees the new size, takes the place of the first below the throttle
 * node, and the guest is told.
 */
export async function growDrive(machine: Machine, driveId: string, sizeBytes: number): Promise<void> {
  const drive = machine.drive(driveId);
  if (drive?.unit !== undefined) {
    const size = { 'node-name': throttleNode(driveKey(drive)), size: sizeBytes };
    await machine.qmp.execute('block_resize', size);
    return;
  }
  if (drive?.path === undefined || drive.kind !== 'disk') {
    throw new EngineError('FAILED', `The drive ${driveId} of machine ${machine.id} holds no disk.`);
  }
  const { qmp, disks } = machine;
  const key = driveKey(drive);
  const old = machine.sequences.get(key) ?? 0;
  const next = old + 1;
  await disks.grow(drive, sizeBytes);
  await runUndoable([
    {
      run: () => qmp.execute('blockdev-add', nbdNode(drive, nbdSocket(machine.paths), next)),
      undo: () => qmp.execute('blockdev-del', { 'node-name': contentNode(key, next) }),
    },
    {
      run: () => qmp.execute('blockdev-reopen', { options: [throttleNodeOptions(drive, next)] }),
      undo: () => qmp.execute('blockdev-reopen', { options: [throttleNodeOptions(drive, old)] }),
    },
    {
      run: () => qmp.execute('block_resize', { 'node-name': throttleNode(key), size: sizeBytes }),
      undo: () => Promise.resolve(),
    },
  ]);
  machine.sequences.set(key, next);
  await qmp.execute('blockdev-del', { 'node-name': contentNode(key, old) });
}

function isSamePlace(a: DriveConfig, b: DriveConfig): boolean {
  return a.bus === b.bus && a.controller === b.controller && a.slot === b.slot && a.kind === b.kind;
}

function refuse(message: string): never {
  throw new EngineError('UNSUPPORTED', message);
}

function checkPlace(machine: Machine, drive: DriveConfig, present: DriveConfig | undefined): void {
  const changesDevice = present === undefined || (drive.kind === 'disk' && !sameContent(present, drive));
  if (drive.bus === 'ide' && changesDevice)
    refuse('IDE drives cannot be added or changed while the machine runs.');
  if (drive.bus === 'scsi' && !machine.config.scsiControllers.includes(drive.controller)) {
    refuse(`The machine has no SCSI controller ${drive.controller}, and none can be added while it runs.`);
  }
  if (drive.slot > 63) refuse(`A SCSI controller has no slot ${drive.slot}.`);
  const rival = machine.config.drives.find(
    (other) => other.id !== drive.id && driveKey(other) === driveKey(drive),
  );
  if (rival !== undefined) refuse(`The place of drive ${drive.id} is taken by ${rival.id}.`);
}

async function limitDrive(machine: Machine, drive: DriveConfig): Promise<void> {
  if (drive.kind === 'disk' && hasContent(drive)) {
    const path = `/objects/${throttleGroup(driveKey(drive))}`;
    await machine.qmp.execute('qom-set', {
      path,
      property: 'limits',
      value: throttleLimits(drive.iopsLimit),
    });
  }
  await keepDrives(machine, [...without(machine, drive), drive]);
}

async function changeMedium(machine: Machine, present: DriveConfig, drive: DriveConfig): Promise<void> {
  const { qmp, disks } = machine;
  const [key, path] = [driveKey(drive), drive.path];
  const id = deviceId(key);
  const old = machine.sequences.get(key) ?? 0;
  // Whatever may be wrong with the new medium shows before the old one is out.
  await disks.insert(drive);
  try {
    await qmp.execute('blockdev-open-tray', { id, force: true });
    if (present.path !== undefined) {
      await qmp.execute('blockdev-remove-medium', { id });
      await qmp.execute('blockdev-del', { 'node-name': contentNode(key, old) });
      await disks.remove(present);
      await keepDrives(machine, [...without(machine, drive), emptied(present)]);
    }
    if (path !== undefined) {
      await qmp.execute('blockdev-add', mediumNode(drive, path, old + 1));
      machine.sequences.set(key, old + 1);
      await qmp.execute('blockdev-insert-medium', { id, 'node-name': contentNode(key, old + 1) });
    }
    await qmp.execute('blockdev-close-tray', { id });
  } catch (error) {
    await disks.remove(drive);
    throw error;
  }
  await keepDrives(machine, [...without(machine, drive), drive]);
}

function emptied(drive: DriveConfig): DriveConfig {
  const { path: _path, unit: _unit, ...rest } = drive;
  return rest;
}

async function replaceDrive(
  machine: Machine,
  present: DriveConfig | undefined,
  drive: DriveConfig,
): Promise<void> {
  if (present !== undefined && hasContent(present)) {
    await unplug(machine, present);
    await keepDrives(machine, [...without(machine, drive), emptied(present)]);
  }
  const before = machine.config.drives;
  await runUndoable([
    // Written down first: a process killed in between leaves nothing that the next one does not know of.
    {
      run: () => keepDrives(machine, [...without(machine, drive), drive]),
      undo: () => keepDrives(machine, before),
    },
    { run: () => machine.disks.insert(drive), undo: () => machine.disks.remove(drive) },
    ...plugSteps(machine, drive),
  ]);
}

function plugSteps(machine: Machine, drive: DriveConfig): readonly UndoableStep[] {
  const { qmp, disks, paths } = machine;
  const key = driveKey(drive);
  const deleteNode = (node: string) => () => qmp.execute('blockdev-del', { 'node-name': node });
  machine.sequences.delete(key);
  const content: UndoableStep[] = [];
  const { unit } = drive;
  const secret = unitSecret(drive);
  if (secret !== undefined) {
    content.push({
      run: () => qmp.execute('object-add', secret),
      undo: () => qmp.execute('object-del', { id: secretId(key) }),
    });
  }
  if (drive.path !== undefined && drive.kind === 'dvd') {
    const medium = mediumNode(drive, drive.path, 0);
    content.push({ run: () => qmp.execute('blockdev-add', medium), undo: deleteNode(contentNode(key, 0)) });
  } else if (hasContent(drive)) {
    const node = unit === undefined ? nbdNode(drive, nbdSocket(paths), 0) : unitNode(drive, unit);
    content.push(
      {
        run: () => qmp.execute('object-add', throttleGroupObject(drive)),
        undo: () => qmp.execute('object-del', { id: throttleGroup(key) }),
      },
      {
        run: () => qmp.execute('blockdev-add', node),
        undo: deleteNode(contentNode(key, 0)),
      },
      {
        run: () => qmp.execute('blockdev-add', throttleNodeOptions(drive, 0)),
        undo: deleteNode(throttleNode(key)),
      },
    );
  }
  const plugDevice = async (): Promise<void> => {
    const added = driveDevice(drive, disks.sectors(drive), undefined);
    if (added !== undefined) await qmp.execute('device_add', added);
  };
  return [...content, { run: plugDevice, undo: () => Promise.resolve() }];
}

/** Takes a drive's device and content out of QEMU and closes its file. */
async function unplug(machine: Machine, drive: DriveConfig): Promise<void> {
  const { qmp } = machine;
  const key = driveKey(drive);
  if (drive.kind === 'dvd' || hasContent(drive)) await removeDevice(machine, deviceId(key));
  if (hasContent(drive)) {
    if (drive.kind === 'disk') await qmp.execute('blockdev-del', { 'node-name': throttleNode(key) });
    await qmp.execute('blockdev-del', { 'node-name': contentNode(key, machine.sequences.get(key) ?? 0) });
    if (drive.kind === 'disk') await qmp.execute('object-del', { id: throttleGroup(key) });
    if (unitSecret(drive) !== undefined) await qmp.execute('object-del', { id: secretId(key) });
  }
  machine.sequences.delete(key);
  await machine.disks.remove(drive);
}

/** device_del, and waits until the device is gone; parts of it are told to be gone before it is. */
export async function removeDevice(machine: Machine, id: string): Promise<void> {
  const gone = machine.qmp.watch(
    ({ name, data }) => name === 'DEVICE_DELETED' && data['device'] === id,
    UNPLUG_DEADLINE_MS,
  );
  try {
    await machine.qmp.execute('device_del', { id });
    await gone.done;
  } finally {
    gone.cancel();
  }
}

function without(machine: Machine, drive: DriveConfig): readonly DriveConfig[] {
  return machine.config.drives.filter((other) => other.id !== drive.id);
}

async function keepDrives(machine: Machine, drives: readonly DriveConfig[]): Promise<void> {
  machine.config = { ...machine.config, drives };
  await machine.save();
}
