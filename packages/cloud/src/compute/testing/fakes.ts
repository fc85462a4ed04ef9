import { randomUUID } from 'node:crypto';
import { ComputeError } from '@nova-hyperv/compute';
import type {
  BlockDeviceRecord,
  BlockDeviceStore,
  BuildRequest,
  CinderVolume,
  ComputeService,
  InstanceStore,
  MigrationInstanceRequest,
  MigrationStore,
  PrepResizeRequest,
  Rescheduler,
  ReserveBlockDeviceRequest,
  SnapshotInstanceRequest,
  VolumeRequest,
} from '@nova-hyperv/compute';
import type { InstanceDiagnostics } from '@nova-hyperv/driver';
import type {
  Candidate,
  CandidateQuery,
  Claim,
  ImageApi,
  ImageView,
  NetworkApi,
  NetworkView,
  PlacementApi,
  PortView,
  Resources,
  VolumeApi,
} from '../ports.js';

export const IMAGE_ID = '11111111-1111-4111-8111-111111111111';
export const NETWORK_ID = '22222222-2222-4222-8222-222222222222';

export function image(changes: Partial<ImageView> = {}): ImageView {
  return {
    id: IMAGE_ID,
    name: 'gen2',
    status: 'active',
    diskFormat: 'vhd',
    containerFormat: 'bare',
    sizeBytes: 1024,
    minDiskGb: 0,
    minRamMb: 0,
    properties: {},
    ...changes,
  };
}

export class FakeImages implements ImageApi {
  readonly images = new Map<string, ImageView>([[IMAGE_ID, image()]]);
  get = async (imageId: string): Promise<ImageView | null> => this.images.get(imageId) ?? null;
  readonly created: Readonly<Record<string, unknown>>[] = [];
  create = async (wanted: Readonly<Record<string, unknown>>): Promise<string> => {
    this.created.push(wanted);
    return randomUUID();
  };
  readonly deleted: string[] = [];
  delete = async (imageId: string): Promise<void> => void this.deleted.push(imageId);
}

export class FakeNetworks implements NetworkApi {
  readonly list: NetworkView[] = [
    {
      id: NETWORK_ID,
      name: 'private',
      external: false,
      adminStateUp: true,
      projectId: 'owner',
      shared: true,
      subnetIds: ['subnet'],
    },
  ];
  readonly allPorts: PortView[] = [];
  networks = async (): Promise<readonly NetworkView[]> => this.list;
  port = async (id: string): Promise<PortView | null> => this.allPorts.find((port) => port.id === id) ?? null;
  portsOf = async (uuid: string): Promise<readonly PortView[]> =>
    this.allPorts.filter((port) => port.deviceId === uuid);
  deletePort = async (id: string): Promise<void> => {
    const at = this.allPorts.findIndex((port) => port.id === id);
    if (at >= 0) this.allPorts.splice(at, 1);
  };
  setSecurityGroups = async (id: string, securityGroupIds: readonly string[]): Promise<void> => {
    const at = this.allPorts.findIndex((port) => port.id === id);
    const port = this.allPorts[at];
    if (port !== undefined) this.allPorts[at] = { ...port, securityGroupIds };
  };
  securityGroups = async (projectId: string) => [
    { id: 'sg-default', name: 'default', description: '', projectId, rules: [] },
    { id: 'sg', name: 'web', description: '', projectId, rules: [] },
    { id: 'sg-twin-1', name: 'twin', description: '', projectId, rules: [] },
    { id: 'sg-twin-2', name: 'twin', description: '', projectId, rules: [] },
  ];
}

/** Placement's arithmetic for providers without traits. */
export class FakePlacement implements PlacementApi {
  readonly capacity = new Map<string, Resources>();
  readonly claims = new Map<string, Claim>();
  /** Next requests that fail as if Placement were not there. */
  failures = 0;
  /** Claims that are lost to somebody else. */
  lostRaces = 0;

