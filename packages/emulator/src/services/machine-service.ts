import { WBEM, WmiError } from '@nova-hyperv/wsman';
import type { CimReference, InvokeResult } from '@nova-hyperv/wsman';
import { sameText, textOf, textsOf } from '../cim.js';
import { HV, HyperVError } from '../errors.js';
import { addResource } from '../machines/add.js';
import { defineMachine } from '../machines/define.js';
import { addFeature, modifyFeature, removeFeature } from '../machines/features.js';
import {
  STATE,
  idOf,
  machineIdOf,
  nameOf,
  resourceById,
  resourceReference,
  systemReference,
} from '../machines/model.js';
import type { Machine } from '../machines/model.js';
import { modifyResource } from '../machines/modify.js';
import { removeResource } from '../machines/remove.js';
import type { RuleHost } from '../machines/rules.js';
import { modifySystemSettings } from '../machines/system-settings.js';
import { completed, jobStarted, keyOf, returned } from '../methods.js';
import type { MethodCall, MethodHandler } from '../methods.js';
import { changeMachine, recordedGuids, refusal, refuseShape } from './context.js';
import type { PlannedChange, ServiceContext } from './context.js';
import { ProcessorLoads } from '../metrics/processor-load.js';
import { summaryInformation } from './summary.js';
import { thumbnail } from './thumbnail.js';

/** `JobType` values. Source: HyperV_v2, Msvm_ConcreteJob. */
const TYPE = {
  define: 1,
  modify: 2,
  destroy: 3,
  addResources: 30,
  modifyResources: 31,
  removeResources: 32,
} as const;

/** Methods of Msvm_VirtualSystemManagementService. Those that are not here answer 32770, not supported. */
export function machineServiceMethods(context: ServiceContext): Readonly<Record<string, MethodHandler>> {
  const loads = new ProcessorLoads(context);
  return {
    DefineSystem: (call) => defineSystem(context, call),
    DestroySystem: (call) => destroySystem(context, call),
    ModifySystemSettings: (call) => modifySystem(context, call),
    AddResourceSettings: (call) => addResources(context, call),
    ModifyResourceSettings: (call) => modifyResources(context, call),
    RemoveResourceSettings: (call) => removeResources(context, call),
    AddFeatureSettings: (call) => addFeatures(context, call),
    ModifyFeatureSettings: (call) => modifyFeatures(context, call),
    RemoveFeatureSettings: (call) => removeFeatures(context, call),
    GetSummaryInformation: async (call) =>
      completed({ SummaryInformation: await summaryInformation(context, loads, call) }),
    GetVirtualSystemThumbnailImage: (call) => thumbnail(context, call),
    FormatError: (call) => completed({ ErrorMessage: textsOf(call.raw('Errors')).join('\n') }),
    RequestStateChange: () => returned(1),
    StartService: () => returned(1),
    StopService: () => returned(1),
  };
}

function defineSystem(context: ServiceContext, call: MethodCall): InvokeResult {
  const request = { caption: 'Defining Virtual Machine', jobType: TYPE.define };
  const settings = call.instance('SystemSettings', 'Msvm_VirtualSystemSettingData');
  const resources = call.instances('ResourceSettings', 'CIM_ResourceAllocationSettingData');
  refuseShape(context.host, 'define-with-resources', resources.length > 0);
  if (call.raw('ReferenceConfiguration') !== null) {
    throw new HyperVError(HV.notSupported, 'A reference configuration is not supported.', { direct: true });
  }
  const tape = recordedGuids(context.host);
  const plan = (): Machine => {
    const host = tape();
    return defineMachine(host.newGuid(), settings, resources, host);
  };
  let planned: Machine;
  try {
    planned = plan();
  } catch (error) {
    return refusal(context, error, request);
  }
  const system = systemReference(planned.id);
  const job = context.jobs.start({
    ...request,
    className: 'Msvm_ConcreteJob',
    machineId: planned.id,
    affects: [system],
    work: () =>
      context.machines.exclusively(
        planned.id,
        async () => await Promise.resolve(context.machines.define(planned)),
      ),
  });
  return jobStarted(job, context.host.refuse.has('results-with-job') ? {} : { ResultingSystem: system });
}

