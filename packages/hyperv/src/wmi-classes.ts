import type { CimReference } from '@nova-hyperv/wsman';
import type * as wmi from './generated/wmi-classes.generated.js';
import { CIMV2, MSCLUSTER, VIRTUALIZATION } from './names.js';

/** The classes that this library reads and writes, with their properties as the schema data types them. */
export interface WmiClasses {
  readonly Msvm_ComputerSystem: wmi.Msvm_ComputerSystem;
  readonly Msvm_VirtualSystemSettingData: wmi.Msvm_VirtualSystemSettingData;
  readonly Msvm_MemorySettingData: wmi.Msvm_MemorySettingData;
  readonly Msvm_ProcessorSettingData: wmi.Msvm_ProcessorSettingData;
  readonly Msvm_ResourceAllocationSettingData: wmi.Msvm_ResourceAllocationSettingData;
  readonly Msvm_StorageAllocationSettingData: wmi.Msvm_StorageAllocationSettingData;
  readonly Msvm_SyntheticEthernetPortSettingData: wmi.Msvm_SyntheticEthernetPortSettingData;
  readonly Msvm_EthernetPortAllocationSettingData: wmi.Msvm_EthernetPortAllocationSettingData;
  readonly Msvm_EthernetSwitchPortSecuritySettingData: wmi.Msvm_EthernetSwitchPortSecuritySettingData;
  readonly Msvm_EthernetSwitchPortAclSettingData: wmi.Msvm_EthernetSwitchPortAclSettingData;
  readonly Msvm_SerialPortSettingData: wmi.Msvm_SerialPortSettingData;
  readonly Msvm_BootSourceSettingData: wmi.Msvm_BootSourceSettingData;
  readonly Msvm_SecuritySettingData: wmi.Msvm_SecuritySettingData;
  readonly Msvm_VirtualHardDiskSettingData: wmi.Msvm_VirtualHardDiskSettingData;
  readonly Msvm_ConcreteJob: wmi.Msvm_ConcreteJob;
  readonly Msvm_StorageJob: wmi.Msvm_StorageJob;
  readonly Msvm_SummaryInformation: wmi.Msvm_SummaryInformation;
  readonly Msvm_VirtualEthernetSwitch: wmi.Msvm_VirtualEthernetSwitch;
  readonly Msvm_ShutdownComponent: wmi.Msvm_ShutdownComponent;
  readonly Msvm_NumaNode: wmi.Msvm_NumaNode;
  readonly Msvm_Memory: wmi.Msvm_Memory;
  readonly Msvm_Processor: wmi.Msvm_Processor;
  readonly Msvm_VirtualSystemManagementServiceSettingData: wmi.Msvm_VirtualSystemManagementServiceSettingData;
  readonly MSCluster_Cluster: wmi.MSCluster_Cluster;
  readonly Msvm_PciExpress: wmi.Msvm_PciExpress;
  readonly Msvm_PciExpressSettingData: wmi.Msvm_PciExpressSettingData;
  readonly Msvm_SyntheticDisplayControllerSettingData: wmi.Msvm_SyntheticDisplayControllerSettingData;
  readonly Msvm_Synthetic3DDisplayControllerSettingData: wmi.Msvm_Synthetic3DDisplayControllerSettingData;
  readonly Msvm_Physical3dGraphicsProcessor: wmi.Msvm_Physical3dGraphicsProcessor;
  readonly Msvm_Synth3dVideoPool: wmi.Msvm_Synth3dVideoPool;
  readonly Win32_ServerFeature: wmi.Win32_ServerFeature;
  readonly Win32_OperatingSystem: wmi.Win32_OperatingSystem;
  readonly Win32_Processor: wmi.Win32_Processor;
  readonly Win32_LogicalDisk: wmi.Win32_LogicalDisk;
}

export type WmiClassName = keyof WmiClasses;

/** A row of a typed query. A property that the host left out or set to null is null or absent. */
export interface Row<C extends WmiClassName, P extends keyof WmiClasses[C] = keyof WmiClasses[C]> {
  readonly reference: CimReference;
  readonly properties: Pick<WmiClasses[C], P>;
}

export function namespaceOf(className: WmiClassName): string {
  if (className.startsWith('MSCluster_')) return MSCLUSTER;
  return className.startsWith('Win32_') ? CIMV2 : VIRTUALIZATION;
}
