import type { CimInstance, CimValue } from '@nova-hyperv/wsman';
import { numberOf, textOf } from '../cim.js';

/** The kinds of virtual resource that the host knows: class, type and sub type tell them apart. */
export type KindName =
  | 'memory'
  | 'processor'
  | 'ide-controller'
  | 'scsi-controller'
  | 'disk-drive'
  | 'physical-drive'
  | 'dvd-drive'
  | 'floppy-drive'
  | 'hard-disk'
  | 'dvd-disk'
  | 'floppy-disk'
  | 'synthetic-nic'
  | 'legacy-nic'
  | 'connection'
  | 'serial-port'
  | 's3-display'
  | 'synthetic-display'
  | 'remotefx-display'
  | 'pci-express'
  | 'keyboard'
  | 'mouse';

export interface ResourceKind {
  readonly name: KindName;
  readonly className: string;
  readonly resourceType: number;
  /** After `Microsoft:Hyper-V:`. */
  readonly subType: string;
  readonly elementName: string;
  /** GUID of the definition objects `Microsoft:Definition\<GUID>\Default` and their siblings. */
  readonly definition: string;
  /** Fixed GUID in the InstanceID of the one such resource that each machine has. */
  readonly deviceGuid?: string;
  readonly properties: Readonly<Record<string, CimValue>>;
  /** Hosts before 10.0 do not know the kind at all. */
  readonly since?: 'ten';
  /** Quantities of the `\Minimum`, `\Maximum` and `\Increment` siblings. */
  readonly range?: { readonly minimum: bigint; readonly maximum: bigint; readonly increment: bigint };
}

const PREFIX = 'Microsoft:Hyper-V:';
const RASD = 'Msvm_ResourceAllocationSettingData';
const SASD = 'Msvm_StorageAllocationSettingData';

const COUNTED = {
  PoolID: '',
  ConsumerVisibility: 3,
  AllocationUnits: 'count',
  VirtualQuantityUnits: 'count',
  VirtualQuantity: 1n,
  Reservation: 1n,
  Limit: 1n,
  Weight: 0,
  AutomaticAllocation: true,
  AutomaticDeallocation: true,
} as const;

const STORED = {
  ...COUNTED,
  ConsumerVisibility: 3,
  VirtualQuantityUnits: 'count(fixed size block)',
  VirtualResourceBlockSize: 0n,
  Access: 3,
  HostResourceBlockSize: 0n,
  HostExtentStartingAddress: 0n,
  HostExtentNameFormat: 0,
  HostExtentNameNamespace: 0,
  IOPSLimit: 0n,
  IOPSReservation: 0n,
  IOPSAllocationUnits: 'count',
  PersistentReservationsSupported: false,
  CachingMode: 0,
  IgnoreFlushes: false,
  WriteHardeningMethod: 0,
} as const;

const MEGABYTES = 'byte * 2^20';

