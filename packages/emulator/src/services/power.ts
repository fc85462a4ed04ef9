import type { InvokeResult } from '@nova-hyperv/wsman';
import { sameText } from '../cim.js';
import { HV, HyperVError } from '../errors.js';
import { STATE, systemReference } from '../machines/model.js';
import type { Machine } from '../machines/model.js';
import { engineErrors } from '../machines/engine-errors.js';
import { jobStarted, keyOf, returned } from '../methods.js';
import type { MethodCall, MethodHandler } from '../methods.js';
import type { ServiceContext } from './context.js';

type Transition = 'start' | 'turn-off' | 'save' | 'pause' | 'resume' | 'reset';

/** Values that RequestStateChange takes. Source: HyperV_v2, RequestStateChange of Msvm_ComputerSystem. */
const REQUEST = { running: 2, off: 3, save: 6, pause: 9, reset: 11 } as const;
const KNOWN_REQUESTS = new Set<number>([2, 3, 4, 6, 9, 10, 11, 32773, 32776, 32777]);

/** What a request does in a state; where there is nothing the answer is 32775. */
const MATRIX: Readonly<Record<number, Readonly<Record<number, Transition>>>> = {
  [STATE.off]: { [REQUEST.running]: 'start' },
  [STATE.running]: {
    [REQUEST.off]: 'turn-off',
    [REQUEST.save]: 'save',
    [REQUEST.pause]: 'pause',
    [REQUEST.reset]: 'reset',
  },
  [STATE.paused]: {
    [REQUEST.running]: 'resume',
    [REQUEST.off]: 'turn-off',
    [REQUEST.save]: 'save',
    [REQUEST.reset]: 'reset',
  },
};

const JOBS: Readonly<Record<Transition, { readonly caption: string; readonly jobType: number }>> = {
  start: { caption: 'Starting Virtual Machine', jobType: 12 },
  'turn-off': { caption: 'Turning Off Virtual Machine', jobType: 13 },
  save: { caption: 'Saving Virtual Machine', jobType: 14 },
  pause: { caption: 'Pausing Virtual Machine', jobType: 26 },
  resume: { caption: 'Resuming Virtual Machine', jobType: 27 },
  reset: { caption: 'Resetting Virtual Machine', jobType: 28 },
};

/** Methods of a machine's Msvm_ComputerSystem; the host's own answers 32770. */
export function systemMethods(context: ServiceContext): Readonly<Record<string, MethodHandler>> {
  return { RequestStateChange: (call) => requestStateChange(context, call) };
}

function requestStateChange(context: ServiceContext, call: MethodCall): InvokeResult {
  const name = keyOf(call.reference, 'Name');
  if (sameText(name, context.host.name)) return returned(HV.notSupported);
  const machine = context.machines.require(name);
  const requested = call.number('RequestedState');
  if (!KNOWN_REQUESTS.has(requested)) return returned(HV.invalidParameter);
  const transition = MATRIX[machine.enabledState]?.[requested];
  if (transition === undefined || context.jobs.isBusy(machine.id)) return returned(HV.invalidState);
  return startTransition(context, machine, transition);
}

/** Starts the job of a transition that the machine's state allows. */
export function startTransition(
  context: ServiceContext,
  machine: Machine,
  transition: Transition,
): InvokeResult {
  const job = context.jobs.start({
    className: 'Msvm_ConcreteJob',
    ...JOBS[transition],
    machineId: machine.id,
    affects: [systemReference(machine.id)],
    work: () => context.machines.exclusively(machine.id, () => WORK[transition](context, machine.id)),
  });
  return jobStarted(job);
}

const WORK: Readonly<Record<Transition, (context: ServiceContext, machineId: string) => Promise<void>>> = {
  start: async (context, id) => {
    requireState(context, id, STATE.off);
    await context.machines.powerOn(id);
  },
  'turn-off': async (context, id) => {
    // A guest that stopped by itself meanwhile is where it should be.
    if (context.machines.require(id).enabledState !== STATE.off) await context.machines.powerOff(id);
  },
  save: () =>
    Promise.reject(
      new HyperVError(HV.notSupported, 'The emulated host cannot save the state of a virtual machine.'),
    ),
  pause: async (context, id) => {
    requireState(context, id, STATE.running);
    context.machines.showState(id, STATE.pausing);
    await orBack(context, id, STATE.running, () => context.engine.pause(id));
    context.machines.setPower(id, STATE.paused);
  },
  resume: async (context, id) => {
    requireState(context, id, STATE.paused);
    context.machines.showState(id, STATE.resuming);
    await orBack(context, id, STATE.paused, () => context.engine.resume(id));
    context.machines.setPower(id, STATE.running);
  },
  reset: async (context, id) => {
    const before = context.machines.require(id).enabledState;
    await engineErrors(() => context.engine.reset(id), context.host.paths);
    if (before === STATE.paused) await engineErrors(() => context.engine.resume(id), context.host.paths);
    context.machines.setPower(id, STATE.running, { startedAt: context.host.clock.now().toISOString() });
  },
};

function requireState(context: ServiceContext, machineId: string, state: number): void {
  if (context.machines.require(machineId).enabledState === state) return;
  throw new HyperVError(
    HV.invalidState,
    'The state of the virtual machine changed before the operation began.',
  );
}

async function orBack(
  context: ServiceContext,
  machineId: string,
  state: number,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await engineErrors(work, context.host.paths);
  } catch (error) {
    context.machines.showState(machineId, state);
    throw error;
  }
}

/** Methods of Msvm_ShutdownComponent. They return at once; the guest decides. */
export function shutdownMethods(context: ServiceContext): Readonly<Record<string, MethodHandler>> {
  return {
    InitiateShutdown: async (call) => {
      const machine = context.machines.require(keyOf(call.reference, 'SystemName'));
      if (machine.enabledState !== STATE.running) return returned(HV.invalidState);
      await engineErrors(() => context.engine.requestShutdown(machine.id), context.host.paths);
      return returned(HV.completed);
    },
  };
}

/** Methods of jobs. */
export function jobMethods(context: ServiceContext): Readonly<Record<string, MethodHandler>> {
  return {
    RequestStateChange: (call) =>
      returned(context.jobs.requestStateChange(jobId(call), call.number('RequestedState'))),
    GetErrorEx: (call) => ({ returnValue: 0, out: { Errors: context.jobs.errors(jobId(call)) } }),
    GetError: (call) => ({ returnValue: 0, out: { Error: context.jobs.errors(jobId(call))[0] ?? null } }),
  };
}

function jobId(call: MethodCall): string {
  return keyOf(call.reference, 'InstanceID');
}
