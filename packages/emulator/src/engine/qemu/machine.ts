import { createHash } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError } from '../engine.js';
import type { DriveConfig, MachineConfig, NicConfig, NicStats } from '../engine.js';
import { comLog, comSocket, nbdSocket, qmpSocket, serialPortCount } from './argv.js';
import type { MachinePaths } from './argv.js';
import { ComPort } from './com-port.js';
import type { EngineContext } from './context.js';
import { nicDeviceId, nicKey, nicSocket } from './devices.js';
import { MachineDisks } from './machine-disks.js';
import { NicCable } from './nic-cable.js';
import type { RunRecord } from './run-record.js';
import type { ProcessIdentity } from './process.js';
import { endProcess, isAlive } from './process.js';
import { QmpClient, QmpError } from './qmp.js';
import { endTpm } from './tpm.js';

const CONNECT_POLL_MS = 30;

/** A machine that has a QEMU, or is about to: owns everything of it in this process. */
export class Machine {
  readonly id: string;
  readonly paths: MachinePaths;
  readonly context: EngineContext;
  readonly startedAt: Date;
  phase: 'starting' | 'running' = 'starting';
  config: MachineConfig;
  process: ProcessIdentity | undefined;
  tpm: ProcessIdentity | undefined;
  /** PCI sockets of network adapters by their ids. */
  nicSockets: Readonly<Record<string, number>>;
  /** Number of the node that a drive's content is in now, by drive key; absent = 0. */
  readonly sequences = new Map<string, number>();
  /** Its drives are given other files: how it goes on afterwards. */
  #switching: RunRecord['switching'];
  /** The guest shut itself down. */
  stoppedByGuest = false;
  #disks: MachineDisks | undefined;
  #qmp: QmpClient | undefined;
  readonly #coms: ComPort[] = [];
  readonly #cables = new Map<string, NicCable>();

  constructor(
    context: EngineContext,
    config: MachineConfig,
    known: { startedAt: Date; process?: ProcessIdentity; nicSockets: Readonly<Record<string, number>> },
  ) {
    this.id = config.id;
    this.context = context;
    this.config = config;
    this.startedAt = known.startedAt;
    this.process = known.process;
    this.nicSockets = known.nicSockets;
    this.paths = {
      runFolder: runFolderOf(context, config.id),
      machineFolder: context.records.folder(config.id),
    };
  }

