import { sleep } from '@nova-hyperv/hyperv';
import type { DriverContext } from './context.js';
import { destroyInstance, destroyMachine } from './destroy.js';
import { isUuid } from './lookup.js';
import type { InstanceRef } from './types.js';

/** A definition that a killed process had asked for may still be under way on the host. */
const LATE_DEFINITION_MS = 1500;

type Verdict = (uuid: string) => Promise<'keep' | 'remove'>;

/**
 * Removes what killed operations left. Whose a thing is stands in it from its first moment: in a machine's notes, in a folder's marker,
 * in an unfinished file's name. So each can be judged whenever the process died. Returns what was removed, for the log.
 */
export async function removeLeftovers(
  context: DriverContext,
  verdictOf: Verdict,
): Promise<readonly string[]> {
  const { cache, folders } = context;
  const removed: string[] = [];
  for (const name of await folders.removeUnfinished()) removed.push(`unfinished folder ${name}`);
  for (const name of await cache.removeUnfinished()) removed.push(`unfinished image ${name}`);
  const verdict = remembered(verdictOf);
  removed.push(...(await removeMachines(context, verdict)));
  const orphans = await orphanFolders(context, verdict);
  if (orphans.length === 0) return removed;
  // A folder without its machine: the spawn died about where it defines the machine, which may come late.
  await sleep(LATE_DEFINITION_MS);
  removed.push(...(await removeMachines(context, verdict)));
  for (const orphan of orphans) {
    await destroyInstance(context, orphan);
    removed.push(`folder of ${orphan.uuid} (${orphan.name})`);
  }
  return removed;
}

function remembered(verdictOf: Verdict): Verdict {
  const known = new Map<string, Promise<'keep' | 'remove'>>();
  return (uuid) => {
    const verdict = known.get(uuid) ?? verdictOf(uuid);
    known.set(uuid, verdict);
    return verdict;
  };
}

async function removeMachines(context: DriverContext, verdict: Verdict): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const machine of await context.host.machines.list()) {
    const uuid = machine.notes[0] ?? '';
    if (!isUuid(uuid) || (await verdict(uuid)) === 'keep') continue;
    await context.consoles.stop(uuid);
    await destroyMachine(context, { uuid, name: machine.name }, machine);
    removed.push(`machine of ${uuid} (${machine.name})`);
  }
  return removed;
}

async function orphanFolders(context: DriverContext, verdict: Verdict): Promise<readonly InstanceRef[]> {
  const orphans: InstanceRef[] = [];
  for (const folder of await context.folders.list()) {
    if ((await verdict(folder.uuid)) === 'remove') orphans.push(folder);
  }
  return orphans;
}