function destroySystem(context: ServiceContext, call: MethodCall): InvokeResult {
  const machine = systemOf(context, call.reference1('AffectedSystem'));
  if (machine.enabledState !== STATE.off && machine.enabledState !== STATE.saved)
    return returned(HV.invalidState);
  if (context.jobs.isBusy(machine.id)) return returned(HV.invalidState);
  const job = context.jobs.start({
    className: 'Msvm_ConcreteJob',
    caption: 'Destroying Virtual Machine',
    jobType: TYPE.destroy,
    machineId: machine.id,
    affects: [systemReference(machine.id)],
    work: async () => {
      await context.machines.destroy(machine.id);
      context.jobs.forgetMachine(machine.id);
    },
  });
  return jobStarted(job);
}

function modifySystem(context: ServiceContext, call: MethodCall): InvokeResult {
  const settings = call.instance('SystemSettings', 'Msvm_VirtualSystemSettingData');
  const machine = ownerOf(context, textOf(settings.properties['InstanceID']));
  return changeMachine(context, {
    machineId: machine.id,
    caption: 'Modifying Virtual Machine',
    jobType: TYPE.modify,
    plan: (current, host) => ({ machine: modifySystemSettings(current, settings, host), results: [] }),
  });
}

function addResources(context: ServiceContext, call: MethodCall): InvokeResult {
  const machine = systemOf(context, call.reference1('AffectedConfiguration'));
  const wanted = someOf(
    call.instances('ResourceSettings', 'CIM_ResourceAllocationSettingData'),
    'ResourceSettings',
  );
  refuseShape(context.host, 'add-several-resources', wanted.length > 1);
  const isSelfReferring = context.host.refuse.has('parent-in-same-call');
  return changeMachine(context, {
    machineId: machine.id,
    caption: 'Adding Virtual Machine Resources',
    jobType: TYPE.addResources,
    resultName: 'ResultingResourceSettings',
    plan: (current, host) => {
      const before = current;
      return foldChange(current, host, wanted, (state, one, ruleHost) => {
        if (isSelfReferring) requireEarlierParent(before, state, textOf(one.properties['Parent']));
        const { machine: next, added } = addResource(state, one, ruleHost);
        return { machine: next, results: [resourceReference(added)] };
      });
    },
  });
}

/** With the refusal `parent-in-same-call`: a Parent must have been there before the call. */
function requireEarlierParent(before: Machine, now: Machine, parent: string): void {
  const isNew = [...now.resources.keys()].some(
    (id) => !before.resources.has(id) && parent.toLowerCase().includes(id.replaceAll('\\', '\\\\')),
  );
  if (isNew)
    throw new HyperVError(HV.invalidParameter, `Parent names a resource of the same call: ${parent}`);
}

function modifyResources(context: ServiceContext, call: MethodCall): InvokeResult {
  const wanted = someOf(
    call.instances('ResourceSettings', 'CIM_ResourceAllocationSettingData'),
    'ResourceSettings',
  );
  refuseShape(context.host, 'add-several-resources', wanted.length > 1);
  const machine = commonOwner(context, wanted.map(idOf));
  return changeMachine(context, {
    machineId: machine.id,
    caption: 'Modifying Virtual Machine Resources',
    jobType: TYPE.modifyResources,
    resultName: 'ResultingResourceSettings',
    plan: (current, host) =>
      foldChange(current, host, wanted, (state, one, ruleHost) => {
        const { machine: next, modified } = modifyResource(state, one, ruleHost);
        return { machine: next, results: [resourceReference(modified)] };
      }),
  });
}

function removeResources(context: ServiceContext, call: MethodCall): InvokeResult {
  const ids = someOf(call.references('ResourceSettings'), 'ResourceSettings').map((reference) =>
    keyOf(reference, 'InstanceID'),
  );
  const machine = commonOwner(context, ids);
  for (const id of ids) requireResource(machine, id);
  return changeMachine(context, {
    machineId: machine.id,
    caption: 'Removing Virtual Machine Resources',
    jobType: TYPE.removeResources,
    plan: (current, host) =>
      foldChange(current, host, ids, (state, id, ruleHost) => ({
        machine: removeResource(state, id, ruleHost),
        results: [],
      })),
  });
}

