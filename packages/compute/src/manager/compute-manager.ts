import { POWER_STATE } from '@nova-hyperv/driver';
import type { InstanceDiagnostics, LifecycleEvent } from '@nova-hyperv/driver';
import { computeConfig, type ComputeConfig } from '../config.js';
import type { BlockDeviceRecord } from '../block-device.js';
import { BuildInterruptedError, ComputeError } from '../errors.js';
import type {
  BuildRequest,
  ComputeService,
  InstanceRequest,
  MigrationInstanceRequest,
  PrepResizeRequest,
  ReserveBlockDeviceRequest,
  SnapshotInstanceRequest,
  VolumeRequest,
} from '../ports.js';
import { sleep } from '../util/clock.js';
import { KeyedQueue } from '../util/keyed-queue.js';
import { PeriodicRunner } from '../util/periodic.js';
import { newRequestId } from '../util/request-id.js';
import { Builder } from './build.js';
import { CleanUp } from './clean-up.js';
import { consoleText, tailLines } from './console-text.js';
import type { ComputeContext, ComputePorts } from './context.js';
import { isOvertaken } from './faults.js';
import { holdsResources, refOf } from './instance-view.js';
import { NodeReporter, type NodeIdentity } from './node-report.js';
import { PlugWatches } from './plug-watch.js';
import { PowerOperations } from './power.js';
import { PowerSync } from './power-sync.js';
import { HostRecovery, type DeferredRecovery } from './recovery.js';
import { ResizeOperations } from './resize.js';
import { ResourceTracker } from './resource-tracker.js';
import { SnapshotOperations } from './snapshots.js';
import { Terminator } from './terminate.js';
import { VolumeOperations } from './volumes.js';

export interface ComputeManagerOptions extends ComputePorts {
  readonly config?: Partial<ComputeConfig>;
}

/** Nova's compute manager for one Hyper-V host. */
export interface ComputeManager extends ComputeService {
  /** The node's UUID, in the cloud and in Placement. @throws before `start` */
  readonly nodeUuid: string;
  /**
   * Connects to the host, registers, finishes or takes back what a killed service left, reports the host's size, and from then on
   * serves requests. On failure nothing runs.
   */
  start(): Promise<void>;
  /**
   * Takes no more requests, lets work go on for `drainMs` (default 10 s), then breaks builds off and takes them back; what still runs
   * after that is for the next start to settle. Closes the driver.
   */
  stop(options?: { readonly drainMs?: number }): Promise<void>;
  /** Settles when no operation runs or waits. */
  idle(): Promise<void>;
}

/** Nova's poll of resizes that nobody confirms, seconds. */
const CONFIRM_POLL_SECONDS = 60;
const DEFAULT_DRAIN_MS = 10_000;
/** For builds that were broken off to take back what they had, ms. */
const TAKE_BACK_MS = 10_000;

type Phase = 'new' | 'starting' | 'running' | 'stopping' | 'stopped';

class HostComputeManager implements ComputeManager {
  readonly host: string;
  readonly #ctx: ComputeContext;
  readonly #queue = new KeyedQueue();
  readonly #builds = new Map<string, AbortController>();
  readonly #plugs = new PlugWatches();
  readonly #tracker: ResourceTracker;
  readonly #builder: Builder;
  readonly #terminator: Terminator;
  readonly #power: PowerOperations;
  readonly #resize: ResizeOperations;
  readonly #volumes: VolumeOperations;
  readonly #snapshots: SnapshotOperations;
  readonly #powerSync: PowerSync;
  readonly #cleanUp: CleanUp;
  readonly #reporter: NodeReporter;
  readonly #periodic: PeriodicRunner;
  #identity: NodeIdentity | null = null;
  #phase: Phase = 'new';

  constructor(options: ComputeManagerOptions) {
    const { config, ...ports } = options;
    const log = options.log.child({ component: 'compute', host: options.host });
    this.host = options.host;
    this.#ctx = { ...ports, log, config: computeConfig(config) };
    this.#tracker = new ResourceTracker(this.#ctx.config);
    const isBusy = (uuid: string): boolean => this.#queue.isBusy(uuid);
    const inQueue = (uuid: string, work: () => Promise<void>): Promise<void> => this.#queue.run(uuid, work);
    this.#builder = new Builder(this.#ctx, this.#tracker, this.#plugs);
    this.#terminator = new Terminator(this.#ctx, this.#tracker);
    this.#power = new PowerOperations(this.#ctx);
    this.#resize = new ResizeOperations(this.#ctx, this.#tracker, this);
    this.#volumes = new VolumeOperations(this.#ctx);
    this.#snapshots = new SnapshotOperations(this.#ctx);
    this.#powerSync = new PowerSync(this.#ctx, this.#power, inQueue);
    this.#cleanUp = new CleanUp(this.#ctx, inQueue, isBusy);
    this.#reporter = new NodeReporter(this.#ctx, this.#tracker, isBusy);
    this.#periodic = new PeriodicRunner(this.#ctx.clock, log);
  }

