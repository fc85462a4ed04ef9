import { wqlString } from '@nova-hyperv/wsman';
import { hasCode, HyperVError, RETURN } from './errors.js';
import { reference } from './machines.js';
import type { MachineHandle, Machines } from './machines.js';
import { STATE } from './names.js';
import { flag, numeric, text } from './read.js';
import { sleep } from './wire.js';
import type { HostWire, InvokeOptions } from './wire.js';

type Machine = Pick<MachineHandle, 'id' | 'name' | 'system'>;

/** EnabledState values between two states: from here something will change by itself. */
const TRANSITIONAL = new Set([4, 10, 32_770, 32_771, 32_773, 32_774, 32_776, 32_777]);

const STATE_NAMES: Readonly<Record<number, string>> = {
  2: 'running',
  3: 'off',
  4: 'shutting down',
  6: 'saved',
  9: 'paused',
  10: 'starting',
  11: 'reset',
};

const TRANSITION_DEADLINE_MS = 60_000;
const RUNNING_JOB_STATES = new Set([2, 3, 4, 5]);

/** How a request of {@link Power.requestShutdown} was taken. */
export type ShutdownAnswer = 'accepted' | 'not-ready' | 'not-running';

/** States of machines: start, turn off, reset, guest shut-down, and the end of a machine. */
export class Power {
  readonly #wire: HostWire;
  readonly #machines: Machines;

  constructor(wire: HostWire, machines: Machines) {
    this.#wire = wire;
    this.#machines = machines;
  }