function addFeatures(context: ServiceContext, call: MethodCall): InvokeResult {
  const port = keyOf(call.reference1('AffectedConfiguration'), 'InstanceID');
  const wanted = someOf(call.instances('FeatureSettings', 'Msvm_FeatureSettingData'), 'FeatureSettings');
  return changeMachine(context, {
    machineId: ownerOf(context, port).id,
    caption: 'Adding Ethernet Switch Port Features',
    jobType: TYPE.addResources,
    resultName: 'ResultingFeatureSettings',
    plan: (current, host) =>
      foldChange(current, host, wanted, (state, one, ruleHost) => {
        const { machine, feature } = addFeature(state, port, one, ruleHost);
        return { machine, results: [resourceReference(feature)] };
      }),
  });
}

function modifyFeatures(context: ServiceContext, call: MethodCall): InvokeResult {
  const wanted = someOf(call.instances('FeatureSettings', 'Msvm_FeatureSettingData'), 'FeatureSettings');
  return changeMachine(context, {
    machineId: commonOwner(context, wanted.map(idOf)).id,
    caption: 'Modifying Ethernet Switch Port Features',
    jobType: TYPE.modifyResources,
    resultName: 'ResultingFeatureSettings',
    plan: (current, host) =>
      foldChange(current, host, wanted, (state, one) => {
        const { machine, feature } = modifyFeature(state, one);
        return { machine, results: [resourceReference(feature)] };
      }),
  });
}

function removeFeatures(context: ServiceContext, call: MethodCall): InvokeResult {
  const ids = someOf(call.references('FeatureSettings'), 'FeatureSettings').map((reference) =>
    keyOf(reference, 'InstanceID'),
  );
  const machine = commonOwner(context, ids);
  for (const id of ids) requireResource(machine, id);
  return changeMachine(context, {
    machineId: machine.id,
    caption: 'Removing Ethernet Switch Port Features',
    jobType: TYPE.removeResources,
    plan: (current, host) =>
      foldChange(current, host, ids, (state, id) => ({ machine: removeFeature(state, id), results: [] })),
  });
}

/** Applies the elements of an array one after the other; all of them, or none. */
function foldChange<T>(
  machine: Machine,
  host: RuleHost,
  elements: readonly T[],
  step: (machine: Machine, element: T, host: RuleHost) => PlannedChange,
): PlannedChange {
  let state = machine;
  const results: CimReference[] = [];
  for (const element of elements) {
    const change = step(state, element, host);
    state = change.machine;
    results.push(...change.results);
  }
  return { machine: state, results };
}

/** The machine that a computer system or its settings name. */
export function systemOf(context: ServiceContext, reference: CimReference): Machine {
  const name = sameText(reference.className, 'Msvm_VirtualSystemSettingData')
    ? (machineIdOf(keyOf(reference, 'InstanceID')) ?? '')
    : keyOf(reference, 'Name');
  return context.machines.require(name);
}

function ownerOf(context: ServiceContext, instanceId: string): Machine {
  const machine = context.machines.get(machineIdOf(instanceId) ?? '');
  if (machine !== undefined) return machine;
  throw new HyperVError(HV.invalidParameter, `'${instanceId}' belongs to no virtual machine of this host.`, {
    direct: true,
  });
}

function commonOwner(context: ServiceContext, ids: readonly string[]): Machine {
  const owners = ids.map((id) => ownerOf(context, id));
  const [first] = owners;
  if (first === undefined || owners.some((owner) => owner.id !== first.id)) {
    throw new HyperVError(
      HV.invalidParameter,
      'All elements of one call must belong to one virtual machine.',
      { direct: true },
    );
  }
  return first;
}

function requireResource(machine: Machine, instanceId: string): void {
  if (resourceById(machine, instanceId) !== undefined) return;
  throw new WmiError(WBEM.notFound, `'${nameOf(machine)}' has no setting ${instanceId}.`);
}

function someOf<T>(list: readonly T[], name: string): readonly T[] {
  if (list.length > 0) return list;
  throw new HyperVError(HV.invalidParameter, `${name} must have at least one element.`, { direct: true });
}
