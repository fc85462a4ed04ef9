import { STATE } from '@nova-hyperv/hyperv';
import type { InvokeOptions, MachineHandle } from '@nova-hyperv/hyperv';
import type { DriverContext } from './context.js';
import { destroyMachine } from './destroy.js';
import { makeDiskFile } from './disks/make-files.js';
import { DriverError } from './errors.js';
import { findMachines } from './lookup.js';
import type { EarlyPlanInput, PlanHostFacts } from './plan/input.js';
import { plan, planEarly } from './plan/plan.js';
import type { SpawnPlan } from './plan/plan.js';
import { define, realise } from './realise/realise.js';
import { Rollback } from './rollback.js';
import type { SpawnRequest } from './types.js';

/**
 * Makes an instance's machine and starts it. Nothing on the host is touched before the plan stands, but for the image cache; what was
 * made before a failure is undone, last first, and the failure itself is thrown.
 */
export async function spawn(context: DriverContext, request: SpawnRequest): Promise<void> {
  const phases = new PhaseClock(request.onPhase);
  const { signal, instance } = request;
  signal?.throwIfAborted();
  const early = await earlyInput(context, request);
  const { rootFormat } = planEarly(early);
  phases.end('plan');
  await refuseTakenName(context, request);
  const base = await context.cache.ensure(request.image, rootFormat, request.images, { signal });
  const spawnPlan = plan({ ...early, base });
  phases.end('image');
  signal?.throwIfAborted();
  const rollback = new Rollback(context.log.child({ instance: instance.uuid }));
  try {
    await make(context, request, spawnPlan, rollback, phases);
  } catch (error) {
    await rollback.undoAll();
    throw error;
  }
}

async function make(
  context: DriverContext,
  request: SpawnRequest,
  spawnPlan: SpawnPlan,
  rollback: Rollback,
  phases: PhaseClock,
): Promise<void> {
  const { host, folders, consoles } = context;
  const { instance, signal } = request;
  const options: InvokeOptions = signal === undefined ? {} : { signal };
  rollback.add('the instance folder', async () => {
    await folders.remove(instance, { trusted: false });
  });
  await folders.create(instance);
  const machine = await makeDisksAndMachine(context, request, spawnPlan, rollback, options);
  phases.end('disks and definition');
  await realise(host, machine, spawnPlan.vm, undefined, options);
  phases.end('devices');
  await request.waitForPlugged?.(request.vifs);
  phases.end('network');
  signal?.throwIfAborted();
  if (request.powerOn !== false) {
    rollback.add('the console log', () => consoles.stop(instance.uuid));
    consoles.start(instance);
    await host.power.request(machine, STATE.running, options);
  }
  phases.end('power on');
}

/** The disks and the bare machine do not need each other: both are made at once, and one failing waits for the other's end. */
async function makeDisksAndMachine(
  context: DriverContext,
  { instance }: SpawnRequest,
  { vm, files, resizedBase }: SpawnPlan,
  rollback: Rollback,
  options: InvokeOptions,
): Promise<MachineHandle> {
  const { host, cache } = context;
  if (resizedBase !== undefined) await cache.ensureResized(resizedBase, options);
  // Looked for by name: a definition that failed here may still have succeeded there.
  rollback.add('the machine', async () => {
    for (const left of await findMachines(host, instance)) await destroyMachine(context, instance, left);
  });
  // Not given up midway: what the host finishes after we stopped to wait would escape the rollback.
  const [made, defined] = await Promise.allSettled([
    allOf(files.map((file) => makeDiskFile(host, file))),
    define(host, vm),
  ]);
  options.signal?.throwIfAborted();
  if (defined.status === 'rejected') throw defined.reason;
  if (made.status === 'rejected') throw made.reason;
  return defined.value;
}

/** Waits for all, then throws the first failure: nothing is still at work when the rollback begins. */
async function allOf(works: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(works)).find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

async function earlyInput(context: DriverContext, request: SpawnRequest): Promise<EarlyPlanInput> {
  const facts = await context.host.facts();
  const host: PlanHostFacts = {
    name: facts.name,
    windowsVersion: facts.version,
    logicalProcessors: facts.logicalProcessors,
    switches: facts.switches,
  };
  return {
    instance: request.instance,
    image: request.image,
    vifs: request.vifs,
    host,
    config: context.config,
  };
}

async function refuseTakenName({ host }: DriverContext, { instance }: SpawnRequest): Promise<void> {
  const [taken] = await host.machines.findByName(instance.name);
  if (taken === undefined) return;
  const owner =
    taken.notes[0] === instance.uuid ? 'this instance' : (taken.notes[0] ?? 'nobody that it names');
  throw new DriverError(
    'InstanceExists',
    `The host has a machine named ${instance.name} already (it belongs to ${owner}). Remove it, or change instance_name_template.`,
    { scope: 'host' },
  );
}

/** Tells how long each phase took. */
class PhaseClock {
  readonly #tell: SpawnRequest['onPhase'];
  #since = performance.now();

  constructor(tell: SpawnRequest['onPhase']) {
    this.#tell = tell;
  }

  end(phase: string): void {
    const now = performance.now();
    this.#tell?.(phase, now - this.#since);
    this.#since = now;
  }
}
