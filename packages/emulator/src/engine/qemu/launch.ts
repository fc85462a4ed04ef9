import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { EngineError } from '../engine.js';
import type { MachineConfig } from '../engine.js';
import { buildArgv, isServed, secretFile } from './argv.js';
import type { MachineHardware } from './argv.js';
import type { EngineContext } from './context.js';
import type { SectorSizes } from './devices.js';
import { prepareFirmware } from './firmware.js';
import { Machine } from './machine.js';
import { spawnDetached } from './process.js';
import { queryStatus } from './qmp-queries.js';
import { startTpm } from './tpm.js';

/** QEMU is up in a second; under load, with the other guests at work, it takes longer. */
const START_DEADLINE_MS = 120_000;
/** Guests under software emulation take what processor time there is: the management must come first. */
const NICENESS = 5;
const OUTPUT_FILE = 'qemu.log';
const OUTPUT_TAIL = 600;

/**
 * Starts a machine's QEMU; settles when its processors run.
 * @throws EngineError, and nothing of the machine is left
 */
export async function launch(context: EngineContext, config: MachineConfig): Promise<Machine> {
  const sockets = config.nics.map((nic, index) => [nic.id, index] as const);
  const machine = new Machine(context, config, {
    startedAt: new Date(),
    nicSockets: Object.fromEntries(sockets),
  });
  try {
    await machine.makeFolders();
    await machine.openDisks();
    if (config.tpm === true) {
      machine.tpm = await startTpm(context.facts.swtpm, machine.paths);
      await machine.save();
    }
    await writeSecrets(machine);
    await spawn(machine);
    await machine.connectQmp(START_DEADLINE_MS);
    await removeSecrets(machine);
    await machine.connectComPorts();
    await machine.connectNics();
    await machine.qmp.execute('cont', undefined);
    const status = await queryStatus(machine.qmp);
    if (status !== 'running')
      throw new EngineError('FAILED', `The machine's processors do not run: ${status}.`);
    machine.phase = 'running';
    await machine.save();
    return machine;
  } catch (error) {
    const failure = await startError(machine, error);
    await machine.end();
    throw failure;
  }
}

/** Files for QEMU to read at its start: everybody on this machine sees its arguments. A failed start removes the folder. */
async function writeSecrets({ config, paths }: Machine): Promise<void> {
  for (const drive of config.drives) {
    const source = drive.unit?.source;
    if (source?.kind !== 'iscsi' || source.chap === undefined) continue;
    await writeFile(secretFile(paths, drive), source.chap.secret, { mode: 0o600 });
  }
}

async function removeSecrets({ config, paths }: Machine): Promise<void> {
  for (const drive of config.drives) await rm(secretFile(paths, drive), { force: true });
}

async function spawn(machine: Machine): Promise<void> {
  const { context, config, paths } = machine;
  const hardware = await hardwareOf(machine);
  const argv = buildArgv(hardware, paths, context.facts);
  const { binary, accelerator } = context.facts;
  const [command, args] =
    accelerator === 'tcg' ? ['nice', ['-n', String(NICENESS), binary, ...argv]] : [binary, argv];
  context.log.debug({ machine: config.id, argv }, 'starting QEMU');
  machine.process = await spawnDetached(command, args, path.join(paths.machineFolder, OUTPUT_FILE));
  await machine.save();
}

async function hardwareOf(machine: Machine): Promise<MachineHardware> {
  const { config, context, paths, disks } = machine;
  const sectors = new Map<string, SectorSizes>();
  for (const drive of config.drives.filter(isServed)) {
    const sizes = disks.sectors(drive);
    if (sizes !== undefined) sectors.set(drive.id, sizes);
  }
  if (config.generation === 1) return { config, sectors };
  return { config, sectors, firmware: await prepareFirmware(config, paths.machineFolder, context.facts) };
}

/** What QEMU itself said tells more than that it ended. */
async function startError(machine: Machine, error: unknown): Promise<EngineError> {
  if (error instanceof EngineError && error.code !== 'FAILED') return error;
  const reason = error instanceof Error ? error.message : String(error);
  const output = await readFile(path.join(machine.paths.machineFolder, OUTPUT_FILE), 'utf8').catch(() => '');
  const said = machine.process === undefined ? '' : output.slice(-OUTPUT_TAIL).trim();
  const code = /cannot allocate memory|cannot set up guest memory/i.test(said) ? 'OUT_OF_MEMORY' : 'FAILED';
  const message = said === '' ? reason : `${reason} QEMU said: ${said}`;
  return new EngineError(code, `Machine ${machine.id} did not start: ${message}`, { cause: error });
}
