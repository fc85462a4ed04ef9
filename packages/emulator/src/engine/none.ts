import { mkdir, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import type { Disk } from '@nova-hyperv/vhd';
import type { Logger } from 'pino';
import { DiskClaims } from './disk-claims.js';
import { EngineError, sameContent } from './engine.js';
import type {
  AdoptedMachine,
  DriveConfig,
  Engine,
  MachineConfig,
  MachineStats,
  MachineStopped,
  NicConfig,
} from './engine.js';
import { readJsonFile, writeJsonFile } from './json-file.js';
import { MachineLocks, isMachineId } from './machine-locks.js';
import type { ResolvePath } from './open-drive.js';
import { claimMedium, openDriveDisk } from './open-drive.js';
import { PipeServer, checkPipeName } from './pipe-server.js';
import { openRuntimeFolder } from './runtime-folder.js';

export interface NoneEngineOptions {
  readonly stateDir: string;
  readonly log: Logger;
  readonly resolvePath?: ResolvePath;
  /** Folder of the COM ports' pipes; default: `pipes` in a folder with a short path. */
  readonly pipesDir?: string;
}

/** An {@link Engine} with the folder of its pipes. */
export interface NoneEngine extends Engine {
  readonly kind: 'none';
  readonly pipes: string;
}

/** How long a guest that does not exist takes to shut down. */
const SHUTDOWN_MS = 100;
const BANNER = 'nova-hyperv: this host runs no guests (engine none): the machine has power states only.\r\n';

interface FakeMachine {
  config: MachineConfig;
  state: 'running' | 'paused';
  readonly startedAt: Date;
  readonly pipes: PipeServer[];
  shutdown?: NodeJS.Timeout;
}

interface SavedMachine {
  readonly state: 'running' | 'paused';
  readonly startedAt: string;
}

/** Power states without guests. Refuses what the QEMU engine refuses of files, so that callers see the same. */
class PowerStatesOnly implements NoneEngine {
  readonly kind = 'none';
  readonly pipes: string;
  readonly #file: string;
  readonly #resolvePath: ResolvePath;
  readonly #log: Logger;
  readonly #claims = new DiskClaims();
  readonly #locks = new MachineLocks();
  #saving: Promise<void> = Promise.resolve();
  readonly #machines = new Map<string, FakeMachine>();
  readonly #listeners: ((event: MachineStopped) => void)[] = [];
  /** Guests that are shutting themselves down right now. */
  readonly #endings = new Set<Promise<void>>();
  #closed = false;

  constructor(options: NoneEngineOptions, pipes: string) {
    this.pipes = pipes;
    this.#file = path.join(options.stateDir, 'running.json');
    this.#resolvePath = options.resolvePath ?? (() => undefined);
    this.#log = options.log;
  }

  async adopt(machines: readonly MachineConfig[]): Promise<readonly AdoptedMachine[]> {
    const saved = savedMachines(await readJsonFile(this.#file));
    const adopted: AdoptedMachine[] = [];
    for (const config of machines) {
      const was = saved.get(config.id);
      if (was === undefined) continue;
      const startedAt = new Date(was.startedAt);
      try {
        await this.#power(config, was.state, startedAt);
        adopted.push({ machineId: config.id, state: was.state, startedAt });
      } catch (error) {
        this.#log.error({ err: error, machine: config.id }, 'a machine cannot be taken over; it is off');
      }
    }
    await this.#save();
    return adopted;
  }

  start(config: MachineConfig): Promise<void> {
    return this.#locks.run(config.id, async () => {
      if (!isMachineId(config.id))
        throw new EngineError('FAILED', `${JSON.stringify(config.id)} is no machine id.`);
      if (this.#machines.has(config.id))
        throw new EngineError('ALREADY_RUNNING', `Machine ${config.id} runs already.`);
      await this.#power(config, 'running', new Date());
      await this.#save();
    });
  }

  turnOff(machineId: string): Promise<void> {
    return this.#locks.run(machineId, () => this.#off(machineId));
  }

  reset(machineId: string): Promise<void> {
    return this.#with(machineId, () => Promise.resolve());
  }

  pause(machineId: string): Promise<void> {
    return this.#setState(machineId, 'paused');
  }

  resume(machineId: string): Promise<void> {
    return this.#setState(machineId, 'running');
  }

  requestShutdown(machineId: string): Promise<void> {
    return this.#with(machineId, async (machine) => {
      if (machine.state === 'paused') return;
      machine.shutdown ??= setTimeout(() => {
        const ending = this.#guestEnds(machineId, machine).finally(() => this.#endings.delete(ending));
        this.#endings.add(ending);
      }, SHUTDOWN_MS);
    });
  }

  async #guestEnds(machineId: string, machine: FakeMachine): Promise<void> {
    try {
      await this.#locks.run(machineId, async () => {
        if (this.#machines.get(machineId) !== machine) return;
        await this.#off(machineId);
        for (const listener of this.#listeners) listener({ machineId, reason: 'guest' });
      });
    } catch (error) {
      this.#log.error({ err: error, machine: machineId }, 'shutting down failed');
    }
  }

  isRunning(machineId: string): boolean {
    return this.#machines.has(machineId);
  }

  attachDrive(machineId: string, drive: DriveConfig): Promise<void> {
    return this.#with(machineId, async (machine) => {
      const present = machine.config.drives.find((other) => other.id === drive.id);
      if (present?.kind !== drive.kind || !sameContent(present, drive)) {
        if (drive.bus === 'ide' && (present === undefined || drive.kind === 'disk')) {
          throw new EngineError(
            'UNSUPPORTED',
            'IDE drives cannot be added or changed while the machine runs.',
          );
        }
        if (drive.bus === 'scsi' && !machine.config.scsiControllers.includes(drive.controller)) {
          throw new EngineError('UNSUPPORTED', `The machine has no SCSI controller ${drive.controller}.`);
        }
        if (present !== undefined) this.#claims.release(machineId, drive.id);
        try {
          await this.#check(machineId, drive);
        } catch (error) {
          if (present !== undefined) await this.#check(machineId, present);
          throw error;
        }
      }
      const drives = [...machine.config.drives.filter((other) => other.id !== drive.id), drive];
      machine.config = { ...machine.config, drives };
    });
  }

  detachDrive(machineId: string, driveId: string): Promise<void> {
    return this.#with(machineId, async (machine) => {
      const drive = machine.config.drives.find((other) => other.id === driveId);
      if (drive === undefined)
        throw new EngineError('FAILED', `Machine ${machineId} has no drive ${driveId}.`);
      if (drive.bus === 'ide')
        throw new EngineError('UNSUPPORTED', 'IDE drives cannot be removed while the machine runs.');
      this.#claims.release(machineId, driveId);
      machine.config = {
        ...machine.config,
        drives: machine.config.drives.filter((other) => other !== drive),
      };
    });
  }

  switchDrives(
    machineId: string,
    driveIds: readonly string[],
    work: () => Promise<readonly DriveConfig[]>,
  ): Promise<void> {
    return this.#with(machineId, async (machine) => {
      const before = machine.config.drives.filter(({ id }) => driveIds.includes(id));
      for (const { id } of before) this.#claims.release(machineId, id);
      try {
        const after = await work();
        for (const drive of after) await this.#check(machineId, drive);
        const others = machine.config.drives.filter(({ id }) => !driveIds.includes(id));
        machine.config = { ...machine.config, drives: [...others, ...after] };
      } catch (error) {
        for (const drive of before) {
          this.#claims.release(machineId, drive.id);
          await this.#check(machineId, drive);
        }
        throw error;
      }
    });
  }

  attachNic(machineId: string, nic: NicConfig): Promise<void> {
    return this.#with(machineId, async (machine) => {
      if (machine.config.generation === 1 || nic.type === 'legacy') {
        throw new EngineError(
          'UNSUPPORTED',
          'Only synthetic network adapters of generation 2 machines can be hot-plugged.',
        );
      }
      machine.config = { ...machine.config, nics: [...machine.config.nics, nic] };
    });
  }

  detachNic(machineId: string, nicId: string): Promise<void> {
    return this.#with(machineId, async (machine) => {
      if (machine.config.generation === 1) {
        throw new EngineError(
          'UNSUPPORTED',
          'A generation 1 machine gives network adapters back only while it is off.',
        );
      }
      requireNic(machine, nicId);
      machine.config = { ...machine.config, nics: machine.config.nics.filter((nic) => nic.id !== nicId) };
    });
  }

  connectNic(machineId: string, nicId: string): Promise<void> {
    return this.#with(machineId, async (machine) => requireNic(machine, nicId));
  }

  refreshDriveSize(machineId: string, driveId: string, sizeBytes: number): Promise<void> {
    return this.#with(machineId, async (machine) => {
      const drive = machine.config.drives.find((other) => other.id === driveId);
      // A unit has grown by itself, and there is no guest to be told.
      if (drive?.unit !== undefined) return;
      if (drive?.path === undefined) throw new EngineError('FAILED', `The drive ${driveId} holds no disk.`);
      this.#claims.release(machineId, driveId);
      const disk = await this.#open(machineId, { ...drive, path: drive.path });
      try {
        if (sizeBytes < disk.virtualSize)
          throw new EngineError('DISK_INVALID', `${drive.path} is larger than ${sizeBytes} bytes.`);
        if (sizeBytes > disk.virtualSize) await disk.resize(sizeBytes);
      } finally {
        await disk.close();
      }
    });
  }

  async screenshot(machineId: string): Promise<undefined> {
    this.#running(machineId);
  }

  /** There is no guest: nothing computes, reads or writes. */
  async stats(machineId: string): Promise<MachineStats> {
    const uptimeMs = Math.max(0, Date.now() - this.#running(machineId).startedAt.getTime());
    return { uptimeMs, processorMs: 0, drives: [], nics: [] };
  }

  async forget(machineId: string): Promise<void> {
    if (this.#machines.has(machineId)) throw new EngineError('ALREADY_RUNNING', `Machine ${machineId} runs.`);
  }

  onStopped(listener: (event: MachineStopped) => void): void {
    this.#listeners.push(listener);
  }

  async close(guests: 'keep' | 'turn-off'): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const id of this.#machines.keys()) {
      if (guests === 'turn-off') await this.turnOff(id);
      else await this.#locks.run(id, () => this.#release(id));
    }
    // A machine that was going off by itself still writes that down.
    await Promise.all([...this.#endings, this.#saving]);
    await rm(this.pipes, { recursive: true, force: true });
    // Empty by now, unless it is the caller's own.
    await rmdir(path.dirname(this.pipes)).catch(() => undefined);
  }

  #running(machineId: string): FakeMachine {
    const machine = this.#machines.get(machineId);
    if (machine === undefined) throw new EngineError('NOT_RUNNING', `Machine ${machineId} does not run.`);
    return machine;
  }

  #with(machineId: string, task: (machine: FakeMachine) => Promise<void>): Promise<void> {
    return this.#locks.run(machineId, async () => task(this.#running(machineId)));
  }

  #setState(machineId: string, state: 'running' | 'paused'): Promise<void> {
    return this.#with(machineId, async (machine) => {
      machine.state = state;
      await this.#save();
    });
  }

  async #power(config: MachineConfig, state: 'running' | 'paused', startedAt: Date): Promise<void> {
    const machine: FakeMachine = { config, state, startedAt, pipes: [] };
    try {
      for (const drive of config.drives) await this.#check(config.id, drive);
      for (const { pipe } of config.serialPorts) {
        if (pipe === undefined) continue;
        const server = await PipeServer.listen(path.join(this.pipes, checkPipeName(pipe)), () => undefined);
        machine.pipes.push(server);
        server.output(Buffer.from(BANNER));
      }
      this.#machines.set(config.id, machine);
    } catch (error) {
      this.#claims.releaseMachine(config.id);
      await Promise.all(machine.pipes.map((pipe) => pipe.close()));
      throw error;
    }
  }

  /** A file is opened as a guest's would be, then closed: what is wrong with it shows, and it stays claimed. */
  async #check(machineId: string, drive: DriveConfig): Promise<void> {
    const { path: file } = drive;
    if (file === undefined) return;
    if (drive.kind === 'dvd') await claimMedium(this.#claims, machineId, drive.id, file);
    else await (await this.#open(machineId, { ...drive, path: file })).close();
  }

  #open(machineId: string, drive: DriveConfig & { readonly path: string }): Promise<Disk> {
    return openDriveDisk(this.#claims, machineId, drive.id, drive, this.#resolvePath);
  }

  async #off(machineId: string): Promise<void> {
    if (!this.#machines.has(machineId)) return;
    await this.#release(machineId);
    await this.#save();
  }

  async #release(machineId: string): Promise<void> {
    const machine = this.#machines.get(machineId);
    this.#machines.delete(machineId);
    clearTimeout(machine?.shutdown);
    this.#claims.releaseMachine(machineId);
    await Promise.all((machine?.pipes ?? []).map((pipe) => pipe.close()));
  }

  /** One after another, because all machines share the file; each writes what is true when its turn comes. */
  #save(): Promise<void> {
    const saved = this.#saving.then(() => this.#write());
    this.#saving = saved.catch(() => undefined);
    return saved;
  }

  async #write(): Promise<void> {
    const running: Record<string, SavedMachine> = {};
    for (const [id, { state, startedAt }] of this.#machines)
      running[id] = { state, startedAt: startedAt.toISOString() };
    await writeJsonFile(this.#file, running);
  }
}

