import {
  DriverError,
  POWER_STATE,
  type ImageMeta,
  type ImageSource,
  type SecretSource,
  type VolumeDevice,
} from '@nova-hyperv/driver';
import { BuildInterruptedError } from '../errors.js';
import type { BuildRequest, InstanceChanges, InstanceRecord, TaskState } from '../ports.js';
import type { CallOptions } from '../rest/rest-client.js';
import { Semaphore } from '../util/semaphore.js';
import type { ComputeContext } from './context.js';
import { configDriveOf, needsConfigDrive } from './config-drive.js';
import { describeFailure, isOvertaken, recordFault } from './faults.js';
import { buildImage, withImageFacts } from './image-facts.js';
import { withInstanceEvent } from './instance-event.js';
import { connectVolumes, completeVolumes } from './volume-build.js';
import { hostedFlavor, readDeviceMetadata, volumeDevices } from './block-devices.js';
import { driverInstance, powerStateOf } from './instance-view.js';
import { allocateNetworks } from './networks.js';
import type { PlugWatches } from './plug-watch.js';
import { requestedPortIds, withPreservedPorts } from './preserved-ports.js';
import type { ResourceTracker } from './resource-tracker.js';
import { takeBack } from './undo.js';

const BUILD_TASKS: readonly TaskState[] = [
  'scheduling',
  null,
  'networking',
  'block_device_mapping',
  'spawning',
];

/** A build under way: the record as last saved, and how far the host has been touched. */
interface Build {
  readonly request: BuildRequest;
  readonly signal: AbortSignal;
  readonly call: CallOptions;
  record: InstanceRecord;
  spawnBegun: boolean;
}

/** Saves what {@link Builder.build} did in steps, as nova-compute does them (states of a recorded boot). */
export class Builder {
  readonly #ctx: ComputeContext;
  readonly #tracker: ResourceTracker;
  readonly #plugs: PlugWatches;
  readonly #places: Semaphore;

  constructor(ctx: ComputeContext, tracker: ResourceTracker, plugs: PlugWatches) {
    this.#ctx = ctx;
    this.#tracker = tracker;
    this.#plugs = plugs;
    this.#places = new Semaphore(ctx.config.maxConcurrentBuilds);
  }

  /**
   * Builds the instance and sees a failure to its end: afterwards it is active, in ERROR with a fault, handed to the rescheduler,
   * or, when it was deleted meanwhile, left to the deletion.
   */
  async build(request: BuildRequest, signal: AbortSignal): Promise<void> {
    try {
      await withInstanceEvent(this.#ctx, request, 'compute__do_build_and_run_instance', () =>
        this.#buildOrSettle(request, signal),
      );
    } catch (error) {
      const log = { err: error, instance: request.instanceUuid };
      if (isOvertaken(error)) this.#ctx.log.info(log, 'the instance disappeared while it was built');
      else this.#ctx.log.warn(log, 'the build of an instance failed');
    }
  }

