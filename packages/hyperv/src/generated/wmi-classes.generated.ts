// Generated from the WMI schema data by generate-types.mjs. Do not edit.
import type { CimDateTime, CimInterval, CimReference } from '@nova-hyperv/wsman';

export interface Msvm_ComputerSystem {
  readonly AvailableRequestedStates?: readonly number[] | null;
  readonly Caption?: string | null;
  readonly CommunicationStatus?: number | null;
  /** Key. */
  readonly CreationClassName?: string | null;
  readonly Dedicated?: readonly number[] | null;
  readonly Description?: string | null;
  readonly DetailedStatus?: number | null;
  readonly ElementName?: string | null;
  readonly EnabledDefault?: number | null;
  readonly EnabledState?: number | null;
  readonly EnhancedSessionModeState?: number | null;
  readonly FailedOverReplicationType?: number | null;
  readonly HealthState?: number | null;
  readonly IdentifyingDescriptions?: readonly string[] | null;
  readonly InstallDate?: CimDateTime | null;
  readonly InstanceID?: string | null;
  readonly LastApplicationConsistentReplicationTime?: CimDateTime | null;
  readonly LastReplicationTime?: CimDateTime | null;
  readonly LastReplicationType?: number | null;
  readonly LastSuccessfulBackupTime?: CimDateTime | null;
  /** Key. */
  readonly Name?: string | null;
  readonly NameFormat?: string | null;
  readonly NumberOfNumaNodes?: number | null;
  /** Unit: MilliSeconds. */
  readonly OnTimeInMilliseconds?: bigint | null;
  readonly OperatingStatus?: number | null;
  readonly OperationalStatus?: readonly number[] | null;
  readonly OtherDedicatedDescriptions?: readonly string[] | null;
  readonly OtherEnabledState?: string | null;
  readonly OtherIdentifyingInfo?: readonly string[] | null;
  readonly PowerManagementCapabilities?: readonly number[] | null;
  readonly PrimaryOwnerContact?: string | null;
  readonly PrimaryOwnerName?: string | null;
  readonly PrimaryStatus?: number | null;
  readonly ProcessID?: number | null;
  readonly ReplicationHealth?: number | null;
  readonly ReplicationMode?: number | null;
  readonly ReplicationState?: number | null;
  readonly RequestedState?: number | null;
  readonly ResetCapability?: number | null;
  readonly Roles?: readonly string[] | null;
  readonly Status?: string | null;
  readonly StatusDescriptions?: readonly string[] | null;
  readonly TimeOfLastConfigurationChange?: CimDateTime | null;
  readonly TimeOfLastStateChange?: CimDateTime | null;
  readonly TransitioningToState?: number | null;
}

export const Msvm_ComputerSystem_AvailableRequestedStates = {
  Enabled: 2,
  Disabled: 3,
  ShutDown: 4,
  Offline: 6,
  Test: 7,
  Defer: 8,
  Quiesce: 9,
  Reboot: 10,
  Reset: 11,
} as const;

export const Msvm_ComputerSystem_CommunicationStatus = {
  Unknown: 0,
  NotAvailable: 1,
  CommunicationOK: 2,
  LostCommunication: 3,
  NoContact: 4,
} as const;

export const Msvm_ComputerSystem_Dedicated = {
  NotDedicated: 0,
  Unknown: 1,
  Other: 2,
  Storage: 3,
  Router: 4,
  Switch: 5,
  Layer3Switch: 6,
  CentralOfficeSwitch: 7,
  Hub: 8,
  AccessServer: 9,
  Firewall: 10,
  Print: 11,
  IO: 12,
  WebCaching: 13,
  Management: 14,
  BlockServer: 15,
  FileServer: 16,
  MobileUserDevice: 17,
  Repeater: 18,
  BridgeExtender: 19,
  Gateway: 20,
  StorageVirtualizer: 21,
  MediaLibrary: 22,
  ExtenderNode: 23,
  NASHead: 24,
  SelfContainedNAS: 25,
  UPS: 26,
  IPPhone: 27,
  ManagementController: 28,
  ChassisManager: 29,
  HostBasedRAIDController: 30,
  StorageDeviceEnclosure: 31,
  Desktop: 32,
  Laptop: 33,
  VirtualTapeLibrary: 34,
  VirtualLibrarySystem: 35,
  NetworkPCThinClient: 36,
  FCSwitch: 37,
  EthernetSwitch: 38,
} as const;

export const Msvm_ComputerSystem_DetailedStatus = {
  NotAvailable: 0,
  NoAdditionalInformation: 1,
  Stressed: 2,
  PredictiveFailure: 3,
  NonRecoverableError: 4,
  SupportingEntityInError: 5,
} as const;

export const Msvm_ComputerSystem_EnabledDefault = {
  Enabled: 2,
  Disabled: 3,
  EnabledButOffline: 6,
} as const;

export const Msvm_ComputerSystem_EnabledState = {
  Unknown: 0,
  Other: 1,
  Enabled: 2,
  Disabled: 3,
  ShuttingDown: 4,
  NotApplicable: 5,
  EnabledButOffline: 6,
  InTest: 7,
  Deferred: 8,
  Quiesce: 9,
  Starting: 10,
  Paused: 32768,
  Suspended: 32769,
  Starting2: 32770,
  Snapshotting: 32771,
  Saving: 32773,
  Stopping: 32774,
  Pausing: 32776,
  Resuming: 32777,
  FastSaved: 32779,
  FastSaving: 32780,
  RunningCritical: 32781,
  OffCritical: 32782,
  StoppingCritical: 32783,
  SavedCritical: 32784,
  PausedCritical: 32785,
  StartingCritical: 32786,
  ResetCritical: 32787,
  SavingCritical: 32788,
  PausingCritical: 32789,
  ResumingCritical: 32790,
  FastSavedCritical: 32791,
  FastSavingCritical: 32792,
} as const;

export const Msvm_ComputerSystem_EnhancedSessionModeState = {
  AllowedAndAvailable: 2,
  NotAllowed: 3,
  AllowedButNotAvailable: 6,
} as const;

export const Msvm_ComputerSystem_FailedOverReplicationType = {
  None: 0,
  Regular: 1,
  ApplicationConsistent: 2,
  Planned: 3,
} as const;

export const Msvm_ComputerSystem_HealthState = {
  OK: 5,
  MajorFailure: 20,
  CriticalFailure: 25,
} as const;

export const Msvm_ComputerSystem_LastReplicationType = {
  None: 0,
  Regular: 1,
  ApplicationConsistent: 2,
  Planned: 3,
} as const;

export const Msvm_ComputerSystem_OperatingStatus = {
  Unknown: 0,
  NotAvailable: 1,
  Servicing: 2,
  Starting: 3,
  Stopping: 4,
  Stopped: 5,
  Aborted: 6,
  Dormant: 7,
  Completed: 8,
  Migrating: 9,
  Emigrating: 10,
  Immigrating: 11,
  Snapshotting: 12,
  ShuttingDown: 13,
  InTest: 14,
  Transitioning: 15,
  InService: 16,
} as const;

export const Msvm_ComputerSystem_OperationalStatus = {
  OK: 2,
  Degraded: 3,
  PredictiveFailure: 5,
  Stopped: 10,
  InService: 11,
  Dormant: 15,
  CreatingSnapshot: 32768,
  ApplyingSnapshot: 32769,
  DeletingSnapshot: 32770,
  WaitingToStart: 32771,
  MergingDisks: 32772,
  ExportingVirtualMachine: 32773,
  MigratingVirtualMachine: 32774,
} as const;

export const Msvm_ComputerSystem_PowerManagementCapabilities = {
  Unknown: 0,
  NotSupported: 1,
  Disabled: 2,
  Enabled: 3,
  PowerSavingModesEnteredAutomatically: 4,
  PowerStateSettable: 5,
  PowerCyclingSupported: 6,
  TimedPowerOnSupported: 7,
} as const;

export const Msvm_ComputerSystem_PrimaryStatus = {
  Unknown: 0,
  OK: 1,
  Degraded: 2,
  Error: 3,
} as const;

export const Msvm_ComputerSystem_ReplicationHealth = {
  NotApplicable: 0,
  Ok: 1,
  Warning: 2,
  Critical: 3,
} as const;

export const Msvm_ComputerSystem_ReplicationMode = {
  None: 0,
  Primary: 1,
  Replica: 2,
  TestReplica: 3,
  ExtendedReplica: 4,
} as const;

export const Msvm_ComputerSystem_ReplicationState = {
  Disabled: 0,
  ReadyForReplication: 1,
  WaitingToCompleteInitialReplication: 2,
  Replicating: 3,
  SyncedReplicationComplete: 4,
  Recovered: 5,
  Committed: 6,
  Suspended: 7,
  Critical: 8,
  WaitingToStartResynchronization: 9,
  Resynchronizing: 10,
  ResynchronizationSuspended: 11,
  FailoverInProgress: 12,
  FailbackInProgress: 13,
  FailbackComplete: 14,
} as const;

export const Msvm_ComputerSystem_RequestedState = {
  Unknown: 0,
  Enabled: 2,
  Disabled: 3,
  ShutDown: 4,
  NoChange: 5,
  Offline: 6,
  Test: 7,
  Deferred: 8,
  Quiesce: 9,
  Reboot: 10,
  Reset: 11,
  NotApplicable: 12,
} as const;

export const Msvm_ComputerSystem_ResetCapability = {
  Other: 1,
  Unknown: 2,
  Disabled: 3,
  Enabled: 4,
  NotImplemented: 5,
} as const;

export const Msvm_ComputerSystem_TransitioningToState = {
  Unknown: 0,
  Enabled: 2,
  Disabled: 3,
  ShutDown: 4,
  NoChange: 5,
  Offline: 6,
  Test: 7,
  Defer: 8,
  Quiesce: 9,
  Reboot: 10,
  Reset: 11,
  NotApplicable: 12,
} as const;

export interface Msvm_VirtualSystemSettingData {
  readonly AdditionalRecoveryInformation?: string | null;
  readonly AllowFullSCSICommandSet?: boolean | null;
  readonly AllowReducedFcRedundancy?: boolean | null;
  readonly Architecture?: string | null;
  readonly AutomaticCriticalErrorAction?: number | null;
  readonly AutomaticCriticalErrorActionTimeout?: CimInterval | null;
  readonly AutomaticRecoveryAction?: number | null;
  readonly AutomaticShutdownAction?: number | null;
  readonly AutomaticSnapshotsEnabled?: boolean | null;
  readonly AutomaticStartupAction?: number | null;
  readonly AutomaticStartupActionDelay?: CimInterval | null;
  readonly AutomaticStartupActionSequenceNumber?: number | null;
  readonly BIOSGUID?: string | null;
  readonly BIOSNumLock?: boolean | null;
  readonly BIOSSerialNumber?: string | null;
  readonly BaseBoardSerialNumber?: string | null;
  readonly BootOrder?: readonly number[] | null;
  readonly BootSourceOrder?: readonly string[] | null;
  readonly Caption?: string | null;
  readonly ChassisAssetTag?: string | null;
  readonly ChassisSerialNumber?: string | null;
  readonly ConfigurationDataRoot?: string | null;
  readonly ConfigurationFile?: string | null;
  readonly ConfigurationID?: string | null;
  readonly ConsoleMode?: number | null;
  readonly CreationTime?: CimDateTime | null;
  readonly DebugChannelId?: number | null;
  readonly DebugPort?: number | null;
  readonly DebugPortEnabled?: number | null;
  readonly Description?: string | null;
  readonly ElementName?: string | null;
  readonly EnhancedSessionTransportType?: number | null;
  readonly GuestControlledCacheTypes?: boolean | null;
  readonly GuestStateDataRoot?: string | null;
  readonly GuestStateFile?: string | null;
  readonly HighMmioGapSize?: bigint | null;
  readonly IncrementalBackupEnabled?: boolean | null;
  /** Key. */
  readonly InstanceID?: string | null;
  readonly IsAutomaticSnapshot?: boolean | null;
  readonly IsSaved?: boolean | null;
  readonly LockOnDisconnect?: boolean | null;
  readonly LogDataRoot?: string | null;
  readonly LowMmioGapSize?: bigint | null;
  readonly NetworkBootPreferredProtocol?: number | null;
  readonly Notes?: readonly string[] | null;
  readonly Parent?: string | null;
  readonly ParentPackage?: string | null;
  readonly PauseAfterBootFailure?: boolean | null;
  readonly RecoveryFile?: string | null;
  readonly SecureBootEnabled?: boolean | null;
  readonly SecureBootTemplateId?: string | null;
  readonly SnapshotDataRoot?: string | null;
  readonly SuspendDataRoot?: string | null;
  readonly SwapFileDataRoot?: string | null;
  readonly UserSnapshotType?: number | null;
  readonly Version?: string | null;
  readonly VirtualNumaEnabled?: boolean | null;
  readonly VirtualSystemIdentifier?: string | null;
  readonly VirtualSystemSubType?: string | null;
  readonly VirtualSystemType?: string | null;
}

export const Msvm_VirtualSystemSettingData_AutomaticCriticalErrorAction = {
  None: 0,
  PauseResume: 1,
} as const;

export const Msvm_VirtualSystemSettingData_AutomaticRecoveryAction = {
  None: 2,
  Restart: 3,
  RevertToSnapshot: 4,
} as const;

export const Msvm_VirtualSystemSettingData_AutomaticShutdownAction = {
  TurnOff: 2,
  SaveState: 3,
  Shutdown: 4,
} as const;

export const Msvm_VirtualSystemSettingData_AutomaticStartupAction = {
  None: 2,
  RestartIfPreviouslyActive: 3,
  AlwaysStart: 4,
} as const;

export const Msvm_VirtualSystemSettingData_BootOrder = {
  Floppy: 0,
  CDROM: 1,
  IDEHardDrive: 2,
  PXEBoot: 3,
  SCSIHardDrive: 4,
} as const;

export const Msvm_VirtualSystemSettingData_ConsoleMode = {
  Default: 0,
  COM1: 1,
  COM2: 2,
  None: 3,
} as const;

export const Msvm_VirtualSystemSettingData_DebugPortEnabled = {
  Off: 0,
  On: 1,
  OnAutoAssigned: 2,
} as const;

export const Msvm_VirtualSystemSettingData_EnhancedSessionTransportType = {
  VMBusPipe: 0,
  HyperVSocket: 1,
} as const;

export const Msvm_VirtualSystemSettingData_NetworkBootPreferredProtocol = {
  IPv4: 4096,
  IPv6: 4097,
} as const;

export const Msvm_VirtualSystemSettingData_UserSnapshotType = {
  Disable: 2,
  ProductionFallbackToTest: 3,
  ProductionNoFallback: 4,
  Test: 5,
} as const;

export interface Msvm_MemorySettingData {
  readonly Address?: string | null;
  readonly AddressOnParent?: string | null;
  readonly AllocationUnits?: string | null;
  readonly AutomaticAllocation?: boolean | null;
  readonly AutomaticDeallocation?: boolean | null;
  readonly Caption?: string | null;
  readonly Connection?: readonly string[] | null;
  readonly ConsumerVisibility?: number | null;
  readonly Description?: string | null;
  readonly DynamicMemoryEnabled?: boolean | null;
  readonly ElementName?: string | null;
  readonly HostResource?: readonly string[] | null;
  readonly HugePagesEnabled?: boolean | null;
  /** Key. */
  readonly InstanceID?: string | null;
  readonly IsVirtualized?: boolean | null;
  readonly Limit?: bigint | null;
  readonly MappingBehavior?: number | null;
  readonly MaxMemoryBlocksPerNumaNode?: bigint | null;
  readonly OtherResourceType?: string | null;
  readonly Parent?: string | null;
  readonly PoolID?: string | null;
  readonly Reservation?: bigint | null;
  readonly ResourceSubType?: string | null;
  readonly ResourceType?: number | null;
  readonly SgxEnabled?: boolean | null;
  readonly SgxSize?: bigint | null;
  readonly SwapFilesInUse?: boolean | null;
  readonly TargetMemoryBuffer?: number | null;
  readonly VirtualQuantity?: bigint | null;
  readonly VirtualQuantityUnits?: string | null;
  readonly Weight?: number | null;
}

export const Msvm_MemorySettingData_ConsumerVisibility = {
  Unknown: 0,
  PassedThrough: 2,
  Virtualized: 3,
  NotRepresented: 4,
} as const;

export const Msvm_MemorySettingData_MappingBehavior = {
  Unknown: 0,
  NotSupported: 2,
  Dedicated: 3,
  SoftAffinity: 4,
  HardAffinity: 5,
} as const;

export const Msvm_MemorySettingData_ResourceType = {
  Other: 1,
  ComputerSystem: 2,
  Processor: 3,
  Memory: 4,
  IDEController: 5,
  ParallelSCSIHBA: 6,
  FCHBA: 7,
  ISCSIHBA: 8,
  IBHCA: 9,
  EthernetAdapter: 10,
  OtherNetworkAdapter: 11,
  IOSlot: 12,
  IODevice: 13,
  FloppyDrive: 14,
  CDDrive: 15,
  DVDDrive: 16,
  DiskDrive: 17,
  TapeDrive: 18,
  StorageExtent: 19,
  OtherStorageDevice: 20,
  SerialPort: 21,
  ParallelPort: 22,
  USBController: 23,
  GraphicsController: 24,
  IEEE1394Controller: 25,
  PartitionableUnit: 26,
  BasePartitionableUnit: 27,
  Power: 28,
  CoolingCapacity: 29,
  EthernetSwitchPort: 30,
  LogicalDisk: 31,
  StorageVolume: 32,
  EthernetConnection: 33,
} as const;

export interface Msvm_ProcessorSettingData {
  readonly Address?: string | null;
  readonly AddressOnParent?: string | null;
  readonly AllocationUnits?: string | null;
  readonly AutomaticAllocation?: boolean | null;
  readonly AutomaticDeallocation?: boolean | null;
  readonly Caption?: string | null;
  readonly Connection?: readonly string[] | null;
  readonly ConsumerVisibility?: number | null;
  readonly CpuGroupId?: string | null;
  readonly Description?: string | null;
  readonly ElementName?: string | null;
  readonly EnableHostResourceProtection?: boolean | null;
  readonly ExposeVirtualizationExtensions?: boolean | null;
  readonly HideHypervisorPresent?: boolean | null;
  readonly HostResource?: readonly string[] | null;
  readonly HwThreadsPerCore?: bigint | null;
  /** Key. */
  readonly InstanceID?: string | null;
  readonly Limit?: bigint | null;
  readonly LimitCPUID?: boolean | null;
  readonly LimitProcessorFeatures?: boolean | null;
  readonly MappingBehavior?: number | null;
  readonly MaxNumaNodesPerSocket?: bigint | null;
  readonly MaxProcessorsPerNumaNode?: bigint | null;
  readonly OtherResourceType?: string | null;
  readonly Parent?: string | null;
  readonly PoolID?: string | null;
  readonly Reservation?: bigint | null;
  readonly ResourceSubType?: string | null;
  readonly ResourceType?: number | null;
  readonly VirtualQuantity?: bigint | null;
  readonly VirtualQuantityUnits?: string | null;
  readonly Weight?: number | null;
}

