import { rename } from 'node:fs/promises';
import { isBusy, isRefusal, joinHostPath, STATE } from '@nova-hyperv/hyperv';
import type { DriverContext } from '../context.js';
import { removeFile } from '../disks/files.js';
import { DriverError } from '../errors.js';
import { powerOff, start } from '../power.js';
import { cannotResize, isRootDisk } from '../plan/resize.js';
import type { DiskChange, ResizePlan } from '../plan/resize.js';
import { realise } from '../realise/realise.js';
import { Stopwatch } from '../stopwatch.js';
import type { InstanceRef, MigrationRequest, PowerOffOptions } from '../types.js';
import { keep, readKept } from './kept.js';
import { liveWish, look } from './look.js';
import type { Look } from './look.js';

/** Made beside what is kept, so that it goes with it whenever the making ends. */
const FLAT_NAME = 'root.flat.vhd';

/** Nova's migrate_disk_and_power_off, for a machine that stays on its host. */
export async function migrateDiskAndPowerOff(
  context: DriverContext,
  request: MigrationRequest,
  options: PowerOffOptions,
): Promise<void> {
  const { instance } = request;
  const log = context.log.child({ instance: instance.uuid });
  const seen = await look(context, request);
  for (const warning of seen.plan.warnings) log.warn(warning);
  if (liveWish(instance.flavor) === 'required' && seen.whyNotLive !== undefined) {
    throw cannotResize(
      `flavor ${instance.flavor.name} asks for a resize without a stop (hyperv:live_resize=required), and ${seen.whyNotLive}.`,
    );
  }
  if (seen.whyNotLive === undefined) {
    await keepLive(context, request, seen);
    log.info('Only the root disk grows: the machine goes on running');
    return;
  }
  if (seen.plan.changes.some(({ path }) => isRootDisk(path))) {
    log.info(`The machine is turned off for its resize: ${seen.whyNotLive}`);
  }
  await keepCold(context, request, seen, options);
}

async function keepLive(context: DriverContext, { instance }: MigrationRequest, seen: Look): Promise<void> {
  const root = seen.disks.find(({ drive }) => isRootDisk(drive.path));
  if (root === undefined) return;
  const { spec } = seen;
  const rootBytes = root.info.virtualSize;
  await keep(context, instance, { kind: 'live', spec, rootPath: root.drive.path, rootBytes });
}

/** On failure the machine is what and how it was. */
async function keepCold(
  context: DriverContext,
  request: MigrationRequest,
  seen: Look,
  options: PowerOffOptions,
): Promise<void> {
  const { instance } = request;
  const { log } = context;
  const paths = seen.disks.map(({ drive }) => drive.path);
  const watch = new Stopwatch();
  try {
    await powerOff(context, instance, options);
    const disks = paths.map((path) => path.slice(path.lastIndexOf('\\') + 1));
    await keep(context, instance, { kind: 'cold', spec: seen.spec, disks }, paths);
  } catch (error) {
    if (seen.state === STATE.running) await startAgain(context, request, seen);
    throw error;
  }
  log.info(
    { instance: instance.uuid, disks: paths.length },
    `Keeping the disks for a revert took ${watch.seconds()} seconds`,
  );
}

/** The failure that made it necessary is what is told: this one only goes to the log. */
async function startAgain(
  context: DriverContext,
  request: MigrationRequest,
  { machine }: Look,
): Promise<void> {
  const { instance } = request;
  try {
    if ((await context.host.power.state(machine)) !== STATE.running)
      await start(context, instance, machine, request);
  } catch (error) {
    context.log.error({ err: error, instance: instance.uuid }, 'The machine could not be started again');
  }
}

/** Nova's finish_migration. */
export async function finishMigration(
  context: DriverContext,
  request: MigrationRequest & { readonly powerOn: boolean },
  options: PowerOffOptions,
): Promise<void> {
  const { host, log } = context;
  const { instance, powerOn } = request;
  const kept = await readKept(context, instance);
  if (kept === undefined) {
    throw new DriverError(
      'NovaException',
      `${context.folders.revertPathOf(instance)} is gone, which keeps instance ${instance.uuid} as it was before its resize. Nothing was changed.`,
    );
  }
  const seen = await look(context, request);
  if (kept.kind === 'live' && (await grewLive(context, request, seen, options))) return;
  const { plan, machine, observed } = seen;
  for (const change of plan.changes) {
    if (change.kind !== 'remove') await changeFile(context, instance, change);
  }
  await realise(host, machine, plan.vm, observed);
  await removeFiles(context, plan);
  if (powerOn) await start(context, instance, machine, request);
  log.info({ instance: instance.uuid, flavor: instance.flavor.name }, 'The instance has its new size');
}

/** A host that does not grow the disk of a running machine gets the proven way: off, grown, on again. */
async function grewLive(
  context: DriverContext,
  request: MigrationRequest,
  seen: Look,
  options: PowerOffOptions,
): Promise<boolean> {
  const { host, log } = context;
  const { instance } = request;
  const [change] = seen.plan.changes;
  // Grown already, or the guest has shut itself down meanwhile.
  if (change?.kind !== 'grow' || seen.whyNotLive !== undefined) return seen.state === STATE.running;
  try {
    await host.disks.resize(change.path, change.sizeBytes);
    log.info(
      { instance: instance.uuid, bytes: change.sizeBytes },
      'The root disk grew while its machine ran',
    );
    return true;
  } catch (error) {
    if (!isRefusal(error) && !isBusy(error)) throw error;
    const why = error instanceof Error ? error.message : String(error);
    if (liveWish(instance.flavor) === 'required')
      throw cannotResize(`the host does not grow it while its machine runs: ${why}`);
    host.shapes.refuse('resize-running-difference', why);
    log.warn({ instance: instance.uuid }, `The machine is turned off for its resize: ${why}`);
  }
  await keepCold(context, request, seen, options);
  return false;
}

async function changeFile(
  context: DriverContext,
  instance: InstanceRef,
  change: Exclude<DiskChange, { kind: 'remove' }>,
): Promise<void> {
  const { host, folders } = context;
  const { path, sizeBytes } = change;
  switch (change.kind) {
    case 'grow':
      await host.disks.resize(path, sizeBytes);
      return;
    case 'empty':
      await removeFile(host.reach.local(path));
      await host.disks.create({ path, format: 'vhdx', type: 'dynamic', sizeBytes });
      return;
    case 'flatten': {
      const flat = joinHostPath(folders.revertPathOf(instance), FLAT_NAME);
      await removeFile(host.reach.local(flat));
      await host.disks.flatten(await host.disks.facts(path), flat);
      await host.disks.resize(flat, sizeBytes);
      await rename(host.reach.local(flat), host.reach.local(path));
      return;
    }
    default:
      return change satisfies never;
  }
}

async function removeFiles({ host }: DriverContext, { changes }: ResizePlan): Promise<void> {
  for (const { kind, path } of changes) if (kind === 'remove') await removeFile(host.reach.local(path));
}
