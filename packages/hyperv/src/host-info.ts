import { isCimReference, referenceKey, wqlString } from '@nova-hyperv/wsman';
import { HyperVError, isRefusal } from './errors.js';
import type { HostWire } from './wire.js';

/** Win32_OperatingSystem.Version: 10.0.20348 is Windows Server 2022. */
export interface WindowsVersion {
  readonly major: number;
  readonly minor: number;
  readonly build: number;
}

export interface VirtualSwitch {
  /** GUID, upper case. */
  readonly id: string;
  readonly name: string;
  /** Whether one of its ports leads to a physical adapter. */
  readonly external: boolean;
}

/** What does not change while a host runs, as a rule. */
export interface HostFacts {
  /** Computer name. */
  readonly name: string;
  readonly version: WindowsVersion;
  readonly logicalProcessors: number;
  readonly processors: ProcessorFacts;
  /** Milliseconds since 1970; undefined when the host does not tell. */
  readonly bootedAt: number | undefined;
  readonly switches: readonly VirtualSwitch[];
  /** NUMA nodes; 1 when the host shows none. */
  readonly numaNodes: number;
  /** A node of a failover cluster. */
  readonly clustered: boolean;
}

export interface ProcessorFacts {
  /** Win32_Processor.Architecture: 9 = x64. */
  readonly architecture: number;
  readonly model: string;
  readonly vendor: string;
  readonly sockets: number;
  readonly coresPerSocket: number;
  readonly threadsPerCore: number;
  /** Win32_Processor.MaxClockSpeed; 0 when the host does not tell. */
  readonly maxClockMhz: number;
}

/** MiB. */
export interface MemoryFacts {
  readonly totalMb: number;
  readonly freeMb: number;
}

export interface VolumeFacts {
  readonly sizeBytes: number;
  readonly freeBytes: number;
}

/** Reads a host's facts: eight queries at once. */
export async function readHostFacts(wire: HostWire): Promise<HostFacts> {
  const [system, processors, switches, nodes, clustered] = await Promise.all([
    readSystem(wire),
    readProcessors(wire),
    readSwitches(wire),
    wire.select('Msvm_NumaNode', ['NodeID']),
    isClustered(wire),
  ]);
  const { sockets, coresPerSocket, threadsPerCore } = processors;
  return {
    name: system.name,
    version: system.version,
    bootedAt: system.bootedAt,
    processors,
    logicalProcessors: sockets * coresPerSocket * threadsPerCore,
    switches,
    numaNodes: Math.max(1, nodes.length),
    clustered,
  };
}

/** The namespace is there with the feature; a cluster in it only where the host has joined one. */
async function isClustered(wire: HostWire): Promise<boolean> {
  try {
    return (await wire.select('MSCluster_Cluster', ['Name'])).length > 0;
  } catch (error) {
    if (isRefusal(error)) return false;
    throw error;
  }
}

async function readSystem(
  wire: HostWire,
): Promise<{ name: string; version: WindowsVersion; bootedAt: number | undefined }> {
  const [row] = await wire.select('Win32_OperatingSystem', ['CSName', 'Version', 'LastBootUpTime']);
  if (row === undefined) throw unexpected(wire, 'has no Win32_OperatingSystem');
  const { CSName, LastBootUpTime, Version } = row.properties;
  const version = /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(Version ?? '');
  if (version === null) throw unexpected(wire, 'does not tell its Windows version');
  return {
    name: CSName ?? wire.host,
    version: { major: Number(version[1]), minor: Number(version[2]), build: Number(version[3] ?? 0) },
    bootedAt: LastBootUpTime ? Date.parse(LastBootUpTime.iso) : undefined,
  };
}

/** Total and free memory now. */
export async function readMemory(wire: HostWire): Promise<MemoryFacts> {
  const [row] = await wire.select('Win32_OperatingSystem', ['TotalVisibleMemorySize', 'FreePhysicalMemory']);
  if (row === undefined) throw unexpected(wire, 'has no Win32_OperatingSystem');
  return {
    totalMb: mib(row.properties.TotalVisibleMemorySize),
    freeMb: mib(row.properties.FreePhysicalMemory),
  };
}

