import type { WindowsRelease } from './options.js';

/** What differs between Windows releases, as data. */
export interface Release {
  /** `Win32_OperatingSystem.Version`. */
  readonly version: string;
  readonly caption: string;
  /** Default configuration version of new machines. */
  readonly machineVersion: string;
  /** Configuration versions that a new machine may have. */
  readonly machineVersions: readonly string[];
  /** True from 10.0 on: hot-add of NICs, Linux Secure Boot template, hot memory. */
  readonly isTen: boolean;
  /** The last releases that had RemoteFX' virtual graphics processor. Source: Microsoft, "Features removed or no longer developed". */
  readonly hasRemoteFx: boolean;
  /** Most virtual processors of a machine by generation. */
  readonly maximumProcessors: Readonly<Record<1 | 2, number>>;
  /** Most memory of a machine by generation, MB. */
  readonly maximumMemoryMb: Readonly<Record<1 | 2, number>>;
  readonly maximumSyntheticNics: number;
  readonly secureBootTemplates: readonly string[];
  readonly absentClasses: readonly string[];
  readonly absentProperties: Readonly<Record<string, readonly string[]>>;
}

/** Names and ids of the Secure Boot templates. */
export const SECURE_BOOT_TEMPLATES: Readonly<Record<string, string>> = {
  MicrosoftWindows: '1734C6E8-3154-4DDA-BA5F-A874CC483422',
  MicrosoftUEFICertificateAuthority: '272E7447-90A4-4563-A4B9-8E4AB00526CE',
  OpenSourceShieldedVM: '4292AE2B-EE2C-42B5-A969-DD8F8689F6F3',
};

const SINCE_TEN_CLASSES = [
  'Msvm_SerialPortSettingData',
  'Msvm_PciExpress',
  'Msvm_PciExpressSettingData',
  'Msvm_PciExpressPool',
  'Msvm_SecuritySettingData',
  'Msvm_SecurityService',
  'Msvm_SecurityElement',
  'Msvm_AssignableDeviceService',
  'MSFT_HgsClientConfiguration',
  'Msps_ProvisioningFile',
  'Msps_FabricData',
  'Msps_ProvisioningFileProcessor',
  'Msps_ProvisioningService',
  'Msps_ProvisioningJob',
  'Msvm_AssignableDeviceDismountSettingData',
];

/** Properties whose documentation page says, or whose feature implies, that they came with 10.0. */
const SINCE_TEN_PROPERTIES = {
  Msvm_VirtualSystemSettingData: [
    'UserSnapshotType',
    'SecureBootTemplateId',
    'AutomaticSnapshotsEnabled',
    'IsAutomaticSnapshot',
    'GuestControlledCacheTypes',
    'GuestStateFile',
    'GuestStateDataRoot',
    'ParentPackage',
    'AutomaticCriticalErrorActionTimeout',
    'AutomaticCriticalErrorAction',
    'ConsoleMode',
    'LowMmioGapSize',
    'HighMmioGapSize',
    'EnhancedSessionTransportType',
    'LockOnDisconnect',
  ],
  Msvm_ProcessorSettingData: [
    'HwThreadsPerCore',
    'EnableHostResourceProtection',
    'CpuGroupId',
    'HideHypervisorPresent',
    'ExposeVirtualizationExtensions',
  ],
  Msvm_Synthetic3DDisplayControllerSettingData: ['VRAMSizeBytes'],
  Msvm_SyntheticEthernetPortSettingData: ['DeviceNamingEnabled', 'AllowPacketDirect'],
  Msvm_MemorySettingData: ['HugePagesEnabled', 'SgxSize', 'SgxEnabled'],
} as const;

const MACHINE_VERSIONS = '5.0 6.2 7.0 7.1 8.0 8.1 8.2 8.3 9.0 9.1 9.2 9.3 10.0 10.5 11.0 12.0'.split(' ');

function versions(oldest: string, newest: string): readonly string[] {
  return MACHINE_VERSIONS.slice(MACHINE_VERSIONS.indexOf(oldest), MACHINE_VERSIONS.indexOf(newest) + 1);
}

const TEN = {
  isTen: true,
  hasRemoteFx: false,
  maximumProcessors: { 1: 64, 2: 240 },
  maximumMemoryMb: { 1: 1_048_576, 2: 12_582_912 },
  maximumSyntheticNics: 8,
  secureBootTemplates: ['MicrosoftWindows', 'MicrosoftUEFICertificateAuthority', 'OpenSourceShieldedVM'],
  absentClasses: [],
  absentProperties: {},
} as const;

export const RELEASES: Readonly<Record<WindowsRelease, Release>> = {
  '2012R2': {
    version: '6.3.9600',
    caption: 'Microsoft Windows Server 2012 R2 Datacenter',
    machineVersion: '5.0',
    machineVersions: ['5.0'],
    isTen: false,
    hasRemoteFx: true,
    maximumProcessors: { 1: 64, 2: 64 },
    maximumMemoryMb: { 1: 1_048_576, 2: 1_048_576 },
    maximumSyntheticNics: 8,
    secureBootTemplates: ['MicrosoftWindows'],
    absentClasses: SINCE_TEN_CLASSES,
    absentProperties: SINCE_TEN_PROPERTIES,
  },
  '2016': {
    ...TEN,
    hasRemoteFx: true,
    version: '10.0.14393',
    caption: 'Microsoft Windows Server 2016 Datacenter',
    machineVersion: '8.0',
    machineVersions: versions('5.0', '8.0'),
  },
  '2019': {
    ...TEN,
    hasRemoteFx: true,
    version: '10.0.17763',
    caption: 'Microsoft Windows Server 2019 Datacenter',
    machineVersion: '9.0',
    machineVersions: versions('5.0', '9.0'),
  },
  '2022': {
    ...TEN,
    version: '10.0.20348',
    caption: 'Microsoft Windows Server 2022 Datacenter',
    machineVersion: '10.0',
    machineVersions: versions('8.0', '10.0'),
    maximumProcessors: { 1: 64, 2: 1024 },
    maximumSyntheticNics: 68,
  },
  '2025': {
    ...TEN,
    version: '10.0.26100',
    caption: 'Microsoft Windows Server 2025 Datacenter',
    machineVersion: '12.0',
    machineVersions: versions('8.0', '12.0'),
    maximumProcessors: { 1: 64, 2: 2048 },
    maximumMemoryMb: { 1: 1_048_576, 2: 251_658_240 },
    maximumSyntheticNics: 68,
  },
};
