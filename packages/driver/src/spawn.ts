import { hasCode, isOutcomeUnknown, STATE } from '@nova-hyperv/hyperv';
import type { HostFacts, InvokeOptions, MachineHandle } from '@nova-hyperv/hyperv';
import type { DriverContext } from './context.js';
import { destroyInstance, destroyMachine } from './destroy.js';
import { makeDiskFile } from './disks/make-files.js';
import { DriverError } from './errors.js';
import { findMachines } from './lookup.js';
import { staticMemoryReason } from './plan/capacity.js';
import type { BaseImage, EarlyPlanInput, PlanHostFacts } from './plan/input.js';
import { withRequestFacts } from './request-facts.js';
import { plan, planEarly } from './plan/plan.js';
import type { SpawnPlan } from './plan/plan.js';
import { ignoredQos } from './plan/volumes.js';
import { collectMetrics, collectTraffic } from './metrics.js';
import type { DiskPaths } from './realise/drive-steps.js';
import { define, realise } from './realise/realise.js';
import { Rollback } from './rollback.js';
import { explainStartFailure } from './start-failure.js';
import { fetchShieldingData, secureMachine } from './secure.js';
import { Stopwatch } from './stopwatch.js';
import type { SpawnRequest } from './types.js';
import { addressOf } from './volumes/address.js';
import { disconnectAll } from './volumes/disconnect.js';
import { resolveVolumes } from './volumes/drives.js';
import { connectAll, diskPathsOf } from './volumes/prepare.js';
import { changeRecord, readRecord } from './volumes/record.js';
import type { Logger } from 'pino';

/**
 * Makes an instance's machine and starts it. Nothing on the host is touched before the plan stands, but for the image cache; what was
 * made before a failure is undone, last first, and the failure itself is thrown.
 */
export async function spawn(context: DriverContext, request: SpawnRequest): Promise<void> {
  const { signal, instance, image } = request;
  const log = context.log.child({ instance: instance.uuid });
  const phases = new PhaseClock(request.onPhase, log);
  const whole = new Stopwatch();
  signal?.throwIfAborted();
  // What an earlier try of this instance may have left goes first: it would stand in the way.
  if (context.lateCleanup.drop(instance.uuid)) await destroyInstance(context, instance);
  const early = await earlyInput(context, request);
  const { rootFormat, provisioning } = planEarly(early);
  phases.end('plan');
  const shieldingData =
    provisioning === undefined ? undefined : await fetchShieldingData(request, provisioning);
  await refuseTakenName(context, request);
  const releaseImage = context.cache.hold(image.id);
  const releaseVolumes = context.volumes.hold((request.volumes ?? []).map((volume) => addressOf(volume)));
  const rollback = new Rollback(log);
  try {
    const base: BaseImage =
      rootFormat === 'volume'
        ? { kind: 'volume' }
        : await context.cache.ensure(image, rootFormat, request.images, { signal, instance: instance.uuid });
    const spawnPlan = plan({ ...early, base });
    phases.end('image');
    signal?.throwIfAborted();
    const { name, generation, directory, processors } = spawnPlan.vm;
    const reason = staticMemoryReason(processors);
    if (reason !== undefined && context.config.dynamicMemoryRatio > 1)
      log.warn(
        `The memory is static although dynamic_memory_ratio is set: ${reason} excludes dynamic memory`,
      );
    for (const volume of early.volumes ?? []) {
      const ignored = ignoredQos(volume);
      if (ignored !== undefined) log.warn(ignored);
    }
    log.info({ image: image.id }, `Making machine ${name} of generation ${generation} in ${directory}`);
    const secure = async (machine: MachineHandle, options: InvokeOptions) => {
      if (provisioning === undefined || shieldingData === undefined) return;
      await secureMachine(context, machine, spawnPlan.vm, provisioning, shieldingData, options);
      phases.end('security');
    };
    await make(context, request, spawnPlan, rollback, phases, secure, releaseVolumes);
    log.info(`Spawning the instance on the hypervisor took ${whole.seconds()} seconds`);
  } catch (error) {
    const complete = await rollback.undoAll();
    if (!complete || isOutcomeUnknown(error)) context.lateCleanup.add(instance);
    throw removedMeanwhile(error) ?? error;
  } finally {
    releaseImage();
    releaseVolumes();
  }
}

