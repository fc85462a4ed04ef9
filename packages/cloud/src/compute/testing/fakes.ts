import { randomUUID } from 'node:crypto';
import type {
  BuildRequest,
  ComputeService,
  InstanceStore,
  MigrationInstanceRequest,
  MigrationStore,
  PrepResizeRequest,
  Rescheduler,
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

export type BuildOutcome = 'active' | 'hang' | 'retry' | 'refuse' | 'unavailable';

/** A compute service that brings instances to their states at once. */
export class FakeCompute implements ComputeService {
  readonly host: string;
  readonly builds: BuildRequest[] = [];
  readonly calls: string[] = [];
  outcome: BuildOutcome = 'active';
  consoleText = 'EFI: yes\r\nready\u001b[0m\n';
  readonly #store: InstanceStore;
  readonly #rescheduler: () => Rescheduler;
  readonly #placement: PlacementApi;
  readonly #migrations: MigrationStore;

  constructor(
    host: string,
    store: InstanceStore,
    migrations: MigrationStore,
    placement: PlacementApi,
    rescheduler: () => Rescheduler,
  ) {
    this.host = host;
    this.#store = store;
    this.#migrations = migrations;
    this.#placement = placement;
    this.#rescheduler = rescheduler;
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
  async externalInstanceEvent(event: { readonly name: string; readonly tag: string | null }): Promise<void> {
    this.calls.push(`${event.name} ${event.tag ?? ''}`);
  }
}
