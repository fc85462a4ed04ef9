import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DriverError,
  POWER_STATE,
  type DeviceMetadata,
  type HostResources,
  type InstanceDiagnostics,
  type InstanceRef,
  type InstanceState,
  type LifecycleEvent,
  type MigrationRequest,
  type PowerOffOptions,
  type PowerState,
  type SnapshotRequest,
  type SpawnRequest,
  type VirtDriver,
  type VolumeDevice,
  type WithVolumes,
} from '@nova-hyperv/driver';

export type DriverMethod =
  | 'spawn'
  | 'destroy'
  | 'powerOn'
  | 'powerOff'
  | 'snapshot'
  | 'cleanUpSnapshot'
  | 'reboot'
  | 'getInfo'
  | 'hostResources'
  | 'initHost'
  | 'migrateDiskAndPowerOff'
  | 'finishMigration'
  | 'confirmMigration'
  | 'finishRevertMigration'
  | 'volumeConnector'
  | 'attachVolume'
  | 'detachVolume'
  | 'extendVolume';

/** A driver of a host in memory that does as it is told: fails, hangs or dawdles at each method. */
export interface FakeDriver extends VirtDriver {
  readonly machines: Map<string, { readonly name: string; powerState: PowerState }>;
  /** By instance: what its machine has, and what the host is connected to for it. */
  readonly volumes: Map<string, readonly VolumeDevice[]>;
  /** Flavors of resized machines: what they have, and what is kept for a revert. */
  readonly sizes: Map<string, string>;
  readonly kept: Map<string, string>;
  readonly calls: { readonly method: DriverMethod; readonly uuid: string; readonly args?: unknown }[];
  /** Called before each method does its work: throw to fail, return a promise to be slow. */
  script: (method: DriverMethod, uuid: string, signal?: AbortSignal) => Promise<void> | void;
  readonly spawned: SpawnRequest[];
  readonly imageCaches: ReadonlySet<string>[];
  /** Most instances in `spawn` at the same time. */
  readonly peakSpawns: number;
  /** Methods that ran beside another one of the same instance. */
  readonly overlaps: string[];
  resources: HostResources;
  consoleBytes: Uint8Array;
  closed: boolean;
  emit(event: LifecycleEvent): void;
}

export const FAKE_RESOURCES: HostResources = {
  hypervisorHostname: 'hv1',
  hypervisorType: 'hyperv',
  hypervisorVersion: 10000,
  windowsVersion: '10.0.20348',
  vcpus: 8,
  memoryMb: 16_384,
  memoryMbUsed: 1_000,
  localGb: 500,
  localGbUsed: 10,
  diskAvailableLeastGb: 490,
  cpuInfo: {
    arch: 'x86_64',
    model: 'QEMU',
    vendor: 'GenuineIntel',
    topology: { cells: 1, sockets: 1, cores: 8, threads: 1 },
    features: ['nx'],
  },
  supportedInstances: [['x86_64', 'hyperv', 'hvm']],
  uptimeSeconds: 93_784,
};

export const FAKE_DIAGNOSTICS: InstanceDiagnostics = {
  state: 'running',
  driver: 'hyperv',
  hypervisor: 'hyperv',
  hypervisorOs: 'Windows 10.0.20348',
  uptimeSeconds: 90,
  processors: 2,
  processorLoadPercent: 25,
  memoryMb: { used: 512, maximum: 1024 },
  disks: [{ readBytes: 1_048_576, writtenBytes: null }],
  nics: [{ mac: 'fa:16:3e:00:00:01', receivedBytes: 2_097_152, sentBytes: null }],
};

class ScriptedDriver implements FakeDriver {
  readonly nodeName = 'hv1';
  readonly machines = new Map<string, { readonly name: string; powerState: PowerState }>();
  readonly volumes = new Map<string, readonly VolumeDevice[]>();
  readonly sizes = new Map<string, string>();
  readonly kept = new Map<string, string>();
  readonly calls: { readonly method: DriverMethod; readonly uuid: string; readonly args?: unknown }[] = [];
  readonly spawned: SpawnRequest[] = [];
  readonly imageCaches: ReadonlySet<string>[] = [];
  readonly overlaps: string[] = [];
  script: FakeDriver['script'] = () => undefined;
  resources = FAKE_RESOURCES;
  consoleBytes: Uint8Array = new Uint8Array();
  closed = false;
  peakSpawns = 0;
  #spawning = 0;
  readonly #busy = new Map<string, DriverMethod>();
  readonly #listeners: ((event: LifecycleEvent) => void)[] = [];

