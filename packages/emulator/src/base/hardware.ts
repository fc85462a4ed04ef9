import { cpus } from 'node:os';
import { statfsSync } from 'node:fs';
import type { CimInstance, CimValue } from '@nova-hyperv/wsman';
import { CIMV2, V2, dateTime, instance, reference, v2 } from '../cim.js';
import type { RuleHost } from '../machines/rules.js';
import type { InstanceSource } from '../store/store.js';
import type { Definitions } from './definitions.js';
import { known } from '../machines/build.js';

/** What of the host changes while it runs. */
export interface HostUsage {
  /** MB that running machines hold. */
  memoryInUse(): number;
  readonly bootTime: Date;
}

const NODE = String.raw`Microsoft:PhysicalNode\0`;

/** One NUMA node with the host's memory and processors. */
export function numaObjects(host: RuleHost): Definitions {
  const system = host.name.toUpperCase();
  const keys = (className: string): Record<string, string> => ({
    SystemCreationClassName: 'Msvm_ComputerSystem',
    SystemName: system,
    CreationClassName: className,
  });
  const object = (className: string, properties: Readonly<Record<string, CimValue>>): CimInstance =>
    v2(className, known(host, className, properties));
  const memoryKeys = { ...keys('Msvm_Memory'), DeviceID: NODE };
  const processors = Array.from({ length: host.processors }, (_, number) => ({
    ...keys('Msvm_Processor'),
    DeviceID: `Microsoft:${system}\\${number}`,
  }));
  const node = { ...keys('Msvm_NumaNode'), NodeID: NODE };
  const nodeReference = reference(V2, 'Msvm_NumaNode', node);
  const member = (className: string, of: Readonly<Record<string, string>>): CimInstance =>
    v2('Msvm_HostedDependency', { Antecedent: nodeReference, Dependent: reference(V2, className, of) });
  return {
    objects: [
      object('Msvm_NumaNode', {
        ...node,
        ElementName: 'NUMA Node 0',
        Name: 'NUMA Node 0',
        EnabledState: 2,
        NumberOfLogicalProcessors: host.processors,
        NumberOfProcessorCores: host.processors,
        CurrentlyConsumableMemoryBlocks: BigInt(host.memoryMb),
      }),
      object('Msvm_Memory', {
        ...memoryKeys,
        ElementName: 'Memory',
        BlockSize: 1_048_576n,
        NumberOfBlocks: BigInt(host.memoryMb),
        ConsumableBlocks: BigInt(host.memoryMb),
        EnabledState: 2,
      }),
      ...processors.map((of) =>
        object('Msvm_Processor', { ...of, ElementName: 'Processor', LoadPercentage: 0, EnabledState: 2 }),
      ),
    ],
    links: [member('Msvm_Memory', memoryKeys), ...processors.map((of) => member('Msvm_Processor', of))],
  };
}

/** Facts of the operating system and the machine in root/cimv2. */
export function win32Sources(host: RuleHost, usage: HostUsage): readonly InstanceSource[] {
  const source = (className: string, list: () => Readonly<Record<string, CimValue>>[]): InstanceSource => ({
    namespace: CIMV2,
    className,
    list: () =>
      list().map((properties) => instance(CIMV2, className, knownHere(host, className, properties))),
  });
  const system = host.name.toUpperCase();
  return [
    source('Win32_OperatingSystem', () => [operatingSystem(host, usage, system)]),
    source('Win32_Processor', () => [processor(host, system)]),
    source('Win32_ComputerSystem', () => [computerSystem(host, system)]),
    source('Win32_LogicalDisk', () => [logicalDisk(host, system)]),
    source('Win32_ServerFeature', () => [
      { ID: 20, Name: 'Hyper-V', ParentID: 0 },
      { ID: 57, Name: 'Multipath I/O', ParentID: 0 },
    ]),
  ];
}