export const Msvm_ProcessorSettingData_ConsumerVisibility = {
  Unknown: 0,
  PassedThrough: 2,
  Virtualized: 3,
  NotRepresented: 4,
} as const;

export const Msvm_ProcessorSettingData_MappingBehavior = {
  Unknown: 0,
  NotSupported: 2,
  Dedicated: 3,
  SoftAffinity: 4,
  HardAffinity: 5,
} as const;

export const Msvm_ProcessorSettingData_ResourceType = {
  Other: 1,
  ComputerSystem: 2,
  Processor: 3,
  Memory: 4,
  IDEController: 5,
  ParallelSCSIHBA: 6,
  FCHBA: 7,
  ISCSIHBA: 8,
  IBHCA: 9,
  EthernetAdapter: 10,
  OtherNetworkAdapter: 11,
  IOSlot: 12,
  IODevice: 13,
  FloppyDrive: 14,
  CDDrive: 15,
  DVDDrive: 16,
  DiskDrive: 17,
  TapeDrive: 18,
  StorageExtent: 19,
  OtherStorageDevice: 20,
  SerialPort: 21,
  ParallelPort: 22,
  USBController: 23,
  GraphicsController: 24,
  IEEE1394Controller: 25,
  PartitionableUnit: 26,
  BasePartitionableUnit: 27,
  Power: 28,
  CoolingCapacity: 29,
  EthernetSwitchPort: 30,
  LogicalDisk: 31,
  StorageVolume: 32,
  EthernetConnection: 33,
} as const;

export interface Msvm_ResourceAllocationSettingData {
  readonly Address?: string | null;
  readonly AddressOnParent?: string | null;
  readonly AllocationUnits?: string | null;
  readonly AutomaticAllocation?: boolean | null;
  readonly AutomaticDeallocation?: boolean | null;
  readonly Caption?: string | null;
  readonly Connection?: readonly string[] | null;
  readonly ConsumerVisibility?: number | null;
  readonly Description?: string | null;
  readonly ElementName?: string | null;
  readonly HostResource?: readonly string[] | null;
  /** Key. */
  readonly InstanceID?: string | null;
  readonly Limit?: bigint | null;
  readonly MappingBehavior?: number | null;
  readonly OtherResourceType?: string | null;
  readonly Parent?: string | null;
  readonly PoolID?: string | null;
  readonly Reservation?: bigint | null;
  readonly ResourceSubType?: string | null;
  readonly ResourceType?: number | null;
  readonly VirtualQuantity?: bigint | null;
  readonly VirtualQuantityUnits?: string | null;
  readonly VirtualSystemIdentifiers?: readonly string[] | null;
  readonly Weight?: number | null;
}

export const Msvm_ResourceAllocationSettingData_ConsumerVisibility = {
  Unknown: 0,
  PassedThrough: 2,
  Virtualized: 3,
  NotRepresented: 4,
} as const;

export const Msvm_ResourceAllocationSettingData_MappingBehavior = {
  Unknown: 0,
  NotSupported: 2,
  Dedicated: 3,
  SoftAffinity: 4,
  HardAffinity: 5,
} as const;

export const Msvm_ResourceAllocationSettingData_ResourceType = {
  Other: 1,
  ComputerSystem: 2,
  Processor: 3,
  Memory: 4,
  IDEController: 5,
  ParallelSCSIHBA: 6,
  FCHBA: 7,
  ISCSIHBA: 8,
  IBHCA: 9,
  EthernetAdapter: 10,
  OtherNetworkAdapter: 11,
  IOSlot: 12,
  IODevice: 13,
  DisketteDrive: 14,
  CDDrive: 15,
  DVDDrive: 16,
  DiskDrive: 17,
  TapeDrive: 18,
  StorageExtent: 19,
  OtherStorageDevice: 20,
  SerialPort: 21,
  ParallelPort: 22,
  USBController: 23,
  GraphicsController: 24,
  IEEE1394Controller: 25,
  PartitionableUnit: 26,
  BasePartitionableUnit: 27,
  PowerSupply: 28,
  CoolingDevice: 29,
  EthernetSwitchPort: 30,
  LogicalDisk: 31,
  StorageVolume: 32,
  EthernetConnection: 33,
} as const;

export interface Msvm_StorageAllocationSettingData {
  readonly Access?: number | null;
  readonly Address?: string | null;
  readonly AddressOnParent?: string | null;
  readonly AllocationUnits?: string | null;
  readonly AutomaticAllocation?: boolean | null;
  readonly AutomaticDeallocation?: boolean | null;
  readonly CachingMode?: number | null;
  readonly Caption?: string | null;
  readonly Connection?: readonly string[] | null;
  readonly ConsumerVisibility?: number | null;
  readonly Description?: string | null;
  readonly ElementName?: string | null;
  readonly HostExtentName?: string | null;
  readonly HostExtentNameFormat?: number | null;
  readonly HostExtentNameNamespace?: number | null;
  readonly HostExtentStartingAddress?: bigint | null;
  readonly HostResource?: readonly string[] | null;
  readonly HostResourceBlockSize?: bigint | null;
  readonly IOPSAllocationUnits?: string | null;
  readonly IOPSLimit?: bigint | null;
  readonly IOPSReservation?: bigint | null;
  readonly IgnoreFlushes?: boolean | null;
  /** Key. */
  readonly InstanceID?: string | null;
  readonly Limit?: bigint | null;
  readonly MappingBehavior?: number | null;
  readonly OtherHostExtentNameFormat?: string | null;
  readonly OtherHostExtentNameNamespace?: string | null;
  readonly OtherResourceType?: string | null;
  readonly Parent?: string | null;
  readonly PersistentReservationsSupported?: boolean | null;
  readonly PoolID?: string | null;
  readonly Reservation?: bigint | null;
  readonly ResourceSubType?: string | null;
  readonly ResourceType?: number | null;
  readonly SnapshotId?: string | null;
  readonly StorageQoSPolicyID?: string | null;
  readonly VirtualQuantity?: bigint | null;
  readonly VirtualQuantityUnits?: string | null;
  readonly VirtualResourceBlockSize?: bigint | null;
  readonly Weight?: number | null;
  readonly WriteHardeningMethod?: number | null;
}

export const Msvm_StorageAllocationSettingData_Access = {
  Unknown: 0,
  Readable: 1,
  Writeable: 2,
  ReadWriteSupported: 3,
} as const;

export const Msvm_StorageAllocationSettingData_CachingMode = {
  Unknown: 0,
  Default: 2,
  NoCaching: 3,
  CacheSharableParents: 4,
} as const;

export const Msvm_StorageAllocationSettingData_ConsumerVisibility = {
  Unknown: 0,
  PassedThrough: 2,
  Virtualized: 3,
  NotRepresented: 4,
} as const;

export const Msvm_StorageAllocationSettingData_HostExtentNameFormat = {
  Unknown: 0,
  Other: 1,
  SNVM: 7,
  NAA: 9,
  EUI64: 10,
  T10VID: 11,
  OSDeviceName: 12,
} as const;

export const Msvm_StorageAllocationSettingData_HostExtentNameNamespace = {
  Unknown: 0,
  Other: 1,
  VPD83Type3: 2,
  VPD83Type2: 3,
  VPD83Type1: 4,
  VPD80: 5,
  NodeWWN: 6,
  SNVM: 7,
  OSDeviceNamespace: 8,
} as const;

export const Msvm_StorageAllocationSettingData_MappingBehavior = {
  Unknown: 0,
  NotSupported: 2,
  Dedicated: 3,
  SoftAffinity: 4,
  HardAffinity: 5,
} as const;

export const Msvm_StorageAllocationSettingData_ResourceType = {
  Other: 1,
  ComputerSystem: 2,
  Processor: 3,
  Memory: 4,
  IDEController: 5,
  ParallelSCSIHBA: 6,
  FCHBA: 7,
  ISCSIHBA: 8,
  IBHCA: 9,
  EthernetAdapter: 10,
  OtherNetworkAdapter: 11,
  IOSlot: 12,
  IODevice: 13,
  DisketteDrive: 14,
  CDDrive: 15,
  DVDDrive: 16,
  DiskDrive: 17,
  TapeDrive: 18,
  StorageExtent: 19,
  OtherStorageDevice: 20,
  SerialPort: 21,
  ParallelPort: 22,
  USBController: 23,
  GraphicsController: 24,
  IEEE1394Controller: 25,
  PartitionableUnit: 26,
  BasePartitionableUnit: 27,
  PowerSupply: 28,
  CoolingDevice: 29,
  EthernetSwitchPort: 30,
  LogicalDisk: 31,
  StorageVolume: 32,
  EthernetConnection: 33,
} as const;

export const Msvm_StorageAllocationSettingData_WriteHardeningMethod = {
  Default: 0,
  WriteCacheEnabled: 1,
  WriteCacheandFUAEnabled: 2,
  WriteCacheDisabled: 3,
} as const;

export interface Msvm_SyntheticEthernetPortSettingData {
  readonly Address?: string | null;
  readonly AddressOnParent?: string | null;
  readonly AllocationUnits?: string | null;
  readonly AllowPacketDirect?: boolean | null;
  readonly AutomaticAllocation?: boolean | null;
  readonly AutomaticDeallocation?: boolean | null;
  readonly Caption?: string | null;
  readonly ClusterMonitored?: boolean | null;
  readonly Connection?: readonly string[] | null;
  readonly ConsumerVisibility?: number | null;
  readonly Description?: string | null;
  readonly DesiredVLANEndpointMode?: number | null;
  readonly DeviceNamingEnabled?: boolean | null;
  readonly ElementName?: string | null;
  readonly HostResource?: readonly string[] | null;
  /** Key. */
  readonly InstanceID?: string | null;
  readonly Limit?: bigint | null;
  readonly MappingBehavior?: number | null;
  readonly OtherEndpointMode?: string | null;
  readonly OtherResourceType?: string | null;
  readonly Parent?: string | null;
  readonly PoolID?: string | null;
  readonly Reservation?: bigint | null;
  readonly ResourceSubType?: string | null;
  readonly ResourceType?: number | null;
  readonly StaticMacAddress?: boolean | null;
  readonly VirtualQuantity?: bigint | null;
  readonly VirtualQuantityUnits?: string | null;
  readonly VirtualSystemIdentifiers?: readonly string[] | null;
  readonly Weight?: number | null;
}

export const Msvm_SyntheticEthernetPortSettingData_ConsumerVisibility = {
  Unknown: 0,
  PassedThrough: 2,
  Virtualized: 3,
  NotRepresented: 4,
} as const;

export const Msvm_SyntheticEthernetPortSettingData_DesiredVLANEndpointMode = {
  DMTFReserved: 0,
  Other: 1,
  Access: 2,
  DynamicAuto: 3,
  DynamicDesirable: 4,
  Trunk: 5,
  Dot1QTunnel: 6,
} as const;

export const Msvm_SyntheticEthernetPortSettingData_MappingBehavior = {
  Unknown: 0,
  NotSupported: 2,
  Dedicated: 3,
  SoftAffinity: 4,
  HardAffinity: 5,
} as const;

export const Msvm_SyntheticEthernetPortSettingData_ResourceType = {
  Other: 1,
  ComputerSystem: 2,
  Processor: 3,
  Memory: 4,
  IDEController: 5,
  ParallelSCSIHBA: 6,
  FCHBA: 7,
  ISCSIHBA: 8,
  IBHCA: 9,
  EthernetAdapter: 10,
  OtherNetworkAdapter: 11,
  IOSlot: 12,
  IODevice: 13,
  FloppyDrive: 14,
  CDDrive: 15,
  DVDDrive: 16,
  DiskDrive: 17,
  TapeDrive: 18,
  StorageExtent: 19,
  OtherStorageDevice: 20,
  SerialPort: 21,
  ParallelPort: 22,
  USBController: 23,
  GraphicsController: 24,
  IEEE1394Controller: 25,
  PartitionableUnit: 26,
  BasePartitionableUnit: 27,
  Power: 28,
  CoolingCapacity: 29,
  EthernetSwitchPort: 30,
  LogicalDisk: 31,
  StorageVolume: 32,
  EthernetConnection: 33,
} as const;

export interface Msvm_EthernetPortAllocationSettingData {
  readonly Address?: string | null;
  readonly AddressOnParent?: string | null;
  readonly AllocationUnits?: string | null;
  readonly AutomaticAllocation?: boolean | null;
  readonly AutomaticDeallocation?: boolean | null;
  readonly Caption?: string | null;
  readonly CompartmentGuid?: string | null;
  readonly Connection?: readonly string[] | null;
  readonly ConsumerVisibility?: number | null;
  readonly Description?: string | null;
  readonly DesiredVLANEndpointMode?: number | null;
  readonly ElementName?: string | null;
  readonly EnabledState?: number | null;
  readonly HostResource?: readonly string[] | null;
  /** Key. */
  readonly InstanceID?: string | null;
  readonly LastKnownSwitchName?: string | null;
  readonly Limit?: bigint | null;
  readonly MappingBehavior?: number | null;
  readonly OtherEndpointMode?: string | null;
  readonly OtherResourceType?: string | null;
  readonly Parent?: string | null;
  readonly PoolID?: string | null;
  readonly RequiredFeatureHints?: readonly string[] | null;
  readonly RequiredFeatures?: readonly string[] | null;
  readonly Reservation?: bigint | null;
  readonly ResourceSubType?: string | null;
  readonly ResourceType?: number | null;
  readonly TestReplicaPoolID?: string | null;
  readonly TestReplicaSwitchName?: string | null;
  readonly VirtualQuantity?: bigint | null;
  readonly VirtualQuantityUnits?: string | null;
  readonly Weight?: number | null;
}

export const Msvm_EthernetPortAllocationSettingData_ConsumerVisibility = {
  Unknown: 0,
  PassedThrough: 2,
  Virtualized: 3,
  NotRepresented: 4,
} as const;

export const Msvm_EthernetPortAllocationSettingData_DesiredVLANEndpointMode = {
  DMTFReserved: 0,
  Other: 1,
  Access: 2,
  DynamicAuto: 3,
  DynamicDesirable: 4,
  Trunk: 5,
  Dot1QTunnel: 6,
} as const;

export const Msvm_EthernetPortAllocationSettingData_EnabledState = {
  Enabled: 2,
  Disabled: 3,
} as const;

export const Msvm_EthernetPortAllocationSettingData_MappingBehavior = {
  Unknown: 0,
  NotSupported: 2,
  Dedicated: 3,
  SoftAffinity: 4,
  HardAffinity: 5,
} as const;

export const Msvm_EthernetPortAllocationSettingData_ResourceType = {
  Other: 1,
  ComputerSystem: 2,
  Processor: 3,
  Memory: 4,
  IDEController: 5,
  ParallelSCSIHBA: 6,
  FCHBA: 7,
  ISCSIHBA: 8,
  IBHCA: 9,
  EthernetAdapter: 10,
  OtherNetworkAdapter: 11,
  IOSlot: 12,
  IODevice: 13,
  FloppyDrive: 14,
  CDDrive: 15,
  DVDDrive: 16,
  DiskDrive: 17,
  TapeDrive: 18,
  StorageExtent: 19,
  OtherStorageDevice: 20,
  SerialPort: 21,
  ParallelPort: 22,
  USBController: 23,
  GraphicsController: 24,
  IEEE1394Controller: 25,
  PartitionableUnit: 26,
  BasePartitionableUnit: 27,
  Power: 28,
  CoolingCapacity: 29,
  EthernetSwitchPort: 30,
  LogicalDisk: 31,
  StorageVolume: 32,
  EthernetConnection: 33,
} as const;

export interface Msvm_EthernetSwitchPortSecuritySettingData {
  readonly AllowIeeePriorityTag?: boolean | null;
  readonly AllowMacSpoofing?: boolean | null;
  readonly AllowTeaming?: boolean | null;
  readonly Caption?: string | null;
  readonly Description?: string | null;
  readonly DynamicIPAddressLimit?: number | null;
  readonly ElementName?: string | null;
  readonly EnableDhcpGuard?: boolean | null;
  readonly EnableFixSpeed10G?: boolean | null;
  readonly EnableRouterGuard?: boolean | null;
  /** Key. */
  readonly InstanceID?: string | null;
  readonly MonitorMode?: number | null;
  readonly MonitorSession?: number | null;
  readonly Reserved?: boolean | null;
  readonly StormLimit?: number | null;
  readonly TeamName?: string | null;
  readonly TeamNumber?: number | null;
  readonly VirtualSubnetId?: number | null;
}

export const Msvm_EthernetSwitchPortSecuritySettingData_MonitorMode = {
  None: 0,
  Destination: 1,
  Source: 2,
} as const;

export interface Msvm_EthernetSwitchPortAclSettingData {
  readonly AclType?: number | null;
  readonly Action?: number | null;
  readonly Applicability?: number | null;
  readonly Caption?: string | null;
  readonly Description?: string | null;
  readonly Direction?: number | null;
  readonly ElementName?: string | null;
  /** Key. */
  readonly InstanceID?: string | null;
  readonly LocalAddress?: string | null;
  readonly LocalAddressPrefixLength?: number | null;
  readonly Name?: string | null;
  readonly RemoteAddress?: string | null;
  readonly RemoteAddressPrefixLength?: number | null;
}

export const Msvm_EthernetSwitchPortAclSettingData_AclType = {
  Unknown: 0,
  MACAcl: 1,
  IPv4Acl: 2,
  IPv6Acl: 3,
} as const;

export const Msvm_EthernetSwitchPortAclSettingData_Action = {
  Unknown: 0,
  Allow: 1,
  Deny: 2,
  Meter: 3,
} as const;

export const Msvm_EthernetSwitchPortAclSettingData_Applicability = {
  Unknown: 0,
  Local: 1,
  Remote: 2,
} as const;

export const Msvm_EthernetSwitchPortAclSettingData_Direction = {
  Unknown: 0,
  Incoming: 1,
  Outgoing: 2,
} as const;