  get nodeUuid(): string {
    if (this.#identity === null) {
      throw new ComputeError(
        'ComputeServiceUnavailable',
        `nova-compute on ${this.host} has not been started yet.`,
      );
    }
    return this.#identity.nodeUuid;
  }

  async start(): Promise<void> {
    if (this.#phase !== 'new') {
      throw new ComputeError(
        'ComputeServiceUnavailable',
        'A compute manager is started once; make a new one.',
      );
    }
    this.#phase = 'starting';
    const { driver, services, clock, host } = this.#ctx;
    driver.onLifecycle((event) => this.#onLifecycle(event));
    let deferred: readonly DeferredRecovery[];
    try {
      await driver.initHost();
      const identity = await services.register({
        host,
        binary: 'nova-compute',
        topic: 'compute',
        startedAt: clock.now(),
      });
      this.#identity = identity;
      deferred = await this.#recover(identity);
      await services.beat(host);
    } catch (error) {
      this.#phase = 'stopped';
      await driver.close();
      throw error;
    }
    this.#phase = 'running';
    // Before any request of the same instance: its queue is still empty.
    for (const { uuid, run } of deferred) this.#cast(uuid, 'recovery', run);
    this.#startPeriodicTasks(this.#identity);
    this.#ctx.log.info({ node: this.nodeUuid }, 'nova-compute is ready');
  }

  async #recover(identity: NodeIdentity): Promise<readonly DeferredRecovery[]> {
    const recovery = new HostRecovery(this.#ctx, {
      terminator: this.#terminator,
      power: this.#power,
      resize: this.#resize,
      volumes: this.#volumes,
      snapshots: this.#snapshots,
    });
    const deferred = await recovery.recoverInstances();
    const removed = await this.#ctx.driver.removeLeftovers((uuid) => this.#cleanUp.keepOrRemove(uuid));
    if (removed.length > 0) this.#ctx.log.warn({ removed }, 'removed what interrupted operations had left');
    const ghosts = await recovery.removeGhostVolumes();
    if (ghosts.length > 0)
      this.#ctx.log.warn({ volumes: ghosts }, 'removed what interrupted operations had left of volumes');
    // Placement and Neutron may come up after us: the periodic tasks try again.
    await this.#orLater('the report of the host', () => this.#reporter.update(identity));
    await this.#orLater('the removal of allocations', () =>
      this.#cleanUp.removeAllocations(identity.nodeUuid),
    );
    await this.#orLater('the removal of ports', () => this.#cleanUp.removePorts());
    return deferred;
  }

  async #orLater(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#ctx.log.error({ err: error }, `${what} failed; it will be tried again`);
    }
  }

  #startPeriodicTasks(identity: NodeIdentity): void {
    const { config, services, instances, driver, host } = this.#ctx;
    const add = this.#periodic.add.bind(this.#periodic);
    add({ name: 'heartbeat', intervalSeconds: config.reportIntervalSeconds, run: () => services.beat(host) });
    add({
      name: 'update-resources',
      intervalSeconds: config.updateResourcesIntervalSeconds,
      firstAfterSeconds: Math.min(5, config.updateResourcesIntervalSeconds),
      run: async () => {
        await this.#reporter.update(identity);
        await this.#cleanUp.removeAllocations(identity.nodeUuid);
      },
    });
    add({
      name: 'sync-power-states',
      intervalSeconds: config.syncPowerStateIntervalSeconds,
      firstAfterSeconds: 0,
      run: () => this.#powerSync.syncAll(),
    });
    add({
      name: 'image-cache',
      intervalSeconds: config.imageCacheIntervalSeconds,
      run: async () => {
        const used = (await instances.listByHost(host))
          .filter(holdsResources)
          .map((record) => record.imageRef);
        await driver.manageImageCache(new Set(used));
      },
    });
    const window = config.resizeConfirmWindowSeconds;
    add({
      name: 'poll-unconfirmed-resizes',
      intervalSeconds: window === 0 ? 0 : Math.min(window, CONFIRM_POLL_SECONDS),
      run: () => this.#pollUnconfirmedResizes(window),
    });
    add({
      name: 'clean-up',
      intervalSeconds: config.cleanUpIntervalSeconds,
      run: async () => {
        await this.#cleanUp.removeMachines();
        await this.#cleanUp.removePorts();
        await this.#settleVolumes();
      },
    });
  }

  /** Volumes whose way was not seen to its end: Cinder or the host did not answer then. */
  async #settleVolumes(): Promise<void> {
    const { instances, host } = this.#ctx;
    for (const record of await instances.listByHost(host)) {
      if (record.vmState === 'building' || record.taskState !== null || this.#queue.isBusy(record.uuid))
        continue;
      await this.#queue.run(record.uuid, () => this.#volumes.settle(record, { requestId: newRequestId() }));
    }
  }

  /** nova/compute/manager.py _poll_unconfirmed_resizes */
  async #pollUnconfirmedResizes(windowSeconds: number): Promise<void> {
    const { migrations, clock, host, log } = this.#ctx;
    const before = new Date(clock.now().getTime() - windowSeconds * 1000);
    for (const { uuid, instanceUuid } of await migrations.unconfirmed(host, before)) {
      log.info(
        { instance: instanceUuid },
        `nobody confirmed the resize within ${windowSeconds} seconds: confirming it`,
      );
      await migrations.save(uuid, { status: 'confirming' });
      await this.confirmResize({ instanceUuid, migrationUuid: uuid, requestId: newRequestId() });
    }
  }

  async stop({ drainMs = DEFAULT_DRAIN_MS }: { readonly drainMs?: number } = {}): Promise<void> {
    if (this.#phase !== 'running') return;
    this.#phase = 'stopping';
    const periodic = this.#periodic.stop();
    const work = Promise.all([periodic, this.#queue.idle()]);
    if (!(await this.#within(work, drainMs))) {
      for (const build of this.#builds.values()) build.abort(new BuildInterruptedError('stopping'));
      if (!(await this.#within(work, TAKE_BACK_MS))) {
        this.#ctx.log.warn('operations still run; the next start will settle their instances');
      }
    }
    await this.#ctx.driver.close();
    this.#phase = 'stopped';
  }

  /** True when `work` settled in time. */
  async #within(work: Promise<unknown>, ms: number): Promise<boolean> {
    const timer = new AbortController();
    const late = sleep(this.#ctx.clock, ms, timer.signal).then(
      () => false,
      () => true,
    );
    const done = work.then(
      () => true,
      () => true,
    );
    const inTime = await Promise.race([done, late]);
    timer.abort();
    return inTime;
  }

  idle(): Promise<void> {
    return this.#queue.idle();
  }

  async buildAndRunInstance(request: BuildRequest): Promise<void> {
    const { instanceUuid: uuid } = request;
    this.#cast(uuid, 'build_and_run_instance', async () => {
      const controller = new AbortController();
      this.#builds.set(uuid, controller);
      if (this.#phase === 'stopping') controller.abort(new BuildInterruptedError('stopping'));
      try {
        await this.#builder.build(request, controller.signal);
      } finally {
        this.#builds.delete(uuid);
      }
    });
  }

  async terminateInstance(request: InstanceRequest): Promise<void> {
    this.#cast(request.instanceUuid, 'terminate_instance', () => this.#terminator.terminate(request));
    this.#builds.get(request.instanceUuid)?.abort(new BuildInterruptedError('deleted'));
  }

  async startInstance(request: InstanceRequest): Promise<void> {
    this.#cast(request.instanceUuid, 'start_instance', () => this.#power.start(request));
  }

  async stopInstance(request: InstanceRequest): Promise<void> {
    this.#cast(request.instanceUuid, 'stop_instance', () => this.#power.stop(request));
  }

  async rebootInstance(request: InstanceRequest & { readonly rebootType: 'SOFT' | 'HARD' }): Promise<void> {
    this.#cast(request.instanceUuid, 'reboot_instance', () =>
      this.#power.reboot(request, request.rebootType),
    );
  }

  async snapshotInstance(request: SnapshotInstanceRequest): Promise<void> {
    this.#cast(request.instanceUuid, 'snapshot_instance', () => this.#snapshots.snapshot(request));
  }

  async prepResize(request: PrepResizeRequest): Promise<void> {
    this.#cast(request.instanceUuid, 'prep_resize', () => this.#resize.prepResize(request));
  }

  async resizeInstance(request: MigrationInstanceRequest): Promise<void> {
    this.#cast(request.instanceUuid, 'resize_instance', () => this.#resize.resizeInstance(request));
  }

  async finishResize(request: MigrationInstanceRequest): Promise<void> {
    this.#cast(request.instanceUuid, 'finish_resize', () => this.#resize.finishResize(request));
  }

  async confirmResize(request: MigrationInstanceRequest): Promise<void> {
    this.#cast(request.instanceUuid, 'confirm_resize', () => this.#resize.confirmResize(request));
  }

  async revertResize(request: MigrationInstanceRequest): Promise<void> {
    this.#cast(request.instanceUuid, 'revert_resize', () => this.#resize.revertResize(request));
  }

  async finishRevertResize(request: MigrationInstanceRequest): Promise<void> {
    this.#cast(request.instanceUuid, 'finish_revert_resize', () => this.#resize.finishRevertResize(request));
  }

  async getConsoleOutput(request: InstanceRequest & { readonly tailLength: number | null }): Promise<string> {
    this.#mustRun();
    const record = await this.#ctx.instances.get(request.instanceUuid);
    if (record.vmState === 'building') {
      throw new ComputeError(
        'InstanceNotReady',
        `Instance ${record.uuid} is not ready. Wait until it is active.`,
      );
    }
    const bytes = await this.#ctx.driver.consoleOutput(refOf(record));
    return tailLines(consoleText(bytes), request.tailLength);
  }

  async getInstanceDiagnostics(request: InstanceRequest): Promise<InstanceDiagnostics> {
    this.#mustRun();
    const record = await this.#ctx.instances.get(request.instanceUuid);
    const { driver } = this.#ctx;
    const { powerState } = await driver.getInfo(refOf(record));
    if (powerState !== POWER_STATE.RUNNING) {
      const state = Object.entries(POWER_STATE)
        .find(([, value]) => value === powerState)?.[0]
        .toLowerCase();
      throw new ComputeError(
        'InstanceInvalidState',
        `Instance ${record.uuid} in power state ${state ?? powerState}. Cannot get_diagnostics while the instance is in this state.`,
      );
    }
    return await driver.instanceDiagnostics(refOf(record));
  }

  reserveBlockDeviceName(request: ReserveBlockDeviceRequest): Promise<BlockDeviceRecord> {
    this.#mustRun();
    return this.#volumes.reserve(request);
  }

  async attachVolume(request: VolumeRequest): Promise<void> {
    this.#cast(request.instanceUuid, 'attach_volume', () => this.#volumes.attach(request));
  }

  async detachVolume(request: VolumeRequest): Promise<void> {
    this.#cast(request.instanceUuid, 'detach_volume', () => this.#volumes.detach(request));
  }

  async externalInstanceEvent(event: {
    readonly name: string;
    readonly instanceUuid: string;
    readonly tag: string | null;
    readonly status: string;
    readonly requestId?: string;
  }): Promise<void> {
    if (event.name === 'network-vif-plugged' && event.tag !== null) {
      this.#plugs.record(event.instanceUuid, event.tag, event.status);
      return;
    }
    if (event.name === 'volume-extended' && event.tag !== null) {
      const { instanceUuid, tag: volumeId, requestId = newRequestId() } = event;
      this.#cast(instanceUuid, 'extend_volume', () =>
        this.#volumes.extend({ instanceUuid, volumeId, requestId }),
      );
      return;
    }
    // Nova's other events are of moves and power updates by others: nothing here waits for them.
    this.#ctx.log.debug({ event }, 'external event needs nothing done');
  }

  #mustRun(): void {
    if (this.#phase === 'running') return;
    throw new ComputeError(
      'ComputeServiceUnavailable',
      `Compute service of ${this.host} is unavailable at this time (${this.#phase}). Try again when it is up.`,
      { scope: 'host' },
    );
  }

  /** Takes a request in hand: it waits for the instance's earlier ones, and its failure ends in the log, not in the caller. */
  #cast(uuid: string, name: string, work: () => Promise<void>): void {
    this.#mustRun();
    this.#queue.run(uuid, work).catch((error: unknown) => {
      const level = isOvertaken(error) ? 'info' : 'error';
      this.#ctx.log[level]({ err: error, instance: uuid, operation: name }, 'operation did not succeed');
    });
  }

  #onLifecycle(event: LifecycleEvent): void {
    if (this.#phase !== 'running' || !this.#ctx.config.handleVirtLifecycleEvents) return;
    this.#powerSync.onEvent(event).catch((error: unknown) => {
      this.#ctx.log.error({ err: error, instance: event.uuid }, 'a lifecycle event could not be handled');
    });
  }
}

/** @throws ComputeError InvalidConfiguration */
export function createComputeManager(options: ComputeManagerOptions): ComputeManager {
  return new HostComputeManager(options);
}