  /** Notes the call and, for what changes a machine, that none other of the same instance is under way. */
  async #call<T>(
    method: DriverMethod,
    ref: InstanceRef,
    work: () => T,
    options: { readonly args?: unknown; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<T> {
    this.calls.push({ method, uuid: ref.uuid, args: options.args });
    const other = this.#busy.get(ref.uuid);
    if (other !== undefined) this.overlaps.push(`${method} beside ${other} of ${ref.uuid}`);
    this.#busy.set(ref.uuid, method);
    try {
      await this.script(method, ref.uuid, options.signal);
      return work();
    } finally {
      this.#busy.delete(ref.uuid);
    }
  }

  async initHost(): Promise<void> {
    await this.script('initHost', '');
  }

  traits(): readonly string[] {
    return ['COMPUTE_IMAGE_TYPE_VHD', 'COMPUTE_IMAGE_TYPE_VHDX'];
  }

  async hostResources(): Promise<HostResources> {
    await this.script('hostResources', '');
    return this.resources;
  }

  async listInstances(): Promise<readonly InstanceState[]> {
    return [...this.machines].map(([uuid, machine]) => ({ uuid, ...machine }));
  }

  getInfo(instance: InstanceRef): Promise<InstanceState> {
    return this.#call('getInfo', instance, () => ({
      ...instance,
      powerState: this.#machine(instance).powerState,
    }));
  }

  #machine(instance: InstanceRef): { readonly name: string; powerState: PowerState } {
    const machine = this.machines.get(instance.uuid);
    if (machine === undefined) {
      throw new DriverError('InstanceNotFound', `Instance ${instance.uuid} could not be found.`);
    }
    return machine;
  }

  async spawn(request: SpawnRequest): Promise<void> {
    const { uuid, name } = request.instance;
    this.spawned.push(request);
    this.#spawning += 1;
    this.peakSpawns = Math.max(this.peakSpawns, this.#spawning);
    try {
      await this.#call('spawn', request.instance, () => undefined, { signal: request.signal });
      request.signal?.throwIfAborted();
      this.machines.set(uuid, { name, powerState: POWER_STATE.SHUTDOWN });
      if ((request.volumes?.length ?? 0) > 0) this.volumes.set(uuid, request.volumes ?? []);
      await request.waitForPlugged?.(request.vifs);
      this.machines.set(uuid, { name, powerState: POWER_STATE.RUNNING });
    } finally {
      this.#spawning -= 1;
    }
  }

  destroy(instance: InstanceRef): Promise<void> {
    return this.#call('destroy', instance, () => {
      this.machines.delete(instance.uuid);
      this.volumes.delete(instance.uuid);
      this.kept.delete(instance.uuid);
    });
  }

  powerOn(instance: InstanceRef, attached?: WithVolumes): Promise<void> {
    const on = (): void => {
      this.#machine(instance).powerState = POWER_STATE.RUNNING;
    };
    return this.#call('powerOn', instance, on, { args: attached });
  }

  powerOff(instance: InstanceRef, options: { readonly timeoutSeconds: number }): Promise<void> {
    const off = (): void => {
      const machine = this.machines.get(instance.uuid);
      if (machine !== undefined) machine.powerState = POWER_STATE.SHUTDOWN;
    };
    return this.#call('powerOff', instance, off, { args: options });
  }

  reboot(instance: InstanceRef, type: 'SOFT' | 'HARD'): Promise<void> {
    const up = (): void => {
      this.#machine(instance).powerState = POWER_STATE.RUNNING;
    };
    return this.#call('reboot', instance, up, { args: type });
  }

  async volumeConnector(): Promise<Readonly<Record<string, unknown>>> {
    await this.script('volumeConnector', '');
    return { host: 'hv1', initiator: 'iqn.1991-05.com.microsoft:hv1', platform: 'x86_64', os_type: 'win32' };
  }

  attachVolume(instance: InstanceRef, volume: VolumeDevice): Promise<void> {
    const attach = (): void => {
      this.#machine(instance);
      this.volumes.set(instance.uuid, [...(this.volumes.get(instance.uuid) ?? []), volume]);
    };
    return this.#call('attachVolume', instance, attach, { args: volume });
  }

  detachVolume(instance: InstanceRef, volume: VolumeDevice): Promise<void> {
    const detach = (): void => {
      const left = (this.volumes.get(instance.uuid) ?? []).filter(
        ({ volumeId }) => volumeId !== volume.volumeId,
      );
      if (left.length === 0) this.volumes.delete(instance.uuid);
      else this.volumes.set(instance.uuid, left);
    };
    return this.#call('detachVolume', instance, detach, { args: volume });
  }

  extendVolume(instance: InstanceRef, volume: VolumeDevice, requestedBytes: number): Promise<void> {
    return this.#call('extendVolume', instance, () => undefined, {
      args: { volume: volume.volumeId, requestedBytes },
    });
  }

  async volumeMetadata(
    instance: InstanceRef,
    volumes: readonly VolumeDevice[],
  ): Promise<readonly DeviceMetadata[]> {
    const attached = (this.volumes.get(instance.uuid) ?? []).map(({ volumeId }) => volumeId);
    return volumes
      .filter(({ volumeId }) => attached.includes(volumeId))
      .map(({ volumeId, tag }) => ({
        type: 'disk',
        bus: 'scsi',
        address: `0:0:0:${attached.indexOf(volumeId)}`,
        serial: volumeId,
        tags: tag === null ? [] : [tag],
      }));
  }

  async removeGhostVolumes(known: ReadonlyMap<string, readonly VolumeDevice[]>): Promise<readonly string[]> {
    const removed: string[] = [];
    for (const [uuid, attached] of this.volumes) {
      const ids = new Set((known.get(uuid) ?? []).map(({ volumeId }) => volumeId));
      removed.push(...attached.filter(({ volumeId }) => !ids.has(volumeId)).map(({ volumeId }) => volumeId));
      this.volumes.set(
        uuid,
        attached.filter(({ volumeId }) => ids.has(volumeId)),
      );
    }
    return removed;
  }

  migrateDiskAndPowerOff({ instance, oldFlavor }: MigrationRequest): Promise<void> {
    return this.#call('migrateDiskAndPowerOff', instance, () => {
      this.#machine(instance).powerState = POWER_STATE.SHUTDOWN;
      this.kept.set(instance.uuid, oldFlavor.name);
    });
  }

  finishMigration({ instance, powerOn }: MigrationRequest & { readonly powerOn: boolean }): Promise<void> {
    return this.#call('finishMigration', instance, () => {
      this.sizes.set(instance.uuid, instance.flavor.name);
      if (powerOn) this.#machine(instance).powerState = POWER_STATE.RUNNING;
    });
  }

  confirmMigration(instance: InstanceRef): Promise<void> {
    return this.#call('confirmMigration', instance, () => {
      this.kept.delete(instance.uuid);
    });
  }

  finishRevertMigration(
    instance: InstanceRef,
    { powerOn }: PowerOffOptions & { readonly powerOn: boolean },
  ): Promise<void> {
    return this.#call('finishRevertMigration', instance, () => {
      const kept = this.kept.get(instance.uuid);
      if (kept !== undefined) this.sizes.set(instance.uuid, kept);
      this.kept.delete(instance.uuid);
      this.#machine(instance).powerState = powerOn ? POWER_STATE.RUNNING : POWER_STATE.SHUTDOWN;
    });
  }

  async snapshot({ instance, imageId, upload }: SnapshotRequest): Promise<void> {
    await this.#call('snapshot', instance, () => this.#machine(instance), { args: { imageId } });
    const folder = await mkdtemp(join(tmpdir(), 'fake-driver-'));
    const localPath = join(folder, 'root.vhdx');
    try {
      await writeFile(localPath, `disk of ${instance.name}`);
      await upload({ localPath, diskFormat: 'vhdx' });
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  async cleanUpSnapshot(instance: InstanceRef): Promise<void> {
    await this.#call('cleanUpSnapshot', instance, () => undefined);
  }

  async instanceDiagnostics(instance: InstanceRef): Promise<InstanceDiagnostics> {
    this.#machine(instance);
    return FAKE_DIAGNOSTICS;
  }

  async consoleOutput(instance: InstanceRef): Promise<Uint8Array> {
    this.#machine(instance);
    return this.consoleBytes;
  }

  async removeLeftovers(isKnown: (uuid: string) => Promise<'keep' | 'remove'>): Promise<readonly string[]> {
    const removed: string[] = [];
    for (const uuid of this.machines.keys()) {
      if ((await isKnown(uuid)) === 'remove') {
        this.machines.delete(uuid);
        removed.push(uuid);
      }
    }
    return removed;
  }

  async manageImageCache(used: ReadonlySet<string>): Promise<void> {
    this.imageCaches.push(used);
  }

  onLifecycle(listener: (event: LifecycleEvent) => void): void {
    this.#listeners.push(listener);
  }

  emit(event: LifecycleEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

export function createFakeDriver(): FakeDriver {
  return new ScriptedDriver();
}