export interface Msvm_SerialPortSettingData {
  readonly Address?: string | null;
  readonly AddressOnParent?: string | null;
  readonly AllocationUnits?: string | null;
  readonly AutomaticAllocation?: boolean | null;
  readonly AutomaticDeallocation?: boolean | null;
  readonly Caption?: string | null;
  readonly Connection?: readonly string[] | null;
  readonly ConsumerVisibility?: number | null;
  readonly DebuggerMode?: boolean | null;
  readonly Description?: string | null;
  readonly ElementName?: string | null;
  readonly HostResource?: readonly string[] | null;
  /** Key. */
  readonly InstanceID?: string | null;
  readonly Limit?: bigint | null;
  readonly MappingBehavior?: number | null;
  readonly OtherResourceType?: string | null;
  readonly Parent?: string | null;
  readonly PoolID?: string | null;
  readonly Reservation?: bigint | null;
  readonly ResourceSubType?: string | null;
  readonly ResourceType?: number | null;
  readonly VirtualQuantity?: bigint | null;
  readonly VirtualQuantityUnits?: string | null;
  readonly Weight?: number | null;
}

export const Msvm_SerialPortSettingData_ConsumerVisibility = {
  Unknown: 0,
  PassedThrough: 2,
  Virtualized: 3,
  NotRepresented: 4,
} as const;

export const Msvm_SerialPortSettingData_MappingBehavior = {
  Unknown: 0,
  NotSupported: 2,
  Dedicated: 3,
  SoftAffinity: 4,
  HardAffinity: 5,
} as const;

export const Msvm_SerialPortSettingData_ResourceType = {
  Other: 1,
  ComputerSystem: 2,
  Processor: 3,
  Memory: 4,
  IDEController: 5,
  ParallelSCSIHBA: 6,
  FCHBA: 7,
  ISCSIHBA: 8,
  IBHCA: 9,
  EthernetAdapter: 10,
  OtherNetworkAdapter: 11,
  IOSlot: 12,
  IODevice: 13,
  FloppyDrive: 14,
  CDDrive: 15,
  DVDDrive: 16,
  DiskDrive: 17,
  TapeDrive: 18,
  StorageExtent: 19,
  OtherStorageDevice: 20,
  SerialPort: 21,
  ParallelPort: 22,
  USBController: 23,
  GraphicsController: 24,
  IEEE1394Controller: 25,
  PartitionableUnit: 26,
  BasePartitionableUnit: 27,
  Power: 28,
  CoolingCapacity: 29,
  EthernetSwitchPort: 30,
  LogicalDisk: 31,
  StorageVolume: 32,
  EthernetConnection: 33,
} as const;

export interface Msvm_BootSourceSettingData {
  readonly BootSourceDescription?: string | null;
  readonly BootSourceType?: number | null;
  readonly Caption?: string | null;
  readonly Description?: string | null;
  readonly ElementName?: string | null;
  readonly FirmwareDevicePath?: string | null;
  /** Key. */
  readonly InstanceID?: string | null;
  readonly OptionalData?: readonly number[] | null;
  readonly OtherLocation?: string | null;
}

export const Msvm_BootSourceSettingData_BootSourceType = {
  Unknown: 0,
  Drive: 1,
  Network: 2,
  File: 3,
} as const;

export interface Msvm_SecuritySettingData {
  readonly Caption?: string | null;
  readonly DataProtectionRequested?: boolean | null;
  readonly Description?: string | null;
  readonly ElementName?: string | null;
  readonly EncryptStateAndVmMigrationTraffic?: boolean | null;
  /** Key. */
  readonly InstanceID?: string | null;
  readonly KsdEnabled?: boolean | null;
  readonly ShieldingRequested?: boolean | null;
  readonly TpmEnabled?: boolean | null;
  readonly VirtualizationBasedSecurityOptOut?: boolean | null;
}

export interface Msvm_VirtualHardDiskSettingData {
  readonly BlockSize?: number | null;
  readonly Caption?: string | null;
  readonly DataAlignment?: bigint | null;
  readonly Description?: string | null;
  readonly ElementName?: string | null;
  readonly Format?: number | null;
  /** Key. */
  readonly InstanceID?: string | null;
  readonly IsPmemCompatible?: boolean | null;
  readonly LogicalSectorSize?: number | null;
  readonly MaxInternalSize?: bigint | null;
  readonly ParentIdentifier?: string | null;
  readonly ParentPath?: string | null;
  readonly ParentTimestamp?: CimDateTime | null;
  readonly Path?: string | null;
  readonly PhysicalSectorSize?: number | null;
  readonly PmemAddressAbstractionType?: number | null;
  readonly Type?: number | null;
  readonly VirtualDiskId?: string | null;
}

export const Msvm_VirtualHardDiskSettingData_Format = {
  VHD: 2,
  VHDX: 3,
  VHDSet: 4,
} as const;

export const Msvm_VirtualHardDiskSettingData_PmemAddressAbstractionType = {
  None: 0,
  BTT: 1,
  Unknown: 65535,
} as const;

export const Msvm_VirtualHardDiskSettingData_Type = {
  Fixed: 2,
  Dynamic: 3,
  Differencing: 4,
} as const;

export interface Msvm_ConcreteJob {
  readonly Cancellable?: boolean | null;
  readonly Caption?: string | null;
  readonly CommunicationStatus?: number | null;
  readonly DeleteOnCompletion?: boolean | null;
  readonly Description?: string | null;
  readonly DetailedStatus?: number | null;
  readonly ElapsedTime?: CimInterval | null;
  readonly ElementName?: string | null;
  readonly ErrorCode?: number | null;
  readonly ErrorDescription?: string | null;
  readonly ErrorSummaryDescription?: string | null;
  readonly HealthState?: number | null;
  readonly InstallDate?: CimDateTime | null;
  /** Key. */
  readonly InstanceID?: string | null;
  readonly JobRunTimes?: number | null;
  readonly JobState?: number | null;
  readonly JobStatus?: string | null;
  readonly JobType?: number | null;
  readonly LocalOrUtcTime?: number | null;
  readonly Name?: string | null;
  readonly Notify?: string | null;
  readonly OperatingStatus?: number | null;
  readonly OperationalStatus?: readonly number[] | null;
  readonly OtherRecoveryAction?: string | null;
  readonly Owner?: string | null;
  /** Unit: Percent. */
  readonly PercentComplete?: number | null;
  readonly PrimaryStatus?: number | null;
  readonly Priority?: number | null;
  readonly RecoveryAction?: number | null;
  readonly RunDay?: number | null;
  readonly RunDayOfWeek?: number | null;
  readonly RunMonth?: number | null;
  readonly RunStartInterval?: CimDateTime | null;
  readonly ScheduledStartTime?: CimDateTime | null;
  readonly StartTime?: CimDateTime | null;
  readonly Status?: string | null;
  readonly StatusDescriptions?: readonly string[] | null;
  readonly TimeBeforeRemoval?: CimInterval | null;
  readonly TimeOfLastStateChange?: CimDateTime | null;
  readonly TimeSubmitted?: CimDateTime | null;
  readonly UntilTime?: CimDateTime | null;
}

export const Msvm_ConcreteJob_CommunicationStatus = {
  Unknown: 0,
  NotAvailable: 1,
  CommunicationOK: 2,
  LostCommunication: 3,
  NoContact: 4,
} as const;

export const Msvm_ConcreteJob_DetailedStatus = {
  NotAvailable: 0,
  NoAdditionalInformation: 1,
  Stressed: 2,
  PredictiveFailure: 3,
  NonRecoverableError: 4,
  SupportingEntityInError: 5,
} as const;

export const Msvm_ConcreteJob_HealthState = {
  Unknown: 0,
  OK: 5,
  DegradedWarning: 10,
  MinorFailure: 15,
  MajorFailure: 20,
  CriticalFailure: 25,
  NonRecoverableError: 30,
} as const;

export const Msvm_ConcreteJob_JobState = {
  New: 2,
  Starting: 3,
  Running: 4,
  Suspended: 5,
  ShuttingDown: 6,
  Completed: 7,
  Terminated: 8,
  Killed: 9,
  Exception: 10,
  Service: 11,
  CompletedWithWarnings: 32768,
} as const;

export const Msvm_ConcreteJob_JobType = {
  Unknown: 0,
  DefineVirtualMachine: 1,
  ModifyVirtualMachine: 2,
  DestroyVirtualMachine: 3,
  ModifyManagementServiceSettings: 4,
  InitializeVirtualMachine: 10,
  WaitingToStartVirtualMachine: 11,
  StartVirtualMachine: 12,
  PowerOffVirtualMachine: 13,
  SaveVirtualMachine: 14,
  RestoreVirtualMachine: 15,
  ShutDownVirtualMachine: 16,
  PauseVirtualMachine: 26,
  ResumeVirtualMachine: 27,
  ResetVirtualMachine: 28,
  RebootVirtualMachine: 29,
  AddVirtualMachineResources: 30,
  ModifyVirtualMachineResources: 31,
  RemoveVirtualMachineResources: 32,
  RequestInitialVirtualMachineMemory: 40,
  AddMemoryToVirtualMachine: 41,
  RemoveMemoryFromVirtualMachine: 42,
  MergingVHDDisks: 50,
  CreateVSSSnapshotInsideVirtualMachine: 51,
  GetImportSettingData: 60,
  ImportVirtualMachine: 61,
  ExportVirtualMachine: 62,
  RegisterConfiguration: 63,
  UnregisterConfiguration: 64,
  SnapshotVirtualMachine: 70,
  ApplyVirtualMachineSnapshot: 71,
  DeleteVirtualMachineSnapshot: 72,
  ClearVirtualMachineSnapshotState: 73,
  AddResourcesToResourcePool: 80,
  RemoveResourcesFromResourcePool: 81,
  ModifyReplicationServerSettings: 90,
  CreateReplicationRelationship: 91,
  ModifyReplicationRelationshipSettings: 92,
  RemoveReplicationRelationship: 93,
  StartInbandInitialReplication: 94,
  ImportReplication: 95,
  ReplicateStateChange: 96,
  InitiateFailover: 97,
  RevertFailover: 98,
  CommitFailover: 99,
  InitiateSyncedReplication: 100,
  CancelSyncedReplication: 101,
  InitiateTestReplica: 102,
  RemoveTestReplica: 103,
  ReverseReplication: 104,
  ReplicationSendingDelta: 105,
  ReplicationReceivingDelta: 106,
  Resynchronizing: 107,
  ApplyChangeLog: 108,
  StopInitialReplication: 109,
  StopResynchronizing: 110,
  GetReplicaStatistics: 111,
  PrepareForConsistencyChecker: 112,
  ConsistencyChecker: 113,
  StopConsistencyChecker: 114,
  TestReplicationConnection: 115,
  SendingInitialReplica: 116,
  StartResyncInitialReplication: 117,
  StartExportInitialReplication: 118,
  ResetReplicaStatistics: 119,
  ApplyRegisteredDeltas: 120,
  ResynchronizingExtendedReplication: 121,
  ReadingTestReplicaConfiguration: 122,
  ChangeTheReplicationModeToPrimary: 123,
  InitiateFailback: 124,
  UpdateDiskSet: 125,
  DefineEthernetSwitch: 130,
  ModifyEthernetSwitchSettings: 131,
  DestroyEthernetSwitch: 132,
  AddEthernetSwitchResources: 133,
  ModifyEthernetSwitchResources: 134,
  RemoveEthernetSwitchResources: 135,
  ValidatePlannedVirtualMachine: 140,
  RealizingVirtualMachine: 141,
  CreatingAResourcePool: 150,
  ChangingTheParentResourcesOfAResourcePool: 151,
  ChangingTheNonAlloctionSettingsOfAResourcePool: 152,
  DeletingAResourcePool: 153,
  EnableRemoteFxGPU: 160,
  DisableRemoteFxGPU: 161,
  Modify3DServiceSettings: 162,
  BackupVirtualMachine: 170,
  GuestServiceInterface: 180,
  QueryGuestClusterInformation: 181,
  DefineCollection: 190,
  DestroyCollection: 191,
  RenameCollection: 192,
  AddMemberToCollection: 193,
  RemoveMemberFromCollection: 194,
  AddSettingToCollection: 195,
  RemoveSettingFromCollection: 196,
  ModifySettingOnCollection: 197,
  SnapshotCollection: 198,
  ConvertSnapshotToReferencePoint: 200,
  CreateReferencePoint: 201,
  DeleteReferencePoint: 202,
  ExportReferencePoint: 203,
  RemoveAssociatedDataFromReferencePoint: 204,
  CreateReferencePointOnCollection: 205,
  ExportReferencePointOnCollection: 206,
  RemoveAssociatedDataFromReferencePointOnCollection: 207,
  DeleteReferencePointOnCollection: 208,
  ImportReferencePointMetadata: 209,
  MountOrDismountAssignableDevice: 260,
} as const;

export const Msvm_ConcreteJob_LocalOrUtcTime = {
  LocalTime: 1,
  UTCTime: 2,
} as const;

export const Msvm_ConcreteJob_OperatingStatus = {
  Unknown: 0,
  NotAvailable: 1,
  Servicing: 2,
  Starting: 3,
  Stopping: 4,
  Stopped: 5,
  Aborted: 6,
  Dormant: 7,
  Completed: 8,
  Migrating: 9,
  Emigrating: 10,
  Immigrating: 11,
  Snapshotting: 12,
  ShuttingDown: 13,
  InTest: 14,
  Transitioning: 15,
  InService: 16,
} as const;

export const Msvm_ConcreteJob_OperationalStatus = {
  Unknown: 0,
  Other: 1,
  OK: 2,
  Degraded: 3,
  Stressed: 4,
  PredictiveFailure: 5,
  Error: 6,
  NonRecoverableError: 7,
  Starting: 8,
  Stopping: 9,
  Stopped: 10,
  InService: 11,
  NoContact: 12,
  LostCommunication: 13,
  Aborted: 14,
  Dormant: 15,
  SupportingEntityInError: 16,
  Completed: 17,
  PowerMode: 18,
} as const;

export const Msvm_ConcreteJob_PrimaryStatus = {
  Unknown: 0,
  OK: 1,
  Degraded: 2,
  Error: 3,
} as const;

export const Msvm_ConcreteJob_RecoveryAction = {
  Unknown: 0,
  Other: 1,
  DoNotContinue: 2,
  ContinueWithNextJob: 3,
  ReRunJob: 4,
  RunRecoveryJob: 5,
} as const;

export const Msvm_ConcreteJob_RunDayOfWeek = {
  ExactDayOfMonth: 0,
  Sunday: 1,
  Monday: 2,
  Tuesday: 3,
  Wednesday: 4,
  Thursday: 5,
  Friday: 6,
  Saturday: 7,
} as const;

export const Msvm_ConcreteJob_RunMonth = {
  January: 0,
  February: 1,
  March: 2,
  April: 3,
  May: 4,
  June: 5,
  July: 6,
  August: 7,
  September: 8,
  October: 9,
  November: 10,
  December: 11,
} as const;

export interface Msvm_StorageJob {
  readonly Cancellable?: boolean | null;
  readonly Caption?: string | null;
  readonly Child?: string | null;
  readonly CommunicationStatus?: number | null;
  readonly DeleteOnCompletion?: boolean | null;
  readonly Description?: string | null;
  readonly DetailedStatus?: number | null;
  readonly ElapsedTime?: CimInterval | null;
  readonly ElementName?: string | null;
  readonly ErrorCode?: number | null;
  readonly ErrorDescription?: string | null;
  readonly ErrorSummaryDescription?: string | null;
  readonly HealthState?: number | null;
  readonly InstallDate?: CimDateTime | null;
  /** Key. */
  readonly InstanceID?: string | null;
  readonly JobCompletionStatusCode?: number | null;
  readonly JobRunTimes?: number | null;
  readonly JobState?: number | null;
  readonly JobStatus?: string | null;
  readonly JobType?: number | null;
  readonly LocalOrUtcTime?: number | null;
  readonly Name?: string | null;
  readonly Notify?: string | null;
  readonly OperatingStatus?: number | null;
  readonly OperationalStatus?: readonly number[] | null;
  readonly OtherRecoveryAction?: string | null;
  readonly Owner?: string | null;
  readonly Parent?: string | null;
  /** Unit: Percent. */
  readonly PercentComplete?: number | null;
  readonly PrimaryStatus?: number | null;
  readonly Priority?: number | null;
  readonly RecoveryAction?: number | null;
  readonly RunDay?: number | null;
  readonly RunDayOfWeek?: number | null;
  readonly RunMonth?: number | null;
  readonly RunStartInterval?: CimDateTime | null;
  readonly ScheduledStartTime?: CimDateTime | null;
  readonly StartTime?: CimDateTime | null;
  readonly Status?: string | null;
  readonly StatusDescriptions?: readonly string[] | null;
  readonly TimeBeforeRemoval?: CimInterval | null;
  readonly TimeOfLastStateChange?: CimDateTime | null;
  readonly TimeSubmitted?: CimDateTime | null;
  readonly UntilTime?: CimDateTime | null;
}

export const Msvm_StorageJob_CommunicationStatus = {
  Unknown: 0,
  NotAvailable: 1,
  CommunicationOK: 2,
  LostCommunication: 3,
  NoContact: 4,
} as const;

export const Msvm_StorageJob_DetailedStatus = {
  NotAvailable: 0,
  NoAdditionalInformation: 1,
  Stressed: 2,
  PredictiveFailure: 3,
  NonRecoverableError: 4,
  SupportingEntityInError: 5,
} as const;

export const Msvm_StorageJob_HealthState = {
  Unknown: 0,
  OK: 5,
  DegradedWarning: 10,
  MinorFailure: 15,
  MajorFailure: 20,
  CriticalFailure: 25,
  NonRecoverableError: 30,
} as const;

export const Msvm_StorageJob_JobState = {
  New: 2,
  Starting: 3,
  Running: 4,
  Suspended: 5,
  ShuttingDown: 6,
  Completed: 7,
  Terminated: 8,
  Killed: 9,
  Exception: 10,
  Service: 11,
  CompletedWithWarnings: 32768,
} as const;

export const Msvm_StorageJob_JobType = {
  Unknown: 0,
  VHDCreation: 1,
  FloppyCreation: 2,
  Compaction: 3,
  Expansion: 4,
  Merging: 5,
  Conversion: 6,
  LoopbackMount: 7,
  GetVHDInfo: 8,
  ValidateVHDImage: 9,
} as const;