  /** EnabledState, or undefined when the machine is gone. One query. */
  async state(machine: Pick<Machine, 'id'>): Promise<number | undefined> {
    const [row] = await this.#wire.select(
      'Msvm_ComputerSystem',
      ['Name', 'EnabledState'],
      `Name=${wqlString(machine.id)}`,
    );
    return row?.properties.EnabledState ?? undefined;
  }

  /**
   * Brings the machine to a state. 32775 ("invalid state") says that it is there already, or that it is on its way somewhere, or that
   * there is no way: the machine's own state tells which. As it may have arrived between the refusal and the question, only
   * a second refusal from one and the same state means that there is no way.
   */
  async request(machine: Machine, wanted: number, options: InvokeOptions = {}): Promise<void> {
    const deadline = Date.now() + TRANSITION_DEADLINE_MS;
    let settledIn: number | undefined;
    for (;;) {
      try {
        await this.#wire.call(machine.system, 'RequestStateChange', { RequestedState: wanted }, options);
        return;
      } catch (error) {
        if (isNotFoundFault(error)) throw gone(machine, this.#wire.host);
        if (!isInvalidState(error)) throw error;
        const actual = await this.state(machine);
        if (actual === wanted) return;
        if (actual === undefined) throw gone(machine, this.#wire.host);
        if (actual === settledIn || Date.now() > deadline) throw this.#noWay(machine, actual, wanted, error);
        settledIn = TRANSITIONAL.has(actual) ? undefined : actual;
      }
      await sleep(250, options.signal);
    }
  }

  #noWay(machine: Machine, actual: number, wanted: number, cause: unknown): HyperVError {
    return new HyperVError(
      'HYPERV_INVALID_STATE',
      `Machine ${machine.name} on ${this.#wire.host} is ${stateName(actual)} and cannot be brought to "${stateName(wanted)}" from there.`,
      {
        host: this.#wire.host,
        operation: 'Msvm_ComputerSystem.RequestStateChange',
        returnValue: RETURN.invalidState,
        cause,
      },
    );
  }

  /** Asks the guest to shut down. Returns at once; the guest may take its time or never do it. */
  async requestShutdown(machine: Machine, reason: string): Promise<ShutdownAnswer> {
    const found = await this.#wire.query(
      `SELECT * FROM Msvm_ShutdownComponent WHERE SystemName=${wqlString(machine.id)}`,
    );
    const component = found[0];
    if (component === undefined) return 'not-running';
    try {
      const { returnValue } = await this.#wire.client.invoke(component.reference, 'InitiateShutdown', {
        Force: false,
        Reason: reason,
      });
      // 32782: a shut-down is in progress already.
      return returnValue === RETURN.done || returnValue === 32_782 ? 'accepted' : 'not-ready';
    } catch (error) {
      // A guest that is still booting refuses by a WMI error.
      if (hasCode(error, 'WSMAN_FAULT')) return 'not-ready';
      throw error;
    }
  }

  /** Turns the machine off, whatever runs in it, and removes it; its files stay. Harmless when it is gone. */
  async destroy(machine: Machine, options: InvokeOptions = {}): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        await this.#turnOffAndDestroy(machine, options);
        return;
      } catch (error) {
        if (hasCode(error, 'HYPERV_NOT_FOUND') || isNotFoundFault(error)) return;
        if (attempt > 0 && (await this.state(machine)) === undefined) return;
        if (attempt >= 3 || !hasCode(error, 'HYPERV_INVALID_STATE', 'HYPERV_JOB_FAILED', 'HYPERV_REFUSED'))
          throw error;
        await this.#endJobs(machine, true, options);
        await sleep(200, options.signal);
      }
    }
  }

  async #turnOffAndDestroy(machine: Machine, options: InvokeOptions): Promise<void> {
    const state = await this.state(machine);
    if (state === undefined) return;
    if (state !== STATE.off) await this.request(machine, STATE.off, options);
    await this.#machines.destroySystem(machine, options);
  }

  /** Waits until no job works on the machine any more: what a call without an answer has asked for has then come or will not come. */
  async jobsEnded(machine: Machine, options: InvokeOptions = {}): Promise<void> {
    await this.#endJobs(machine, false, options);
  }

  /** Jobs that work on the machine keep it from being destroyed: they are killed, and waited for where that is not allowed. */
  async #endJobs(machine: Machine, kill: boolean, options: InvokeOptions): Promise<void> {
    const found = await this.#wire.client.associators(machine.system, {
      associationClass: 'Msvm_AffectedJobElement',
      resultClass: 'Msvm_ConcreteJob',
    });
    const active = found.filter(({ instance }) => RUNNING_JOB_STATES.has(numeric(instance, 'JobState')));
    await Promise.all(
      active.map(async ({ instance }) => {
        const job = reference('Msvm_ConcreteJob', { InstanceID: text(instance, 'InstanceID') });
        // 5 = kill. A refusal means that it has just ended.
        if (kill && flag(instance, 'Cancellable'))
          await this.#wire.client.invoke(job, 'RequestStateChange', { RequestedState: 5 }).catch(ignoreFault);
        await this.#wire.jobs
          .wait(job, { operation: `jobs of ${machine.name}`, deadlineMs: 120_000, ...options })
          .catch(ignoreJobEnd);
      }),
    );
  }
}

function stateName(state: number): string {
  return STATE_NAMES[state] ?? `state ${state}`;
}

/** However a job in the way ended: it is out of the way. */
function ignoreJobEnd(error: unknown): void {
  if (!hasCode(error, 'HYPERV_JOB_FAILED', 'HYPERV_JOB_VANISHED')) throw error;
}

function ignoreFault(error: unknown): void {
  if (!hasCode(error, 'WSMAN_FAULT')) throw error;
}

function isInvalidState(error: unknown): boolean {
  return hasCode(error, 'HYPERV_INVALID_STATE') || (error instanceof HyperVError && error.returnValue === 5);
}

/** WBEM_E_NOT_FOUND */
export function isNotFoundFault(error: unknown): boolean {
  return (
    hasCode(error, 'WSMAN_FAULT') &&
    typeof error === 'object' &&
    error !== null &&
    'hresult' in error &&
    error.hresult === 0x8004_1002
  );
}

function gone(machine: Machine, host: string): HyperVError {
  return new HyperVError('HYPERV_NOT_FOUND', `Machine ${machine.name} is no longer on ${host}.`, { host });
}