  async #buildOrSettle(request: BuildRequest, signal: AbortSignal): Promise<void> {
    const { instances, host, driver } = this.#ctx;
    // Written before anything is waited for, so that a restart of the service finds the instance among its own.
    const record = await instances.save(
      request.instanceUuid,
      { host, node: driver.nodeName },
      { expectedTaskState: ['scheduling', null] },
    );
    const call: CallOptions = { requestId: request.requestId, signal };
    const build: Build = { request, signal, call, record, spawnBegun: false };
    const closeWatch = this.#plugs.open(record.uuid);
    try {
      const leave = await this.#places.acquire(signal);
      try {
        await this.#run(build);
      } finally {
        leave();
      }
    } catch (error) {
      await this.#settleFailure(build, error);
      throw error;
    } finally {
      closeWatch();
    }
  }

  async #run(build: Build): Promise<void> {
    const { request, signal, record } = build;
    await this.#save(build, { vmState: 'building', taskState: null }, ['scheduling', null]);
    this.#tracker.claim(record.uuid, hostedFlavor(record, record.flavor));
    const systemMetadata = withPreservedPorts(build.record.systemMetadata, requestedPortIds(request));
    // Kept before anything is made with them: a service that is killed finds who holds what.
    const pciDevices = this.#tracker.pci.claim(record.uuid, record.flavor);
    await this.#save(build, { vmState: 'building', taskState: 'networking', systemMetadata, pciDevices }, [
      null,
    ]);
    signal.throwIfAborted();
    const networkInfo = await allocateNetworks(this.#ctx, build.record, request, build.call);
    await this.#save(build, { taskState: 'block_device_mapping', networkInfo }, ['networking']);
    const image = await buildImage(this.#ctx, build.record, build.call);
    const devices = await connectVolumes(this.#ctx, build.record, build.call);
    await this.#save(
      build,
      {
        taskState: 'spawning',
        systemMetadata: withImageFacts(build.record.systemMetadata, image),
        configDrive: needsConfigDrive(this.#ctx, build.record, image),
      },
      ['block_device_mapping'],
    );
    await this.#spawn(build, image, volumeDevices(devices));
    signal.throwIfAborted();
    await completeVolumes(this.#ctx, devices, build.call);
    const deviceMetadata = await readDeviceMetadata(this.#ctx, build.record);
    const powerState = await powerStateOf(this.#ctx, build.record);
    await this.#save(
      build,
      { vmState: 'active', taskState: null, powerState, deviceMetadata, launchedAt: this.#ctx.clock.now() },
      ['spawning'],
    );
  }

  async #spawn(build: Build, image: ImageMeta, volumes: readonly VolumeDevice[]): Promise<void> {
    const { record, signal, request } = build;
    const { config, clock, driver, log } = this.#ctx;
    signal.throwIfAborted();
    const configDrive = record.configDrive
      ? await configDriveOf(this.#ctx, record, request, build.call)
      : undefined;
    build.spawnBegun = true;
    const images: ImageSource = this.#ctx.images.imageSource({ requestId: request.requestId });
    await driver.spawn({
      instance: driverInstance(record),
      image,
      volumes,
      vifs: record.networkInfo,
      images,
      ...(configDrive === undefined ? {} : { configDrive }),
      ...this.#secrets(record, request),
      signal,
      powerOn: true,
      waitForPlugged: (vifs) =>
        this.#plugs.waitForPlugged(record.uuid, vifs, {
          timeoutSeconds: config.vifPluggingTimeoutSeconds,
          isFatal: config.vifPluggingIsFatal,
          clock,
          signal,
          onTrouble: (message) => log.warn({ instance: record.uuid }, message),
        }),
    });
  }

  /** With the rights of the instance's user. */
  #secrets(record: InstanceRecord, { requestId }: BuildRequest): { readonly secrets?: SecretSource } {
    const { keyManager } = this.#ctx;
    return keyManager === undefined ? {} : { secrets: keyManager.secretSource(record.userId, { requestId }) };
  }

  async #save(build: Build, changes: InstanceChanges, expected: readonly TaskState[]): Promise<void> {
    build.record = await this.#ctx.instances.save(build.record.uuid, changes, {
      expectedTaskState: expected,
    });
  }

  /** Takes everything back, then says so in the store: what is found there is never better than what there is. */
  async #settleFailure(build: Build, error: unknown): Promise<void> {
    const { record, request, signal } = build;
    const { requestId } = request;
    // A machine of that name that was there before is not ours to remove.
    const foreign = error instanceof DriverError && error.novaName === 'InstanceExists';
    const interrupted: unknown = signal.aborted ? signal.reason : null;
    const failure = describeFailure(interrupted ?? error, this.#ctx.host);
    const mayGoOn = failure.scope === 'host' && interrupted === null && !isOvertaken(error);
    const left = await takeBack(
      this.#ctx,
      record,
      { machine: build.spawnBegun && !foreign, volumes: mayGoOn ? 'keep' : 'release' },
      { requestId },
    );
    this.#tracker.release(record.uuid);
    if (isOvertaken(error)) return;
    if (interrupted instanceof BuildInterruptedError && interrupted.reason === 'deleted') return;
    const cause = interrupted ?? error;
    const retryable = mayGoOn && left.length === 0;
    await recordFault(this.#ctx, record.uuid, cause);
    // What could not be taken back is found by a deletion only while the instance is still this host's.
    const place: InstanceChanges =
      left.length === 0 ? { host: null, node: null, networkInfo: [], pciDevices: [] } : {};
    const state: InstanceChanges = retryable
      ? { taskState: 'scheduling' }
      : { vmState: 'error', taskState: null, powerState: POWER_STATE.NOSTATE };
    await this.#ctx.instances.save(record.uuid, { ...place, ...state }, { expectedTaskState: BUILD_TASKS });
    await this.#ctx.rescheduler.buildFailed(request, {
      host: this.#ctx.host,
      message: failure.message,
      retryable,
    });
  }
}