async function make(
  context: DriverContext,
  request: SpawnRequest,
  spawnPlan: SpawnPlan,
  rollback: Rollback,
  phases: PhaseClock,
  secure: (machine: MachineHandle, options: InvokeOptions) => Promise<void>,
  releaseVolumes: () => void,
): Promise<void> {
  const { host, folders, consoles } = context;
  const { instance, signal } = request;
  const options: InvokeOptions = signal === undefined ? {} : { signal };
  rollback.add('the instance folder', async () => {
    if ((await readRecord(context, instance)).length > 0)
      throw new Error('The host may still be connected to volumes that the folder names.');
    await folders.remove(instance, { trusted: false });
  });
  await folders.create(instance);
  const disks = await connectVolumes(context, request, rollback, releaseVolumes);
  if (disks.size > 0) phases.end('volumes');
  const machine = await makeDisksAndMachine(context, request, spawnPlan, rollback, options);
  phases.end('disks and definition');
  const made = await realise(host, machine, spawnPlan.vm, undefined, { ...options, disks });
  await collectMetrics(context, instance, machine, made);
  phases.end('devices');
  await secure(machine, options);
  await request.waitForPlugged?.(request.vifs);
  phases.end('network');
  signal?.throwIfAborted();
  if (request.powerOn !== false) {
    rollback.add('the console log', () => consoles.stop(instance.uuid));
    consoles.start(instance);
    try {
      await host.power.request(machine, STATE.running, options);
    } catch (error) {
      throw await explainStartFailure(host, machine, error);
    }
    await collectTraffic(context, instance, made);
  }
  phases.end('power on');
}

/** Before the machine is made, so that it finds its disks; the rollback lets go of them when the machine is gone. */
async function connectVolumes(
  context: DriverContext,
  { instance, volumes = [], signal }: SpawnRequest,
  rollback: Rollback,
  release: () => void,
): Promise<DiskPaths> {
  if (volumes.length === 0) return new Map();
  rollback.add('the connections to volumes', () => {
    release();
    return disconnectAll(context, instance, volumes);
  });
  await changeRecord(context, instance, { add: volumes.map((volume) => addressOf(volume)) });
  return diskPathsOf(await connectAll(context, volumes, signal));
}

/** The disks and the bare machine do not need each other: both are made at once, and one failing waits for the other's end. */
async function makeDisksAndMachine(
  context: DriverContext,
  request: SpawnRequest,
  { vm, files, resizedBase }: SpawnPlan,
  rollback: Rollback,
  options: InvokeOptions,
): Promise<MachineHandle> {
  const { host, cache } = context;
  const { instance } = request;
  if (resizedBase !== undefined) await cache.ensureResized(resizedBase, options);
  // Looked for by name: a definition that failed here may still have succeeded there.
  rollback.add('the machine', async () => {
    for (const left of await findMachines(host, instance)) await destroyMachine(context, instance, left);
  });
  // Not given up midway: what the host finishes after we stopped to wait would escape the rollback.
  const [made, defined] = await Promise.allSettled([
    allOf(files.map((file) => makeDiskFile(host, file, request))),
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

/** Not InstanceNotFound: for Nova that means that the user has deleted the instance, and it would forget it without a word. */
function removedMeanwhile(error: unknown): DriverError | undefined {
  if (!(error instanceof Error) || !hasCode(error, 'HYPERV_NOT_FOUND')) return undefined;
  return new DriverError(
    'NovaException',
    `${error.message} Something else on the host removed it while it was made: look who manages machines there besides this service.`,
    { cause: error },
  );
}

export function planFactsOf(facts: HostFacts): PlanHostFacts {
  return {
    name: facts.name,
    windowsVersion: facts.version,
    logicalProcessors: facts.logicalProcessors,
    processorMhz: facts.processors.maxClockMhz,
    clustered: facts.clustered,
    switches: facts.switches,
  };
}

async function earlyInput(context: DriverContext, request: SpawnRequest): Promise<EarlyPlanInput> {
  const { instance } = request;
  const facts = planFactsOf(await context.host.facts());
  return {
    instance,
    image: request.image,
    vifs: request.vifs,
    ...(request.volumes === undefined ? {} : { volumes: await resolveVolumes(context, request.volumes) }),
    host: await withRequestFacts(context, request, facts),
    config: context.config,
    configDrive: request.configDrive !== undefined,
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
  readonly #log: Logger;
  #phase = new Stopwatch();

  constructor(tell: SpawnRequest['onPhase'], log: Logger) {
    this.#tell = tell;
    this.#log = log;
  }

  end(phase: string): void {
    const milliseconds = this.#phase.milliseconds();
    this.#phase = new Stopwatch();
    this.#log.debug({ phase, milliseconds: Math.round(milliseconds) }, `Spawn: ${phase} done`);
    this.#tell?.(phase, milliseconds);
  }
}
