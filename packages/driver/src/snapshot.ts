import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { joinHostPath, STATE } from '@nova-hyperv/hyperv';
import type { MachineHandle } from '@nova-hyperv/hyperv';
import type { CimReference } from '@nova-hyperv/wsman';
import type { DriverContext } from './context.js';
import { removeTree } from './disks/files.js';
import { isMissing } from './disks/instance-folder.js';
import { DriverError } from './errors.js';
import { findMachine, instanceNotFound, requireMachine } from './lookup.js';
import { planSnapshot } from './plan/snapshot.js';
import type { SnapshotSource } from './plan/snapshot.js';
import { observe } from './realise/realise.js';
import type { InstanceRef, SnapshotRequest } from './types.js';

/** In the instance's folder, while an image is made of it. */
const EXPORT = 'export';
/** In it: the checkpoints that were there before. */
const BEFORE = 'checkpoints.json';
const BEFORE_LIMIT = 64 * 1024;

/**
 * Makes one disk of an instance's root disk and what it is a difference to, and has it uploaded. A machine that runs goes on: its disk is
 * frozen by a checkpoint for as long as it is read. Nothing stays behind on the host, whatever happens.
 */
export async function snapshot(context: DriverContext, request: SnapshotRequest): Promise<void> {
  const { host, log } = context;
  const { instance } = request;
  const machine = await requireMachine(host, instance);
  await cleanUpSnapshot(context, instance, machine);
  const [observed, state] = await Promise.all([observe(host, machine), host.power.state(machine)]);
  if (state === undefined) throw instanceNotFound(instance);
  const source = planSnapshot(observed, { isOff: state === STATE.off, directory: machine.dataRoot });
  const folder = joinHostPath(machine.dataRoot, EXPORT);
  const target = joinHostPath(folder, `${request.imageId}.${source.format}`);
  try {
    await mkdir(host.reach.local(folder), { recursive: true });
    await flatten(context, request, machine, source, target);
    log.info({ instance: instance.uuid, image: request.imageId }, 'The snapshot is whole; uploading it');
    await request.upload({ localPath: host.reach.local(target), diskFormat: source.format });
  } finally {
    // Not the folder alone: where a checkpoint could not be removed, what tells of it stays for the next try.
    await cleanUpSnapshot(context, instance, machine);
  }
}

async function flatten(
  { host, log }: DriverContext,
  { instance, signal }: SnapshotRequest,
  machine: MachineHandle,
  source: SnapshotSource,
  target: string,
): Promise<void> {
  const facts = await host.disks.facts(source.path);
  // Flavors count by the bottom of the chain: the image must fit into the one that the instance has.
  const options = {
    like: await host.disks.bottomOf(facts),
    ...(signal === undefined ? {} : { signal }),
  };
  if (!source.needsCheckpoint) {
    await host.disks.flatten(facts, target, options);
    return;
  }
  const before = await host.checkpoints.list(machine);
  const marker = joinHostPath(machine.dataRoot, EXPORT, BEFORE);
  await writeFile(host.reach.local(marker), JSON.stringify(before.map(idOf)));
  try {
    // Not given up midway: what the host finishes after we stopped to wait would not be found.
    await host.checkpoints.create(machine);
    await host.disks.flatten(facts, target, options);
  } finally {
    for (const checkpoint of await newer(host, machine, before.map(idOf))) {
      await host.checkpoints.destroy(checkpoint);
      log.debug({ instance: instance.uuid }, 'The checkpoint is removed');
    }
  }
}

/** Newest first, as they have to be removed. */
async function newer(
  host: DriverContext['host'],
  machine: MachineHandle,
  before: readonly string[],
): Promise<readonly CimReference[]> {
  const now = await host.checkpoints.list(machine);
  return now.filter((checkpoint) => !before.includes(idOf(checkpoint))).toReversed();
}

function idOf(checkpoint: CimReference): string {
  return checkpoint.keys['InstanceID'] ?? '';
}

/** Removes what a snapshot that was cut off has left: its checkpoint, and its folder. Harmless when there is nothing. */
export async function cleanUpSnapshot(
  context: DriverContext,
  instance: InstanceRef,
  known?: MachineHandle,
): Promise<void> {
  const { host } = context;
  const machine = known ?? (await findMachine(host, instance));
  if (machine === undefined) return;
  const folder = joinHostPath(machine.dataRoot, EXPORT);
  const before = await checkpointsBefore(host.reach.local(joinHostPath(folder, BEFORE)));
  if (before !== undefined) {
    for (const checkpoint of await newer(host, machine, before)) await host.checkpoints.destroy(checkpoint);
  }
  await removeTree(host.reach.local(folder));
}

/** Undefined: no snapshot got as far as a checkpoint. */
async function checkpointsBefore(file: string): Promise<readonly string[] | undefined> {
  try {
    const text = await readFile(file, 'utf8');
    const ids: unknown = text.length > BEFORE_LIMIT ? undefined : JSON.parse(text);
    if (Array.isArray(ids) && ids.every((id) => typeof id === 'string')) return ids;
  } catch (error) {
    if (isMissing(error) || error instanceof SyntaxError) return undefined;
    throw error;
  }
  throw new DriverError('NovaException', `${file} does not say which checkpoints were there. Remove it.`);
}