function operatingSystem(
  host: RuleHost,
  usage: HostUsage,
  system: string,
): Readonly<Record<string, CimValue>> {
  const totalKib = BigInt(host.memoryMb) * 1024n;
  const freeKib = BigInt(Math.max(0, host.memoryMb - usage.memoryInUse())) * 1024n;
  return {
    Caption: host.release.caption,
    Name: `${host.release.caption}|C:\\Windows|\\Device\\Harddisk0\\Partition1`,
    Version: host.release.version,
    BuildNumber: host.release.version.split('.')[2] ?? '',
    BuildType: 'Multiprocessor Free',
    OSArchitecture: '64-bit',
    OSType: 18,
    ProductType: 3,
    OperatingSystemSKU: 8,
    Status: 'OK',
    Manufacturer: 'Microsoft Corporation',
    CreationClassName: 'Win32_OperatingSystem',
    CSCreationClassName: 'Win32_ComputerSystem',
    CSName: system,
    SystemDrive: 'C:',
    WindowsDirectory: String.raw`C:\Windows`,
    SystemDirectory: String.raw`C:\Windows\system32`,
    Locale: '0409',
    TotalVisibleMemorySize: totalKib,
    FreePhysicalMemory: freeKib,
    TotalVirtualMemorySize: totalKib,
    FreeVirtualMemory: freeKib,
    LastBootUpTime: dateTime(usage.bootTime),
    LocalDateTime: dateTime(host.clock.now()),
  };
}

function computerSystem(host: RuleHost, system: string): Readonly<Record<string, CimValue>> {
  return {
    Name: system,
    DNSHostName: host.name,
    Caption: system,
    Domain: 'WORKGROUP',
    DomainRole: 2,
    PartOfDomain: false,
    Manufacturer: 'Emulated',
    Model: 'Emulated Hyper-V host',
    CreationClassName: 'Win32_ComputerSystem',
    HypervisorPresent: true,
    NumberOfProcessors: 1,
    NumberOfLogicalProcessors: host.processors,
    TotalPhysicalMemory: BigInt(host.memoryMb) * 1_048_576n,
    SystemType: 'x64-based PC',
    Status: 'OK',
  };
}

function knownHere(
  host: RuleHost,
  className: string,
  properties: Readonly<Record<string, CimValue>>,
): Record<string, CimValue> {
  const def = host.schema.classOf(CIMV2, className);
  return Object.fromEntries(
    Object.entries(properties).filter(([name]) => def?.properties.has(name) ?? false),
  );
}

function processor(host: RuleHost, system: string): Record<string, CimValue> {
  const [real] = cpus();
  const name = real?.model.trim() ?? 'Processor';
  return {
    DeviceID: 'CPU0',
    Name: name,
    Caption: name,
    Manufacturer: name.includes('AMD') ? 'AuthenticAMD' : 'GenuineIntel',
    Architecture: 9,
    ProcessorType: 3,
    AddressWidth: 64,
    DataWidth: 64,
    MaxClockSpeed: real === undefined || real.speed === 0 ? 2000 : real.speed,
    CurrentClockSpeed: real === undefined || real.speed === 0 ? 2000 : real.speed,
    NumberOfCores: host.processors,
    NumberOfEnabledCore: host.processors,
    NumberOfLogicalProcessors: host.processors,
    SystemName: system,
    SystemCreationClassName: 'Win32_ComputerSystem',
    CreationClassName: 'Win32_Processor',
    Status: 'OK',
    CpuStatus: 1,
    LoadPercentage: 0,
  };
}

/** Drive C with the real sizes of the file system that holds its folder. */
function logicalDisk(host: RuleHost, system: string): Record<string, CimValue> {
  const space = statfsSync(host.paths.root, { bigint: true });
  return {
    DeviceID: 'C:',
    Name: 'C:',
    Caption: 'C:',
    Description: 'Local Fixed Disk',
    DriveType: 3,
    MediaType: 12,
    FileSystem: 'NTFS',
    Size: space.blocks * space.bsize,
    FreeSpace: space.bavail * space.bsize,
    MaximumComponentLength: 255,
    VolumeName: '',
    VolumeSerialNumber: 'E0E0E0E0',
    SystemName: system,
    SystemCreationClassName: 'Win32_ComputerSystem',
    CreationClassName: 'Win32_LogicalDisk',
    Compressed: false,
    SupportsFileBasedCompression: true,
  };
}
