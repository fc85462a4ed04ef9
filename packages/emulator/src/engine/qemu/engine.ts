import { mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from 'pino';
import { DiskClaims } from '../disk-claims.js';
import { EngineError } from '../engine.js';
import type {
  AdoptedMachine,
  DriveConfig,
  Engine,
  MachineConfig,
  MachineStats,
  MachineStopped,
  NicConfig,
  Screen,
} from '../engine.js';
import { MachineLocks, Slots, isMachineId } from '../machine-locks.js';
import type { ResolvePath } from '../open-drive.js';
import { openRuntimeFolder } from '../runtime-folder.js';
import { SwitchFabric } from '../virtual-switch.js';
import { adoptMachines } from './adopt.js';
import type { EngineContext } from './context.js';
import { detectQemu } from './detect.js';
import type { DetectOptions } from './detect.js';
import { deviceId, driveKey } from './devices.js';
import { attachDrive, detachDrive, growDrive } from './drive-plug.js';
import { launch } from './launch.js';
import type { Machine } from './machine.js';
import { attachNic, connectNic, detachNic } from './nic-plug.js';
import { switchDrives } from './drive-switch.js';
import { endProcess, processorTime, waitForExit } from './process.js';
import { readPixmap } from './portable-pixmap.js';
import { queryBlockStats } from './qmp-queries.js';
import { QmpError } from './qmp.js';
import { RunRecords } from './run-record.js';

export interface QemuEngineOptions extends DetectOptions {
  /** Holds a folder for each machine (firmware variables, logs), and where it is short enough the sockets. */
  readonly stateDir: string;
  readonly log: Logger;
  /** Turns a Windows path of a parent locator into one of this machine. Without it differencing disks find no parent. */
  readonly resolvePath?: ResolvePath;
  /** Folder of the COM ports' pipes; default: `pipes` beside the sockets, which has a short path. */
  readonly pipesDir?: string;
  /** Machines that may be starting QEMU at the same time. */
  readonly maxConcurrentBoots?: number;
  /** Give several engines the same one to have their switches of the same id joined. */
  readonly fabric?: SwitchFabric;
}

/** An {@link Engine} with what only this one has. */
export interface QemuEngine extends Engine {
  readonly kind: 'qemu';
  /** Folder with one unix socket for each open pipe. */
  readonly pipes: string;
  readonly fabric: SwitchFabric;
}

const QUIT_DEADLINE_MS = 5_000;

class RealQemuEngine implements QemuEngine {
  readonly kind = 'qemu';
  readonly #context: EngineContext;
  readonly #locks = new MachineLocks();
  readonly #slots: Slots;
  readonly #machines = new Map<string, Machine>();
  readonly #listeners: ((event: MachineStopped) => void)[] = [];
  readonly #starting = new Set<Promise<void>>();
  #closed = false;

  constructor(context: EngineContext, maxConcurrentBoots: number) {
    this.#context = context;
    this.#slots = new Slots(maxConcurrentBoots);
  }

  get pipes(): string {
    return this.#context.pipesFolder;
  }

  get fabric(): SwitchFabric {
    return this.#context.fabric;
  }

  async adopt(machines: readonly MachineConfig[]): Promise<readonly AdoptedMachine[]> {
    const adopted = await adoptMachines(this.#context, machines);
    for (const { machine } of adopted) this.#own(machine);
    return adopted.map(({ machine, state }) => ({
      machineId: machine.id,
      state,
      startedAt: machine.startedAt,
    }));
  }

  async start(config: MachineConfig): Promise<void> {
    if (!isMachineId(config.id))
      throw new EngineError('FAILED', `${JSON.stringify(config.id)} is no machine id.`);
    const starting = this.#locks.run(config.id, () => this.#slots.run(() => this.#launch(config)));
    this.#starting.add(starting);
    try {
      await starting;
    } finally {
      this.#starting.delete(starting);
    }
  }

  async #launch(config: MachineConfig): Promise<void> {
    if (this.#closed) throw new EngineError('FAILED', 'The host is shutting down.');
    if (this.#machines.has(config.id))
      throw new EngineError('ALREADY_RUNNING', `Machine ${config.id} runs already.`);
    this.#own(await launch(this.#context, config));
  }

  turnOff(machineId: string): Promise<void> {
    return this.#locks.run(machineId, async () => {
      const machine = this.#machines.get(machineId);
      if (machine === undefined) return;
      this.#machines.delete(machineId);
      await machine.qmp.execute('quit', undefined, QUIT_DEADLINE_MS).catch(() => undefined);
      if (machine.process !== undefined) await waitForExit(machine.process, QUIT_DEADLINE_MS);
      await machine.end();
    });
  }

  async reset(machineId: string): Promise<void> {
    await this.#with(machineId, (machine) => machine.qmp.execute('system_reset', undefined));
  }

  async pause(machineId: string): Promise<void> {
    await this.#with(machineId, (machine) => machine.qmp.execute('stop', undefined));
  }

  async resume(machineId: string): Promise<void> {
    await this.#with(machineId, (machine) => machine.qmp.execute('cont', undefined));
  }

  async requestShutdown(machineId: string): Promise<void> {
    await this.#with(machineId, (machine) => machine.qmp.execute('system_powerdown', undefined));
  }

  isRunning(machineId: string): boolean {
    return this.#machines.has(machineId);
  }

  async attachDrive(machineId: string, drive: DriveConfig): Promise<void> {
    await this.#with(machineId, (machine) => attachDrive(machine, drive));
  }

  async detachDrive(machineId: string, driveId: string): Promise<void> {
    await this.#with(machineId, (machine) => detachDrive(machine, driveId));
  }

  async switchDrives(
    machineId: string,
    driveIds: readonly string[],
    work: () => Promise<readonly DriveConfig[]>,
  ): Promise<void> {
    await this.#with(machineId, (machine) => switchDrives(machine, driveIds, work));
  }

  async attachNic(machineId: string, nic: NicConfig): Promise<void> {
    await this.#with(machineId, (machine) => attachNic(machine, nic));
  }

  async detachNic(machineId: string, nicId: string): Promise<void> {
    await this.#with(machineId, (machine) => detachNic(machine, nicId));
  }

  async connectNic(
    machineId: string,
    nicId: string,
    switchId: string | null,
    options: { readonly macSpoofing?: boolean } = {},
  ): Promise<void> {
    await this.#with(machineId, (machine) => connectNic(machine, nicId, switchId, options));
  }

  async refreshDriveSize(machineId: string, driveId: string, sizeBytes: number): Promise<void> {
    await this.#with(machineId, (machine) => growDrive(machine, driveId, sizeBytes));
  }

  screenshot(machineId: string): Promise<Screen | undefined> {
    return this.#with(machineId, async (machine) => {
      const filename = path.join(machine.paths.runFolder, 'screen.ppm');
      await machine.qmp.execute('screendump', { filename, format: 'ppm' });
      try {
        return readPixmap(await readFile(filename));
      } finally {
        await rm(filename, { force: true });
      }
    });
  }

  async stats(machineId: string): Promise<MachineStats> {
    const machine = this.#running(machineId);
    const [processorMs, blocks] = await Promise.all([
      machine.process === undefined ? 0 : processorTime(machine.process),
      queryBlockStats(machine.qmp),
    ]);
    const drives = machine.config.drives.flatMap((drive) => {
      const counted = blocks.get(deviceId(driveKey(drive)));
      return counted === undefined ? [] : [{ id: drive.id, ...counted }];
    });
    const uptimeMs = Math.max(0, Date.now() - machine.startedAt.getTime());
    return { uptimeMs, processorMs, drives, nics: machine.nicStats() };
  }

  async forget(machineId: string): Promise<void> {
    if (!isMachineId(machineId))
      throw new EngineError('FAILED', `${JSON.stringify(machineId)} is no machine id.`);
    await this.#locks.run(machineId, async () => {
      if (this.#machines.has(machineId))
        throw new EngineError('ALREADY_RUNNING', `Machine ${machineId} runs.`);
      await rm(this.#context.records.folder(machineId), { recursive: true, force: true });
    });
  }

  onStopped(listener: (event: MachineStopped) => void): void {
    this.#listeners.push(listener);
  }

  async close(guests: 'keep' | 'turn-off'): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.allSettled(this.#starting);
    const ids = [...this.#machines.keys()];
    await Promise.all(ids.map((id) => (guests === 'turn-off' ? this.turnOff(id) : this.#letGo(id))));
    // Nothing runs whose sockets the next process would look for.
    if (ids.length === 0 || guests === 'turn-off') {
      await rm(this.#context.runtimeFolder, { recursive: true, force: true });
    }
  }

  #letGo(machineId: string): Promise<void> {
    return this.#locks.run(machineId, async () => {
      const machine = this.#machines.get(machineId);
      this.#machines.delete(machineId);
      await machine?.release();
    });
  }

  #running(machineId: string): Machine {
    const machine = this.#machines.get(machineId);
    if (machine === undefined) throw new EngineError('NOT_RUNNING', `Machine ${machineId} does not run.`);
    return machine;
  }

  #with<T>(machineId: string, task: (machine: Machine) => Promise<T>): Promise<T> {
    return this.#locks.run(machineId, async () => {
      try {
        return await task(this.#running(machineId));
      } catch (error) {
        if (error instanceof QmpError) throw new EngineError('FAILED', error.message, { cause: error });
        throw error;
      }
    });
  }

  #own(machine: Machine): void {
    this.#machines.set(machine.id, machine);
    machine.qmp.closed
      .then(() => this.#mourn(machine))
      .catch((error: unknown) =>
        this.#context.log.error({ err: error, machine: machine.id }, 'cleaning up failed'),
      );
  }

  /** QEMU's control connection ended: unless this process ended it, QEMU is dead or about to be. */
  async #mourn(machine: Machine): Promise<void> {
    const isOurs = (): boolean => this.#machines.get(machine.id) === machine;
    if (!isOurs()) return;
    if (machine.process !== undefined && !(await waitForExit(machine.process, QUIT_DEADLINE_MS))) {
      await endProcess(machine.process);
    }
    const isStopped = await this.#locks.run(machine.id, async () => {
      if (!isOurs()) return false;
      this.#machines.delete(machine.id);
      await machine.end();
      return true;
    });
    if (!isStopped) return;
    const event: MachineStopped = {
      machineId: machine.id,
      reason: machine.stoppedByGuest ? 'guest' : 'crash',
    };
    if (event.reason === 'crash') this.#context.log.warn({ machine: machine.id }, 'QEMU ended unexpectedly');
    for (const listener of this.#listeners) listener(event);
  }
}

