import type { EngineError } from '../engine/engine.js';
import type {
  AdoptedMachine,
  DriveConfig,
  Engine,
  MachineConfig,
  MachineStats,
  MachineStopped,
  NicConfig,
  Screen,
} from '../engine/engine.js';

/** An engine whose guests are entries in a list, with faults on demand. */
export class FakeEngine implements Engine {
  readonly kind = 'none';
  readonly pipes = '/nonexistent';
  readonly running = new Map<string, MachineConfig>();
  readonly paused = new Set<string>();
  /** Every call in order, as `name machine [detail]`. */
  readonly calls: string[] = [];
  /** The next call of that name throws. */
  readonly failures = new Map<string, EngineError>();
  /** Guests react to the power button. */
  guestsListen = true;
  /** Starting waits for it. */
  hold: Promise<void> | undefined;
  /** What a former process left running. */
  outlived: AdoptedMachine[] = [];
  #listeners: ((event: MachineStopped) => void)[] = [];

  async adopt(machines: readonly MachineConfig[]): Promise<readonly AdoptedMachine[]> {
    await this.#did('adopt', '');
    for (const { machineId } of this.outlived) {
      const config = machines.find((machine) => machine.id === machineId);
      if (config !== undefined) this.running.set(machineId, config);
    }
    return this.outlived;
  }

  async start(config: MachineConfig): Promise<void> {
    await this.#did('start', config.id);
    await this.hold;
    this.running.set(config.id, config);
  }

  async turnOff(machineId: string): Promise<void> {
    await this.#did('turnOff', machineId);
    this.running.delete(machineId);
    this.paused.delete(machineId);
  }

  async reset(machineId: string): Promise<void> {
    await this.#did('reset', machineId);
  }

  async pause(machineId: string): Promise<void> {
    await this.#did('pause', machineId);
    this.paused.add(machineId);
  }

  async resume(machineId: string): Promise<void> {
    await this.#did('resume', machineId);
    this.paused.delete(machineId);
  }

  async requestShutdown(machineId: string): Promise<void> {
    await this.#did('requestShutdown', machineId);
    if (this.guestsListen) this.stop(machineId, 'guest');
  }

  isRunning(machineId: string): boolean {
    return this.running.has(machineId);
  }

  async attachDrive(machineId: string, drive: DriveConfig): Promise<void> {
    await this.#did('attachDrive', machineId, drive.id);
  }

  async detachDrive(machineId: string, driveId: string): Promise<void> {
    await this.#did('detachDrive', machineId, driveId);
  }

  async switchDrives(
    machineId: string,
    driveIds: readonly string[],
    work: () => Promise<readonly DriveConfig[]>,
  ): Promise<void> {
    await this.#did('switchDrives', machineId, driveIds.join(','));
    await work();
  }

  async attachNic(machineId: string, nic: NicConfig): Promise<void> {
    await this.#did('attachNic', machineId, nic.mac);
  }

  async detachNic(machineId: string, nicId: string): Promise<void> {
    await this.#did('detachNic', machineId, nicId);
  }

  async connectNic(machineId: string, nicId: string, switchId: string | null): Promise<void> {
    await this.#did('connectNic', machineId, `${nicId} ${switchId ?? 'none'}`);
  }

  async refreshDriveSize(machineId: string, driveId: string, sizeBytes: number): Promise<void> {
    await this.#did('refreshDriveSize', machineId, `${driveId} ${sizeBytes}`);
  }

  /** What every machine shows. */
  screen: Screen | undefined;

  async screenshot(): Promise<Screen | undefined> {
    return await Promise.resolve(this.screen);
  }

  /** What {@link stats} tells of every machine. */
  usage: MachineStats = { uptimeMs: 0, processorMs: 0, drives: [], nics: [] };

  async stats(): Promise<MachineStats> {
    return await Promise.resolve(this.usage);
  }

  async forget(machineId: string): Promise<void> {
    await this.#did('forget', machineId);
  }

  onStopped(listener: (event: MachineStopped) => void): void {
    this.#listeners.push(listener);
  }

  async close(guests: 'keep' | 'turn-off'): Promise<void> {
    await this.#did('close', guests);
    this.#listeners = [];
  }

  /** The guest stops by itself. */
  stop(machineId: string, reason: MachineStopped['reason']): void {
    this.running.delete(machineId);
    for (const listener of this.#listeners) listener({ machineId, reason });
  }

  async #did(name: string, machineId: string, detail = ''): Promise<void> {
    this.calls.push([name, machineId, detail].filter((part) => part !== '').join(' '));
    await Promise.resolve();
    const failure = this.failures.get(name);
    this.failures.delete(name);
    if (failure !== undefined) throw failure;
  }
}
