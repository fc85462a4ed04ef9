import { cpus } from 'node:os';
import { statfsSync } from 'node:fs';
import type { CimValue } from '@nova-hyperv/wsman';
import { CIMV2, dateTime, instance } from '../cim.js';
import type { RuleHost } from '../machines/rules.js';
import type { InstanceSource } from '../store/store.js';

/** What of the host changes while it runs. */
export interface HostUsage {
  /** MB that running machines hold. */
  memoryInUse(): number;
  readonly bootTime: Date;
  readonly hasMultipath: boolean;
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
    source('Win32_Processor', () =>
      host.numa.nodes.map((node) => processor(node.id, node.processors.length, system)),
    ),
    source('Win32_ComputerSystem', () => [computerSystem(host, system)]),
    source('Win32_LogicalDisk', () => [logicalDisk(host, system)]),
    source('Win32_ServerFeature', () => [
      { ID: 20, Name: 'Hyper-V', ParentID: 0 },
      ...(usage.hasMultipath ? [{ ID: 57, Name: 'Multipath I/O', ParentID: 0 }] : []),
      ...(host.remoteFx === 'absent'
        ? []
        : [{ ID: 322, Name: 'Remote Desktop Virtualization Host', ParentID: 0 }]),
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
    NumberOfProcessors: host.numa.nodes.length,
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

/** Of a processor of this machine, MHz; where it does not tell, one of 2 GHz is assumed. */
export function clockMhz(): number {
  const speed = cpus()[0]?.speed ?? 0;
  return speed === 0 ? 2000 : speed;
}

/** One socket, which is a NUMA node. */
function processor(socket: number, cores: number, system: string): Record<string, CimValue> {
  const [real] = cpus();
  const name = real?.model.trim() ?? 'Processor';
  return {
    DeviceID: `CPU${socket}`,
    Name: name,
    Caption: name,
    Manufacturer: name.includes('AMD') ? 'AuthenticAMD' : 'GenuineIntel',
    Architecture: 9,
    ProcessorType: 3,
    AddressWidth: 64,
    DataWidth: 64,
    MaxClockSpeed: clockMhz(),
    CurrentClockSpeed: clockMhz(),
    NumberOfCores: cores,
    NumberOfEnabledCore: cores,
    NumberOfLogicalProcessors: cores,
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