function requireNic(machine: FakeMachine, nicId: string): void {
  if (!machine.config.nics.some((nic) => nic.id === nicId)) {
    throw new EngineError('FAILED', `Machine ${machine.config.id} has no network adapter ${nicId}.`);
  }
}

function savedMachines(content: unknown): ReadonlyMap<string, SavedMachine> {
  const entries = typeof content === 'object' && content !== null ? Object.entries(content) : [];
  return new Map(entries.filter((entry): entry is [string, SavedMachine] => isSaved(entry[1])));
}

function isSaved(value: unknown): value is SavedMachine {
  if (typeof value !== 'object' || value === null || !('state' in value) || !('startedAt' in value))
    return false;
  return (value.state === 'running' || value.state === 'paused') && typeof value.startedAt === 'string';
}

/** An engine without guests: power states, the same refusals, pipes that say so. */
export async function createNoneEngine(options: NoneEngineOptions): Promise<NoneEngine> {
  const pipes = path.resolve(
    options.pipesDir ?? path.join(await openRuntimeFolder(options.stateDir), 'pipes'),
  );
  await mkdir(options.stateDir, { recursive: true });
  await rm(pipes, { recursive: true, force: true });
  await mkdir(pipes, { recursive: true, mode: 0o700 });
  return new PowerStatesOnly(options, pipes);
}
