import { sleep as sleepOnClock } from '@nova-hyperv/hyperv';
import type { HostFacts, HyperVHost } from '@nova-hyperv/hyperv';
import type { Logger } from 'pino';
import { driverConfig } from './config.js';
import type { DriverConfig } from './config.js';
import type { DriverContext } from './context.js';
import { ConsoleLoggers } from './console/console-loggers.js';
import { readConsoleLog } from './console/console-log.js';
import { destroyInstance } from './destroy.js';
import { ImageCache } from './disks/image-cache.js';
import { InstanceFolders } from './disks/instance-folder.js';
import { instanceDiagnostics } from './diagnostics.js';
import { DriverError } from './errors.js';
import { hostResources } from './host-resources.js';
import { KeyedLock } from './keyed-lock.js';
import { LateCleanup } from './late-cleanup.js';
import { removeLeftovers } from './leftovers.js';
import { findMachine, instanceNotFound, isUuid, powerStateOf, requireMachine } from './lookup.js';
import { collectAgain } from './metrics.js';
import { asNovaErrors } from './nova-errors.js';
import { versionText } from './plan/generation.js';
import { compareVersions, FIRST_WITH_GENERATION_2, OLDEST_HOST } from './plan/limits.js';
import { chooseSwitch } from './plan/network.js';
import { powerOff, powerOn, reboot } from './power.js';
import { finishMigration, migrateDiskAndPowerOff } from './resize/migrate.js';
import { confirmMigration, finishRevertMigration } from './resize/revert.js';
import { cleanUpSnapshot, snapshot } from './snapshot.js';
import { planFactsOf, spawn } from './spawn.js';
import { POWER_STATE } from './types.js';
import type {
  HostResources,
  InstanceDiagnostics,
  InstanceRef,
  InstanceState,
  LifecycleEvent,
  MigrationRequest,
  PowerOffOptions,
  SnapshotRequest,
  SpawnRequest,
  VirtDriver,
  WithVolumes,
} from './types.js';
import type { DeviceMetadata, VolumeDevice } from './volume-types.js';
import { attachVolume, detachVolume } from './volumes/attach.js';
import { VolumeConnections } from './volumes/connections.js';
import { extendVolume } from './volumes/extend.js';
import { removeGhostVolumes } from './volumes/ghosts.js';
import { hostConnector } from './volumes/host-connector.js';
import { volumeMetadata } from './volumes/metadata.js';
import { StateWatcher } from './watcher.js';

export interface CreateDriverOptions {
  readonly host: HyperVHost;
  /** Options that are not given have nova.conf's defaults. */
  readonly config?: Partial<DriverConfig>;
  readonly log: Logger;
  /** The name of the one node; the host's computer name when it is not given. */
  readonly nodeName?: string;
  /** How to wait for disks and between tries; by default by the clock. */
  readonly sleep?: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
}

/** Nova's virt driver for one Hyper-V host. Call `initHost` before anything else, and `close` at the end. */
export function createDriver(options: CreateDriverOptions): VirtDriver {
  return new HyperVDriver(options);
}

/** COMPUTE_* traits of what is served everywhere (os-traits); those of features to come are not claimed. */
const TRAITS = [
  'COMPUTE_DEVICE_TAGGING',
  'COMPUTE_IMAGE_TYPE_ISO',
  'COMPUTE_IMAGE_TYPE_VHD',
  'COMPUTE_IMAGE_TYPE_VHDX',
  'COMPUTE_VOLUME_ATTACH_WITH_TAG',
  'COMPUTE_VOLUME_EXTEND',
] as const;

/** Of what depends on the host. Generation 2 came with Secure Boot. */
function traitsOf({ version }: HostFacts): readonly string[] {
  const hasSecureBoot = compareVersions(version, FIRST_WITH_GENERATION_2) >= 0;
  return [...TRAITS, ...(hasSecureBoot ? ['COMPUTE_SECURITY_UEFI_SECURE_BOOT'] : [])];
}

/** Told at start, not only by the first instance that fails. */
function warnOfMissingSwitch({ config, log }: DriverContext, facts: HostFacts): void {
  try {
    chooseSwitch(planFactsOf(facts), config);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    log.warn(`${why} Until then instances with ports are refused`);
  }
}

class HyperVDriver implements VirtDriver {
  readonly nodeName: string;
  readonly #context: DriverContext;
  /** One operation at a time for each instance. */
  readonly #locks = new KeyedLock();
  readonly #listeners: ((event: LifecycleEvent) => void)[] = [];
  #watcher: StateWatcher | undefined;
  #traits: readonly string[] = TRAITS;

