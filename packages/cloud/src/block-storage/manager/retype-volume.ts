import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { VolumeRow } from '../tables.js';
import type { ManagerDeps, Task } from './deps.js';
import { settle } from './settle.js';
import type { VolumeWork } from './work.js';

type Retype = Extract<VolumeWork, { kind: 'retype' }>;

/** Copies the content to another back end; the original is there until the copy is. */
async function move(deps: ManagerDeps, volume: VolumeRow, work: Retype, task: Task): Promise<void> {
  const [from, to] = [deps.backends.of(volume), deps.backends.of({ host: work.toHost })];
  const stored = { id: volume.id, sizeGb: volume.size };
  const path = join(deps.conversionDir, `${volume.id}.retype`);
  await to.deleteVolume(volume.id);
  try {
    await from.copyVolumeToFile(stored, path, 'raw', { signal: task.signal });
    await to.createVolumeFromImage(stored, { path, diskFormat: 'raw' }, { signal: task.signal });
  } catch (error) {
    await to.deleteVolume(volume.id);
    throw error;
  } finally {
    await rm(path, { force: true });
  }
}

/** Gives a volume another type; where that is of another back end, by moving it there. */
export async function retypeVolume(
  deps: ManagerDeps,
  volume: VolumeRow,
  work: Retype,
  task: Task,
): Promise<void> {
  try {
    const moves = volume.host !== work.toHost;
    if (moves) await move(deps, volume, work, task);
    const done = await settle(deps, volume, work.previous, ['retyping'], {
      volume_type_id: work.typeId,
      host: work.toHost,
    });
    if (!moves) return;
    // Whichever of the two is not the volume any more.
    await deps.backends.of(done ? volume : { host: work.toHost }).deleteVolume(volume.id);
  } catch (error) {
    if (task.signal.aborted) throw error;
    deps.log.error({ err: error, volume: volume.id }, 'a volume could not get another type');
    await settle(deps, volume, work.previous, ['retyping']);
  }
}
