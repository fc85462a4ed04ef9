import { EngineError } from '../engine.js';
import type { DriveConfig } from '../engine.js';
import type { Machine } from './machine.js';
import { queryStatus } from './qmp-queries.js';

/**
 * Puts other files into drives of a machine that stands still meanwhile. QEMU loses its connection to their exports, and makes it again with its next
 * request, to exports of the same names (`reconnect-delay` of the nbd driver).
 * @throws EngineError
 */
export async function switchDrives(
  machine: Machine,
  driveIds: readonly string[],
  work: () => Promise<readonly DriveConfig[]>,
): Promise<void> {
  const present = driveIds.map((id) => {
    const drive = machine.drive(id);
    if (drive?.path === undefined || drive.kind !== 'disk')
      throw new EngineError('FAILED', `The drive ${id} of machine ${machine.id} holds no disk.`);
    return drive;
  });
  const wasRunning = (await queryStatus(machine.qmp)) === 'running';
  // Written down first: the next process must know that the guest does not stand still by anybody's wish.
  await machine.keepSwitching(wasRunning ? 'running' : 'paused');
  try {
    // Flushes as well.
    await machine.qmp.execute('stop', undefined);
    await exchange(machine, present, work);
  } finally {
    if (wasRunning) await machine.qmp.execute('cont', undefined);
    await machine.keepSwitching(undefined);
  }
}

async function exchange(
  machine: Machine,
  present: readonly DriveConfig[],
  work: () => Promise<readonly DriveConfig[]>,
): Promise<void> {
  const before = machine.config.drives;
  for (const drive of present) await machine.disks.remove(drive);
  try {
    const next = await work();
    machine.config = {
      ...machine.config,
      drives: before.map((drive) => next.find(({ id }) => id === drive.id) ?? drive),
    };
    for (const drive of next) await machine.disks.insert(drive);
  } catch (error) {
    machine.config = { ...machine.config, drives: before };
    for (const drive of present) {
      await machine.disks.remove(drive);
      await machine.disks.insert(drive);
    }
    throw error;
  }
}