  constructor({ host, config: given, log, nodeName = host.name, sleep = sleepOnClock }: CreateDriverOptions) {
    this.nodeName = nodeName;
    const config = driverConfig(given);
    const folders = new InstanceFolders(host.reach, config.instancesPath, config.imageCacheSubdirectory);
    this.#context = {
      host,
      config,
      log,
      folders,
      cache: new ImageCache(host, config, nodeName, log),
      consoles: new ConsoleLoggers({
        reach: host.reach,
        folderOf: (instance) => folders.localOf(instance),
        log,
      }),
      volumes: new VolumeConnections({ host, config, log, sleep }),
      sleep,
      lateCleanup: new LateCleanup({
        log,
        remove: (instance, isDropped) =>
          this.#locks.run(instance.uuid, async () => {
            if (!isDropped()) await destroyInstance(this.#context, instance);
          }),
      }),
    };
  }

  async initHost(): Promise<void> {
    const { host, config, consoles, folders, log } = this.#context;
    await asNovaErrors(async () => {
      const facts = await host.facts();
      if (compareVersions(facts.version, OLDEST_HOST) < 0) {
        const version = versionText({ windowsVersion: facts.version });
        throw new DriverError(
          'HypervisorTooOld',
          `Host ${facts.name} runs Windows ${version}; this driver needs 6.2 (Windows Server 2012) or later.`,
        );
      }
      this.#traits = traitsOf(facts);
      await folders.prepareRoot();
      const summaries = await host.summaries();
      for (const { note, name, state } of summaries) {
        if (isUuid(note) && powerStateOf(state) === POWER_STATE.RUNNING) consoles.start({ uuid: note, name });
      }
      const intervalMs = config.powerStateEventPollingIntervalSeconds * 1000;
      this.#watcher = new StateWatcher({
        host,
        intervalMs,
        log,
        onEvent: (event) => this.#onEvent(event),
        onGone: (uuid) => this.#settled(uuid, consoles.stop(uuid)),
        onBack: () => host.forgetFacts(),
      });
      this.#watcher.start(summaries);
      warnOfMissingSwitch(this.#context, facts);
      const ours = summaries.filter(({ note }) => isUuid(note)).length;
      log.info(
        { host: facts.name, windows: versionText({ windowsVersion: facts.version }), machines: ours },
        `Hyper-V host ${facts.name} is ready; instances are in ${config.instancesPath}`,
      );
      if (!host.reach.pipesReachable)
        log.warn(
          'The serial pipes of the host cannot be reached from here: instances have no console log. Run the service on the host itself to have them',
        );
    });
  }

  traits(): readonly string[] {
    return this.#traits;
  }

  hostResources(): Promise<HostResources> {
    return asNovaErrors(() => hostResources(this.#context, this.nodeName));
  }

  listInstances(): Promise<readonly InstanceState[]> {
    return asNovaErrors(async () => {
      const summaries = await this.#context.host.summaries();
      return summaries
        .filter(({ note }) => isUuid(note))
        .map(({ note, name, state }) => ({ uuid: note, name, powerState: powerStateOf(state) }));
    });
  }

  getInfo(instance: InstanceRef): Promise<InstanceState> {
    return asNovaErrors(async () => {
      const { host } = this.#context;
      const machine = await requireMachine(host, instance);
      const state = await host.power.state(machine);
      if (state === undefined) throw instanceNotFound(instance);
      return { uuid: instance.uuid, name: instance.name, powerState: powerStateOf(state) };
    });
  }

  spawn(request: SpawnRequest): Promise<void> {
    return this.#exclusive(request.instance, async () => {
      try {
        await spawn(this.#context, request);
      } catch (error) {
        // Facts that have changed meanwhile (a switch that was removed) may be the reason.
        if (!(error instanceof DriverError && error.scope === 'request')) this.#context.host.forgetFacts();
        throw error;
      }
    });
  }

  destroy(instance: InstanceRef, attached?: WithVolumes): Promise<void> {
    return this.#exclusive(instance, () => destroyInstance(this.#context, instance, attached));
  }

  powerOn(instance: InstanceRef, attached?: WithVolumes): Promise<void> {
    return this.#exclusive(instance, () => powerOn(this.#context, instance, attached));
  }

  powerOff(instance: InstanceRef, options: PowerOffOptions): Promise<void> {
    return this.#exclusive(instance, () => powerOff(this.#context, instance, options));
  }

  reboot(instance: InstanceRef, type: 'SOFT' | 'HARD', attached?: WithVolumes): Promise<void> {
    return this.#exclusive(instance, () => reboot(this.#context, instance, type, attached));
  }

  migrateDiskAndPowerOff(request: MigrationRequest, options: PowerOffOptions): Promise<void> {
    return this.#exclusive(request.instance, () => migrateDiskAndPowerOff(this.#context, request, options));
  }

  finishMigration(
    request: MigrationRequest & { readonly powerOn: boolean },
    options: PowerOffOptions,
  ): Promise<void> {
    return this.#exclusive(request.instance, () => finishMigration(this.#context, request, options));
  }

  confirmMigration(instance: InstanceRef): Promise<void> {
    return this.#exclusive(instance, () => confirmMigration(this.#context, instance));
  }

  finishRevertMigration(
    instance: InstanceRef,
    options: PowerOffOptions & WithVolumes & { readonly powerOn: boolean },
  ): Promise<void> {
    return this.#exclusive(instance, () => finishRevertMigration(this.#context, instance, options));
  }

  volumeConnector(): Promise<Readonly<Record<string, unknown>>> {
    return asNovaErrors(() => hostConnector(this.#context, this.nodeName));
  }

  attachVolume(instance: InstanceRef, volume: VolumeDevice): Promise<void> {
    return this.#exclusive(instance, () => attachVolume(this.#context, instance, volume));
  }

  detachVolume(instance: InstanceRef, volume: VolumeDevice): Promise<void> {
    return this.#exclusive(instance, () => detachVolume(this.#context, instance, volume));
  }

  extendVolume(instance: InstanceRef, volume: VolumeDevice, requestedBytes: number): Promise<void> {
    return this.#exclusive(instance, () => extendVolume(this.#context, instance, volume, requestedBytes));
  }

  volumeMetadata(
    instance: InstanceRef,
    volumes: readonly VolumeDevice[],
  ): Promise<readonly DeviceMetadata[]> {
    return asNovaErrors(() => volumeMetadata(this.#context, instance, volumes));
  }

  removeGhostVolumes(known: ReadonlyMap<string, readonly VolumeDevice[]>): Promise<readonly string[]> {
    return asNovaErrors(() =>
      removeGhostVolumes(this.#context, known, (instance, work) => this.#exclusive(instance, work)),
    );
  }

  snapshot(request: SnapshotRequest): Promise<void> {
    return this.#exclusive(request.instance, () => snapshot(this.#context, request));
  }

  cleanUpSnapshot(instance: InstanceRef): Promise<void> {
    return this.#exclusive(instance, () => cleanUpSnapshot(this.#context, instance));
  }

  instanceDiagnostics(instance: InstanceRef): Promise<InstanceDiagnostics> {
    return asNovaErrors(() => instanceDiagnostics(this.#context, instance));
  }

  async consoleOutput(instance: InstanceRef): Promise<Uint8Array> {
    const { folders, host } = this.#context;
    let output: Uint8Array | undefined;
    try {
      output = await readConsoleLog(folders.localOf(instance));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new DriverError(
        'ConsoleLogOutputException',
        `The console log of ${instance.uuid} cannot be read: ${why}`,
        { cause: error },
      );
    }
    if (output !== undefined) return output;
    if (!host.reach.pipesReachable) {
      throw new DriverError(
        'ConsoleNotAvailable',
        `The serial pipes of this host cannot be reached from the compute service, so ${instance.uuid} has no console log. Run the service on the host itself to have one.`,
      );
    }
    const machine = await asNovaErrors(() => findMachine(host, instance));
    if (machine !== undefined && (await asNovaErrors(() => host.security.isSecured(machine)))) {
      throw new DriverError(
        'ConsoleNotAvailable',
        `${instance.uuid} is a secured machine: nobody on the host hears its console. Use the network to reach the guest.`,
      );
    }
    return new Uint8Array();
  }

  removeLeftovers(isKnown: (uuid: string) => Promise<'keep' | 'remove'>): Promise<readonly string[]> {
    return asNovaErrors(() => removeLeftovers(this.#context, isKnown));
  }

  manageImageCache(usedImageIds: ReadonlySet<string>): Promise<void> {
    return asNovaErrors(() => this.#context.cache.manage(usedImageIds));
  }

  onLifecycle(listener: (event: LifecycleEvent) => void): void {
    this.#listeners.push(listener);
  }

  async close(): Promise<void> {
    this.#context.lateCleanup.close();
    await this.#watcher?.close();
    await this.#context.consoles.close();
  }

  #exclusive<T>(instance: InstanceRef, work: () => Promise<T>): Promise<T> {
    return this.#locks.run(instance.uuid, () => asNovaErrors(work));
  }

  #settled(uuid: string, end: Promise<void>): void {
    end.catch((error: unknown) =>
      this.#context.log.warn(
        { err: error, instance: uuid },
        'What follows a change of state did not end well',
      ),
    );
  }

  #onEvent(event: LifecycleEvent): void {
    const { consoles, log } = this.#context;
    log.debug({ instance: event.uuid, transition: event.transition }, `The machine ${event.transition}`);
    if (event.transition === 'stopped' || event.transition === 'suspended') {
      this.#settled(event.uuid, consoles.finish(event.uuid));
    } else if (event.transition === 'started' || event.transition === 'resumed') {
      consoles.start(event);
    }
    if (event.transition === 'started') this.#settled(event.uuid, collectAgain(this.#context, event));
    for (const listener of this.#listeners) listener(event);
  }
}