export const Msvm_StorageJob_LocalOrUtcTime = {
  LocalTime: 1,
  UTCTime: 2,
} as const;

export const Msvm_StorageJob_OperatingStatus = {
  Unknown: 0,
  NotAvailable: 1,
  Servicing: 2,
  Starting: 3,
  Stopping: 4,
  Stopped: 5,
  Aborted: 6,
  Dormant: 7,
  Completed: 8,
  Migrating: 9,
  Emigrating: 10,
  Immigrating: 11,
  Snapshotting: 12,
  ShuttingDown: 13,
  InTest: 14,
  Transitioning: 15,
  InService: 16,
} as const;

export const Msvm_StorageJob_OperationalStatus = {
  Unknown: 0,
  Other: 1,
  OK: 2,
  Degraded: 3,
  Stressed: 4,
  PredictiveFailure: 5,
  Error: 6,
  NonRecoverableError: 7,
  Starting: 8,
  Stopping: 9,
  Stopped: 10,
  InService: 11,
  NoContact: 12,
  LostCommunication: 13,
  Aborted: 14,
  Dormant: 15,
  SupportingEntityInError: 16,
  Completed: 17,
  PowerMode: 18,
} as const;

export const Msvm_StorageJob_PrimaryStatus = {
  Unknown: 0,
  OK: 1,
  Degraded: 2,
  Error: 3,
} as const;

export const Msvm_StorageJob_RecoveryAction = {
  Unknown: 0,
  Other: 1,
  DoNotContinue: 2,
  ContinueWithNextJob: 3,
  ReRunJob: 4,
  RunRecoveryJob: 5,
} as const;

export const Msvm_StorageJob_RunDayOfWeek = {
  ExactDayOfMonth: 0,
  Sunday: 1,
  Monday: 2,
  Tuesday: 3,
  Wednesday: 4,
  Thursday: 5,
  Friday: 6,
  Saturday: 7,
} as const;

export const Msvm_StorageJob_RunMonth = {
  January: 0,
  February: 1,
  March: 2,
  April: 3,
  May: 4,
  June: 5,
  July: 6,
  August: 7,
  September: 8,
  October: 9,
  November: 10,
  December: 11,
} as const;

export interface Msvm_SummaryInformation {
  readonly AllocatedGPU?: string | null;
  readonly ApplicationHealth?: number | null;
  /** Refers to CIM_ConcreteJob. */
  readonly AsynchronousTasks?: readonly CimReference[] | null;
  readonly AvailableMemoryBuffer?: number | null;
  readonly Caption?: string | null;
  readonly CreationTime?: CimDateTime | null;
  readonly Description?: string | null;
  readonly ElementName?: string | null;
  readonly EnabledState?: number | null;
  readonly EnhancedSessionModeState?: number | null;
  readonly GuestOperatingSystem?: string | null;
  readonly HealthState?: number | null;
  readonly Heartbeat?: number | null;
  readonly HostComputerSystemName?: string | null;
  /** Key. */
  readonly InstanceID?: string | null;
  readonly IntegrationServicesVersionState?: number | null;
  readonly MemoryAvailable?: number | null;
  readonly MemorySpansPhysicalNumaNodes?: boolean | null;
  readonly MemoryUsage?: bigint | null;
  readonly Name?: string | null;
  readonly Notes?: string | null;
  readonly NumberOfProcessors?: number | null;
  readonly OperationalStatus?: readonly number[] | null;
  readonly OtherEnabledState?: string | null;
  readonly ProcessorLoad?: number | null;
  readonly ProcessorLoadHistory?: readonly number[] | null;
  readonly ReplicationHealth?: number | null;
  readonly ReplicationHealthEx?: readonly number[] | null;
  readonly ReplicationMode?: number | null;
  readonly ReplicationProviderId?: readonly string[] | null;
  readonly ReplicationState?: number | null;
  readonly ReplicationStateEx?: readonly number[] | null;
  readonly Shielded?: boolean | null;
  /** Refers to CIM_VirtualSystemSettingData. */
  readonly Snapshots?: readonly CimReference[] | null;
  readonly StatusDescriptions?: readonly string[] | null;
  readonly SwapFilesInUse?: boolean | null;
  /** Refers to CIM_ComputerSystem. */
  readonly TestReplicaSystem?: CimReference | null;
  readonly ThumbnailImage?: readonly number[] | null;
  readonly ThumbnailImageHeight?: number | null;
  readonly ThumbnailImageWidth?: number | null;
  readonly UpTime?: bigint | null;
  readonly Version?: string | null;
  readonly VirtualSwitchNames?: readonly string[] | null;
  readonly VirtualSystemSubType?: string | null;
}

export const Msvm_SummaryInformation_ApplicationHealth = {
  OK: 2,
  ApplicationCritical: 32782,
  Disabled: 32896,
} as const;

export const Msvm_SummaryInformation_EnhancedSessionModeState = {
  AllowedAndAvailable: 2,
  NotAllowed: 3,
  AllowedButNotAvailable: 6,
} as const;

export const Msvm_SummaryInformation_Heartbeat = {
  OK: 2,
  Error: 6,
  NoContact: 12,
  LostCommunication: 13,
} as const;

export const Msvm_SummaryInformation_IntegrationServicesVersionState = {
  Unknown: 0,
  UpToDate: 1,
  Mismatch: 2,
} as const;

export const Msvm_SummaryInformation_ReplicationHealth = {
  NotApplicable: 0,
  Ok: 1,
  Warning: 2,
  Critical: 3,
} as const;

export const Msvm_SummaryInformation_ReplicationHealthEx = {
  NotApplicable: 0,
  Ok: 1,
  Warning: 2,
  Critical: 3,
} as const;

export const Msvm_SummaryInformation_ReplicationMode = {
  None: 0,
  Primary: 1,
  Replica: 2,
  TestReplica: 3,
  ExtendedReplica: 4,
} as const;

export const Msvm_SummaryInformation_ReplicationState = {
  Disabled: 0,
  ReadyForReplication: 1,
  WaitingToCompleteInitialReplication: 2,
  Replicating: 3,
  SyncedReplicationComplete: 4,
  Recovered: 5,
  Committed: 6,
  Suspended: 7,
  Critical: 8,
  WaitingToStartResynchronization: 9,
  Resynchronizing: 10,
  ResynchronizationSuspended: 11,
  FailoverInProgress: 12,
} as const;

export const Msvm_SummaryInformation_ReplicationStateEx = {
  Disabled: 0,
  ReadyForReplication: 1,
  WaitingToCompleteInitialReplication: 2,
  Replicating: 3,
  SyncedReplicationComplete: 4,
  Recovered: 5,
  Committed: 6,
  Suspended: 7,
  Critical: 8,
  WaitingToStartResynchronization: 9,
  Resynchronizing: 10,
  ResynchronizationSuspended: 11,
  FailoverInProgress: 12,
  FailbackInProgress: 13,
  FailbackComplete: 14,
  DiskUpdateInProgress: 15,
  DiskUpdateCritical: 16,
  Unknown: 17,
  RepurposeReplicationInProgress: 18,
  PreparedForSyncReplication: 19,
  PreparedForGroupReverseReplication: 20,
  FiredrillInProgress: 21,
} as const;

export interface Msvm_VirtualEthernetSwitch {
  readonly AvailableRequestedStates?: readonly number[] | null;
  readonly Caption?: string | null;
  readonly CommunicationStatus?: number | null;
  /** Key. */
  readonly CreationClassName?: string | null;
  readonly Dedicated?: readonly number[] | null;
  readonly Description?: string | null;
  readonly DetailedStatus?: number | null;
  readonly ElementName?: string | null;
  readonly EnabledDefault?: number | null;
  readonly EnabledState?: number | null;
  readonly HealthState?: number | null;
  readonly IdentifyingDescriptions?: readonly string[] | null;
  readonly InstallDate?: CimDateTime | null;
  readonly InstanceID?: string | null;
  readonly MaxIOVOffloads?: number | null;
  readonly MaxVMQOffloads?: number | null;
  /** Key. */
  readonly Name?: string | null;
  readonly NameFormat?: string | null;
  readonly OperatingStatus?: number | null;
  readonly OperationalStatus?: readonly number[] | null;
  readonly OtherDedicatedDescriptions?: readonly string[] | null;
  readonly OtherEnabledState?: string | null;
  readonly OtherIdentifyingInfo?: readonly string[] | null;
  readonly PowerManagementCapabilities?: readonly number[] | null;
  readonly PrimaryOwnerContact?: string | null;
  readonly PrimaryOwnerName?: string | null;
  readonly PrimaryStatus?: number | null;
  readonly RequestedState?: number | null;
  readonly ResetCapability?: number | null;
  readonly Roles?: readonly string[] | null;
  readonly Status?: string | null;
  readonly StatusDescriptions?: readonly string[] | null;
  readonly TimeOfLastStateChange?: CimDateTime | null;
  readonly TransitioningToState?: number | null;
}

export const Msvm_VirtualEthernetSwitch_AvailableRequestedStates = {
  Enabled: 2,
  Disabled: 3,
  ShutDown: 4,
  Offline: 6,
  Test: 7,
  Defer: 8,
  Quiesce: 9,
  Reboot: 10,
  Reset: 11,
} as const;

export const Msvm_VirtualEthernetSwitch_CommunicationStatus = {
  Unknown: 0,
  NotAvailable: 1,
  CommunicationOK: 2,
  LostCommunication: 3,
  NoContact: 4,
} as const;

export const Msvm_VirtualEthernetSwitch_Dedicated = {
  NotDedicated: 0,
  Unknown: 1,
  Other: 2,
  Storage: 3,
  Router: 4,
  Switch: 5,
  Layer3Switch: 6,
  CentralOfficeSwitch: 7,
  Hub: 8,
  AccessServer: 9,
  Firewall: 10,
  Print: 11,
  IO: 12,
  WebCaching: 13,
  Management: 14,
  BlockServer: 15,
  FileServer: 16,
  MobileUserDevice: 17,
  Repeater: 18,
  BridgeExtender: 19,
  Gateway: 20,
  StorageVirtualizer: 21,
  MediaLibrary: 22,
  ExtenderNode: 23,
  NASHead: 24,
  SelfContainedNAS: 25,
  UPS: 26,
  IPPhone: 27,
  ManagementController: 28,
  ChassisManager: 29,
  HostBasedRAIDController: 30,
  StorageDeviceEnclosure: 31,
  Desktop: 32,
  Laptop: 33,
  VirtualTapeLibrary: 34,
  VirtualLibrarySystem: 35,
  NetworkPCThinClient: 36,
  FCSwitch: 37,
  EthernetSwitch: 38,
} as const;

export const Msvm_VirtualEthernetSwitch_DetailedStatus = {
  NotAvailable: 0,
  NoAdditionalInformation: 1,
  Stressed: 2,
  PredictiveFailure: 3,
  NonRecoverableError: 4,
  SupportingEntityInError: 5,
} as const;

export const Msvm_VirtualEthernetSwitch_EnabledDefault = {
  Enabled: 2,
  Disabled: 3,
  EnabledButOffline: 6,
} as const;

export const Msvm_VirtualEthernetSwitch_EnabledState = {
  Unknown: 0,
  Other: 1,
  Enabled: 2,
  Disabled: 3,
  ShuttingDown: 4,
  NotApplicable: 5,
  EnabledButOffline: 6,
  InTest: 7,
  Deferred: 8,
  Quiesce: 9,
  Starting: 10,
} as const;

export const Msvm_VirtualEthernetSwitch_HealthState = {
  OK: 5,
  MajorFailure: 20,
  CriticalFailure: 25,
} as const;

export const Msvm_VirtualEthernetSwitch_OperatingStatus = {
  Unknown: 0,
  NotAvailable: 1,
  Servicing: 2,
  Starting: 3,
  Stopping: 4,
  Stopped: 5,
  Aborted: 6,
  Dormant: 7,
  Completed: 8,
  Migrating: 9,
  Emigrating: 10,
  Immigrating: 11,
  Snapshotting: 12,
  ShuttingDown: 13,
  InTest: 14,
  Transitioning: 15,
  InService: 16,
} as const;

export const Msvm_VirtualEthernetSwitch_OperationalStatus = {
  Unknown: 0,
  Other: 1,
  OK: 2,
  Degraded: 3,
  Stressed: 4,
  PredictiveFailure: 5,
  Error: 6,
  NonRecoverableError: 7,
  Starting: 8,
  Stopping: 9,
  Stopped: 10,
  InService: 11,
  NoContact: 12,
  LostCommunication: 13,
  Aborted: 14,
  Dormant: 15,
  SupportingEntityInError: 16,
  Completed: 17,
  PowerMode: 18,
} as const;

export const Msvm_VirtualEthernetSwitch_PowerManagementCapabilities = {
  Unknown: 0,
  NotSupported: 1,
  Disabled: 2,
  Enabled: 3,
  PowerSavingModesEnteredAutomatically: 4,
  PowerStateSettable: 5,
  PowerCyclingSupported: 6,
  TimedPowerOnSupported: 7,
} as const;

export const Msvm_VirtualEthernetSwitch_PrimaryStatus = {
  Unknown: 0,
  OK: 1,
  Degraded: 2,
  Error: 3,
} as const;

export const Msvm_VirtualEthernetSwitch_RequestedState = {
  Unknown: 0,
  Enabled: 2,
  Disabled: 3,
  ShutDown: 4,
  NoChange: 5,
  Offline: 6,
  Test: 7,
  Deferred: 8,
  Quiesce: 9,
  Reboot: 10,
  Reset: 11,
  NotApplicable: 12,
} as const;

export const Msvm_VirtualEthernetSwitch_ResetCapability = {
  Other: 1,
  Unknown: 2,
  Disabled: 3,
  Enabled: 4,
  NotImplemented: 5,
} as const;

export const Msvm_VirtualEthernetSwitch_TransitioningToState = {
  Unknown: 0,
  Enabled: 2,
  Disabled: 3,
  ShutDown: 4,
  NoChange: 5,
  Offline: 6,
  Test: 7,
  Defer: 8,
  Quiesce: 9,
  Reboot: 10,
  Reset: 11,
  NotApplicable: 12,
} as const;

export interface Msvm_ShutdownComponent {
  readonly AdditionalAvailability?: readonly number[] | null;
  readonly Availability?: number | null;
  readonly AvailableRequestedStates?: readonly number[] | null;
  readonly Caption?: string | null;
  readonly CommunicationStatus?: number | null;
  /** Key. */
  readonly CreationClassName?: string | null;
  readonly Description?: string | null;
  readonly DetailedStatus?: number | null;
  /** Key. */
  readonly DeviceID?: string | null;
  readonly ElementName?: string | null;
  readonly EnabledDefault?: number | null;
  readonly EnabledState?: number | null;
  readonly ErrorCleared?: boolean | null;
  readonly ErrorDescription?: string | null;
  readonly HealthState?: number | null;
  readonly IdentifyingDescriptions?: readonly string[] | null;
  readonly InstallDate?: CimDateTime | null;
  readonly InstanceID?: string | null;
  readonly LastErrorCode?: number | null;
  readonly MaxQuiesceTime?: bigint | null;
  readonly Name?: string | null;
  readonly OperatingStatus?: number | null;
  readonly OperationalStatus?: readonly number[] | null;
  readonly OtherEnabledState?: string | null;
  readonly OtherIdentifyingInfo?: readonly string[] | null;
  readonly PowerManagementCapabilities?: readonly number[] | null;
  readonly PowerManagementSupported?: boolean | null;
  readonly PowerOnHours?: bigint | null;
  readonly PrimaryStatus?: number | null;
  readonly RequestedState?: number | null;
  readonly Status?: string | null;
  readonly StatusDescriptions?: readonly string[] | null;
  readonly StatusInfo?: number | null;
  /** Key. */
  readonly SystemCreationClassName?: string | null;
  /** Key. */
  readonly SystemName?: string | null;
  readonly TimeOfLastStateChange?: CimDateTime | null;
  readonly TotalPowerOnHours?: bigint | null;
  readonly TransitioningToState?: number | null;
}

export const Msvm_ShutdownComponent_AdditionalAvailability = {
  NotApplicable: 6,
} as const;

export const Msvm_ShutdownComponent_Availability = {
  NotApplicable: 6,
} as const;

export const Msvm_ShutdownComponent_AvailableRequestedStates = {
  Enabled: 2,
  Disabled: 3,
  ShutDown: 4,
  Offline: 6,
  Test: 7,
  Defer: 8,
  Quiesce: 9,
  Reboot: 10,
  Reset: 11,
} as const;

export const Msvm_ShutdownComponent_CommunicationStatus = {
  Unknown: 0,
  NotAvailable: 1,
  CommunicationOK: 2,
  LostCommunication: 3,
  NoContact: 4,
} as const;

export const Msvm_ShutdownComponent_DetailedStatus = {
  NotAvailable: 0,
  NoAdditionalInformation: 1,
  Stressed: 2,
  PredictiveFailure: 3,
  NonRecoverableError: 4,
  SupportingEntityInError: 5,
} as const;

export const Msvm_ShutdownComponent_EnabledDefault = {
  NoDefault: 7,
} as const;

export const Msvm_ShutdownComponent_EnabledState = {
  Enabled: 2,
  Disabled: 3,
} as const;

export const Msvm_ShutdownComponent_HealthState = {
  Unknown: 0,
  OK: 5,
  DegradedWarning: 10,
  MinorFailure: 15,
  MajorFailure: 20,
  CriticalFailure: 25,
  NonRecoverableError: 30,
} as const;

export const Msvm_ShutdownComponent_OperatingStatus = {
  Unknown: 0,
  NotAvailable: 1,
  Servicing: 2,
  Starting: 3,
  Stopping: 4,
  Stopped: 5,
  Aborted: 6,
  Dormant: 7,
  Completed: 8,
  Migrating: 9,
  Emigrating: 10,
  Immigrating: 11,
  Snapshotting: 12,
  ShuttingDown: 13,
  InTest: 14,
  Transitioning: 15,
  InService: 16,
} as const;

export const Msvm_ShutdownComponent_OperationalStatus = {
  OK: 2,
  Degraded: 3,
  NonRecoverableError: 7,
  NoContact: 12,
  LostCommunication: 13,
} as const;

export const Msvm_ShutdownComponent_PowerManagementCapabilities = {
  Unknown: 0,
  NotSupported: 1,
  Disabled: 2,
  Enabled: 3,
  PowerSavingModesEnteredAutomatically: 4,
  PowerStateSettable: 5,
  PowerCyclingSupported: 6,
  TimedPowerOnSupported: 7,
} as const;

