import { HyperVError, isRefusal, RESOURCE } from '@nova-hyperv/hyperv';
import type { CimInstance, CimReference } from '@nova-hyperv/wsman';
import { DriverError } from '../errors.js';
import type { HyperVHost, InvokeOptions, MachineHandle } from '@nova-hyperv/hyperv';
import type { VmSpec } from '../plan/vm-spec.js';
import type { DiskPaths } from './drive-steps.js';
import { nextStep } from './next-step.js';
import type { Addition, Step } from './step.js';
import { observeRows } from './observe.js';
import { justDefined } from './observed.js';
import type { ObservedMachine } from './observed.js';
import { definition } from './settings.js';

export interface RealiseOptions {
  readonly signal?: AbortSignal;
  /** Where the volumes are that the machine has as disks of the host. */
  readonly disks?: DiskPaths;
  /** How to come nearer; by default by whatever differs. */
  readonly next?: typeof nextStep;
}

/** Far above what any spec needs: a host that does not keep what it is told must not hold us for ever. */
const MOST_STEPS = 40;

/** Reads a machine back. One query as a rule. */
export async function observe(
  host: HyperVHost,
  machine: Pick<MachineHandle, 'id'>,
): Promise<ObservedMachine> {
  return observeRows(machine.id, await host.machines.settingsOf(machine));
}

/** Makes the machine with its own settings and nothing in it. */
export async function define(
  host: HyperVHost,
  spec: VmSpec,
  options: RealiseOptions = {},
): Promise<MachineHandle> {
  return host.machines.define(definition(spec), [], invokeOptions(options));
}

/**
 * Brings a machine to its spec, call by call, and returns what it then is. A host that refuses several resources in one call gets them
 * one by one, and is remembered for it.
 */
export async function realise(
  host: HyperVHost,
  machine: MachineHandle,
  spec: VmSpec,
  observed: ObservedMachine = justDefined(machine.id),
  options: RealiseOptions = {},
): Promise<ObservedMachine> {
  const { disks = new Map(), next = nextStep } = options;
  const { name } = await host.facts();
  let now = observed;
  let oneByOne = !host.shapes.allows('add-several-resources');
  let refusal: Error | undefined;
  for (let steps = 0; steps < MOST_STEPS; steps += 1) {
    const step = next(spec, now, name, disks);
    if (step === undefined) {
      if (refusal !== undefined) host.shapes.refuse('add-several-resources', refusal.message);
      return now;
    }
    try {
      now = await perform(host, machine, step, now, oneByOne, options);
    } catch (error) {
      if (oneByOne || !hasSeveral(step) || !isRefusal(error) || !(error instanceof Error)) throw error;
      refusal = error;
      oneByOne = true;
      now = await observe(host, machine);
    }
  }
  throw new HyperVError(
    'HYPERV_UNEXPECTED',
    `Machine ${machine.name} does not become what it should be: the host ${name} accepts changes and does not show them.`,
    { host: name },
  );
}

function hasSeveral(step: Step): boolean {
  return (
    (step.kind === 'add' && step.additions.length > 1) ||
    (step.kind === 'modify' && step.resources.length > 1)
  );
}

async function perform(
  host: HyperVHost,
  machine: MachineHandle,
  step: Step,
  now: ObservedMachine,
  oneByOne: boolean,
  options: RealiseOptions,
): Promise<ObservedMachine> {
  options.signal?.throwIfAborted();
  const invoke = invokeOptions(options);
  switch (step.kind) {
    case 'observe':
      return observe(host, machine);
    case 'remove':
      await host.machines.removeResources(step.references, invoke);
      return step.after;
    case 'add':
      return add(host, machine, oneByOne ? step.additions.slice(0, 1) : step.additions, now, invoke);
    case 'modify':
      for (const resources of oneByOne ? step.resources.map((resource) => [resource]) : [step.resources]) {
        await host.machines.modifyResources(resources, invoke);
      }
      return step.after;
    case 'feature':
      if (step.isNew) await host.machines.addFeatures(step.connection, [step.feature], invoke);
      else await host.machines.modifyFeatures([step.feature], invoke);
      return step.after;
    case 'settings':
      await host.machines.modifySettings(machine, step.changes, invoke);
      return step.after;
    default:
      return step satisfies never;
  }
}

/** A host need not tell what it made: then it is asked. */
async function add(
  host: HyperVHost,
  machine: MachineHandle,
  additions: readonly Addition[],
  now: ObservedMachine,
  invoke: InvokeOptions,
): Promise<ObservedMachine> {
  const made = await addExplained(host, machine, additions, invoke);
  const told =
    made.length === additions.length &&
    additions.every(({ instance }, index) => made[index]?.className === instance.className);
  if (!told) return observe(host, machine);
  return additions.reduce((before, { apply }, index) => {
    const reference = made[index];
    return reference === undefined ? before : apply(before, reference);
  }, now);
}

async function addExplained(
  host: HyperVHost,
  machine: MachineHandle,
  additions: readonly Addition[],
  invoke: InvokeOptions,
): Promise<readonly CimReference[]> {
  const instances = await Promise.all(additions.map((addition) => complete(host, addition)));
  try {
    return await host.machines.addResources(machine, instances, invoke);
  } catch (error) {
    if (
      !additions.some(({ onDefaultOf }) => onDefaultOf === 'remoteFxDisplay') ||
      !isRefusal(error) ||
      !(error instanceof Error)
    )
      throw error;
    throw new DriverError(
      'InstanceUnacceptable',
      `Host ${host.name} does not give machine ${machine.name} a RemoteFX adapter (${error.message}). Windows' updates disabled RemoteFX in July 2020 and removed it in April 2021 (KB4570006): use Discrete Device Assignment instead (pci_passthrough:alias).`,
      { scope: 'host', cause: error },
    );
  }
}

async function complete(host: HyperVHost, { instance, onDefaultOf }: Addition): Promise<CimInstance> {
  if (onDefaultOf === undefined) return instance;
  const { className, subType } = RESOURCE[onDefaultOf];
  const { properties } = await host.machines.defaultOf(className, subType);
  const known = Object.entries(properties).filter(([name, value]) => value !== null && name !== 'InstanceID');
  return { ...instance, properties: { ...Object.fromEntries(known), ...instance.properties } };
}

function invokeOptions({ signal }: RealiseOptions): InvokeOptions {
  return signal === undefined ? {} : { signal };
}
