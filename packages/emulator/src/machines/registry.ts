import { WBEM, WmiError } from '@nova-hyperv/wsman';
import type { Logger } from 'pino';
import { textsOf } from '../cim.js';
import type { DriveConfig, Engine, MachineConfig } from '../engine/engine.js';
import { afterPowerOff } from '../metrics/collection.js';
import type { CollectedMetric } from '../metrics/collection.js';
import type { Placement } from '../numa/placement.js';
import { checkKeyProtector } from '../security/security-settings.js';
import type { StateFiles } from '../state-files.js';
import type { ObjectStore } from '../store/store.js';
import { recoveredParents } from './disk-chain.js';
import type { ChainHost } from './disk-chain.js';
import { driveIdOf, machineConfig } from './engine-config.js';
import { FileHolds } from './file-holds.js';
import { engineErrors } from './engine-errors.js';
import { applyToGuest } from './hot-plug.js';
import { assignedMacs } from './mac-addresses.js';
import { saveMachine } from './machine-file.js';
import { parentResolver } from './parent-resolver.js';
import { isKind } from './kinds.js';
import { STATE, idOf, resourceById, resourcesOf } from './model.js';
import type { Machine } from './model.js';
import type { RuleHost } from './rules.js';
import { RunningGuests, both } from './running-guests.js';
import type { FileUse, Running } from './running-guests.js';

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
  /** Files that the image service is at work on. */
  readonly holds = new FileHolds();
  readonly #running = new RunningGuests();
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
      this.exclusively(event.machineId, () => this.#guestStopped(event.machineId, event.reason)).catch(
        (error: unknown) =>
          this.#log.error({ machine: event.machineId, error }, 'a stopped guest was not noted'),
      );
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
    // Before anybody opens one: guests may have been left without the process that served their disks.
    const running = new Map<string, Running>();
    for (const config of configs) {
      const placement = this.get(config.id)?.placement ?? [];
      running.set(config.id, { ...(await this.#withParents(config)), placement });
    }
    const adopted = await this.#engine.adopt(configs);
    for (const { machineId, state, startedAt } of adopted) {
      const machine = this.get(machineId);
      const config = running.get(machineId);
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
    for (const machine of this.all()) {
      // Its guest went down with the host, or while nobody looked.
      if (machine.wasRunning && !this.#running.has(machine.id))
        this.#publish({ ...machine, metrics: afterPowerOff(machine.metrics) });
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
        const complete = assignedMacs(after, this.#machines.values());
        const next = await this.#claim(machineConfig(complete, this.#host), now);
        await this.#bringToGuest(now, next, () => this.#commit(complete));
        return;
      }
      this.#commit(after);
    });
  }

  /**
   * Gives a machine's disks other files, which a running guest does not notice: it stands still while `work` makes them what they are to be. After a
   * failure everything is as it was, and what `work` made is undone.
   */
  async switchDisks(
    machineId: string,
    plan: (machine: Machine) => Machine,
    work: (
      after: Machine,
    ) => Promise<{ readonly undo: () => Promise<unknown>; readonly done: () => Promise<void> }>,
  ): Promise<void> {
    await this.exclusively(machineId, async () => {
      const before = this.require(machineId);
      const after = plan(before);
      let outcome: Awaited<ReturnType<typeof work>> | undefined;
      const make = async (): Promise<void> => {
        outcome = await work(after);
        this.#commit(after);
      };
      try {
        const now = this.#running.get(machineId);
        if (now === undefined) await make();
        else await this.#switchWhileRunning(now, before, after, make);
      } catch (error) {
        this.#commit({ ...this.require(machineId), ...onlyDisks(before) });
        await outcome?.undo();
        throw error;
      }
      await outcome?.done();
    });
  }

  async #switchWhileRunning(
    now: Running,
    before: Machine,
    after: Machine,
    make: () => Promise<void>,
  ): Promise<void> {
    // Which ones: their files are not there yet.
    const ids = movedDisks(before, after);
    let next: Running | undefined;
    const drives = async (): Promise<readonly DriveConfig[]> => {
      await make();
      const config = machineConfig(after, this.#host);
      next = { ...(await this.#withParents(config)), placement: now.placement };
      return config.drives.filter(({ id }) => ids.includes(id));
    };
    await this.#engineErrors(() => this.#engine.switchDrives(now.config.id, ids, drives));
    if (next !== undefined) this.#running.set(now.config.id, next);
  }

  /** Removes a machine that is off. Files of its disks stay. */
  async destroy(machineId: string): Promise<void> {
    await this.exclusively(machineId, async () => {
      this.require(machineId);
      try {
        // First, so that a process killed here leaves a machine that can be destroyed again, and no folder of nobody's.
        await this.#engine.forget(machineId);
      } catch (error) {
        this.#log.warn({ machine: machineId, error }, 'the engine could not forget a virtual machine');
      }
      this.#files.remove(machineId);
      this.#machines.delete(machineId);
      this.#store.removeOwner(machineId);
    });
  }

  /** Powers on: called by the start job, inside {@link exclusively}. */
  async powerOn(machineId: string): Promise<void> {
    const before = this.require(machineId);
    const machine = assignedMacs(before, this.#machines.values());
    this.#publish({ ...machine, enabledState: STATE.starting, requestedState: STATE.running });
    try {
      checkKeyProtector(machine, this.#host);
      const { config, placement } = await this.#claim(machineConfig(machine, this.#host));
      // Written first, so that a process killed here finds the guest again.
      saveMachine(this.#files, { ...machine, wasRunning: true, placement });
      await this.#engineErrors(() => this.#engine.start(config));
      this.setPower(machineId, STATE.running, {
        startedAt: this.#host.clock.now().toISOString(),
        wasRunning: true,
        placement,
      });
    } catch (error) {
      if (this.#engine.isRunning(machineId)) await this.#engine.turnOff(machineId).catch(() => undefined);
      this.#running.delete(machineId);
      this.#reached({
        ...machine,
        enabledState: STATE.off,
        requestedState: before.requestedState,
        startedAt: null,
        wasRunning: false,
        placement: null,
      });
      throw error;
    }
  }

  /** Pulls the plug; called inside {@link exclusively}. */
  async powerOff(machineId: string): Promise<void> {
    const before = this.require(machineId);
    this.#publish({ ...before, enabledState: STATE.stopping, requestedState: STATE.off });
    try {
      await this.#engineErrors(() => this.#engine.turnOff(machineId));
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
      this.#reached({
        ...machine,
        enabledState: STATE.off,
        startedAt: null,
        wasRunning: true,
        placement: null,
        metrics: afterPowerOff(machine.metrics),
      });
    });
  }

  /** Changes what is collected of a machine, in whatever state it is. */
  async changeMetrics(
    machineId: string,
    plan: (machine: Machine) => Promise<readonly CollectedMetric[]>,
  ): Promise<void> {
    await this.exclusively(machineId, async () => {
      const metrics = await plan(this.require(machineId));
      this.#commit({ ...this.require(machineId), metrics });
    });
  }

  /** Sets a power state that was reached, and keeps it. */
  setPower(machineId: string, enabledState: number, changes: Partial<Machine> = {}): void {
    this.#reached({
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

  /** Who holds a file of this machine open, as a drive's or as a parent of a drive's. */
  usersOf(localPath: string): readonly FileUse[] {
    return this.#running.usersOf(localPath);
  }

  /** Drives of running machines that have a logical unit. */
  unitUsers(unitId: string): ReturnType<RunningGuests['unitUsers']> {
    return this.#running.unitUsers(unitId);
  }

  /** Tells the guest that has a logical unit of the size that it has grown to. */
  async growUnit(unitId: string, sizeBytes: number): Promise<void> {
    for (const { machineId } of this.unitUsers(unitId)) {
      await this.exclusively(machineId, async () => {
        const use = this.unitUsers(unitId).find((one) => one.machineId === machineId);
        if (use === undefined) return;
        await this.#engineErrors(() => this.#engine.refreshDriveSize(machineId, use.driveId, sizeBytes));
      });
    }
  }

  /** All files of this machine that guests hold open. */
  filesInUse(): readonly string[] {
    return this.#running.filesInUse();
  }

  /** Replays what a killed process left in the logs of a disk file and its parents, unless somebody writes to them. */
  async bringIntoOrder(localPath: string): Promise<void> {
    await this.exclusively(CLAIMING, () => recoveredParents(localPath, this.#chainHost()));
  }

  /** MB that running machines hold. */
  memoryInUse(): number {
    return this.#running.memoryInUse();
  }

  /** Where the running machines' memory lies on the host's NUMA nodes. */
  placements(): readonly Placement[] {
    return this.#running.placements();
  }

  isRunning(machineId: string): boolean {
    return this.#running.has(machineId);
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
    const metrics = afterPowerOff(this.require(machineId).metrics);
    this.setPower(machineId, STATE.off, { startedAt: null, wasRunning: false, placement: null, metrics });
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

  /** Changes the guest and keeps the change, or leaves both as they were. */
  async #bringToGuest(now: Running, next: Running, keep: () => void): Promise<void> {
    const { id } = next.config;
    try {
      await this.#engineErrors(() => applyToGuest(this.#engine, now.config, next.config));
      try {
        keep();
      } catch (error) {
        // What cannot be kept must not be in the guest either.
        await applyToGuest(this.#engine, next.config, now.config).catch(() => undefined);
        throw error;
      }
      this.#running.set(id, next);
    } catch (error) {
      this.#running.set(id, now);
      throw error;
    }
  }

  /**
   * Makes the memory and the files of a configuration those of its machine, besides what the machine has already.
   * One at a time, so that no file is brought into order that another opens meanwhile.
   */
  async #claim(config: MachineConfig, now?: Running): Promise<Running> {
    return await this.exclusively(CLAIMING, async () => {
      const placement = now?.placement ?? this.#running.place(config, this.#host);
      const next = { ...(await this.#withParents(config)), placement };
      this.#running.checkSharing(next, this.holds, this.#host.paths);
      this.#running.set(config.id, now === undefined ? next : both(now, next));
      return next;
    });
  }

  /** With what the disks of its drives are differences to; brings files that a killed process left into order. */
  async #withParents(config: MachineConfig): Promise<Omit<Running, 'placement'>> {
    const host = this.#chainHost();
    const parents = new Map<string, readonly string[]>();
    for (const { id, path, kind } of config.drives) {
      if (path !== undefined && kind === 'disk') parents.set(id, await recoveredParents(path, host));
    }
    return { config, parents };
  }

  #chainHost(): ChainHost {
    return {
      resolveParent: parentResolver(this.#host.paths),
      isWritten: (file) => this.holds.isWritten(file) || this.usersOf(file).some((use) => !use.readOnly),
      log: this.#log,
    };
  }

  /** A power state that was reached is seen even when it cannot be written. */
  #reached(machine: Machine): void {
    this.#publish(machine);
    saveMachine(this.#files, machine);
  }

  /** The engine's errors as Hyper-V's, with the host's paths. */
  async #engineErrors<T>(work: () => Promise<T>): Promise<T> {
    return await engineErrors(work, this.#host.paths);
  }

  #commit(machine: Machine): void {
    saveMachine(this.#files, machine);
    this.#publish(machine);
  }

  #publish(machine: Machine): void {
    this.#machines.set(machine.id, machine);
    const checkpoints = (machine.checkpoints ?? []).flatMap(({ settings, resources }) => [
      settings,
      ...resources,
    ]);
    this.#store.replaceOwner(machine.id, [machine.settings, ...machine.resources.values(), ...checkpoints]);
  }
}

/** Drives whose disks' files differ. */
function movedDisks(before: Machine, after: Machine): readonly string[] {
  return resourcesOf(after).flatMap((resource) => {
    const file = textsOf(resource.properties['HostResource'])[0];
    if (!isKind(resource, 'hard-disk')) return [];
    const old = resourceById(before, idOf(resource));
    if (old === undefined || textsOf(old.properties['HostResource'])[0] === file) return [];
    return driveIdOf(after, resource) ?? [];
  });
}

function onlyDisks({ resources, checkpoints }: Machine): Pick<Machine, 'resources' | 'checkpoints'> {
  return { resources, ...(checkpoints === undefined ? { checkpoints: [] } : { checkpoints }) };
}

/** Key of the lock under which files are claimed: the id of no machine. */
const CLAIMING = '';