export const Msvm_ShutdownComponent_PrimaryStatus = {
  Unknown: 0,
  OK: 1,
  Degraded: 2,
  Error: 3,
} as const;

export const Msvm_ShutdownComponent_RequestedState = {
  NotApplicable: 12,
} as const;

export const Msvm_ShutdownComponent_StatusInfo = {
  Other: 1,
  Unknown: 2,
  Enabled: 3,
  Disabled: 4,
  NotApplicable: 5,
} as const;

export const Msvm_ShutdownComponent_TransitioningToState = {
  Unknown: 0,
  Enabled: 2,
  Disabled: 3,
  ShutDown: 4,
  NoChange: 5,
  Offline: 6,
  Test: 7,
  Defer: 8,
  Quiesce: 9,
  Reboot: 10,
  Reset: 11,
  NotApplicable: 12,
} as const;

export interface Msvm_NumaNode {
  readonly AvailableRequestedStates?: readonly number[] | null;
  readonly Caption?: string | null;
  readonly CommunicationStatus?: number | null;
  /** Key. */
  readonly CreationClassName?: string | null;
  readonly CurrentlyConsumableMemoryBlocks?: bigint | null;
  readonly Description?: string | null;
  readonly DetailedStatus?: number | null;
  readonly ElementName?: string | null;
  readonly EnabledDefault?: number | null;
  readonly EnabledState?: number | null;
  readonly HealthState?: number | null;
  readonly InstallDate?: CimDateTime | null;
  readonly InstanceID?: string | null;
  readonly Name?: string | null;
  /** Key. */
  readonly NodeID?: string | null;
  readonly NumberOfLogicalProcessors?: number | null;
  readonly NumberOfProcessorCores?: number | null;
  readonly OperatingStatus?: number | null;
  readonly OperationalStatus?: readonly number[] | null;
  readonly OtherEnabledState?: string | null;
  readonly PrimaryStatus?: number | null;
  readonly RequestedState?: number | null;
  readonly Status?: string | null;
  readonly StatusDescriptions?: readonly string[] | null;
  /** Key. */
  readonly SystemCreationClassName?: string | null;
  /** Key. */
  readonly SystemName?: string | null;
  readonly TimeOfLastStateChange?: CimDateTime | null;
  readonly TransitioningToState?: number | null;
}

export const Msvm_NumaNode_AvailableRequestedStates = {
  Enabled: 2,
  Disabled: 3,
  ShutDown: 4,
  Offline: 6,
  Test: 7,
  Defer: 8,
  Quiesce: 9,
  Reboot: 10,
  Reset: 11,
} as const;

export const Msvm_NumaNode_CommunicationStatus = {
  Unknown: 0,
  NotAvailable: 1,
  CommunicationOK: 2,
  LostCommunication: 3,
  NoContact: 4,
} as const;

export const Msvm_NumaNode_DetailedStatus = {
  NotAvailable: 0,
  NoAdditionalInformation: 1,
  Stressed: 2,
  PredictiveFailure: 3,
  NonRecoverableError: 4,
  SupportingEntityInError: 5,
} as const;

export const Msvm_NumaNode_EnabledDefault = {
  Enabled: 2,
  Disabled: 3,
  NotApplicable: 5,
  EnabledButOffline: 6,
  NoDefault: 7,
  Quiesce: 9,
} as const;

export const Msvm_NumaNode_EnabledState = {
  Unknown: 0,
  Other: 1,
  Enabled: 2,
  Disabled: 3,
  ShuttingDown: 4,
  NotApplicable: 5,
  EnabledButOffline: 6,
  InTest: 7,
  Deferred: 8,
  Quiesce: 9,
  Starting: 10,
} as const;

export const Msvm_NumaNode_HealthState = {
  Unknown: 0,
  OK: 5,
  DegradedWarning: 10,
  MinorFailure: 15,
  MajorFailure: 20,
  CriticalFailure: 25,
  NonRecoverableError: 30,
} as const;

export const Msvm_NumaNode_OperatingStatus = {
  Unknown: 0,
  NotAvailable: 1,
  Servicing: 2,
  Starting: 3,
  Stopping: 4,
  Stopped: 5,
  Aborted: 6,
  Dormant: 7,
  Completed: 8,
  Migrating: 9,
  Emigrating: 10,
  Immigrating: 11,
  Snapshotting: 12,
  ShuttingDown: 13,
  InTest: 14,
  Transitioning: 15,
  InService: 16,
} as const;

export const Msvm_NumaNode_OperationalStatus = {
  Unknown: 0,
  Other: 1,
  OK: 2,
  Degraded: 3,
  Stressed: 4,
  PredictiveFailure: 5,
  Error: 6,
  NonRecoverableError: 7,
  Starting: 8,
  Stopping: 9,
  Stopped: 10,
  InService: 11,
  NoContact: 12,
  LostCommunication: 13,
  Aborted: 14,
  Dormant: 15,
  SupportingEntityInError: 16,
  Completed: 17,
  PowerMode: 18,
} as const;

export const Msvm_NumaNode_PrimaryStatus = {
  Unknown: 0,
  OK: 1,
  Degraded: 2,
  Error: 3,
} as const;

export const Msvm_NumaNode_RequestedState = {
  Unknown: 0,
  Enabled: 2,
  Disabled: 3,
  ShutDown: 4,
  NoChange: 5,
  Offline: 6,
  Test: 7,
  Deferred: 8,
  Quiesce: 9,
  Reboot: 10,
  Reset: 11,
  NotApplicable: 12,
} as const;

export const Msvm_NumaNode_TransitioningToState = {
  Unknown: 0,
  Enabled: 2,
  Disabled: 3,
  ShutDown: 4,
  NoChange: 5,
  Offline: 6,
  Test: 7,
  Defer: 8,
  Quiesce: 9,
  Reboot: 10,
  Reset: 11,
  NotApplicable: 12,
} as const;

export interface Msvm_Memory {
  readonly Access?: number | null;
  readonly AdditionalAvailability?: readonly number[] | null;
  readonly AdditionalErrorData?: readonly number[] | null;
  readonly Availability?: number | null;
  readonly AvailableRequestedStates?: readonly number[] | null;
  readonly BlockSize?: bigint | null;
  readonly Caption?: string | null;
  readonly CommunicationStatus?: number | null;
  readonly ConsumableBlocks?: bigint | null;
  readonly CorrectableError?: boolean | null;
  /** Key. */
  readonly CreationClassName?: string | null;
  readonly DataOrganization?: number | null;
  readonly DataRedundancy?: number | null;
  readonly DeltaReservation?: number | null;
  readonly Description?: string | null;
  readonly DetailedStatus?: number | null;
  /** Key. */
  readonly DeviceID?: string | null;
  readonly ElementName?: string | null;
  readonly EnabledDefault?: number | null;
  readonly EnabledState?: number | null;
  readonly EndingAddress?: bigint | null;
  readonly ErrorAccess?: number | null;
  readonly ErrorAddress?: bigint | null;
  readonly ErrorCleared?: boolean | null;
  readonly ErrorData?: readonly number[] | null;
  readonly ErrorDataOrder?: number | null;
  readonly ErrorDescription?: string | null;
  readonly ErrorInfo?: number | null;
  readonly ErrorMethodology?: string | null;
  readonly ErrorResolution?: bigint | null;
  readonly ErrorTime?: CimDateTime | null;
  readonly ErrorTransferSize?: number | null;
  readonly ExtentStatus?: readonly number[] | null;
  readonly HealthState?: number | null;
  readonly IdentifyingDescriptions?: readonly string[] | null;
  readonly InstallDate?: CimDateTime | null;
  readonly InstanceID?: string | null;
  readonly IsBasedOnUnderlyingRedundancy?: boolean | null;
  readonly LastErrorCode?: number | null;
  readonly MaxQuiesceTime?: bigint | null;
  readonly Name?: string | null;
  readonly NameFormat?: number | null;
  readonly NameNamespace?: number | null;
  readonly NoSinglePointOfFailure?: boolean | null;
  readonly NumberOfBlocks?: bigint | null;
  readonly OperatingStatus?: number | null;
  readonly OperationalStatus?: readonly number[] | null;
  readonly OtherEnabledState?: string | null;
  readonly OtherErrorDescription?: string | null;
  readonly OtherIdentifyingInfo?: readonly string[] | null;
  readonly OtherNameFormat?: string | null;
  readonly OtherNameNamespace?: string | null;
  readonly PackageRedundancy?: number | null;
  readonly PowerManagementCapabilities?: readonly number[] | null;
  readonly PowerManagementSupported?: boolean | null;
  readonly PowerOnHours?: bigint | null;
  readonly PrimaryStatus?: number | null;
  readonly Primordial?: boolean | null;
  readonly Purpose?: string | null;
  readonly RequestedState?: number | null;
  readonly SequentialAccess?: boolean | null;
  readonly StartingAddress?: bigint | null;
  readonly Status?: string | null;
  readonly StatusDescriptions?: readonly string[] | null;
  readonly StatusInfo?: number | null;
  /** Key. */
  readonly SystemCreationClassName?: string | null;
  readonly SystemLevelAddress?: boolean | null;
  /** Key. */
  readonly SystemName?: string | null;
  readonly TimeOfLastStateChange?: CimDateTime | null;
  readonly TotalPowerOnHours?: bigint | null;
  readonly TransitioningToState?: number | null;
  readonly Volatile?: boolean | null;
}

export const Msvm_Memory_Access = {
  Unknown: 0,
  Readable: 1,
  Writeable: 2,
  ReadWriteSupported: 3,
  WriteOnce: 4,
} as const;

export const Msvm_Memory_AdditionalAvailability = {
  Other: 1,
  Unknown: 2,
  RunningFullPower: 3,
  Warning: 4,
  InTest: 5,
  NotApplicable: 6,
  PowerOff: 7,
  OffLine: 8,
  OffDuty: 9,
  Degraded: 10,
  NotInstalled: 11,
  InstallError: 12,
  PowerSaveUnknown: 13,
  PowerSaveLowPowerMode: 14,
  PowerSaveStandby: 15,
  PowerCycle: 16,
  PowerSaveWarning: 17,
  Paused: 18,
  NotReady: 19,
  NotConfigured: 20,
  Quiesced: 21,
} as const;

export const Msvm_Memory_Availability = {
  Other: 1,
  Unknown: 2,
  RunningFullPower: 3,
  Warning: 4,
  InTest: 5,
  NotApplicable: 6,
  PowerOff: 7,
  OffLine: 8,
  OffDuty: 9,
  Degraded: 10,
  NotInstalled: 11,
  InstallError: 12,
  PowerSaveUnknown: 13,
  PowerSaveLowPowerMode: 14,
  PowerSaveStandby: 15,
  PowerCycle: 16,
  PowerSaveWarning: 17,
  Paused: 18,
  NotReady: 19,
  NotConfigured: 20,
  Quiesced: 21,
} as const;

export const Msvm_Memory_AvailableRequestedStates = {
  Enabled: 2,
  Disabled: 3,
  ShutDown: 4,
  Offline: 6,
  Test: 7,
  Defer: 8,
  Quiesce: 9,
  Reboot: 10,
  Reset: 11,
} as const;

export const Msvm_Memory_CommunicationStatus = {
  Unknown: 0,
  NotAvailable: 1,
  CommunicationOK: 2,
  LostCommunication: 3,
  NoContact: 4,
} as const;

export const Msvm_Memory_DataOrganization = {
  Other: 0,
  Unknown: 1,
  FixedBlock: 2,
  VariableBlock: 3,
  CountKeyData: 4,
} as const;

export const Msvm_Memory_DetailedStatus = {
  NotAvailable: 0,
  NoAdditionalInformation: 1,
  Stressed: 2,
  PredictiveFailure: 3,
  NonRecoverableError: 4,
  SupportingEntityInError: 5,
} as const;

export const Msvm_Memory_EnabledDefault = {
  Enabled: 2,
  Disabled: 3,
  NotApplicable: 5,
  EnabledButOffline: 6,
  NoDefault: 7,
  Quiesce: 9,
} as const;

export const Msvm_Memory_EnabledState = {
  Unknown: 0,
  Other: 1,
  Enabled: 2,
  Disabled: 3,
  ShuttingDown: 4,
  NotApplicable: 5,
  EnabledButOffline: 6,
  InTest: 7,
  Deferred: 8,
  Quiesce: 9,
  Starting: 10,
} as const;

export const Msvm_Memory_ErrorAccess = {
  Other: 1,
  Unknown: 2,
  Read: 3,
  Write: 4,
  PartialWrite: 5,
} as const;

export const Msvm_Memory_ErrorDataOrder = {
  Unknown: 0,
  LeastSignificantByteFirst: 1,
  MostSignificantByteFirst: 2,
} as const;

export const Msvm_Memory_ErrorInfo = {
  Other: 1,
  Unknown: 2,
  OK: 3,
  BadRead: 4,
  ParityError: 5,
  SingleBitError: 6,
  DoubleBitError: 7,
  MultiBitError: 8,
  NibbleError: 9,
  ChecksumError: 10,
  CRCError: 11,
  Undefined: 12,
  Undefined2: 13,
  Undefined3: 14,
} as const;

export const Msvm_Memory_ExtentStatus = {
  Other: 0,
  Unknown: 1,
  NoneNotApplicable: 2,
  Broken: 3,
  DataLost: 4,
  DynamicReconfig: 5,
  Exposed: 6,
  FractionallyExposed: 7,
  PartiallyExposed: 8,
  ProtectionDisabled: 9,
  Readying: 10,
  Rebuild: 11,
  Recalculate: 12,
  SpareInUse: 13,
  VerifyInProgress: 14,
  InBandAccessGranted: 15,
  Imported: 16,
  Exported: 17,
} as const;

export const Msvm_Memory_HealthState = {
  Unknown: 0,
  OK: 5,
  DegradedWarning: 10,
  MinorFailure: 15,
  MajorFailure: 20,
  CriticalFailure: 25,
  NonRecoverableError: 30,
} as const;

export const Msvm_Memory_NameFormat = {
  Unknown: 0,
  Other: 1,
  VPD83NAA6: 2,
  VPD83NAA5: 3,
  VPD83Type2: 4,
  VPD83Type1: 5,
  VPD83Type0: 6,
  SNVM: 7,
  NodeWWN: 8,
  NAA: 9,
  EUI64: 10,
  T10VID: 11,
  OSDeviceName: 12,
} as const;

export const Msvm_Memory_NameNamespace = {
  Unknown: 0,
  Other: 1,
  VPD83Type3: 2,
  VPD83Type2: 3,
  VPD83Type1: 4,
  VPD80: 5,
  NodeWWN: 6,
  SNVM: 7,
  OSDeviceNamespace: 8,
} as const;

export const Msvm_Memory_OperatingStatus = {
  Unknown: 0,
  NotAvailable: 1,
  Servicing: 2,
  Starting: 3,
  Stopping: 4,
  Stopped: 5,
  Aborted: 6,
  Dormant: 7,
  Completed: 8,
  Migrating: 9,
  Emigrating: 10,
  Immigrating: 11,
  Snapshotting: 12,
  ShuttingDown: 13,
  InTest: 14,
  Transitioning: 15,
  InService: 16,
} as const;

export const Msvm_Memory_OperationalStatus = {
  Unknown: 0,
  Other: 1,
  OK: 2,
  Degraded: 3,
  Stressed: 4,
  PredictiveFailure: 5,
  Error: 6,
  NonRecoverableError: 7,
  Starting: 8,
  Stopping: 9,
  Stopped: 10,
  InService: 11,
  NoContact: 12,
  LostCommunication: 13,
  Aborted: 14,
  Dormant: 15,
  SupportingEntityInError: 16,
  Completed: 17,
  PowerMode: 18,
} as const;

export const Msvm_Memory_PowerManagementCapabilities = {
  Unknown: 0,
  NotSupported: 1,
  Disabled: 2,
  Enabled: 3,
  PowerSavingModesEnteredAutomatically: 4,
  PowerStateSettable: 5,
  PowerCyclingSupported: 6,
  TimedPowerOnSupported: 7,
} as const;

export const Msvm_Memory_PrimaryStatus = {
  Unknown: 0,
  OK: 1,
  Degraded: 2,
  Error: 3,
} as const;

export const Msvm_Memory_RequestedState = {
  Unknown: 0,
  Enabled: 2,
  Disabled: 3,
  ShutDown: 4,
  NoChange: 5,
  Offline: 6,
  Test: 7,
  Deferred: 8,
  Quiesce: 9,
  Reboot: 10,
  Reset: 11,
  NotApplicable: 12,
} as const;

export const Msvm_Memory_StatusInfo = {
  Other: 1,
  Unknown: 2,
  Enabled: 3,
  Disabled: 4,
  NotApplicable: 5,
} as const;

export const Msvm_Memory_TransitioningToState = {
  Unknown: 0,
  Enabled: 2,
  Disabled: 3,
  ShutDown: 4,
  NoChange: 5,
  Offline: 6,
  Test: 7,
  Defer: 8,
  Quiesce: 9,
  Reboot: 10,
  Reset: 11,
  NotApplicable: 12,
} as const;

export interface Msvm_Processor {
  readonly AdditionalAvailability?: readonly number[] | null;
  readonly AddressWidth?: number | null;
  readonly Availability?: number | null;
  readonly AvailableRequestedStates?: readonly number[] | null;
  readonly CPUStatus?: number | null;
  readonly Caption?: string | null;
  readonly CommunicationStatus?: number | null;
  /** Key. */
  readonly CreationClassName?: string | null;
  readonly CurrentClockSpeed?: number | null;
  readonly DataWidth?: number | null;
  readonly Description?: string | null;
  readonly DetailedStatus?: number | null;
  /** Key. */
  readonly DeviceID?: string | null;
  readonly ElementName?: string | null;
  readonly EnabledDefault?: number | null;
  readonly EnabledState?: number | null;
  readonly ErrorCleared?: boolean | null;
  readonly ErrorDescription?: string | null;
  readonly ExternalBusClockSpeed?: number | null;
  readonly Family?: number | null;
  readonly HealthState?: number | null;
  readonly IdentifyingDescriptions?: readonly string[] | null;
  readonly InstallDate?: CimDateTime | null;
  readonly InstanceID?: string | null;
  readonly LastErrorCode?: number | null;
  readonly LoadPercentage?: number | null;
  readonly LoadPercentageHistory?: readonly number[] | null;
  readonly MaxClockSpeed?: number | null;
  readonly MaxQuiesceTime?: bigint | null;
  readonly Name?: string | null;
  readonly OperatingStatus?: number | null;
  readonly OperationalStatus?: readonly number[] | null;
  readonly OtherEnabledState?: string | null;
  readonly OtherFamilyDescription?: string | null;
  readonly OtherIdentifyingInfo?: readonly string[] | null;
  readonly PowerManagementCapabilities?: readonly number[] | null;
  readonly PowerManagementSupported?: boolean | null;
  readonly PowerOnHours?: bigint | null;
  readonly PrimaryStatus?: number | null;
  readonly RequestedState?: number | null;
  readonly Role?: string | null;
  readonly Status?: string | null;
  readonly StatusDescriptions?: readonly string[] | null;
  readonly StatusInfo?: number | null;
  readonly Stepping?: string | null;
  /** Key. */
  readonly SystemCreationClassName?: string | null;
  /** Key. */
  readonly SystemName?: string | null;
  readonly TimeOfLastStateChange?: CimDateTime | null;
  readonly TotalPowerOnHours?: bigint | null;
  readonly TransitioningToState?: number | null;
  readonly UniqueID?: string | null;
  readonly UpgradeMethod?: number | null;
}

