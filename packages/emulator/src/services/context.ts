import type { CimReference, InvokeResult } from '@nova-hyperv/wsman';
import type { Logger } from 'pino';
import type { Engine } from '../engine/engine.js';
import { HV, HyperVError } from '../errors.js';
import type { JobManager, JobRequest } from '../jobs.js';
import type { Machine } from '../machines/model.js';
import { systemReference } from '../machines/model.js';
import type { MachineRegistry } from '../machines/registry.js';
import type { RuleHost } from '../machines/rules.js';
import { jobStarted, returned } from '../methods.js';
import type { ObjectStore } from '../store/store.js';

/** What the services of the host work with. */
export interface ServiceContext {
  readonly host: RuleHost;
  readonly store: ObjectStore;
  readonly jobs: JobManager;
  readonly machines: MachineRegistry;
  readonly engine: Engine;
  readonly validation: 'job' | 'direct';
  readonly log: Logger;
}

/** What a planned change of a machine would give. */
export interface PlannedChange {
  readonly machine: Machine;
  /** References to what was added or changed, in the order of the elements. */
  readonly results: readonly CimReference[];
}

export interface ChangeRequest {
  readonly machineId: string;
  readonly caption: string;
  readonly jobType: number;
  /** Name of the out parameter that takes the results. */
  readonly resultName?: string;
  /** Pure: called once to find errors and ids, and again when the change is made. */
  readonly plan: (machine: Machine, host: RuleHost) => PlannedChange;
}

/**
 * Changes a machine by a job. What the rules refuse is told by the job or, with `validation: 'direct'`, by the
 * return value; a thrown WMI fault is passed on.
 */
export function changeMachine(context: ServiceContext, request: ChangeRequest): InvokeResult {
  const tape = recordedGuids(context.host);
  const machine = context.machines.require(request.machineId);
  let planned: PlannedChange;
  try {
    planned = request.plan(machine, tape());
  } catch (error) {
    return refusal(context, error, request);
  }
  const job = context.jobs.start({
    className: 'Msvm_ConcreteJob',
    caption: request.caption,
    jobType: request.jobType,
    machineId: request.machineId,
    affects: [systemReference(request.machineId), ...planned.results],
    work: () =>
      context.machines.change(request.machineId, (current) => request.plan(current, tape()).machine),
  });
  // Without this, results are found only as the job's affected elements.
  const isTold = request.resultName !== undefined && !context.host.refuse.has('results-with-job');
  return jobStarted(job, isTold ? { [request.resultName ?? '']: planned.results } : {});
}

/** The answer to a refused request: a fault, a return value, or a job that fails. */
export function refusal(
  context: ServiceContext,
  error: unknown,
  request: Pick<JobRequest, 'caption' | 'jobType'> & {
    machineId?: string;
    className?: JobRequest['className'];
  },
): InvokeResult {
  if (!(error instanceof HyperVError)) throw error;
  if (error.direct || context.validation === 'direct') return returned(error.returnValue);
  return jobStarted(
    context.jobs.start({
      className: request.className ?? 'Msvm_ConcreteJob',
      caption: request.caption,
      jobType: request.jobType,
      affects: request.machineId === undefined ? [] : [systemReference(request.machineId)],
      work: () => Promise.reject(error),
    }),
  );
}

/** The refused call shapes: see the documentation of the option. */
export function refuseShape(host: RuleHost, shape: string, applies: boolean): void {
  if (applies && host.refuse.has(shape)) {
    throw new HyperVError(HV.invalidParameter, `This host refuses the call shape '${shape}'.`, {
      direct: true,
    });
  }
}

/**
 * Hosts whose new GUIDs are the same each time: a plan that is made twice names the same things, so that the
 * references that were told at the call are those that the job makes.
 */
export function recordedGuids(host: RuleHost): () => RuleHost {
  const guids: string[] = [];
  return () => {
    let position = 0;
    return {
      ...host,
      newGuid: () => {
        const guid = guids[position] ?? host.newGuid();
        guids[position] = guid;
        position += 1;
        return guid;
      },
    };
  };
}
