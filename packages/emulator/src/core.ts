import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { Schema } from '@nova-hyperv/wsman';
import type { Logger } from 'pino';
import { machineAssociations } from './associations.js';
import { definitions } from './base/definitions.js';
import { clusterSource } from './base/cluster.js';
import { graphicsObjects } from './base/graphics.js';
import { win32Sources } from './base/hardware.js';
import { loadHostState, newGuid } from './base/host-state.js';
import type { HostState, SwitchState } from './base/host-state.js';
import { externalSwitch, switchInstance } from './base/network.js';
import { plugAndPlayMethods, plugAndPlaySource } from './base/plug-and-play.js';
import { serviceObjects } from './base/services.js';
import { V2, sameText } from './cim.js';
import type { Clock } from './clock.js';
import { HostPci, holderOf, pciExpressObjects } from './devices/host-pci.js';
import type { Engine } from './engine/engine.js';
import { fileMethods, fileSources } from './files/data-files.js';
import { snapshotServiceMethods } from './checkpoints/snapshot-service.js';
import { imageServiceMethods } from './images/image-service.js';
import { JobManager } from './jobs.js';
import type { JobPace } from './jobs.js';
import { loadMachines } from './machines/machine-file.js';
import type { Machine } from './machines/model.js';
import { usersOfDisk } from './machines/physical-drives.js';
import { MachineRegistry } from './machines/registry.js';
import type { RuleHost } from './machines/rules.js';
import { MethodTable, keyOf } from './methods.js';
import { hostNuma, numaAllocations, numaSources } from './numa/objects.js';
import type { NumaTopology } from './numa/topology.js';
import type { EmulatedHostOptions } from './options.js';
import type { DrivePaths } from './paths.js';
import { HostProvider } from './provider.js';
import { securityServiceMethods } from './security/security-service.js';
import { ShieldingTools } from './security/shielding-tools.js';
import { FABRIC_GUARDIAN } from './security/shielding-data.js';
import { releaseSchema } from './release-schema.js';
import { RELEASES } from './releases.js';
import { metricAssociations, metricSources } from './metrics/metric-objects.js';
import { metricServiceMethods } from './metrics/metric-service.js';
import { assignableDeviceMethods } from './services/assignable-devices.js';
import type { ServiceContext } from './services/context.js';
import { machineServiceMethods } from './services/machine-service.js';
import { jobMethods, shutdownMethods, systemMethods } from './services/power.js';
import { systemSources } from './services/system-view.js';
import type { FileServers } from './smb/file-servers.js';
import { smbMethods, smbSources } from './smb/smb-classes.js';
import type { HostStorage } from './storage/host-storage.js';
import { addStorageMethods, publishStorage } from './storage/storage-services.js';
import { StateFiles } from './state-files.js';
import { Associations } from './store/associations.js';
import { ObjectStore } from './store/store.js';

export interface CoreOptions extends Pick<
  EmulatedHostOptions,
  | 'name'
  | 'release'
  | 'stateDir'
  | 'validation'
  | 'switches'
  | 'refuse'
  | 'cluster'
  | 'guarded'
  | 'pciDevices'
  | 'remoteFx'
  | 'fibreChannel'
  | 'multipath'
> {
  readonly processors: number;
  readonly memoryMb: number;
  readonly numa: NumaTopology;
  readonly schema: Schema;
  readonly paths: DrivePaths;
  readonly servers: FileServers;
  readonly storage: HostStorage;
  readonly engine: Engine;
  readonly clock: Clock;
  readonly pace: JobPace;
  readonly log: Logger;
}

/** The host without its way to the network: what tests drive directly, and {@link startEmulatedHost} serves. */
export interface HostCore {
  readonly provider: HostProvider;
  readonly context: ServiceContext;
  readonly paths: DrivePaths;
  /** External switches. */
  readonly switches: readonly SwitchState[];
}

const HOST_FOLDERS = [
  String.raw`C:\ProgramData\Microsoft\Windows\Hyper-V`,
  String.raw`C:\Users\Public\Documents\Hyper-V\Virtual Hard Disks`,
];

export async function createCore(options: CoreOptions): Promise<HostCore> {
  const schema = releaseSchema(options.schema, RELEASES[options.release], {
    clustered: options.cluster !== undefined,
  });
  const store = new ObjectStore(schema);
  const { paths, servers } = options;
  mkdirSync(paths.root, { recursive: true });
  for (const folder of HOST_FOLDERS) mkdirSync(paths.toLocal(folder), { recursive: true });
  const hostFiles = new StateFiles(options.stateDir);
  const hostState = loadHostState(hostFiles, options.release, options.switches ?? ['external']);
  const pci = new HostPci(options.pciDevices ?? [], hostFiles);
  const host = ruleHost(options, schema, paths, hostState, pci, () => machines.all());
  const { engine } = options;
  const files = new StateFiles(path.join(options.stateDir, 'machines'));
  const machines: MachineRegistry = new MachineRegistry({ files, store, engine, host, log: options.log });
  const jobs = new JobManager({ clock: options.clock, pace: options.pace, newGuid });
  const context: ServiceContext = {
    host,
    store,
    jobs,
    machines,
    engine,
    validation: options.validation ?? 'job',
    log: options.log,
  };
  const associations = new Associations(store);
  const shielding = new ShieldingTools(context);
  publish(context, associations, hostState, shielding, options.multipath ?? true);
  for (const source of smbSources(servers)) store.addSource(source);
  const { storage, fibreChannel } = options;
  const disks = { host, storage, machines };
  publishStorage(disks, fibreChannel, { store, associations });
  await storage.start();
  await machines.restore(loadMachines(files, schema));
  const methods = methodTable(context, shielding, servers);
  addStorageMethods(methods, disks, fibreChannel);
  const provider = new HostProvider({
    store,
    associations,
    methods,
    version: host.release.version,
    refuse: host.refuse,
  });
  return { provider, context, paths, switches: hostState.switches };
}