export const Msvm_Processor_AdditionalAvailability = {
  Other: 1,
  Unknown: 2,
  RunningFullPower: 3,
  Warning: 4,
  InTest: 5,
  NotApplicable: 6,
  PowerOff: 7,
  OffLine: 8,
  OffDuty: 9,
  Degraded: 10,
  NotInstalled: 11,
  InstallError: 12,
  PowerSaveUnknown: 13,
  PowerSaveLowPowerMode: 14,
  PowerSaveStandby: 15,
  PowerCycle: 16,
  PowerSaveWarning: 17,
  Paused: 18,
  NotReady: 19,
  NotConfigured: 20,
  Quiesced: 21,
} as const;

export const Msvm_Processor_Availability = {
  Other: 1,
  Unknown: 2,
  RunningFullPower: 3,
  Warning: 4,
  InTest: 5,
  NotApplicable: 6,
  PowerOff: 7,
  OffLine: 8,
  OffDuty: 9,
  Degraded: 10,
  NotInstalled: 11,
  InstallError: 12,
  PowerSaveUnknown: 13,
  PowerSaveLowPowerMode: 14,
  PowerSaveStandby: 15,
  PowerCycle: 16,
  PowerSaveWarning: 17,
  Paused: 18,
  NotReady: 19,
  NotConfigured: 20,
  Quiesced: 21,
} as const;

export const Msvm_Processor_AvailableRequestedStates = {
  Enabled: 2,
  Disabled: 3,
  ShutDown: 4,
  Offline: 6,
  Test: 7,
  Defer: 8,
  Quiesce: 9,
  Reboot: 10,
  Reset: 11,
} as const;

export const Msvm_Processor_CPUStatus = {
  Unknown: 0,
  CPUEnabled: 1,
  CPUDisabledByUser: 2,
  CPUDisabledByBIOSPOSTError: 3,
  CPUIsIdle: 4,
  Other: 7,
} as const;

export const Msvm_Processor_CommunicationStatus = {
  Unknown: 0,
  NotAvailable: 1,
  CommunicationOK: 2,
  LostCommunication: 3,
  NoContact: 4,
} as const;

export const Msvm_Processor_DetailedStatus = {
  NotAvailable: 0,
  NoAdditionalInformation: 1,
  Stressed: 2,
  PredictiveFailure: 3,
  NonRecoverableError: 4,
  SupportingEntityInError: 5,
} as const;

export const Msvm_Processor_EnabledDefault = {
  Enabled: 2,
  Disabled: 3,
  NotApplicable: 5,
  EnabledButOffline: 6,
  NoDefault: 7,
  Quiesce: 9,
} as const;

export const Msvm_Processor_EnabledState = {
  Unknown: 0,
  Other: 1,
  Enabled: 2,
  Disabled: 3,
  ShuttingDown: 4,
  NotApplicable: 5,
  EnabledButOffline: 6,
  InTest: 7,
  Deferred: 8,
  Quiesce: 9,
  Starting: 10,
} as const;

export const Msvm_Processor_Family = {
  Other: 1,
  Unknown: 2,
  '8086': 3,
  '80286': 4,
  '80386': 5,
  '80486': 6,
  '8087': 7,
  '80287': 8,
  '80387': 9,
  '80487': 10,
  PentiumRBrand: 11,
  PentiumRPro: 12,
  PentiumRII: 13,
  PentiumRProcessorWithMMXTMTechnology: 14,
  CeleronTM: 15,
  PentiumRIIXeonTM: 16,
  PentiumRIII: 17,
  M1Family: 18,
  M2Family: 19,
  IntelRCeleronRMProcessor: 20,
  IntelRPentiumR4HTProcessor: 21,
  K5Family: 24,
  K6Family: 25,
  K62: 26,
  K63: 27,
  AMDAthlonTMProcessorFamily: 28,
  AMDRDuronTMProcessor: 29,
  AMD29000Family: 30,
  K622: 31,
  PowerPCFamily: 32,
  PowerPC601: 33,
  PowerPC603: 34,
  PowerPC6032: 35,
  PowerPC604: 36,
  PowerPC620: 37,
  PowerPCX704: 38,
  PowerPC750: 39,
  IntelRCoreTMDuoProcessor: 40,
  IntelRCoreTMDuoMobileProcessor: 41,
  IntelRCoreTMSoloMobileProcessor: 42,
  IntelRAtomTMProcessor: 43,
  AlphaFamily: 48,
  Alpha21064: 49,
  Alpha21066: 50,
  Alpha21164: 51,
  Alpha21164PC: 52,
  Alpha21164a: 53,
  Alpha21264: 54,
  Alpha21364: 55,
  AMDTurionTMIIUltraDualCoreMobileMProcessorFamily: 56,
  AMDTurionTMIIDualCoreMobileMProcessorFamily: 57,
  AMDAthlonTMIIDualCoreMobileMProcessorFamily: 58,
  AMDOpteronTM6100SeriesProcessor: 59,
  AMDOpteronTM4100SeriesProcessor: 60,
  MIPSFamily: 64,
  MIPSR4000: 65,
  MIPSR4200: 66,
  MIPSR4400: 67,
  MIPSR4600: 68,
  MIPSR10000: 69,
  SPARCFamily: 80,
  SuperSPARC: 81,
  MicroSPARCII: 82,
  MicroSPARCIIep: 83,
  UltraSPARC: 84,
  UltraSPARCII: 85,
  UltraSPARCIIi: 86,
  UltraSPARCIII: 87,
  UltraSPARCIIIi: 88,
  '68040': 96,
  '68xxxFamily': 97,
  '68000': 98,
  '68010': 99,
  '68020': 100,
  '68030': 101,
  HobbitFamily: 112,
  CrusoeTMTM5000Family: 120,
  CrusoeTMTM3000Family: 121,
  EfficeonTMTM8000Family: 122,
  Weitek: 128,
  ItaniumTMProcessor: 130,
  AMDAthlonTM64ProcessorFamily: 131,
  AMDOpteronTMProcessorFamily: 132,
  AMDSempronTMProcessorFamily: 133,
  AMDTurionTM64MobileTechnology: 134,
  DualCoreAMDOpteronTMProcessorFamily: 135,
  AMDAthlonTM64X2DualCoreProcessorFamily: 136,
  AMDTurionTM64X2MobileTechnology: 137,
  QuadCoreAMDOpteronTMProcessorFamily: 138,
  ThirdGenerationAMDOpteronTMProcessorFamily: 139,
  AMDPhenomTMFXQuadCoreProcessorFamily: 140,
  AMDPhenomTMX4QuadCoreProcessorFamily: 141,
  AMDPhenomTMX2DualCoreProcessorFamily: 142,
  AMDAthlonTMX2DualCoreProcessorFamily: 143,
  PARISCFamily: 144,
  PARISC8500: 145,
  PARISC8000: 146,
  PARISC7300LC: 147,
  PARISC7200: 148,
  PARISC7100LC: 149,
  PARISC7100: 150,
  V30Family: 160,
  QuadCoreIntelRXeonRProcessor3200Series: 161,
  DualCoreIntelRXeonRProcessor3000Series: 162,
  QuadCoreIntelRXeonRProcessor5300Series: 163,
  DualCoreIntelRXeonRProcessor5100Series: 164,
  DualCoreIntelRXeonRProcessor5000Series: 165,
  DualCoreIntelRXeonRProcessorLV: 166,
  DualCoreIntelRXeonRProcessorULV: 167,
  DualCoreIntelRXeonRProcessor7100Series: 168,
  QuadCoreIntelRXeonRProcessor5400Series: 169,
  QuadCoreIntelRXeonRProcessor: 170,
  DualCoreIntelRXeonRProcessor5200Series: 171,
  DualCoreIntelRXeonRProcessor7200Series: 172,
  QuadCoreIntelRXeonRProcessor7300Series: 173,
  QuadCoreIntelRXeonRProcessor7400Series: 174,
  MultiCoreIntelRXeonRProcessor7400Series: 175,
  PentiumRIIIXeonTM: 176,
  PentiumR4: 178,
  IntelRXeonTM: 179,
  AS400Family: 180,
  IntelRXeonTMProcessorMP: 181,
  AMDAthlonTMXPFamily: 182,
  AMDAthlonTMMPFamily: 183,
  IntelRItaniumR2: 184,
  IntelRPentiumRMProcessor: 185,
  IntelRCeleronRDProcessor: 186,
  IntelRPentiumRDProcessor: 187,
  IntelRPentiumRProcessorExtremeEdition: 188,
  IntelRCoreTMSoloProcessor: 189,
  K7: 190,
  IntelRCoreTM2DuoProcessor: 191,
  IntelRCoreTM2SoloProcessor: 192,
  IntelRCoreTM2ExtremeProcessor: 193,
  IntelRCoreTM2QuadProcessor: 194,
  IntelRCoreTM2ExtremeMobileProcessor: 195,
  IntelRCoreTM2DuoMobileProcessor: 196,
  IntelRCoreTM2SoloMobileProcessor: 197,
  IntelRCoreTMI7Processor: 198,
  DualCoreIntelRCeleronRProcessor: 199,
  S390AndZSeriesFamily: 200,
  ESA390G4: 201,
  ESA390G5: 202,
  ESA390G6: 203,
  ZArchitecturBase: 204,
  IntelRCoreTMI5Processor: 205,
  IntelRCoreTMI3Processor: 206,
  VIAC7TMMProcessorFamily: 210,
  VIAC7TMDProcessorFamily: 211,
  VIAC7TMProcessorFamily: 212,
  VIAEdenTMProcessorFamily: 213,
  MultiCoreIntelRXeonRProcessor: 214,
  DualCoreIntelRXeonRProcessor3xxxSeries: 215,
  QuadCoreIntelRXeonRProcessor3xxxSeries: 216,
  VIANanoTMProcessorFamily: 217,
  DualCoreIntelRXeonRProcessor5xxxSeries: 218,
  QuadCoreIntelRXeonRProcessor5xxxSeries: 219,
  DualCoreIntelRXeonRProcessor7xxxSeries: 221,
  QuadCoreIntelRXeonRProcessor7xxxSeries: 222,
  MultiCoreIntelRXeonRProcessor7xxxSeries: 223,
  MultiCoreIntelRXeonRProcessor3400Series: 224,
  EmbeddedAMDOpteronTMQuadCoreProcessorFamily: 230,
  AMDPhenomTMTripleCoreProcessorFamily: 231,
  AMDTurionTMUltraDualCoreMobileProcessorFamily: 232,
  AMDTurionTMDualCoreMobileProcessorFamily: 233,
  AMDAthlonTMDualCoreProcessorFamily: 234,
  AMDSempronTMSIProcessorFamily: 235,
  AMDPhenomTMIIProcessorFamily: 236,
  AMDAthlonTMIIProcessorFamily: 237,
  SixCoreAMDOpteronTMProcessorFamily: 238,
  AMDSempronTMMProcessorFamily: 239,
  I860: 250,
  I960: 251,
  ReservedSMBIOSExtension: 254,
  ReservedUnInitializedFlashContentLo: 255,
  SH3: 260,
  SH4: 261,
  ARM: 280,
  StrongARM: 281,
  '6x86': 300,
  MediaGX: 301,
  MII: 302,
  WinChip: 320,
  DSP: 350,
  VideoProcessor: 500,
  ReservedForFutureSpecialPurposeAssignment: 65534,
  ReservedUnInitializedFlashContentHi: 65535,
} as const;

export const Msvm_Processor_HealthState = {
  Unknown: 0,
  OK: 5,
  DegradedWarning: 10,
  MinorFailure: 15,
  MajorFailure: 20,
  CriticalFailure: 25,
  NonRecoverableError: 30,
} as const;

export const Msvm_Processor_OperatingStatus = {
  Unknown: 0,
  NotAvailable: 1,
  Servicing: 2,
  Starting: 3,
  Stopping: 4,
  Stopped: 5,
  Aborted: 6,
  Dormant: 7,
  Completed: 8,
  Migrating: 9,
  Emigrating: 10,
  Immigrating: 11,
  Snapshotting: 12,
  ShuttingDown: 13,
  InTest: 14,
  Transitioning: 15,
  InService: 16,
} as const;

export const Msvm_Processor_OperationalStatus = {
  Unknown: 0,
  Other: 1,
  OK: 2,
  Degraded: 3,
  Stressed: 4,
  PredictiveFailure: 5,
  Error: 6,
  NonRecoverableError: 7,
  Starting: 8,
  Stopping: 9,
  Stopped: 10,
  InService: 11,
  NoContact: 12,
  LostCommunication: 13,
  Aborted: 14,
  Dormant: 15,
  SupportingEntityInError: 16,
  Completed: 17,
  PowerMode: 18,
} as const;

export const Msvm_Processor_PowerManagementCapabilities = {
  Unknown: 0,
  NotSupported: 1,
  Disabled: 2,
  Enabled: 3,
  PowerSavingModesEnteredAutomatically: 4,
  PowerStateSettable: 5,
  PowerCyclingSupported: 6,
  TimedPowerOnSupported: 7,
} as const;

export const Msvm_Processor_PrimaryStatus = {
  Unknown: 0,
  OK: 1,
  Degraded: 2,
  Error: 3,
} as const;

export const Msvm_Processor_RequestedState = {
  Unknown: 0,
  Enabled: 2,
  Disabled: 3,
  ShutDown: 4,
  NoChange: 5,
  Offline: 6,
  Test: 7,
  Deferred: 8,
  Quiesce: 9,
  Reboot: 10,
  Reset: 11,
  NotApplicable: 12,
} as const;

export const Msvm_Processor_StatusInfo = {
  Other: 1,
  Unknown: 2,
  Enabled: 3,
  Disabled: 4,
  NotApplicable: 5,
} as const;

export const Msvm_Processor_TransitioningToState = {
  Unknown: 0,
  Enabled: 2,
  Disabled: 3,
  ShutDown: 4,
  NoChange: 5,
  Offline: 6,
  Test: 7,
  Defer: 8,
  Quiesce: 9,
  Reboot: 10,
  Reset: 11,
  NotApplicable: 12,
} as const;

export const Msvm_Processor_UpgradeMethod = {
  Other: 1,
  Unknown: 2,
  DaughterBoard: 3,
  ZIFSocket: 4,
  ReplacementPiggyBack: 5,
  None: 6,
  LIFSocket: 7,
  Slot1: 8,
  Slot2: 9,
  '370PinSocket': 10,
  SlotA: 11,
  SlotM: 12,
  Socket423: 13,
  SocketASocket462: 14,
  Socket478: 15,
  Socket754: 16,
  Socket940: 17,
  Socket939: 18,
  SocketMPGA604: 19,
  SocketLGA771: 20,
  SocketLGA775: 21,
  SocketS1: 22,
  SocketAM2: 23,
  SocketF1207: 24,
  SocketLGA1366: 25,
  SocketG34: 26,
  SocketAM3: 27,
  SocketC32: 28,
  SocketLGA1156: 29,
  SocketLGA1567: 30,
  SocketPGA988A: 31,
  SocketBGA1288: 32,
} as const;

export interface Msvm_VirtualSystemManagementServiceSettingData {
  readonly BiosLockString?: string | null;
  readonly Caption?: string | null;
  readonly CurrentWWNNAddress?: string | null;
  readonly DefaultExternalDataRoot?: string | null;
  readonly DefaultVirtualHardDiskCachingMode?: number | null;
  readonly DefaultVirtualHardDiskPath?: string | null;
  readonly Description?: string | null;
  readonly ElementName?: string | null;
  readonly EnhancedSessionModeEnabled?: boolean | null;
  readonly HbaLunTimeout?: number | null;
  readonly HypervisorRootSchedulerEnabled?: boolean | null;
  /** Key. */
  readonly InstanceID?: string | null;
  readonly MaximumMacAddress?: string | null;
  readonly MaximumWWPNAddress?: string | null;
  readonly MinimumMacAddress?: string | null;
  readonly MinimumWWPNAddress?: string | null;
  readonly NumaSpanningEnabled?: boolean | null;
  readonly PrimaryOwnerContact?: string | null;
  readonly PrimaryOwnerName?: string | null;
}

export const Msvm_VirtualSystemManagementServiceSettingData_DefaultVirtualHardDiskCachingMode = {
  Unknown: 0,
  NoCaching: 3,
  CacheSharableParents: 4,
} as const;

