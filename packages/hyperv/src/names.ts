/** Namespaces of a Hyper-V host. */
export const VIRTUALIZATION = 'root/virtualization/v2';
export const CIMV2 = 'root/cimv2';
/** Failover clusters. */
export const MSCLUSTER = 'root/MSCluster';
/** Storage Management API: disks, the iSCSI initiator. */
export const STORAGE = 'root/microsoft/windows/storage';
export const SMB = 'root/Microsoft/Windows/SMB';
/** Drivers' own classes, those of Fibre Channel adapters among them. */
export const DRIVERS = 'root/wmi';

/** ResourceSubType and ResourceType of the settings that this library writes. Source: HyperV_v2 resource pools and subtypes. */
export const RESOURCE = {
  memory: { className: 'Msvm_MemorySettingData', type: 4, subType: 'Microsoft:Hyper-V:Memory' },
  processor: { className: 'Msvm_ProcessorSettingData', type: 3, subType: 'Microsoft:Hyper-V:Processor' },
  ideController: {
    className: 'Msvm_ResourceAllocationSettingData',
    type: 5,
    subType: 'Microsoft:Hyper-V:Emulated IDE Controller',
  },
  scsiController: {
    className: 'Msvm_ResourceAllocationSettingData',
    type: 6,
    subType: 'Microsoft:Hyper-V:Synthetic SCSI Controller',
  },
  diskDrive: {
    className: 'Msvm_ResourceAllocationSettingData',
    type: 17,
    subType: 'Microsoft:Hyper-V:Synthetic Disk Drive',
  },
  /** A disk of the host that the machine has to itself. */
  physicalDrive: {
    className: 'Msvm_ResourceAllocationSettingData',
    type: 17,
    subType: 'Microsoft:Hyper-V:Physical Disk Drive',
  },
  dvdDrive: {
    className: 'Msvm_ResourceAllocationSettingData',
    type: 16,
    subType: 'Microsoft:Hyper-V:Synthetic DVD Drive',
  },
  diskImage: {
    className: 'Msvm_StorageAllocationSettingData',
    type: 31,
    subType: 'Microsoft:Hyper-V:Virtual Hard Disk',
  },
  dvdImage: {
    className: 'Msvm_StorageAllocationSettingData',
    type: 31,
    subType: 'Microsoft:Hyper-V:Virtual CD/DVD Disk',
  },
  nic: {
    className: 'Msvm_SyntheticEthernetPortSettingData',
    type: 10,
    subType: 'Microsoft:Hyper-V:Synthetic Ethernet Port',
  },
  connection: {
    className: 'Msvm_EthernetPortAllocationSettingData',
    type: 33,
    subType: 'Microsoft:Hyper-V:Ethernet Connection',
  },
  pciDevice: {
    className: 'Msvm_PciExpressSettingData',
    type: 32_769,
    subType: 'Microsoft:Hyper-V:Virtual Pci Express Port',
  },
  syntheticDisplay: {
    className: 'Msvm_SyntheticDisplayControllerSettingData',
    type: 24,
    subType: 'Microsoft:Hyper-V:Synthetic Display Controller',
  },
  remoteFxDisplay: {
    className: 'Msvm_Synthetic3DDisplayControllerSettingData',
    type: 24,
    subType: 'Microsoft:Hyper-V:Synthetic 3D Display Controller',
  },
  s3Display: {
    className: 'Msvm_ResourceAllocationSettingData',
    type: 24,
    subType: 'Microsoft:Hyper-V:S3 Display Controller',
  },
  serialPort: { className: 'Msvm_SerialPortSettingData', type: 21, subType: 'Microsoft:Hyper-V:Serial Port' },
  /** Before 10.0 serial ports have no class of their own. */
  oldSerialPort: {
    className: 'Msvm_ResourceAllocationSettingData',
    type: 21,
    subType: 'Microsoft:Hyper-V:Serial Port',
  },
} as const;

/** Security settings of a switch port: a feature of an Ethernet connection. */
export const PORT_SECURITY = 'Msvm_EthernetSwitchPortSecuritySettingData';

export type ResourceKind = keyof typeof RESOURCE;

/** Msvm_VirtualSystemSettingData.VirtualSystemType of a machine that runs or can (not a checkpoint, not a planned one). */
export const REALIZED = 'Microsoft:Hyper-V:System:Realized';

export const SUB_TYPE_GENERATION = {
  1: 'Microsoft:Hyper-V:SubType:1',
  2: 'Microsoft:Hyper-V:SubType:2',
} as const;

/**
 * Msvm_VirtualSystemSettingData.SecureBootTemplateId by the template's name. Source: Get-VMFirmware; public clients read the same from the
 * settings objects that bear the templates' names.
 */
export const SECURE_BOOT_TEMPLATE_ID = {
  MicrosoftWindows: '1734C6E8-3154-4DDA-BA5F-A874CC483422',
  MicrosoftUEFICertificateAuthority: '272E7447-90A4-4563-A4B9-8E4AB00526CE',
} as const;

/** Msvm_ComputerSystem.EnabledState, and what RequestStateChange is asked for. Source: RequestStateChange of Msvm_ComputerSystem. */
export const STATE = {
  running: 2,
  off: 3,
  shuttingDown: 4,
  saved: 6,
  paused: 9,
  starting: 10,
  reset: 11,
} as const;
