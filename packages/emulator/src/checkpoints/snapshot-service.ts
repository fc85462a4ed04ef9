import { rm } from 'node:fs/promises';
import { createVhd, createVhdx, inspect, mergeDisk } from '@nova-hyperv/vhd';
import type { CimReference, InvokeResult } from '@nova-hyperv/wsman';
import { HV } from '../errors.js';
import { diskErrors } from '../images/disk-files.js';
import { parentOf } from '../images/storage-job.js';
import { machineIdOf, settingsReference, systemReference } from '../machines/model.js';
import type { Checkpoint, CheckpointDisk, Machine } from '../machines/model.js';
import { parentResolver } from '../machines/parent-resolver.js';
import { jobStarted, keyOf, returned } from '../methods.js';
import type { MethodCall, MethodHandler } from '../methods.js';
import { recordedGuids, refusal } from '../services/context.js';
import type { ServiceContext } from '../services/context.js';
import { systemOf } from '../services/machine-service.js';
import { planCheckpoint, planRemoval } from './plan.js';

/** `JobType` values. Source: HyperV_v2, Msvm_ConcreteJob. */
const TYPE = { create: 70, remove: 72 } as const;

/** Methods of Msvm_VirtualSystemSnapshotService. Those that are not here answer 32770. */
export function snapshotServiceMethods(context: ServiceContext): Readonly<Record<string, MethodHandler>> {
  return {
    CreateSnapshot: (call) => create(context, call),
    DestroySnapshot: (call) => destroy(context, call),
  };
}

function create(context: ServiceContext, call: MethodCall): InvokeResult {
  const machine = systemOf(context, call.reference1('AffectedSystem'));
  const type = call.number('SnapshotType');
  const request = {
    caption: 'Creating Virtual Machine Checkpoint',
    jobType: TYPE.create,
    machineId: machine.id,
  };
  const tape = recordedGuids(context.host);
  const plan = (present: Machine): Machine => planCheckpoint(present, type, tape());
  let made: CimReference;
  try {
    made = settingsReference(newest(plan(machine)).id);
  } catch (error) {
    return refusal(context, error, request);
  }
  const job = context.jobs.start({
    ...request,
    className: 'Msvm_ConcreteJob',
    affects: [systemReference(machine.id), made],
    work: () => takeCheckpoint(context, machine.id, plan),
  });
  return jobStarted(job, context.host.refuse.has('results-with-job') ? {} : { ResultingSnapshot: made });
}

function newest({ checkpoints }: Machine): Checkpoint {
  const last = checkpoints?.at(-1);
  if (last === undefined) throw new Error('a checkpoint was planned');
  return last;
}

async function takeCheckpoint(
  context: ServiceContext,
  machineId: string,
  plan: (machine: Machine) => Machine,
): Promise<void> {
  await context.machines.switchDisks(machineId, plan, async (after) => {
    const { disks } = newest(after);
    const remove = (): Promise<unknown> =>
      Promise.all(disks.map(({ active }) => rm(context.host.paths.toLocal(active), { force: true })));
    try {
      for (const disk of disks) await diskErrors(disk.frozen, () => makeDifference(context, disk));
    } catch (error) {
      await remove();
      throw error;
    }
    return { undo: remove, done: () => Promise.resolve() };
  });
}

async function makeDifference(context: ServiceContext, { frozen, active }: CheckpointDisk): Promise<void> {
  const local = context.host.paths.toLocal(active);
  const { format } = await inspect(context.host.paths.toLocal(frozen));
  const options = { path: local, type: 'differencing', parent: parentOf(context, frozen, local) } as const;
  await (format === 'vhd' ? createVhd(options) : createVhdx(options));
}

function destroy(context: ServiceContext, call: MethodCall): InvokeResult {
  const id = machineIdOf(keyOf(call.reference1('AffectedSnapshot'), 'InstanceID')) ?? '';
  const machine = context.machines.all().find((one) => one.checkpoints?.some((each) => each.id === id));
  if (machine === undefined) return returned(HV.invalidParameter);
  const request = {
    caption: 'Removing Virtual Machine Checkpoint',
    jobType: TYPE.remove,
    machineId: machine.id,
  };
  try {
    planRemoval(machine, id);
  } catch (error) {
    return refusal(context, error, request);
  }
  const job = context.jobs.start({
    ...request,
    className: 'Msvm_ConcreteJob',
    affects: [systemReference(machine.id)],
    work: () => removeCheckpoint(context, machine.id, id),
  });
  return jobStarted(job);
}

/** Cut off anywhere, the machine has its difference still, and the same content: a merge changes nothing that is seen through the child. */
async function removeCheckpoint(context: ServiceContext, machineId: string, id: string): Promise<void> {
  const { paths } = context.host;
  let disks: readonly CheckpointDisk[] = [];
  const plan = (present: Machine): Machine => {
    disks = present.checkpoints?.find((one) => one.id === id)?.disks ?? [];
    return planRemoval(present, id);
  };
  await context.machines.switchDisks(machineId, plan, async () => {
    const local = disks.map(({ frozen, active }) => ({
      from: paths.toLocal(active),
      into: paths.toLocal(frozen),
      active,
    }));
    const free = context.machines.holds.hold({ writes: local.flatMap(({ from, into }) => [from, into]) });
    try {
      for (const { from, into, active } of local) {
        await diskErrors(active, () =>
          mergeDisk({ path: from, resolveParent: parentResolver(paths) }, { into }),
        );
      }
    } finally {
      free();
    }
    return {
      undo: () => Promise.resolve(),
      done: async () => {
        for (const { active } of disks) await rm(paths.toLocal(active), { force: true });
      },
    };
  });
}
