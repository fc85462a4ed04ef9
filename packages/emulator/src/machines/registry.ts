import type { CimInstance } from '@nova-hyperv/wsman';
import { WBEM, WmiError } from '@nova-hyperv/wsman';
import type { Logger } from 'pino';
import { textOf } from '../cim.js';
import type { Engine, MachineConfig } from '../engine/engine.js';
import { HV, HyperVError, errorCode } from '../errors.js';
import type { StateFiles } from '../state-files.js';
import type { ObjectStore } from '../store/store.js';
import { machineConfig } from './engine-config.js';
import { applyToGuest } from './hot-plug.js';
import { isKind } from './kinds.js';
import { saveMachine } from './machine-file.js';
import { STATE, changed, resourcesOf, withResource } from './model.js';
import type { Machine } from './model.js';
import type { RuleHost } from './rules.js';

/** A file of this machine that a running guest holds open. */
export interface FileUse {
  readonly machineId: string;
  readonly driveId: string;
  readonly bus: 'ide' | 'scsi';
  readonly readOnly: boolean;
}

/**
 * The machines of the host: the only place that changes one. A change is planned on the present state, brought
 * to the guest when it runs, written to disk, and then seen by queries; one at a time for each machine.
 */
export class MachineRegistry {
  readonly #files: StateFiles;
  readonly #store: ObjectStore;
  readonly #engine: Engine;
  readonly #host: RuleHost;
  readonly #log: Logger;
  readonly #machines = new Map<string, Machine>();
  readonly #running = new Map<string, MachineConfig>();
  readonly #locks = new Map<string, Promise<void>>();

