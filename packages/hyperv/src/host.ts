import type { Found, WireCounters, WsmanClient } from '@nova-hyperv/wsman';
import { Checkpoints } from './checkpoints.js';
import { DiskImages } from './disks.js';
import { FibreChannel } from './fibre-channel.js';
import { readHostFacts, readMemory, readVolume } from './host-info.js';
import type { HostFacts, MemoryFacts, VolumeFacts } from './host-info.js';
import { IscsiInitiator } from './iscsi.js';
import type { JobTracker } from './jobs.js';
import { Machines } from './machines.js';
import type { MachineHandle } from './machines.js';
import { Metrics } from './metrics.js';
import { PortMeters } from './port-meters.js';
import { AssignableDevices } from './pci-devices.js';
import { PhysicalDisks } from './physical-disks.js';
import { Power } from './power.js';
import { readNuma } from './numa.js';
import type { HostNuma } from './numa.js';
import type { HostReach } from './reach.js';
import { Security } from './security.js';
import { readGraphicsProcessors, readRemoteFx } from './remote-fx.js';
import type { GraphicsProcessor, RemoteFxFacts } from './remote-fx.js';
import { ShapeMemory } from './shapes.js';
import { SmbShares } from './smb.js';
import type { UnprovenShape } from './shapes.js';
import { readRuntime, summariseMachines } from './summary.js';
import type { MachineRuntime, MachineSummary } from './summary.js';
import { HostWire } from './wire.js';
import type { Row, WmiClasses, WmiClassName } from './wmi-classes.js';

export interface HyperVHostOptions {
  readonly client: WsmanClient;
  /** What the host is called in messages until it has told its name. */
  readonly address: string;
  readonly reach: HostReach;
  readonly onShapeRefused?: (shape: UnprovenShape, reason: string) => void;
  /** Milliseconds that a job may take; default 5 minutes. */
  readonly jobDeadlineMs?: number;
}

/** Win32_ServerFeature: Multipath I/O. */
const MULTIPATH_IO = 57;

/** One Hyper-V host as typed objects. */
export class HyperVHost {
  readonly client: WsmanClient;
  readonly reach: HostReach;
  readonly machines: Machines;
  readonly power: Power;
  readonly disks: DiskImages;
  readonly security: Security;
  readonly jobs: JobTracker;
  readonly shapes: ShapeMemory;
  readonly pci: AssignableDevices;
  readonly metrics: Metrics;
  readonly physicalDisks: PhysicalDisks;
  readonly iscsi: IscsiInitiator;
  readonly fibreChannel: FibreChannel;
  readonly smb: SmbShares;
  readonly portMeters: PortMeters;
  readonly checkpoints: Checkpoints;
  readonly #wire: HostWire;
  #facts: Promise<HostFacts> | undefined;

  constructor(options: HyperVHostOptions) {
    this.client = options.client;
    this.reach = options.reach;
    this.shapes = new ShapeMemory(options.onShapeRefused);
    this.#wire = new HostWire(options.client, options.address, this.shapes, options.jobDeadlineMs);
    this.jobs = this.#wire.jobs;
    this.machines = new Machines(this.#wire);
    this.power = new Power(this.#wire, this.machines);
    this.disks = new DiskImages(this.#wire);
    this.security = new Security(this.#wire);
    this.pci = new AssignableDevices(this.#wire);
    this.metrics = new Metrics(this.#wire);
    this.physicalDisks = new PhysicalDisks(this.#wire);
    this.iscsi = new IscsiInitiator(this.#wire);
    this.fibreChannel = new FibreChannel(this.#wire);
    this.smb = new SmbShares(this.#wire);
    this.checkpoints = new Checkpoints(this.#wire);
    this.portMeters = new PortMeters(this.#wire, this.machines);
  }

  /** Computer name; the address until the host has told it. */
  get name(): string {
    return this.#wire.host;
  }

  get counters(): WireCounters {
    return this.client.counters;
  }

  /** Name, version, processors, switches: read once per connection. */
  facts(): Promise<HostFacts> {
    this.#facts ??= this.#readFacts();
    return this.#facts;
  }

  async #readFacts(): Promise<HostFacts> {
    try {
      const facts = await readHostFacts(this.#wire);
      this.#wire.host = facts.name;
      return facts;
    } catch (error) {
      this.#facts = undefined;
      throw error;
    }
  }

  /** The next {@link facts} reads the host again: after a failure that stale facts may explain. */
  forgetFacts(): void {
    this.#facts = undefined;
  }

  memory(): Promise<MemoryFacts> {
    return readMemory(this.#wire);
  }

  /** NUMA nodes, and who has memory on them. */
  numa(): Promise<HostNuma> {
    return readNuma(this.#wire, this.machines);
  }

  /** The volume with this drive letter, `C:`. */
  volume(drive: string): Promise<VolumeFacts> {
    return readVolume(this.#wire, drive);
  }

  remoteFx(): Promise<RemoteFxFacts> {
    return readRemoteFx(this.#wire);
  }

  /** Whether the server feature Multipath-IO is installed (Win32_ServerFeature 57). */
  async hasMultipathIo(): Promise<boolean> {
    return (await this.#wire.select('Win32_ServerFeature', ['ID'], `ID=${MULTIPATH_IO}`)).length > 0;
  }

  graphicsProcessors(): Promise<readonly GraphicsProcessor[]> {
    return readGraphicsProcessors(this.#wire);
  }

  /** All machines with states and notes: one call. */
  summaries(): Promise<readonly MachineSummary[]> {
    return summariseMachines(this.#wire, this.machines);
  }

  /** What a machine is doing now: one call. */
  runtimeOf(machine: Pick<MachineHandle, 'settings'>): Promise<MachineRuntime> {
    return readRuntime(this.#wire, machine);
  }

  /** A typed query of one class. */
  select<C extends WmiClassName, P extends string & keyof WmiClasses[C]>(
    className: C,
    properties: readonly P[],
    where?: string,
  ): Promise<readonly Row<C, P>[]> {
    return this.#wire.select(className, properties, where);
  }

  /** A WQL query of root/virtualization/v2. */
  query(wql: string): Promise<readonly Found[]> {
    return this.#wire.query(wql);
  }

  async close(): Promise<void> {
    this.jobs.close();
    await this.client.close();
  }
}