export interface Msvm_PciExpress {
  readonly AdditionalAvailability?: readonly number[] | null;
  readonly Availability?: number | null;
  readonly AvailableRequestedStates?: readonly number[] | null;
  readonly Caption?: string | null;
  readonly CommunicationStatus?: number | null;
  /** Key. */
  readonly CreationClassName?: string | null;
  readonly Description?: string | null;
  readonly DetailedStatus?: number | null;
  /** Key. */
  readonly DeviceID?: string | null;
  readonly DeviceInstancePath?: string | null;
  readonly ElementName?: string | null;
  readonly EnabledDefault?: number | null;
  readonly EnabledState?: number | null;
  readonly ErrorCleared?: boolean | null;
  readonly ErrorDescription?: string | null;
  readonly FunctionNumber?: number | null;
  readonly HealthState?: number | null;
  readonly IdentifyingDescriptions?: readonly string[] | null;
  readonly InstallDate?: CimDateTime | null;
  readonly InstanceID?: string | null;
  readonly LastErrorCode?: number | null;
  readonly LocationPath?: string | null;
  /** Unit: MilliSeconds. */
  readonly MaxQuiesceTime?: bigint | null;
  readonly Name?: string | null;
  readonly OperatingStatus?: number | null;
  readonly OperationalStatus?: readonly number[] | null;
  readonly OtherEnabledState?: string | null;
  readonly OtherIdentifyingInfo?: readonly string[] | null;
  readonly PowerManagementCapabilities?: readonly number[] | null;
  readonly PowerManagementSupported?: boolean | null;
  /** Unit: Hours. */
  readonly PowerOnHours?: bigint | null;
  readonly PrimaryStatus?: number | null;
  readonly RequestedState?: number | null;
  readonly Status?: string | null;
  readonly StatusDescriptions?: readonly string[] | null;
  readonly StatusInfo?: number | null;
  /** Key. */
  readonly SystemCreationClassName?: string | null;
  /** Key. */
  readonly SystemName?: string | null;
  readonly TimeOfLastStateChange?: CimDateTime | null;
  /** Unit: Hours. */
  readonly TotalPowerOnHours?: bigint | null;
  readonly TransitioningToState?: number | null;
}

export const Msvm_PciExpress_AdditionalAvailability = {
  Other: 1,
  Unknown: 2,
  RunningFullPower: 3,
  Warning: 4,
  InTest: 5,
  NotApplicable: 6,
  PowerOff: 7,
  OffLine: 8,
  OffDuty: 9,
  Degraded: 10,
  NotInstalled: 11,
  InstallError: 12,
  PowerSaveUnknown: 13,
  PowerSaveLowPowerMode: 14,
  PowerSaveStandby: 15,
  PowerCycle: 16,
  PowerSaveWarning: 17,
  Paused: 18,
  NotReady: 19,
  NotConfigured: 20,
  Quiesced: 21,
} as const;

export const Msvm_PciExpress_Availability = {
  Other: 1,
  Unknown: 2,
  RunningFullPower: 3,
  Warning: 4,
  InTest: 5,
  NotApplicable: 6,
  PowerOff: 7,
  OffLine: 8,
  OffDuty: 9,
  Degraded: 10,
  NotInstalled: 11,
  InstallError: 12,
  PowerSaveUnknown: 13,
  PowerSaveLowPowerMode: 14,
  PowerSaveStandby: 15,
  PowerCycle: 16,
  PowerSaveWarning: 17,
  Paused: 18,
  NotReady: 19,
  NotConfigured: 20,
  Quiesced: 21,
} as const;

export const Msvm_PciExpress_AvailableRequestedStates = {
  Enabled: 2,
  Disabled: 3,
  ShutDown: 4,
  Offline: 6,
  Test: 7,
  Defer: 8,
  Quiesce: 9,
  Reboot: 10,
  Reset: 11,
} as const;

export const Msvm_PciExpress_CommunicationStatus = {
  Unknown: 0,
  NotAvailable: 1,
  CommunicationOK: 2,
  LostCommunication: 3,
  NoContact: 4,
} as const;

export const Msvm_PciExpress_DetailedStatus = {
  NotAvailable: 0,
  NoAdditionalInformation: 1,
  Stressed: 2,
  PredictiveFailure: 3,
  NonRecoverableError: 4,
  SupportingEntityInError: 5,
} as const;

export const Msvm_PciExpress_EnabledDefault = {
  Enabled: 2,
  Disabled: 3,
  NotApplicable: 5,
  EnabledButOffline: 6,
  NoDefault: 7,
  Quiesce: 9,
} as const;

export const Msvm_PciExpress_EnabledState = {
  Unknown: 0,
  Other: 1,
  Enabled: 2,
  Disabled: 3,
  ShuttingDown: 4,
  NotApplicable: 5,
  EnabledButOffline: 6,
  InTest: 7,
  Deferred: 8,
  Quiesce: 9,
  Starting: 10,
} as const;

export const Msvm_PciExpress_HealthState = {
  Unknown: 0,
  OK: 5,
  DegradedWarning: 10,
  MinorFailure: 15,
  MajorFailure: 20,
  CriticalFailure: 25,
  NonRecoverableError: 30,
} as const;

export const Msvm_PciExpress_OperatingStatus = {
  Unknown: 0,
  NotAvailable: 1,
  Servicing: 2,
  Starting: 3,
  Stopping: 4,
  Stopped: 5,
  Aborted: 6,
  Dormant: 7,
  Completed: 8,
  Migrating: 9,
  Emigrating: 10,
  Immigrating: 11,
  Snapshotting: 12,
  ShuttingDown: 13,
  InTest: 14,
  Transitioning: 15,
  InService: 16,
} as const;

export const Msvm_PciExpress_OperationalStatus = {
  Unknown: 0,
  Other: 1,
  OK: 2,
  Degraded: 3,
  Stressed: 4,
  PredictiveFailure: 5,
  Error: 6,
  NonRecoverableError: 7,
  Starting: 8,
  Stopping: 9,
  Stopped: 10,
  InService: 11,
  NoContact: 12,
  LostCommunication: 13,
  Aborted: 14,
  Dormant: 15,
  SupportingEntityInError: 16,
  Completed: 17,
  PowerMode: 18,
} as const;

export const Msvm_PciExpress_PowerManagementCapabilities = {
  Unknown: 0,
  NotSupported: 1,
  Disabled: 2,
  Enabled: 3,
  PowerSavingModesEnteredAutomatically: 4,
  PowerStateSettable: 5,
  PowerCyclingSupported: 6,
  TimedPowerOnSupported: 7,
} as const;

export const Msvm_PciExpress_PrimaryStatus = {
  Unknown: 0,
  OK: 1,
  Degraded: 2,
  Error: 3,
} as const;

export const Msvm_PciExpress_RequestedState = {
  Unknown: 0,
  Enabled: 2,
  Disabled: 3,
  ShutDown: 4,
  NoChange: 5,
  Offline: 6,
  Test: 7,
  Deferred: 8,
  Quiesce: 9,
  Reboot: 10,
  Reset: 11,
  NotApplicable: 12,
} as const;

export const Msvm_PciExpress_StatusInfo = {
  Other: 1,
  Unknown: 2,
  Enabled: 3,
  Disabled: 4,
  NotApplicable: 5,
} as const;

export const Msvm_PciExpress_TransitioningToState = {
  Unknown: 0,
  Enabled: 2,
  Disabled: 3,
  ShutDown: 4,
  NoChange: 5,
  Offline: 6,
  Test: 7,
  Defer: 8,
  Quiesce: 9,
  Reboot: 10,
  Reset: 11,
  NotApplicable: 12,
} as const;

export interface Msvm_PciExpressSettingData {
  readonly Address?: string | null;
  readonly AddressOnParent?: string | null;
  readonly AllocationUnits?: string | null;
  readonly AutomaticAllocation?: boolean | null;
  readonly AutomaticDeallocation?: boolean | null;
  readonly Caption?: string | null;
  readonly Connection?: readonly string[] | null;
  readonly ConsumerVisibility?: number | null;
  readonly Description?: string | null;
  readonly ElementName?: string | null;
  readonly HostResource?: readonly string[] | null;
  /** Key. */
  readonly InstanceID?: string | null;
  readonly Limit?: bigint | null;
  readonly MappingBehavior?: number | null;
  readonly OtherResourceType?: string | null;
  readonly Parent?: string | null;
  readonly PoolID?: string | null;
  readonly Reservation?: bigint | null;
  readonly ResourceSubType?: string | null;
  readonly ResourceType?: number | null;
  readonly VirtualFunctions?: readonly number[] | null;
  readonly VirtualQuantity?: bigint | null;
  readonly VirtualQuantityUnits?: string | null;
  readonly VirtualSystemIdentifiers?: readonly string[] | null;
  readonly Weight?: number | null;
}

export const Msvm_PciExpressSettingData_ConsumerVisibility = {
  Unknown: 0,
  PassedThrough: 2,
  Virtualized: 3,
  NotRepresented: 4,
} as const;

export const Msvm_PciExpressSettingData_MappingBehavior = {
  Unknown: 0,
  NotSupported: 2,
  Dedicated: 3,
  SoftAffinity: 4,
  HardAffinity: 5,
} as const;

export const Msvm_PciExpressSettingData_ResourceType = {
  Other: 1,
  ComputerSystem: 2,
  Processor: 3,
  Memory: 4,
  IDEController: 5,
  ParallelSCSIHBA: 6,
  FCHBA: 7,
  ISCSIHBA: 8,
  IBHCA: 9,
  EthernetAdapter: 10,
  OtherNetworkAdapter: 11,
  IOSlot: 12,
  IODevice: 13,
  FloppyDrive: 14,
  CDDrive: 15,
  DVDDrive: 16,
  DiskDrive: 17,
  TapeDrive: 18,
  StorageExtent: 19,
  OtherStorageDevice: 20,
  SerialPort: 21,
  ParallelPort: 22,
  USBController: 23,
  GraphicsController: 24,
  IEEE1394Controller: 25,
  PartitionableUnit: 26,
  BasePartitionableUnit: 27,
  Power: 28,
  CoolingCapacity: 29,
  EthernetSwitchPort: 30,
  LogicalDisk: 31,
  StorageVolume: 32,
  EthernetConnection: 33,
} as const;

export interface Msvm_SyntheticDisplayControllerSettingData {
  readonly Address?: string | null;
  readonly AddressOnParent?: string | null;
  readonly AllocationUnits?: string | null;
  readonly AutomaticAllocation?: boolean | null;
  readonly AutomaticDeallocation?: boolean | null;
  readonly Caption?: string | null;
  readonly Connection?: readonly string[] | null;
  readonly ConsumerVisibility?: number | null;
  readonly Description?: string | null;
  readonly ElementName?: string | null;
  readonly HorizontalResolution?: number | null;
  readonly HostResource?: readonly string[] | null;
  /** Key. */
  readonly InstanceID?: string | null;
  readonly Limit?: bigint | null;
  readonly MappingBehavior?: number | null;
  readonly OtherResourceType?: string | null;
  readonly Parent?: string | null;
  readonly PoolID?: string | null;
  readonly Reservation?: bigint | null;
  readonly ResolutionType?: number | null;
  readonly ResourceSubType?: string | null;
  readonly ResourceType?: number | null;
  readonly VerticalResolution?: number | null;
  readonly VirtualQuantity?: bigint | null;
  readonly VirtualQuantityUnits?: string | null;
  readonly Weight?: number | null;
}

export const Msvm_SyntheticDisplayControllerSettingData_ConsumerVisibility = {
  Unknown: 0,
  PassedThrough: 2,
  Virtualized: 3,
  NotRepresented: 4,
} as const;

export const Msvm_SyntheticDisplayControllerSettingData_MappingBehavior = {
  Unknown: 0,
  NotSupported: 2,
  Dedicated: 3,
  SoftAffinity: 4,
  HardAffinity: 5,
} as const;

export const Msvm_SyntheticDisplayControllerSettingData_ResolutionType = {
  Unknown: 0,
  Other: 1,
  Maximum: 2,
  Single: 3,
  Default: 4,
} as const;

export const Msvm_SyntheticDisplayControllerSettingData_ResourceType = {
  Other: 1,
  ComputerSystem: 2,
  Processor: 3,
  Memory: 4,
  IDEController: 5,
  ParallelSCSIHBA: 6,
  FCHBA: 7,
  ISCSIHBA: 8,
  IBHCA: 9,
  EthernetAdapter: 10,
  OtherNetworkAdapter: 11,
  IOSlot: 12,
  IODevice: 13,
  FloppyDrive: 14,
  CDDrive: 15,
  DVDDrive: 16,
  DiskDrive: 17,
  TapeDrive: 18,
  StorageExtent: 19,
  OtherStorageDevice: 20,
  SerialPort: 21,
  ParallelPort: 22,
  USBController: 23,
  GraphicsController: 24,
  IEEE1394Controller: 25,
  PartitionableUnit: 26,
  BasePartitionableUnit: 27,
  Power: 28,
  CoolingCapacity: 29,
  EthernetSwitchPort: 30,
  LogicalDisk: 31,
  StorageVolume: 32,
  EthernetConnection: 33,
} as const;

export interface Msvm_Synthetic3DDisplayControllerSettingData {
  readonly Address?: string | null;
  readonly AddressOnParent?: string | null;
  readonly AllocationUnits?: string | null;
  readonly AutomaticAllocation?: boolean | null;
  readonly AutomaticDeallocation?: boolean | null;
  readonly Caption?: string | null;
  readonly Connection?: readonly string[] | null;
  readonly ConsumerVisibility?: number | null;
  readonly Description?: string | null;
  readonly ElementName?: string | null;
  readonly HostResource?: readonly string[] | null;
  /** Key. */
  readonly InstanceID?: string | null;
  readonly Limit?: bigint | null;
  readonly MappingBehavior?: number | null;
  readonly MaximumMonitors?: number | null;
  readonly MaximumScreenResolution?: number | null;
  readonly OtherResourceType?: string | null;
  readonly Parent?: string | null;
  readonly PoolID?: string | null;
  readonly Reservation?: bigint | null;
  readonly ResourceSubType?: string | null;
  readonly ResourceType?: number | null;
  readonly VRAMSizeBytes?: bigint | null;
  readonly VirtualQuantity?: bigint | null;
  readonly VirtualQuantityUnits?: string | null;
  readonly Weight?: number | null;
}

export const Msvm_Synthetic3DDisplayControllerSettingData_ConsumerVisibility = {
  Unknown: 0,
  PassedThrough: 2,
  Virtualized: 3,
  NotRepresented: 4,
} as const;

export const Msvm_Synthetic3DDisplayControllerSettingData_MappingBehavior = {
  Unknown: 0,
  NotSupported: 2,
  Dedicated: 3,
  SoftAffinity: 4,
  HardAffinity: 5,
} as const;

export const Msvm_Synthetic3DDisplayControllerSettingData_ResourceType = {
  Other: 1,
  ComputerSystem: 2,
  Processor: 3,
  Memory: 4,
  IDEController: 5,
  ParallelSCSIHBA: 6,
  FCHBA: 7,
  ISCSIHBA: 8,
  IBHCA: 9,
  EthernetAdapter: 10,
  OtherNetworkAdapter: 11,
  IOSlot: 12,
  IODevice: 13,
  FloppyDrive: 14,
  CDDrive: 15,
  DVDDrive: 16,
  DiskDrive: 17,
  TapeDrive: 18,
  StorageExtent: 19,
  OtherStorageDevice: 20,
  SerialPort: 21,
  ParallelPort: 22,
  USBController: 23,
  GraphicsController: 24,
  IEEE1394Controller: 25,
  PartitionableUnit: 26,
  BasePartitionableUnit: 27,
  Power: 28,
  CoolingCapacity: 29,
  EthernetSwitchPort: 30,
  LogicalDisk: 31,
  StorageVolume: 32,
  EthernetConnection: 33,
} as const;

export interface Msvm_Physical3dGraphicsProcessor {
  readonly AdapterIndexID?: bigint | null;
  readonly AdditionalAvailability?: readonly number[] | null;
  readonly Availability?: number | null;
  readonly AvailableRequestedStates?: readonly number[] | null;
  readonly AvailableVideoMemory?: bigint | null;
  readonly Caption?: string | null;
  readonly CommunicationStatus?: number | null;
  readonly CompatibleForVirtualization?: boolean | null;
  /** Key. */
  readonly CreationClassName?: string | null;
  readonly DedicatedSystemMemory?: bigint | null;
  readonly DedicatedVideoMemory?: bigint | null;
  readonly Description?: string | null;
  readonly DetailedStatus?: number | null;
  /** Key. */
  readonly DeviceID?: string | null;
  readonly DirectXVersion?: string | null;
  readonly DriverDate?: CimDateTime | null;
  readonly DriverInstalled?: CimDateTime | null;
  readonly DriverModelVersion?: string | null;
  readonly DriverProvider?: string | null;
  readonly DriverVersion?: string | null;
  readonly ElementName?: string | null;
  readonly EnabledDefault?: number | null;
  readonly EnabledForVirtualization?: boolean | null;
  readonly EnabledState?: number | null;
  readonly ErrorCleared?: boolean | null;
  readonly ErrorDescription?: string | null;
  readonly GPUID?: string | null;
  readonly HealthState?: number | null;
  readonly IdentifyingDescriptions?: readonly string[] | null;
  readonly InstallDate?: CimDateTime | null;
  readonly InstanceID?: string | null;
  readonly LastErrorCode?: number | null;
  readonly MaxQuiesceTime?: bigint | null;
  readonly Name?: string | null;
  readonly OperatingStatus?: number | null;
  readonly OperationalStatus?: readonly number[] | null;
  readonly OtherEnabledState?: string | null;
  readonly OtherIdentifyingInfo?: readonly string[] | null;
  readonly PixelShaderVersion?: string | null;
  readonly PowerManagementCapabilities?: readonly number[] | null;
  readonly PowerManagementSupported?: boolean | null;
  readonly PowerOnHours?: bigint | null;
  readonly PrimaryStatus?: number | null;
  readonly Rating?: bigint | null;
  readonly RequestedState?: number | null;
  readonly SharedSystemMemory?: bigint | null;
  readonly Status?: string | null;
  readonly StatusDescriptions?: readonly string[] | null;
  readonly StatusInfo?: number | null;
  /** Key. */
  readonly SystemCreationClassName?: string | null;
  /** Key. */
  readonly SystemName?: string | null;
  readonly TimeOfLastStateChange?: CimDateTime | null;
  readonly TotalPowerOnHours?: bigint | null;
  readonly TotalVideoMemory?: bigint | null;
  readonly TransitioningToState?: number | null;
}

export const Msvm_Physical3dGraphicsProcessor_AdditionalAvailability = {
  Other: 1,
  Unknown: 2,
  RunningFullPower: 3,
  Warning: 4,
  InTest: 5,
  NotApplicable: 6,
  PowerOff: 7,
  OffLine: 8,
  OffDuty: 9,
  Degraded: 10,
  NotInstalled: 11,
  InstallError: 12,
  PowerSaveUnknown: 13,
  PowerSaveLowPowerMode: 14,
  PowerSaveStandby: 15,
  PowerCycle: 16,
  PowerSaveWarning: 17,
  Paused: 18,
  NotReady: 19,
  NotConfigured: 20,
  Quiesced: 21,
} as const;