/**
 * An engine that runs guests on QEMU. Guests outlive this process; `adopt` takes them over in the next one. While no
 * process serves their disks they wait for an hour at most, then their disk requests fail.
 * @throws EngineError UNSUPPORTED when QEMU is missing; the message says what to install
 */
export async function createQemuEngine(options: QemuEngineOptions): Promise<QemuEngine> {
  const { facts, message } = await detectQemu(options);
  if (facts === undefined) throw new EngineError('UNSUPPORTED', message);
  const stateDir = path.resolve(options.stateDir);
  const runtimeFolder = await openRuntimeFolder(stateDir);
  const pipesFolder = path.resolve(options.pipesDir ?? path.join(runtimeFolder, 'pipes'));
  await mkdir(pipesFolder, { recursive: true, mode: 0o700 });
  const context: EngineContext = {
    facts,
    claims: new DiskClaims(),
    fabric: options.fabric ?? new SwitchFabric(),
    records: new RunRecords(stateDir),
    runtimeFolder,
    pipesFolder,
    resolvePath: options.resolvePath ?? (() => undefined),
    log: options.log,
  };
  options.log.info({ qemu: facts.version, accelerator: facts.accelerator }, message);
  return new RealQemuEngine(context, options.maxConcurrentBoots ?? 2);
}