/** Definition and device GUIDs are stable over all emulated hosts; they have not been checked against a real one. */
export const RESOURCE_KINDS: readonly ResourceKind[] = [
  {
    name: 'memory',
    className: 'Msvm_MemorySettingData',
    resourceType: 4,
    subType: 'Memory',
    elementName: 'Memory',
    definition: '4764334D-E001-4176-82EE-5594EC9B530E',
    deviceGuid: '4764334D-E001-4176-82EE-5594EC9B530E',
    properties: {
      ...COUNTED,
      AllocationUnits: MEGABYTES,
      VirtualQuantityUnits: MEGABYTES,
      VirtualQuantity: 1024n,
      Reservation: 512n,
      Limit: 1_048_576n,
      Weight: 5000,
      DynamicMemoryEnabled: false,
      TargetMemoryBuffer: 20,
      IsVirtualized: true,
      SwapFilesInUse: false,
      MaxMemoryBlocksPerNumaNode: 65_536n,
    },
    range: { minimum: 32n, maximum: 12_582_912n, increment: 2n },
  },
  {
    name: 'processor',
    className: 'Msvm_ProcessorSettingData',
    resourceType: 3,
    subType: 'Processor',
    elementName: 'Processor',
    definition: 'B637F347-6A0E-4DEC-AF52-BD70CB80A21D',
    deviceGuid: 'B637F346-6A0E-4DEC-AF52-BD70CB80A21D\\0',
    properties: {
      ...COUNTED,
      AllocationUnits: 'percent / 1000',
      Reservation: 0n,
      Limit: 100_000n,
      Weight: 100,
      LimitCPUID: false,
      LimitProcessorFeatures: false,
      MaxProcessorsPerNumaNode: 64n,
      MaxNumaNodesPerSocket: 1n,
      ExposeVirtualizationExtensions: false,
      HideHypervisorPresent: false,
      EnableHostResourceProtection: false,
    },
    range: { minimum: 1n, maximum: 2048n, increment: 1n },
  },
  {
    name: 'ide-controller',
    className: RASD,
    resourceType: 5,
    subType: 'Emulated IDE Controller',
    elementName: 'IDE Controller',
    definition: '83F8638B-8DCA-4152-9EDA-2CA8B33039B4',
    deviceGuid: '83F8638B-8DCA-4152-9EDA-2CA8B33039B4',
    properties: COUNTED,
  },
  {
    name: 'scsi-controller',
    className: RASD,
    resourceType: 6,
    subType: 'Synthetic SCSI Controller',
    elementName: 'SCSI Controller',
    definition: 'D422512D-2BF2-4752-809D-7B82B5FCB1B4',
    properties: COUNTED,
  },
  {
    name: 'disk-drive',
    className: RASD,
    resourceType: 17,
    subType: 'Synthetic Disk Drive',
    elementName: 'Hard Drive',
    definition: '353B3BE8-310C-4CF4-839E-4E1B14616136',
    properties: COUNTED,
  },
  {
    name: 'physical-drive',
    className: RASD,
    resourceType: 17,
    subType: 'Physical Disk Drive',
    elementName: 'Hard Drive',
    definition: 'CEB1F8C0-5B57-4A25-B7D0-0DC7CEC7A2FC',
    properties: COUNTED,
  },
  {
    name: 'dvd-drive',
    className: RASD,
    resourceType: 16,
    subType: 'Synthetic DVD Drive',
    elementName: 'DVD Drive',
    definition: '118C3BE5-0D31-4804-85F0-5C6074ABEA8F',
    properties: COUNTED,
  },
  {
    name: 'floppy-drive',
    className: RASD,
    resourceType: 14,
    subType: 'Synthetic Diskette Drive',
    elementName: 'Diskette Drive',
    definition: '6C1C5F7E-8C9C-4B11-9A2F-52D5C4C6A1E3',
    deviceGuid: '8F0D2762-0B00-4E04-AF4F-19010527CB93\\0\\0\\D',
    properties: COUNTED,
  },
  {
    name: 'hard-disk',
    className: SASD,
    resourceType: 31,
    subType: 'Virtual Hard Disk',
    elementName: 'Hard Disk Image',
    definition: '70BB60D2-A9D3-46AA-B654-3DE53004B4F8',
    properties: STORED,
  },
  {
    name: 'dvd-disk',
    className: SASD,
    resourceType: 31,
    subType: 'Virtual CD/DVD Disk',
    elementName: 'ISO Disk Image',
    definition: 'EF4B6CEB-5B4A-4E1C-8F7E-6AD3A1C7DB6E',
    properties: { ...STORED, Access: 1 },
  },
  {
    name: 'floppy-disk',
    className: SASD,
    resourceType: 31,
    subType: 'Virtual Floppy Disk',
    elementName: 'Floppy Disk Image',
    definition: '9F3F6A27-8A1C-4CE6-8B1B-4F6DBE5A90D1',
    properties: STORED,
  },
  {
    name: 'synthetic-nic',
    className: 'Msvm_SyntheticEthernetPortSettingData',
    resourceType: 10,
    subType: 'Synthetic Ethernet Port',
    elementName: 'Network Adapter',
    definition: '6A45335D-4C3A-44B7-B61F-C9808BBDF8ED',
    properties: {
      ...withoutQuantity(),
      Address: '',
      StaticMacAddress: false,
      ClusterMonitored: true,
      DeviceNamingEnabled: false,
      AllowPacketDirect: false,
    },
  },
  {
    name: 'legacy-nic',
    className: 'Msvm_EmulatedEthernetPortSettingData',
    resourceType: 10,
    subType: 'Emulated Ethernet Port',
    elementName: 'Legacy Network Adapter',
    definition: '72B0C7F1-3CF4-4A75-AE41-F5FA0AFB4C0A',
    properties: { ...withoutQuantity(), Address: '', StaticMacAddress: false, ClusterMonitored: true },
  },
  {
    name: 'connection',
    className: 'Msvm_EthernetPortAllocationSettingData',
    resourceType: 33,
    subType: 'Ethernet Connection',
    elementName: 'Ethernet Switch Port Settings',
    definition: '72027ECE-E44A-446E-AF2B-8D8C4B8A2279',
    properties: { ...withoutQuantity(), EnabledState: 2 },
  },
  {
    name: 'serial-port',
    className: 'Msvm_SerialPortSettingData',
    resourceType: 21,
    subType: 'Serial Port',
    elementName: 'COM',
    definition: '8E3A359F-559A-4B6A-98A9-1690A6100ED7',
    deviceGuid: '8E3A359F-559A-4B6A-98A9-1690A6100ED7',
    properties: { ...COUNTED, Connection: [''] },
  },
  {
    name: 's3-display',
    className: RASD,
    resourceType: 24,
    subType: 'S3 Display Controller',
    elementName: 'Video Controller',
    definition: 'A9B8C5D4-3B4B-4C4B-8B3C-1E2A6E0E7F11',
    deviceGuid: 'E3D19EF4-6B1A-4E2E-9F3E-1D4B2C0A9E77',
    properties: { ...COUNTED, Address: '5353,00000000,00' },
  },
  {
    name: 'synthetic-display',
    className: 'Msvm_SyntheticDisplayControllerSettingData',
    resourceType: 24,
    subType: 'Synthetic Display Controller',
    elementName: 'Synthetic Display Controller',
    definition: 'F3CFBB4E-0B0C-4B39-9B58-8A8B8B8F5A01',
    deviceGuid: 'F3CFBB4E-0B0C-4B39-9B58-8A8B8B8F5A01',
    properties: { ...COUNTED, ResolutionType: 3, HorizontalResolution: 1024, VerticalResolution: 768 },
  },
  {
    name: 'remotefx-display',
    className: 'Msvm_Synthetic3DDisplayControllerSettingData',
    resourceType: 24,
    subType: 'Synthetic 3D Display Controller',
    elementName: 'Synthetic 3D Display Controller',
    definition: '1D1E0F1E-9B3E-4D4B-8C1A-2A6B7F4A0C11',
    properties: { ...COUNTED, MaximumMonitors: 1, MaximumScreenResolution: 0 },
  },
  {
    name: 'pci-express',
    className: 'Msvm_PciExpressSettingData',
    resourceType: 32_769,
    subType: 'Virtual Pci Express Port',
    elementName: 'PCI Express Port',
    definition: '74E5F9A1-6C5C-4B0E-9C0C-0C6A7F6B2D31',
    since: 'ten',
    properties: { ...COUNTED, HostResource: [], VirtualFunctions: [0] },
  },
  {
    name: 'keyboard',
    className: RASD,
    resourceType: 13,
    subType: 'Synthetic Keyboard',
    elementName: 'Keyboard',
    definition: 'F912AD6D-2B17-48EA-BD65-F927A61C7684',
    deviceGuid: 'F912AD6D-2B17-48EA-BD65-F927A61C7684',
    properties: COUNTED,
  },
  {
    name: 'mouse',
    className: RASD,
    resourceType: 13,
    subType: 'Synthetic Mouse',
    elementName: 'Mouse',
    definition: 'CFA8B69E-5B4A-4CC0-B98B-8BA1A1F3F95A',
    deviceGuid: 'CFA8B69E-5B4A-4CC0-B98B-8BA1A1F3F95A',
    properties: COUNTED,
  },
];

