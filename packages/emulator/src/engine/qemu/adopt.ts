import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { EngineError, hasContent } from '../engine.js';
import type { MachineConfig } from '../engine.js';
import type { EngineContext } from './context.js';
import {
  contentNode,
  deviceId,
  driveKey,
  nicDeviceId,
  nicKey,
  secretId,
  throttleGroup,
  throttleNode,
} from './devices.js';
import { Machine, runFolderOf } from './machine.js';
import { endProcess, findProcesses, isAlive } from './process.js';
import { queryDevices, queryNodes, queryStatus } from './qmp-queries.js';
import type { RunRecord } from './run-record.js';

const CONNECT_DEADLINE_MS = 60_000;

export interface Adopted {
  readonly machine: Machine;
  readonly state: 'running' | 'paused';
}

/**
 * Takes over the machines that outlived the last process, and ends what cannot be taken over: machines that are not
 * in the list, that were only half started, or whose disks cannot be opened any more. Clears what is stale.
 */
export async function adoptMachines(
  context: EngineContext,
  configs: readonly MachineConfig[],
): Promise<readonly Adopted[]> {
  const known = new Map(configs.map((config) => [config.id, config]));
  await clearPipes(context);
  const outcomes = await Promise.all(
    (await context.records.all()).map(({ machineId, record }) =>
      settle(context, machineId, record, known.get(machineId)),
    ),
  );
  const adopted = outcomes.filter((outcome) => outcome !== undefined);
  await endOrphans(context, adopted);
  await clearRunFolders(context, adopted);
  return adopted;
}

async function settle(
  context: EngineContext,
  machineId: string,
  record: RunRecord,
  known: MachineConfig | undefined,
): Promise<Adopted | undefined> {
  const isKnown = known !== undefined;
  const machine = machineOf(context, machineId, record);
  if (isKnown && record.switching !== undefined) takeFilesOf(machine, known);
  const lives = record.process !== undefined && (await isAlive(record.process));
  const isOurs = record.runFolder === runFolderOf(context, machineId) && record.config.id === machineId;
  if (lives && isKnown && isOurs && record.phase === 'running') {
    try {
      return { machine, state: await takeOver(machine, record) };
    } catch (error) {
      context.log.error(
        { err: error, machine: machineId },
        'a running machine cannot be taken over; it is turned off',
      );
    }
  }
  await machine.end();
  return undefined;
}

function machineOf(context: EngineContext, machineId: string, record: RunRecord): Machine {
  const machine = new Machine(
    context,
    { ...record.config, id: machineId },
    {
      startedAt: new Date(record.startedAt),
      nicSockets: record.nicSockets,
      ...(record.process === undefined ? {} : { process: record.process }),
    },
  );
  machine.phase = record.phase;
  machine.tpm = record.tpm;
  return machine;
}

/** The last process was killed while it gave the drives other files: which of them are in it now is what the host has written down. */
function takeFilesOf(machine: Machine, known: MachineConfig): void {
  const drives = machine.config.drives.map((drive) => {
    const file = known.drives.find(({ id }) => id === drive.id)?.path;
    return file === undefined || drive.path === undefined ? drive : { ...drive, path: file };
  });
  machine.config = { ...machine.config, drives };
}

async function takeOver(
  machine: Machine,
  { switching }: Pick<RunRecord, 'switching'>,
): Promise<'running' | 'paused'> {
  if (switching !== undefined) await machine.keepSwitching(switching);
  // Disks first: until they are served again QEMU may hang in a request, its control connection with it.
  await machine.openDisks();
  await machine.connectQmp(CONNECT_DEADLINE_MS);
  const status = await queryStatus(machine.qmp);
  if (status !== 'running' && status !== 'paused') throw new EngineError('FAILED', `Its state is ${status}.`);
  await dropUnplugged(machine);
  await readSequences(machine);
  await machine.connectComPorts();
  await machine.connectNics();
  if (switching === undefined) return status;
  if (switching === 'running') await machine.qmp.execute('cont', undefined);
  await machine.keepSwitching(undefined);
  return switching;
}

/** The record runs ahead of QEMU where the last process was killed while it plugged something. */
async function dropUnplugged(machine: Machine): Promise<void> {
  const has = new Set(await queryDevices(machine.qmp));
  const { drives, nics } = machine.config;
  const isThere = (drive: (typeof drives)[number]): boolean =>
    drive.kind !== 'disk' || !hasContent(drive) || has.has(deviceId(driveKey(drive)));
  for (const drive of drives.filter((each) => !isThere(each))) {
    await machine.disks.remove(drive);
    await discardContent(machine, driveKey(drive));
  }
  machine.config = {
    ...machine.config,
    drives: drives.filter(isThere),
    nics: nics.filter((nic) => has.has(nicDeviceId(nicKey(nic.id)))),
  };
  await machine.save();
}

async function discardContent(machine: Machine, key: string): Promise<void> {
  const { qmp } = machine;
  await qmp.execute('blockdev-del', { 'node-name': throttleNode(key) }).catch(() => undefined);
  await qmp.execute('blockdev-del', { 'node-name': contentNode(key, 0) }).catch(() => undefined);
  await qmp.execute('object-del', { id: throttleGroup(key) }).catch(() => undefined);
  await qmp.execute('object-del', { id: secretId(key) }).catch(() => undefined);
}

/** Finds the node that each drive's content is in, and deletes those that were left behind. */
async function readSequences(machine: Machine): Promise<void> {
  const nodes = await queryNodes(machine.qmp);
  for (const drive of machine.config.drives) {
    const key = driveKey(drive);
    const prefix = contentNode(key, 0).slice(0, -1);
    for (const name of nodes) {
      const sequence = name.startsWith(prefix) ? Number(name.slice(prefix.length)) : Number.NaN;
      if (!Number.isInteger(sequence)) continue;
      // QEMU refuses to delete the one that is in use.
      const isUsed = await machine.qmp.execute('blockdev-del', { 'node-name': name }).then(
        () => false,
        () => true,
      );
      if (isUsed) machine.sequences.set(key, sequence);
    }
  }
}

/** QEMU processes of this host that no record names: this process' predecessor was killed before it wrote one. */
async function endOrphans(context: EngineContext, adopted: readonly Adopted[]): Promise<void> {
  const kept = new Set(adopted.flatMap(({ machine }) => [machine.process?.pid, machine.tpm?.pid]));
  for (const orphan of await findProcesses(`${context.runtimeFolder}/`)) {
    if (!kept.has(orphan.pid)) await endProcess(orphan, 0);
  }
}

async function clearRunFolders(context: EngineContext, adopted: readonly Adopted[]): Promise<void> {
  const kept = new Set([context.pipesFolder, ...adopted.map(({ machine }) => machine.paths.runFolder)]);
  for (const name of await readdir(context.runtimeFolder)) {
    const folder = path.join(context.runtimeFolder, name);
    if (!kept.has(folder)) await rm(folder, { recursive: true, force: true });
  }
}

/** No process of this host serves a pipe yet: what is there is left over. */
async function clearPipes(context: EngineContext): Promise<void> {
  await mkdir(context.pipesFolder, { recursive: true, mode: 0o700 });
  for (const entry of await readdir(context.pipesFolder, { withFileTypes: true })) {
    if (entry.isSocket()) await rm(path.join(context.pipesFolder, entry.name), { force: true });
  }
}