function ruleHost(
  options: CoreOptions,
  schema: Schema,
  paths: DrivePaths,
  state: HostState,
  pci: HostPci,
  machines: () => readonly Machine[],
): RuleHost {
  const host: RuleHost = {
    name: options.name,
    release: RELEASES[options.release],
    schema,
    paths,
    clock: options.clock,
    processors: options.processors,
    memoryMb: options.memoryMb,
    numa: options.numa,
    cluster: options.cluster,
    guarded: options.guarded === true,
    guardians: options.guarded === true ? [FABRIC_GUARDIAN] : [],
    refuse: new Set(options.refuse),
    newGuid,
    findSwitch: (reference) => {
      const id = keyOf(reference, 'Name');
      const found = state.switches.find((candidate) => sameText(candidate.id, id));
      return found === undefined ? undefined : switchInstance(found, host);
    },
    findDisk: (number) => options.storage.disks().find((disk) => disk.number === number),
    diskUsers: (number) => usersOfDisk(machines(), number),
    pci,
    holderOf: (device) => holderOf(device, machines(), host)?.machine,
    remoteFx: options.remoteFx ?? 'absent',
  };
  return host;
}

function publish(
  context: ServiceContext,
  associations: Associations,
  state: HostState,
  shielding: ShieldingTools,
  hasMultipath: boolean,
): void {
  const { host, store, machines, jobs } = context;
  for (const object of [...serviceObjects(host, state), ...graphicsObjects(host)]) store.put(object);
  const parts = [
    definitions(host),
    hostNuma(host),
    ...state.switches.map((one) => externalSwitch(one, host)),
  ];
  for (const object of parts.flatMap((part) => part.objects)) store.put(object);
  const links = parts.flatMap((part) => part.links);
  for (const className of new Set(links.map((link) => link.className))) {
    const own = links.filter((link) => link.className === className);
    associations.add({ namespace: V2, className, links: () => own });
  }
  const associationSources = [
    ...machineAssociations(machines),
    ...jobs.associations(),
    numaAllocations(machines, host),
    ...metricAssociations(context),
  ];
  for (const source of associationSources) associations.add(source);
  const usage = {
    memoryInUse: () => machines.memoryInUse(),
    bootTime: host.clock.now(),
    hasMultipath,
  };
  const sources = [
    ...systemSources(machines, host),
    ...jobs.sources(),
    ...win32Sources(host, usage),
    ...fileSources(context),
    ...numaSources(machines, host),
    ...clusterSource(host),
    ...shielding.sources(),
    plugAndPlaySource(host),
    ...metricSources(context),
    {
      namespace: V2,
      className: 'Msvm_PciExpress',
      list: () => pciExpressObjects(machines.all(), host),
    },
  ];
  for (const source of sources) {
    if (host.schema.classOf(source.namespace, source.className) !== undefined) store.addSource(source);
  }
}

function methodTable(context: ServiceContext, shielding: ShieldingTools, servers: FileServers): MethodTable {
  const methods = new MethodTable();
  methods.add('Msvm_SecurityService', securityServiceMethods(context));
  methods.add('Msps_ProvisioningFileProcessor', shielding.processorMethods());
  methods.add('Msps_ProvisioningService', shielding.serviceMethods());
  methods.add('MSFT_HgsClientConfiguration', shielding.guardianMethods());
  methods.add('Msvm_VirtualSystemManagementService', machineServiceMethods(context));
  methods.add('Msvm_VirtualSystemSnapshotService', snapshotServiceMethods(context));
  methods.add('Msvm_ImageManagementService', imageServiceMethods(context));
  methods.add('Msvm_ComputerSystem', systemMethods(context));
  methods.add('Msvm_ShutdownComponent', shutdownMethods(context));
  methods.add('CIM_ConcreteJob', jobMethods(context));
  methods.add('Msvm_AssignableDeviceService', assignableDeviceMethods(context));
  methods.add('Msvm_MetricService', metricServiceMethods(context));
  methods.add('MSFT_SmbMapping', smbMethods(servers, context.machines));
  methods.add('Win32_PnPEntity', plugAndPlayMethods(context.host));
  for (const [className, own] of Object.entries(fileMethods(context))) methods.add(className, own);
  return methods;
}