/** Ethernet resources carry no quantity units of the counted kind beyond these. */
function withoutQuantity(): Readonly<Record<string, CimValue>> {
  return { ...COUNTED, AllocationUnits: 'count', VirtualQuantityUnits: 'count' };
}

const BY_NAME = new Map(RESOURCE_KINDS.map((one) => [one.name, one]));

export function kind(name: KindName): ResourceKind {
  const found = BY_NAME.get(name);
  if (found === undefined) throw new Error(`There is no resource kind ${name}`);
  return found;
}

export function subTypeText(of: ResourceKind): string {
  return PREFIX + of.subType;
}

/** The kind of a resource setting; undefined for settings that are no resource (or not one of this host). */
export function kindOf(instance: CimInstance): ResourceKind | undefined {
  const type = numberOf(instance.properties['ResourceType'], -1);
  const subType = textOf(instance.properties['ResourceSubType']).toLowerCase();
  return RESOURCE_KINDS.find(
    (candidate) =>
      candidate.resourceType === type &&
      subTypeText(candidate).toLowerCase() === subType &&
      // Before 10.0 a serial port is a plain resource allocation.
      (candidate.className === instance.className ||
        (candidate.name === 'serial-port' && instance.className === RASD)),
  );
}

export function isKind(instance: CimInstance, ...names: readonly KindName[]): boolean {
  const found = kindOf(instance);
  return found !== undefined && names.includes(found.name);
}