export const Msvm_Physical3dGraphicsProcessor_Availability = {
  Other: 1,
  Unknown: 2,
  RunningFullPower: 3,
  Warning: 4,
  InTest: 5,
  NotApplicable: 6,
  PowerOff: 7,
  OffLine: 8,
  OffDuty: 9,
  Degraded: 10,
  NotInstalled: 11,
  InstallError: 12,
  PowerSaveUnknown: 13,
  PowerSaveLowPowerMode: 14,
  PowerSaveStandby: 15,
  PowerCycle: 16,
  PowerSaveWarning: 17,
  Paused: 18,
  NotReady: 19,
  NotConfigured: 20,
  Quiesced: 21,
} as const;

export const Msvm_Physical3dGraphicsProcessor_AvailableRequestedStates = {
  Enabled: 2,
  Disabled: 3,
  ShutDown: 4,
  Offline: 6,
  Test: 7,
  Defer: 8,
  Quiesce: 9,
  Reboot: 10,
  Reset: 11,
} as const;

export const Msvm_Physical3dGraphicsProcessor_CommunicationStatus = {
  Unknown: 0,
  NotAvailable: 1,
  CommunicationOK: 2,
  LostCommunication: 3,
  NoContact: 4,
} as const;

export const Msvm_Physical3dGraphicsProcessor_DetailedStatus = {
  NotAvailable: 0,
  NoAdditionalInformation: 1,
  Stressed: 2,
  PredictiveFailure: 3,
  NonRecoverableError: 4,
  SupportingEntityInError: 5,
} as const;

export const Msvm_Physical3dGraphicsProcessor_EnabledDefault = {
  Enabled: 2,
  Disabled: 3,
  NotApplicable: 5,
  EnabledButOffline: 6,
  NoDefault: 7,
  Quiesce: 9,
} as const;

export const Msvm_Physical3dGraphicsProcessor_EnabledState = {
  Unknown: 0,
  Other: 1,
  Enabled: 2,
  Disabled: 3,
  ShuttingDown: 4,
  NotApplicable: 5,
  EnabledButOffline: 6,
  InTest: 7,
  Deferred: 8,
  Quiesce: 9,
  Starting: 10,
} as const;

export const Msvm_Physical3dGraphicsProcessor_HealthState = {
  Unknown: 0,
  OK: 5,
  DegradedWarning: 10,
  MinorFailure: 15,
  MajorFailure: 20,
  CriticalFailure: 25,
  NonRecoverableError: 30,
} as const;

export const Msvm_Physical3dGraphicsProcessor_OperatingStatus = {
  Unknown: 0,
  NotAvailable: 1,
  Servicing: 2,
  Starting: 3,
  Stopping: 4,
  Stopped: 5,
  Aborted: 6,
  Dormant: 7,
  Completed: 8,
  Migrating: 9,
  Emigrating: 10,
  Immigrating: 11,
  Snapshotting: 12,
  ShuttingDown: 13,
  InTest: 14,
  Transitioning: 15,
  InService: 16,
} as const;

export const Msvm_Physical3dGraphicsProcessor_OperationalStatus = {
  Unknown: 0,
  Other: 1,
  OK: 2,
  Degraded: 3,
  Stressed: 4,
  PredictiveFailure: 5,
  Error: 6,
  NonRecoverableError: 7,
  Starting: 8,
  Stopping: 9,
  Stopped: 10,
  InService: 11,
  NoContact: 12,
  LostCommunication: 13,
  Aborted: 14,
  Dormant: 15,
  SupportingEntityInError: 16,
  Completed: 17,
  PowerMode: 18,
} as const;

export const Msvm_Physical3dGraphicsProcessor_PowerManagementCapabilities = {
  Unknown: 0,
  NotSupported: 1,
  Disabled: 2,
  Enabled: 3,
  PowerSavingModesEnteredAutomatically: 4,
  PowerStateSettable: 5,
  PowerCyclingSupported: 6,
  TimedPowerOnSupported: 7,
} as const;

export const Msvm_Physical3dGraphicsProcessor_PrimaryStatus = {
  Unknown: 0,
  OK: 1,
  Degraded: 2,
  Error: 3,
} as const;

export const Msvm_Physical3dGraphicsProcessor_RequestedState = {
  Unknown: 0,
  Enabled: 2,
  Disabled: 3,
  ShutDown: 4,
  NoChange: 5,
  Offline: 6,
  Test: 7,
  Deferred: 8,
  Quiesce: 9,
  Reboot: 10,
  Reset: 11,
  NotApplicable: 12,
} as const;

export const Msvm_Physical3dGraphicsProcessor_StatusInfo = {
  Other: 1,
  Unknown: 2,
  Enabled: 3,
  Disabled: 4,
  NotApplicable: 5,
} as const;

export const Msvm_Physical3dGraphicsProcessor_TransitioningToState = {
  Unknown: 0,
  Enabled: 2,
  Disabled: 3,
  ShutDown: 4,
  NoChange: 5,
  Offline: 6,
  Test: 7,
  Defer: 8,
  Quiesce: 9,
  Reboot: 10,
  Reset: 11,
  NotApplicable: 12,
} as const;

export interface Msvm_Synth3dVideoPool {
  readonly AllocationUnits?: string | null;
  readonly Capacity?: bigint | null;
  readonly Caption?: string | null;
  readonly CommunicationStatus?: number | null;
  readonly ConsumedResourceUnits?: string | null;
  readonly CurrentlyConsumedResource?: bigint | null;
  readonly Description?: string | null;
  readonly DetailedStatus?: number | null;
  readonly DirectXVersion?: string | null;
  readonly ElementName?: string | null;
  readonly HealthState?: number | null;
  readonly InstallDate?: CimDateTime | null;
  /** Key. */
  readonly InstanceID?: string | null;
  readonly Is3dVideoSupported?: boolean | null;
  readonly IsGPUCapable?: boolean | null;
  readonly IsSLATCapable?: boolean | null;
  readonly MaxConsumableResource?: bigint | null;
  readonly Name?: string | null;
  readonly OperatingStatus?: number | null;
  readonly OperationalStatus?: readonly number[] | null;
  readonly OtherResourceType?: string | null;
  readonly PoolID?: string | null;
  readonly PrimaryStatus?: number | null;
  readonly Primordial?: boolean | null;
  readonly RequiredMinimumDirectXVersion?: string | null;
  readonly Reserved?: bigint | null;
  readonly ResourceSubType?: string | null;
  readonly ResourceType?: number | null;
  readonly Status?: string | null;
  readonly StatusDescriptions?: readonly string[] | null;
}

export const Msvm_Synth3dVideoPool_CommunicationStatus = {
  Unknown: 0,
  NotAvailable: 1,
  CommunicationOK: 2,
  LostCommunication: 3,
  NoContact: 4,
} as const;

export const Msvm_Synth3dVideoPool_DetailedStatus = {
  NotAvailable: 0,
  NoAdditionalInformation: 1,
  Stressed: 2,
  PredictiveFailure: 3,
  NonRecoverableError: 4,
  SupportingEntityInError: 5,
} as const;

export const Msvm_Synth3dVideoPool_HealthState = {
  Unknown: 0,
  OK: 5,
  DegradedWarning: 10,
  MinorFailure: 15,
  MajorFailure: 20,
  CriticalFailure: 25,
  NonRecoverableError: 30,
} as const;

export const Msvm_Synth3dVideoPool_OperatingStatus = {
  Unknown: 0,
  NotAvailable: 1,
  Servicing: 2,
  Starting: 3,
  Stopping: 4,
  Stopped: 5,
  Aborted: 6,
  Dormant: 7,
  Completed: 8,
  Migrating: 9,
  Emigrating: 10,
  Immigrating: 11,
  Snapshotting: 12,
  ShuttingDown: 13,
  InTest: 14,
  Transitioning: 15,
  InService: 16,
} as const;

export const Msvm_Synth3dVideoPool_OperationalStatus = {
  Unknown: 0,
  Other: 1,
  OK: 2,
  Degraded: 3,
  Stressed: 4,
  PredictiveFailure: 5,
  Error: 6,
  NonRecoverableError: 7,
  Starting: 8,
  Stopping: 9,
  Stopped: 10,
  InService: 11,
  NoContact: 12,
  LostCommunication: 13,
  Aborted: 14,
  Dormant: 15,
  SupportingEntityInError: 16,
  Completed: 17,
  PowerMode: 18,
} as const;

export const Msvm_Synth3dVideoPool_PrimaryStatus = {
  Unknown: 0,
  OK: 1,
  Degraded: 2,
  Error: 3,
} as const;

export const Msvm_Synth3dVideoPool_ResourceType = {
  Other: 1,
  ComputerSystem: 2,
  Processor: 3,
  Memory: 4,
  IDEController: 5,
  ParallelSCSIHBA: 6,
  FCHBA: 7,
  ISCSIHBA: 8,
  IBHCA: 9,
  EthernetAdapter: 10,
  OtherNetworkAdapter: 11,
  IOSlot: 12,
  IODevice: 13,
  FloppyDrive: 14,
  CDDrive: 15,
  DVDDrive: 16,
  DiskDrive: 17,
  TapeDrive: 18,
  StorageExtent: 19,
  OtherStorageDevice: 20,
  SerialPort: 21,
  ParallelPort: 22,
  USBController: 23,
  GraphicsController: 24,
  IEEE1394Controller: 25,
  PartitionableUnit: 26,
  BasePartitionableUnit: 27,
  Power: 28,
  CoolingCapacity: 29,
  EthernetSwitchPort: 30,
  LogicalDisk: 31,
  StorageVolume: 32,
  EthernetConnection: 33,
} as const;

export interface Win32_ServerFeature {
  /** Key. */
  readonly ID?: number | null;
  readonly Name?: string | null;
  readonly ParentID?: number | null;
}

export interface Win32_OperatingSystem {
  readonly BootDevice?: string | null;
  readonly BuildNumber?: string | null;
  readonly BuildType?: string | null;
  readonly CSCreationClassName?: string | null;
  readonly CSDVersion?: string | null;
  readonly CSName?: string | null;
  readonly Caption?: string | null;
  readonly CodeSet?: string | null;
  readonly CountryCode?: string | null;
  readonly CreationClassName?: string | null;
  readonly CurrentTimeZone?: number | null;
  readonly DataExecutionPrevention_32BitApplications?: boolean | null;
  readonly DataExecutionPrevention_Available?: boolean | null;
  readonly DataExecutionPrevention_Drivers?: boolean | null;
  readonly DataExecutionPrevention_SupportPolicy?: number | null;
  readonly Debug?: boolean | null;
  readonly Description?: string | null;
  readonly Distributed?: boolean | null;
  readonly EncryptionLevel?: number | null;
  readonly ForegroundApplicationBoost?: number | null;
  readonly FreePhysicalMemory?: bigint | null;
  readonly FreeSpaceInPagingFiles?: bigint | null;
  readonly FreeVirtualMemory?: bigint | null;
  readonly InstallDate?: CimDateTime | null;
  readonly LargeSystemCache?: number | null;
  readonly LastBootUpTime?: CimDateTime | null;
  readonly LocalDateTime?: CimDateTime | null;
  readonly Locale?: string | null;
  readonly MUILanguages?: readonly string[] | null;
  readonly Manufacturer?: string | null;
  readonly MaxNumberOfProcesses?: number | null;
  readonly MaxProcessMemorySize?: bigint | null;
  readonly Name?: string | null;
  readonly NumberOfLicensedUsers?: number | null;
  readonly NumberOfProcesses?: number | null;
  readonly NumberOfUsers?: number | null;
  readonly OSArchitecture?: string | null;
  readonly OSLanguage?: number | null;
  readonly OSProductSuite?: number | null;
  readonly OSType?: number | null;
  readonly OperatingSystemSKU?: number | null;
  readonly Organization?: string | null;
  readonly OtherTypeDescription?: string | null;
  readonly PAEEnabled?: boolean | null;
  readonly PlusProductID?: string | null;
  readonly PlusVersionNumber?: string | null;
  readonly PortableOperatingSystem?: boolean | null;
  readonly Primary?: boolean | null;
  readonly ProductType?: number | null;
  readonly RegisteredUser?: string | null;
  readonly SerialNumber?: string | null;
  readonly ServicePackMajorVersion?: number | null;
  readonly ServicePackMinorVersion?: number | null;
  readonly SizeStoredInPagingFiles?: bigint | null;
  readonly Status?: string | null;
  readonly SuiteMask?: number | null;
  readonly SystemDevice?: string | null;
  readonly SystemDirectory?: string | null;
  readonly SystemDrive?: string | null;
  readonly TotalSwapSpaceSize?: bigint | null;
  readonly TotalVirtualMemorySize?: bigint | null;
  readonly TotalVisibleMemorySize?: bigint | null;
  readonly Version?: string | null;
  readonly WindowsDirectory?: string | null;
}

export const Win32_OperatingSystem_ProductType = {
  WorkStation: 1,
  DomainController: 2,
  Server: 3,
} as const;

export interface Win32_Processor {
  readonly AddressWidth?: number | null;
  readonly Architecture?: number | null;
  readonly AssetTag?: string | null;
  readonly Availability?: number | null;
  readonly Caption?: string | null;
  readonly Characteristics?: number | null;
  readonly ConfigManagerErrorCode?: number | null;
  readonly ConfigManagerUserConfig?: boolean | null;
  readonly CpuStatus?: number | null;
  readonly CreationClassName?: string | null;
  readonly CurrentClockSpeed?: number | null;
  readonly CurrentVoltage?: number | null;
  readonly DataWidth?: number | null;
  readonly Description?: string | null;
  /** Key. */
  readonly DeviceID?: string | null;
  readonly ErrorCleared?: boolean | null;
  readonly ErrorDescription?: string | null;
  readonly ExtClock?: number | null;
  readonly Family?: number | null;
  readonly InstallDate?: CimDateTime | null;
  readonly L2CacheSize?: number | null;
  readonly L2CacheSpeed?: number | null;
  readonly L3CacheSize?: number | null;
  readonly L3CacheSpeed?: number | null;
  readonly LastErrorCode?: number | null;
  readonly Level?: number | null;
  readonly LoadPercentage?: number | null;
  readonly Manufacturer?: string | null;
  readonly MaxClockSpeed?: number | null;
  readonly Name?: string | null;
  readonly NumberOfCores?: number | null;
  readonly NumberOfEnabledCore?: number | null;
  readonly NumberOfLogicalProcessors?: number | null;
  readonly OtherFamilyDescription?: string | null;
  readonly PNPDeviceID?: string | null;
  readonly PartNumber?: string | null;
  readonly PowerManagementCapabilities?: readonly number[] | null;
  readonly PowerManagementSupported?: boolean | null;
  readonly ProcessorId?: string | null;
  readonly ProcessorType?: number | null;
  readonly Revision?: number | null;
  readonly Role?: string | null;
  readonly SecondLevelAddressTranslationExtensions?: boolean | null;
  readonly SerialNumber?: string | null;
  readonly SocketDesignation?: string | null;
  readonly Status?: string | null;
  readonly StatusInfo?: number | null;
  readonly Stepping?: string | null;
  readonly SystemCreationClassName?: string | null;
  readonly SystemName?: string | null;
  readonly ThreadCount?: number | null;
  readonly UniqueId?: string | null;
  readonly UpgradeMethod?: number | null;
  readonly VMMonitorModeExtensions?: boolean | null;
  readonly Version?: string | null;
  readonly VirtualizationFirmwareEnabled?: boolean | null;
  readonly VoltageCaps?: number | null;
}

export const Win32_Processor_Architecture = {
  X86: 0,
  MIPS: 1,
  Alpha: 2,
  PowerPC: 3,
  ARM: 5,
  Ia64: 6,
  X64: 9,
  ARM64: 12,
} as const;

export const Win32_Processor_ProcessorType = {
  Other: 1,
  Unknown: 2,
  CentralProcessor: 3,
  MathProcessor: 4,
  DSPProcessor: 5,
  VideoProcessor: 6,
} as const;

export interface Win32_LogicalDisk {
  readonly Access?: number | null;
  readonly Availability?: number | null;
  readonly BlockSize?: bigint | null;
  readonly Caption?: string | null;
  readonly Compressed?: boolean | null;
  readonly ConfigManagerErrorCode?: number | null;
  readonly ConfigManagerUserConfig?: boolean | null;
  readonly CreationClassName?: string | null;
  readonly Description?: string | null;
  /** Key. */
  readonly DeviceID?: string | null;
  readonly DriveType?: number | null;
  readonly ErrorCleared?: boolean | null;
  readonly ErrorDescription?: string | null;
  readonly ErrorMethodology?: string | null;
  readonly FileSystem?: string | null;
  readonly FreeSpace?: bigint | null;
  readonly InstallDate?: CimDateTime | null;
  readonly LastErrorCode?: number | null;
  readonly MaximumComponentLength?: number | null;
  readonly MediaType?: number | null;
  readonly Name?: string | null;
  readonly NumberOfBlocks?: bigint | null;
  readonly PNPDeviceID?: string | null;
  readonly PowerManagementCapabilities?: readonly number[] | null;
  readonly PowerManagementSupported?: boolean | null;
  readonly ProviderName?: string | null;
  readonly Purpose?: string | null;
  readonly QuotasDisabled?: boolean | null;
  readonly QuotasIncomplete?: boolean | null;
  readonly QuotasRebuilding?: boolean | null;
  readonly Size?: bigint | null;
  readonly Status?: string | null;
  readonly StatusInfo?: number | null;
  readonly SupportsDiskQuotas?: boolean | null;
  readonly SupportsFileBasedCompression?: boolean | null;
  readonly SystemCreationClassName?: string | null;
  readonly SystemName?: string | null;
  readonly VolumeDirty?: boolean | null;
  readonly VolumeName?: string | null;
  readonly VolumeSerialNumber?: string | null;
}

export const Win32_LogicalDisk_DriveType = {
  Unknown: 0,
  NoRootDirectory: 1,
  RemovableDisk: 2,
  LocalDisk: 3,
  NetworkDrive: 4,
  CompactDisc: 5,
  RAMDisk: 6,
} as const;

export interface MSCluster_Cluster {
  readonly Caption?: string | null;
  readonly ClusterState?: number | null;
  readonly CreationClassName?: string | null;
  readonly Description?: string | null;
  readonly InstallDate?: CimDateTime | null;
  readonly Interconnect?: string | null;
  readonly MaxNumberOfNodes?: number | null;
  /** Key. */
  readonly Name?: string | null;
  readonly NameFormat?: string | null;
  readonly PrimaryOwnerContact?: string | null;
  readonly PrimaryOwnerName?: string | null;
  readonly Roles?: readonly string[] | null;
  readonly Status?: string | null;
  readonly Types?: readonly number[] | null;
}