  constructor(options: {
    files: StateFiles;
    store: ObjectStore;
    engine: Engine;
    host: RuleHost;
    log: Logger;
  }) {
    this.#files = options.files;
    this.#store = options.store;
    this.#engine = options.engine;
    this.#host = options.host;
    this.#log = options.log;
    this.#engine.onStopped((event) => {
      void this.exclusively(event.machineId, () => this.#guestStopped(event.machineId, event.reason));
    });
  }

  all(): readonly Machine[] {
    return [...this.#machines.values()];
  }

  get(machineId: string): Machine | undefined {
    return this.#machines.get(machineId.toUpperCase());
  }

  /** The machine, or 0x80041002. */
  require(machineId: string): Machine {
    const machine = this.get(machineId);
    if (machine !== undefined) return machine;
    throw new WmiError(WBEM.notFound, `There is no virtual machine ${machineId}.`);
  }

  /** Takes over machines that were read from disk and finds those whose guests still run. */
  async restore(machines: readonly Machine[]): Promise<void> {
    for (const machine of machines) this.#publish(machine);
    const configs = machines
      .map((machine) => this.#configOf(machine))
      .filter((config) => config !== undefined);
    const adopted = await this.#engine.adopt(configs);
    for (const { machineId, state, startedAt } of adopted) {
      const machine = this.get(machineId);
      const config = configs.find((candidate) => candidate.id === machineId);
      // One may have stopped while the others were being found.
      if (machine === undefined || config === undefined || !this.#engine.isRunning(machineId)) continue;
      this.#running.set(machineId, config);
      const enabledState = state === 'paused' ? STATE.paused : STATE.running;
      this.#publish({
        ...machine,
        enabledState,
        requestedState: enabledState,
        startedAt: startedAt.toISOString(),
        wasRunning: true,
      });
    }
  }

  /** Runs the work while nothing else changes the machine. */
  async exclusively<T>(machineId: string, work: () => Promise<T>): Promise<T> {
    const key = machineId.toUpperCase();
    const before = this.#locks.get(key) ?? Promise.resolve();
    const result = before.then(work);
    const settled = result.then(
      () => undefined,
      () => undefined,
    );
    this.#locks.set(key, settled);
    try {
      return await result;
    } finally {
      if (this.#locks.get(key) === settled) this.#locks.delete(key);
    }
  }

  /** A new machine. */
  define(machine: Machine): void {
    saveMachine(this.#files, machine);
    this.#publish(machine);
  }

  /** Changes a machine's settings; the guest follows when it runs. */
  async change(machineId: string, plan: (machine: Machine) => Machine): Promise<void> {
    await this.exclusively(machineId, async () => {
      const before = this.require(machineId);
      const after = { ...plan(before), lastConfigurationChange: this.#host.clock.now().toISOString() };
      const now = this.#running.get(machineId);
      if (now !== undefined) {
        const next = machineConfig(assignedMacs(after, this), this.#host);
        this.#checkSharing(next);
        await engineErrors(() => applyToGuest(this.#engine, now, next));
        this.#running.set(machineId, next);
        this.#commit(assignedMacs(after, this));
        return;
      }
      this.#commit(after);
    });
  }

  /** Removes a machine that is off. Files of its disks stay. */
  async destroy(machineId: string): Promise<void> {
    await this.exclusively(machineId, async () => {
      this.require(machineId);
      this.#files.remove(machineId);
      this.#machines.delete(machineId);
      this.#store.removeOwner(machineId);
      try {
        await this.#engine.forget(machineId);
      } catch (error) {
        // The machine is gone; what the engine still keeps of it is its own affair.
        this.#log.warn({ machine: machineId, error }, 'the engine could not forget a virtual machine');
      }
    });
  }

  /** Powers on: called by the start job, inside {@link exclusively}. */
  async powerOn(machineId: string): Promise<void> {
    const before = this.require(machineId);
    const machine = assignedMacs(before, this);
    this.#publish({ ...machine, enabledState: STATE.starting, requestedState: STATE.running });
    try {
      const config = machineConfig(machine, this.#host);
      this.#checkMemory(config);
      this.#checkSharing(config);
      // Written first, so that a process killed here finds the guest again.
      saveMachine(this.#files, { ...machine, wasRunning: true });
      await engineErrors(() => this.#engine.start(config));
      this.#running.set(machineId, config);
      this.setPower(machineId, STATE.running, {
        startedAt: this.#host.clock.now().toISOString(),
        wasRunning: true,
      });
    } catch (error) {
      this.#commit({
        ...machine,
        enabledState: STATE.off,
        requestedState: before.requestedState,
        wasRunning: false,
      });
      throw error;
    }
  }

  /** Pulls the plug; called inside {@link exclusively}. */
  async powerOff(machineId: string): Promise<void> {
    const before = this.require(machineId);
    this.#publish({ ...before, enabledState: STATE.stopping, requestedState: STATE.off });
    try {
      await engineErrors(() => this.#engine.turnOff(machineId));
    } catch (error) {
      this.#publish(before);
      throw error;
    }
    this.#setOff(machineId);
  }

  /** Remembers that the machine ran when the host went down, for AutomaticStartupAction. */
  async keepForRestart(machineId: string): Promise<void> {
    await this.exclusively(machineId, async () => {
      const machine = this.get(machineId);
      if (machine === undefined) return;
      this.#running.delete(machineId);
      await Promise.resolve();
      this.#commit({ ...machine, enabledState: STATE.off, startedAt: null, wasRunning: true });
    });
  }

  /** Sets a power state that was reached, and keeps it. */
  setPower(machineId: string, enabledState: number, changes: Partial<Machine> = {}): void {
    this.#commit({
      ...this.require(machineId),
      enabledState,
      requestedState: enabledState,
      lastStateChange: this.#host.clock.now().toISOString(),
      ...changes,
    });
  }

  /** Shows a state that is being passed through; not kept. */
  showState(machineId: string, enabledState: number): void {
    this.#publish({ ...this.require(machineId), enabledState });
  }

  /** Who holds a file of this machine open. */
  usersOf(localPath: string): readonly FileUse[] {
    return [...this.#running.values()].flatMap((config) =>
      config.drives
        .filter((drive) => drive.path === localPath)
        .map((drive) => ({
          machineId: config.id,
          driveId: drive.id,
          bus: drive.bus,
          readOnly: drive.readOnly ?? false,
        })),
    );
  }

  /** MB that running machines hold. */
  memoryInUse(): number {
    return [...this.#running.values()].reduce((sum, config) => sum + config.memoryMb, 0);
  }

  isRunning(machineId: string): boolean {
    return this.#running.has(machineId);
  }

  /** A dynamic MAC address that no network adapter of the host has (rule E3). */
  freeMac(taken: ReadonlySet<string>): string {
    const used = new Set(taken);
    for (const machine of this.#machines.values()) {
      for (const nic of resourcesOf(machine).filter((resource) =>
        isKind(resource, 'synthetic-nic', 'legacy-nic'),
      )) {
        used.add(textOf(nic.properties['Address']));
      }
    }
    for (let number = 0; number < 0x10000; number += 1) {
      const address = MAC_POOL + number.toString(16).toUpperCase().padStart(6, '0');
      if (!used.has(address)) return address;
    }
    throw new HyperVError(HV.failed, 'The host has no free MAC address left.');
  }

  async #guestStopped(machineId: string, reason: 'guest' | 'crash'): Promise<void> {
    const machine = this.get(machineId);
    if (machine === undefined || machine.enabledState === STATE.off || this.#engine.isRunning(machineId))
      return;
    this.#log.info({ machine: machineId, reason }, 'a guest stopped by itself');
    this.#setOff(machineId);
    await Promise.resolve();
  }

  #setOff(machineId: string): void {
    this.#running.delete(machineId);
    this.setPower(machineId, STATE.off, { startedAt: null, wasRunning: false });
  }

  #configOf(machine: Machine): MachineConfig | undefined {
    try {
      return machineConfig(machine, this.#host);
    } catch (error) {
      this.#log.warn(
        { machine: machine.id, error },
        'a virtual machine cannot be running: its configuration is not complete',
      );
      return undefined;
    }
  }

  /** C6: one running machine holds a file for writing, or several hold it for reading. */
  #checkSharing(config: MachineConfig): void {
    const own = new Set<string>();
    for (const drive of config.drives) {
      if (drive.path === undefined) continue;
      if (own.has(drive.path) && drive.readOnly !== true) throw this.#sharingViolation(drive.path);
      own.add(drive.path);
      const clash = this.usersOf(drive.path).find(
        (use) => use.machineId !== config.id && !(use.readOnly && (drive.readOnly ?? false)),
      );
      if (clash !== undefined) throw this.#sharingViolation(drive.path);
    }
  }

  #sharingViolation(localPath: string): HyperVError {
    const file = this.#host.paths.toWindows(localPath);
    return new HyperVError(
      HV.inUse,
      `The process cannot access the file because it is being used by another process: '${file}' (0x80070020).`,
    );
  }

  #checkMemory(config: MachineConfig): void {
    const free = this.#host.memoryMb - this.memoryInUse();
    if (config.memoryMb > free) {
      throw new HyperVError(
        HV.outOfMemory,
        `Not enough memory in the system to start the virtual machine with ${config.memoryMb} MB: ${free} MB are free.`,
      );
    }
  }

  #commit(machine: Machine): void {
    saveMachine(this.#files, machine);
    this.#publish(machine);
  }

  #publish(machine: Machine): void {
    this.#machines.set(machine.id, machine);
    this.#store.replaceOwner(machine.id, [machine.settings, ...machine.resources.values()]);
  }
}

/** Vendor part of the host's dynamic MAC addresses. */
const MAC_POOL = '00155D';

function assignedMacs(machine: Machine, registry: MachineRegistry): Machine {
  let next = machine;
  const taken = new Set<string>();
  for (const nic of resourcesOf(machine).filter((resource) =>
    isKind(resource, 'synthetic-nic', 'legacy-nic'),
  )) {
    if (textOf(nic.properties['Address']) !== '') continue;
    const address = registry.freeMac(taken);
    taken.add(address);
    const assigned: CimInstance = changed(nic, { Address: address });
    next = withResource(next, assigned);
  }
  return next;
}

const ENGINE_CODES: Readonly<Record<string, number>> = {
  DISK_IN_USE: HV.inUse,
  FILE_NOT_FOUND: HV.fileNotFound,
  OUT_OF_MEMORY: HV.outOfMemory,
  NOT_RUNNING: HV.invalidState,
  ALREADY_RUNNING: HV.invalidState,
  UNSUPPORTED: HV.notSupported,
};

/** The engine's errors as Hyper-V's. Matched by name: two copies of a package may be loaded. */
export async function engineErrors<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Error && error.name === 'EngineError') {
      throw new HyperVError(ENGINE_CODES[errorCode(error)] ?? HV.failed, error.message, { cause: error });
    }
    throw error;
  }
}