  get disks(): MachineDisks {
    if (this.#disks === undefined) throw new EngineError('NOT_RUNNING', `Machine ${this.id} does not run.`);
    return this.#disks;
  }

  get qmp(): QmpClient {
    if (this.#qmp === undefined) throw new EngineError('NOT_RUNNING', `Machine ${this.id} does not run.`);
    return this.#qmp;
  }

  drive(id: string): DriveConfig | undefined {
    return this.config.drives.find((drive) => drive.id === id);
  }

  nic(id: string): NicConfig {
    const found = this.config.nics.find((nic) => nic.id === id);
    if (found === undefined)
      throw new EngineError('FAILED', `Machine ${this.id} has no network adapter ${id}.`);
    return found;
  }

  cable(nicId: string): NicCable | undefined {
    return this.#cables.get(nicId);
  }

  /** Makes empty folders for it, and its record. */
  async makeFolders(): Promise<void> {
    await this.context.records.makeFolder(this.id);
    await rm(this.paths.runFolder, { recursive: true, force: true });
    await mkdir(this.paths.runFolder, { mode: 0o700 });
    await this.save();
  }

  /** Writes down what the next process must know. */
  async save(): Promise<void> {
    const { id, phase, startedAt, config, nicSockets, process, tpm } = this;
    await this.context.records.write(id, {
      phase,
      runFolder: this.paths.runFolder,
      startedAt: startedAt.toISOString(),
      config,
      nicSockets,
      ...(process === undefined ? {} : { process }),
      ...(tpm === undefined ? {} : { tpm }),
      ...(this.#switching === undefined ? {} : { switching: this.#switching }),
    });
  }

  async keepSwitching(goesOn: RunRecord['switching']): Promise<void> {
    this.#switching = goesOn;
    await this.save();
  }

  async openDisks(): Promise<void> {
    const { claims, resolvePath } = this.context;
    this.#disks = await MachineDisks.serve(this.id, claims, resolvePath, nbdSocket(this.paths));
    for (const drive of this.config.drives) await this.#disks.insert(drive);
  }

  /** Waits for QEMU's control socket for as long as the process lives. */
  async connectQmp(deadlineMs: number): Promise<void> {
    const until = Date.now() + deadlineMs;
    for (;;) {
      if (this.process === undefined || !(await isAlive(this.process))) {
        throw new EngineError('FAILED', 'QEMU ended at once.');
      }
      try {
        this.#qmp = await QmpClient.connect(qmpSocket(this.paths), Math.max(1, until - Date.now()));
        break;
      } catch (error) {
        const isEarly = error instanceof QmpError && error.code === 'QMP_CLOSED';
        if (!isEarly || Date.now() >= until) throw error;
        await sleep(CONNECT_POLL_MS);
      }
    }
    this.#qmp.onEvent(({ name, data }) => {
      if (name === 'SHUTDOWN' && data['guest'] === true) this.stoppedByGuest = true;
    });
  }

  async connectComPorts(): Promise<void> {
    const ports = this.config.serialPorts.slice(0, serialPortCount(this.config));
    for (const [index, { pipe }] of ports.entries()) {
      if (pipe === undefined) continue;
      const { pipesFolder } = this.context;
      const place = {
        socket: comSocket(this.paths, index),
        logFile: comLog(this.paths, index),
        pipesFolder,
        pipe,
      };
      this.#coms.push(await ComPort.open(place));
    }
  }

  async connectNics(): Promise<void> {
    for (const nic of this.config.nics) await this.connectNic(nic);
  }

  /** Lays the cable of an adapter that QEMU has. */
  async connectNic(nic: NicConfig): Promise<void> {
    const key = nicKey(nic.id);
    const cable = new NicCable(nicSocket(this.paths.runFolder, key), this.context.fabric);
    this.#cables.set(nic.id, cable);
    cable.guard(nic.macSpoofing === true ? null : nic.mac);
    cable.plug(nic.switchId ?? null);
    await this.qmp.execute('set_link', { name: nicDeviceId(key), up: nic.switchId !== undefined });
  }

  nicStats(): readonly NicStats[] {
    return [...this.#cables].map(([id, { received, sent }]) => ({
      id,
      received: received.bytes,
      sent: sent.bytes,
    }));
  }

  removeCable(nicId: string): void {
    this.#cables.get(nicId)?.close();
    this.#cables.delete(nicId);
  }

  /** Closes everything of it in this process; QEMU goes on if it runs. Problems are logged. */
  async release(): Promise<void> {
    for (const nicId of this.#cables.keys()) this.removeCable(nicId);
    this.#qmp?.close();
    const closing = this.#coms.splice(0).map((com) => com.close());
    if (this.#disks !== undefined) closing.push(this.#disks.close());
    this.#disks = undefined;
    this.#qmp = undefined;
    for (const result of await Promise.allSettled(closing)) {
      if (result.status === 'fulfilled') continue;
      const reason: unknown = result.reason;
      this.context.log.error({ err: reason, machine: this.id }, 'closing failed');
    }
    this.context.claims.releaseMachine(this.id);
  }

  /** Ends QEMU, closes everything and forgets the run. @throws Error when the process does not end */
  async end(): Promise<void> {
    try {
      if (this.process !== undefined) await endProcess(this.process);
      if (this.tpm !== undefined) await endTpm(this.tpm);
    } finally {
      await this.release();
    }
    await rm(this.paths.runFolder, { recursive: true, force: true });
    await this.context.records.remove(this.id);
  }
}

/** The folder of a machine's sockets; short, since socket paths are. */
export function runFolderOf(context: Pick<EngineContext, 'runtimeFolder'>, machineId: string): string {
  return path.join(context.runtimeFolder, createHash('sha256').update(machineId).digest('hex').slice(0, 12));
}