/** Win32_OperatingSystem tells memory in KiB. */
function mib(kib: bigint | null | undefined): number {
  return Math.floor(Number(kib ?? 0n) / 1024);
}

/** The volume of a drive letter (`C:`). */
export async function readVolume(wire: HostWire, drive: string): Promise<VolumeFacts> {
  const [row] = await wire.select(
    'Win32_LogicalDisk',
    ['DeviceID', 'Size', 'FreeSpace'],
    `DeviceID=${wqlString(drive)}`,
  );
  if (row === undefined) throw unexpected(wire, `has no drive ${drive}`);
  return { sizeBytes: Number(row.properties.Size ?? 0n), freeBytes: Number(row.properties.FreeSpace ?? 0n) };
}

async function readProcessors(wire: HostWire): Promise<ProcessorFacts> {
  const rows = await wire.select('Win32_Processor', PROCESSOR_PROPERTIES, 'ProcessorType=3');
  const first = rows[0]?.properties;
  if (first === undefined) throw unexpected(wire, 'has no Win32_Processor');
  const cores = Math.max(1, first.NumberOfCores ?? 1);
  return {
    architecture: first.Architecture ?? X64,
    model: first.Name ?? '',
    vendor: first.Manufacturer ?? '',
    sockets: rows.length,
    coresPerSocket: cores,
    threadsPerCore: Math.max(1, Math.floor((first.NumberOfLogicalProcessors ?? cores) / cores)),
    maxClockMhz: first.MaxClockSpeed ?? 0,
  };
}

const X64 = 9;
const PROCESSOR_PROPERTIES = [
  'Architecture',
  'Manufacturer',
  'MaxClockSpeed',
  'Name',
  'NumberOfCores',
  'NumberOfLogicalProcessors',
] as const;

async function readSwitches(wire: HostWire): Promise<readonly VirtualSwitch[]> {
  const [switches, external] = await Promise.all([
    wire.select('Msvm_VirtualEthernetSwitch', ['Name', 'ElementName']),
    readExternalSwitchIds(wire),
  ]);
  return switches.map(({ properties }) => {
    const id = (properties.Name ?? '').toUpperCase();
    return { id, name: properties.ElementName ?? '', external: external.has(id) };
  });
}

/**
 * A physical adapter's endpoint is connected to an endpoint of the switch that uses it: Msvm_ExternalEthernetPort, by
 * Msvm_EthernetDeviceSAPImplementation, Msvm_LANEndpoint, by Msvm_ActiveConnection, the Msvm_LANEndpoint whose SystemName is the switch.
 * Both associations are read whole, which takes two queries however many adapters there are.
 */
async function readExternalSwitchIds(wire: HostWire): Promise<ReadonlySet<string>> {
  const [implementations, connections] = await Promise.all([
    wire.query('SELECT * FROM Msvm_EthernetDeviceSAPImplementation'),
    wire.query('SELECT * FROM Msvm_ActiveConnection'),
  ]);
  const physicalEnds = new Set<string>();
  for (const { instance } of implementations) {
    const { Antecedent: device, Dependent: end } = instance.properties;
    if (isCimReference(device) && isCimReference(end) && device.className === 'Msvm_ExternalEthernetPort')
      physicalEnds.add(referenceKey(end));
  }
  const ids = new Set<string>();
  for (const { instance } of connections) {
    const { Antecedent: one, Dependent: other } = instance.properties;
    if (!isCimReference(one) || !isCimReference(other)) continue;
    if (physicalEnds.has(referenceKey(one))) ids.add((other.keys['SystemName'] ?? '').toUpperCase());
    if (physicalEnds.has(referenceKey(other))) ids.add((one.keys['SystemName'] ?? '').toUpperCase());
  }
  return ids;
}

function unexpected(wire: HostWire, what: string): HyperVError {
  return new HyperVError(
    'HYPERV_UNEXPECTED',
    `${wire.host} ${what}: is it a Windows host, and may the account read root/cimv2?`,
    {
      host: wire.host,
    },
  );
}