  #free(provider: string): Record<string, number> {
    const free: Record<string, number> = { ...this.capacity.get(provider) };
    for (const claim of this.claims.values()) {
      if (claim.providerUuid !== provider) continue;
      for (const [name, amount] of Object.entries(claim.resources)) free[name] = (free[name] ?? 0) - amount;
    }
    return free;
  }

  #answer(): void {
    if (this.failures === 0) return;
    this.failures -= 1;
    throw new Error('Placement is away');
  }

  candidates = async ({ resources }: CandidateQuery): Promise<readonly Candidate[]> => {
    this.#answer();
    return [...this.capacity.keys()]
      .map((providerUuid) => ({ providerUuid, free: this.#free(providerUuid) }))
      .filter(({ free }) => Object.entries(resources).every(([name, amount]) => (free[name] ?? 0) >= amount));
  };
  claim = async (claim: Claim): Promise<boolean> => {
    if (this.lostRaces > 0) {
      this.lostRaces -= 1;
      return false;
    }
    this.claims.set(claim.consumerUuid, claim);
    return true;
  };
  move = async (from: string, to: string): Promise<boolean> => {
    this.#answer();
    const claim = this.claims.get(from);
    if (claim === undefined) return false;
    this.claims.delete(from);
    this.claims.set(to, { ...claim, consumerUuid: to });
    return true;
  };
  release = async (consumer: string): Promise<void> => void this.claims.delete(consumer);
  deleteProvider = async (provider: string): Promise<void> => void this.capacity.delete(provider);
}

const notFound = (id: string): ComputeError =>
  new ComputeError('VolumeNotFound', `Volume ${id} could not be found.`);

/** Cinder's volumes with their states. */
export class FakeVolumes implements VolumeApi {
  readonly volumes = new Map<string, CinderVolume>();
  /** Volume by attachment. */
  readonly held = new Map<string, { readonly volumeId: string; readonly instanceUuid: string }>();
  readonly deleted: string[] = [];

  add(changes: Partial<CinderVolume> = {}): string {
    const id = changes.id ?? randomUUID();
    const nothing = {
      multiattach: false,
      encrypted: false,
      volumeType: null,
      attachments: [],
      imageMetadata: {},
    };
    const plain = {
      status: 'available',
      sizeGb: 1,
      availabilityZone: 'nova',
      bootable: false,
      projectId: '',
    };
    this.volumes.set(id, { ...nothing, ...plain, ...changes, id });
    return id;
  }

  #set(id: string, from: readonly string[], status: string): void {
    const volume = this.volumes.get(id);
    if (volume === undefined) throw notFound(id);
    if (!from.includes(volume.status))
      throw new ComputeError(
        'InvalidInput',
        `Invalid input received: Invalid volume: status must be ${from.join(' or ')}, but current status is: ${volume.status}.`,
      );
    this.volumes.set(id, { ...volume, status });
  }

  volume = async (id: string): Promise<CinderVolume> => {
    const volume = this.volumes.get(id);
    if (volume === undefined) throw notFound(id);
    return volume;
  };
  snapshot = async (id: string) => {
    if (id !== 'snapshot-1') throw new ComputeError('SnapshotNotFound', `Snapshot ${id} could not be found.`);
    const [volumeId = ''] = this.volumes.keys();
    return { id, status: 'available', volumeId, sizeGb: 3 };
  };
  reserve = async (volumeId: string, instanceUuid: string): Promise<string> => {
    this.#set(volumeId, ['available'], 'reserved');
    const id = randomUUID();
    this.held.set(id, { volumeId, instanceUuid });
    return id;
  };
  deleteAttachment = async (id: string): Promise<void> => {
    const held = this.held.get(id);
    this.held.delete(id);
    const volume = this.volumes.get(held?.volumeId ?? '');
    if (volume !== undefined) this.volumes.set(volume.id, { ...volume, status: 'available' });
  };
  attachments = async () => [...this.held].map(([id, held]) => ({ id, status: 'reserved', ...held }));
  beginDetaching = async (id: string): Promise<void> => this.#set(id, ['in-use'], 'detaching');
  rollDetaching = async (id: string): Promise<void> => this.#set(id, ['detaching'], 'in-use');
  deleteVolume = async (id: string): Promise<void> => {
    this.volumes.delete(id);
    this.deleted.push(id);
  };
  /** As the host's compute service does at the end of an attach. */
  complete(id: string): void {
    this.#set(id, ['reserved'], 'in-use');
  }
}

export type BuildOutcome = 'active' | 'hang' | 'retry' | 'refuse' | 'unavailable';

/** A compute service that brings instances to their states at once. */
export class FakeCompute implements ComputeService {
  readonly host: string;
  readonly builds: BuildRequest[] = [];
  readonly calls: string[] = [];
  outcome: BuildOutcome = 'active';
  /** Snapshots. */
  refuses = false;
  consoleText = 'EFI: yes\r\nready\u001b[0m\n';
  readonly #store: InstanceStore;
  readonly #rescheduler: () => Rescheduler;
  readonly #placement: PlacementApi;
  readonly #migrations: MigrationStore;
  readonly #devices: BlockDeviceStore;
  readonly #volumes: FakeVolumes;

  constructor(
    host: string,
    store: InstanceStore,
    migrations: MigrationStore,
    placement: PlacementApi,
    rescheduler: () => Rescheduler,
    block: { readonly devices: BlockDeviceStore; readonly volumes: FakeVolumes },
  ) {
    this.host = host;
    this.#store = store;
    this.#migrations = migrations;
    this.#placement = placement;
    this.#rescheduler = rescheduler;
    this.#devices = block.devices;
    this.#volumes = block.volumes;
  }

  async buildAndRunInstance(request: BuildRequest): Promise<void> {
    const { instanceUuid: uuid, requestId } = request;
    if (this.outcome === 'refuse') throw new Error('no room for more builds');
    this.builds.push(request);
    if (this.outcome === 'hang') return;
    if (this.outcome === 'retry') {
      await this.#store.save(uuid, { vmState: 'building', taskState: 'scheduling', host: null, node: null });
      setImmediate(() => {
        void this.#rescheduler().buildFailed(request, {
          host: this.host,
          message: 'the host is full',
          retryable: true,
        });
      });
      return;
    }
    await this.#store.eventStarted(uuid, requestId, 'compute__do_build_and_run_instance', this.host);
    await this.#store.save(uuid, {
      vmState: 'active',
      taskState: null,
      powerState: 1,
      launchedAt: new Date(),
      networkInfo: [
        {
          portId: randomUUID(),
          mac: 'fa:16:3e:00:00:01',
          networkId: NETWORK_ID,
          networkLabel: 'private',
          vifType: 'hyperv',
          mtu: 1450,
          active: true,
          fixedIps: [{ address: '10.0.0.5', subnetId: 'subnet' }],
        },
      ],
    });
    await this.#store.eventFinished(uuid, requestId, 'compute__do_build_and_run_instance', null);
  }

  async terminateInstance({ instanceUuid }: { readonly instanceUuid: string }): Promise<void> {
    this.calls.push(`terminate ${instanceUuid}`);
    await this.#placement.release(instanceUuid);
    await this.#store.destroy(instanceUuid);
  }
  async startInstance({ instanceUuid }: { readonly instanceUuid: string }): Promise<void> {
    this.calls.push('start');
    await this.#store.save(instanceUuid, { vmState: 'active', taskState: null, powerState: 1 });
  }
  async stopInstance({ instanceUuid }: { readonly instanceUuid: string }): Promise<void> {
    this.calls.push('stop');
    await this.#store.save(instanceUuid, { vmState: 'stopped', taskState: null, powerState: 4 });
  }
  async rebootInstance({
    instanceUuid,
    rebootType,
  }: {
    readonly instanceUuid: string;
    readonly rebootType: string;
  }) {
    this.calls.push(`reboot ${rebootType}`);
    await this.#store.save(instanceUuid, { taskState: null });
  }
  /** All steps of a resize at once, as far as the store and Placement see them. */
  async prepResize({ instanceUuid, migrationUuid, flavor }: PrepResizeRequest): Promise<void> {
    if (this.outcome === 'refuse') throw new Error('no room for more resizes');
    this.calls.push(`resize ${flavor.name}`);
    await this.#migrations.save(migrationUuid, { status: 'finished', destCompute: this.host });
    const { flavor: oldFlavor, vmState } = await this.#store.get(instanceUuid);
    const old = { old_vm_state: vmState };
    await this.#store.save(instanceUuid, {
      vmState: 'resized',
      taskState: null,
      flavor,
      oldFlavor,
      newFlavor: flavor,
      systemMetadata: old,
    });
  }
  resizeInstance = async (): Promise<void> => undefined;
  finishResize = async (): Promise<void> => undefined;
  finishRevertResize = async (): Promise<void> => undefined;
  async confirmResize({ instanceUuid, migrationUuid }: MigrationInstanceRequest): Promise<void> {
    this.calls.push('confirm');
    if (this.outcome === 'refuse') throw new Error('not now');
    await this.#migrations.save(migrationUuid, { status: 'confirmed' });
    await this.#placement.release(migrationUuid);
    await this.#store.save(instanceUuid, { vmState: 'active', oldFlavor: null, newFlavor: null });
  }
  async revertResize({ instanceUuid, migrationUuid }: MigrationInstanceRequest): Promise<void> {
    this.calls.push('revert');
    const { oldFlavor } = await this.#store.get(instanceUuid);
    await this.#migrations.save(migrationUuid, { status: 'reverted' });
    await this.#placement.move(migrationUuid, instanceUuid);
    await this.#store.save(instanceUuid, {
      vmState: 'active',
      taskState: null,
      oldFlavor: null,
      newFlavor: null,
      ...(oldFlavor === null ? {} : { flavor: oldFlavor }),
    });
  }
  async snapshotInstance({ instanceUuid, imageId }: SnapshotInstanceRequest): Promise<void> {
    if (this.refuses) throw new Error('no');
    this.calls.push(`snapshot ${imageId}`);
    await this.#store.save(instanceUuid, { taskState: null });
  }
  getConsoleOutput = async ({ tailLength }: { readonly tailLength: number | null }): Promise<string> =>
    tailLength === null ? this.consoleText : `last ${tailLength}`;
  diagnostics: InstanceDiagnostics = {
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
  getInstanceDiagnostics = async (): Promise<InstanceDiagnostics> => this.diagnostics;
  async reserveBlockDeviceName(request: ReserveBlockDeviceRequest): Promise<BlockDeviceRecord> {
    if (this.outcome === 'refuse')
      throw new ComputeError('DevicePathInUse', 'The supplied device path is in use.');
    const { volumeId, tag, deleteOnTermination, deviceName } = request;
    const none = { snapshotId: null, imageId: null, volumeSizeGb: null, volumeType: null, bootIndex: null };
    const device: BlockDeviceRecord = {
      ...none,
      uuid: randomUUID(),
      instanceUuid: request.instanceUuid,
      sourceType: 'volume',
      volumeId,
      deviceName: deviceName ?? '/dev/sdb',
      diskBus: null,
      deviceType: null,
      guestFormat: null,
      deleteOnTermination,
      attachmentId: null,
      connectionInfo: null,
      tag,
      state: 'reserved',
    };
    await this.#devices.add(device);
    return device;
  }
  async attachVolume({ instanceUuid, deviceUuid }: VolumeRequest): Promise<void> {
    if (this.outcome === 'unavailable') throw new ComputeError('ComputeServiceUnavailable', 'not now');
    this.calls.push('attach');
    const device = (await this.#devices.list(instanceUuid)).find(({ uuid }) => uuid === deviceUuid);
    this.#volumes.complete(device?.volumeId ?? '');
    await this.#devices.save(deviceUuid, { state: 'attached' });
  }
  async detachVolume({ instanceUuid, deviceUuid }: VolumeRequest): Promise<void> {
    if (this.outcome === 'unavailable') throw new ComputeError('ComputeServiceUnavailable', 'not now');
    this.calls.push('detach');
    const device = (await this.#devices.list(instanceUuid)).find(({ uuid }) => uuid === deviceUuid);
    await this.#volumes.deleteAttachment(device?.attachmentId ?? '');
    await this.#devices.remove(deviceUuid);
  }
  async externalInstanceEvent(event: { readonly name: string; readonly tag: string | null }): Promise<void> {
    this.calls.push(`${event.name} ${event.tag ?? ''}`);
  }
}
