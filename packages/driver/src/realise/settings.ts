import { randomUUID } from 'node:crypto';
import type { CimInstance, CimReference } from '@nova-hyperv/wsman';
import { formatObjectPath } from '@nova-hyperv/wsman';
import {
  PORT_SECURITY,
  reference,
  RESOURCE,
  settingsInstance,
  SUB_TYPE_GENERATION,
} from '@nova-hyperv/hyperv';
import type { ResourceKind, SystemSettings, WmiClasses } from '@nova-hyperv/hyperv';
import type {
  DriveSpec,
  MemorySpec,
  NicSpec,
  PciDeviceSpec,
  ProcessorSpec,
  VideoSpec,
  VmSpec,
} from '../plan/vm-spec.js';
import { biosValue, shutdownValue, START_ACTION_NONE } from './values.js';

/**
 * The settings objects to send. Each holds the few properties that Hyper-V needs, as clients do that are known to work with real
 * hosts, instead of a changed copy of the host's default object, which costs a query for each kind.
 */

/** What DefineSystem gets. SecureBootEnabled false must be said: the host's own default is true, and it is switched on only when all else is done. */
export function definition(spec: VmSpec): SystemSettings {
  const { directory, firmware } = spec;
  return {
    ElementName: spec.name,
    Notes: [spec.instanceUuid],
    VirtualSystemSubType: SUB_TYPE_GENERATION[spec.generation],
    ConfigurationDataRoot: directory,
    LogDataRoot: directory,
    SnapshotDataRoot: directory,
    SuspendDataRoot: directory,
    SwapFileDataRoot: directory,
    AutomaticStartupAction: START_ACTION_NONE,
    AutomaticShutdownAction: shutdownValue(spec.automaticShutdown),
    VirtualNumaEnabled: spec.processors.numa !== null,
    ChassisAssetTag: spec.chassisAssetTag,
    ...(spec.generation === 2 ? { SecureBootEnabled: false } : {}),
    ...(firmware.kind === 'bios' ? { BootOrder: firmware.bootOrder.map((device) => biosValue(device)) } : {}),
  };
}

/** What is ever changed of a resource. */
export type Changes = WmiClasses[
  | 'Msvm_MemorySettingData'
  | 'Msvm_ProcessorSettingData'
  | 'Msvm_SerialPortSettingData'
  | 'Msvm_StorageAllocationSettingData'
  | 'Msvm_SyntheticEthernetPortSettingData'
  | 'Msvm_EthernetPortAllocationSettingData'
  | 'Msvm_EthernetSwitchPortSecuritySettingData'
  | 'Msvm_Synthetic3DDisplayControllerSettingData'
  | 'Msvm_ResourceAllocationSettingData'];

type ClassOf<K extends ResourceKind> = WmiClasses[(typeof RESOURCE)[K]['className']];

function resource<K extends ResourceKind>(kind: K, properties: ClassOf<K>): CimInstance {
  const { className, type, subType } = RESOURCE[kind];
  return settingsInstance(className, { ResourceType: type, ResourceSubType: subType, ...properties });
}

/** Tells the new device apart inside the guest; must be new. */
function identifiers(): readonly string[] {
  return [`{${randomUUID().toUpperCase()}}`];
}

export function newScsiController(): CimInstance {
  return resource('scsiController', { VirtualSystemIdentifiers: identifiers() });
}

export function newDrive(drive: DriveSpec, controller: CimReference, host: string): CimInstance {
  return resource(drive.kind === 'disk' ? 'diskDrive' : 'dvdDrive', {
    Parent: formatObjectPath(controller, { host }),
    Address: String(drive.slot),
    AddressOnParent: String(drive.slot),
  });
}

/** The name that tells whose it is comes later: a host forgets one that is given here. `disk`: path of its Msvm_DiskDrive. */
export function newPhysicalDrive(
  drive: DriveSpec,
  controller: CimReference,
  host: string,
  disk: string,
): CimInstance {
  return resource('physicalDrive', {
    Parent: formatObjectPath(controller, { host }),
    Address: String(drive.slot),
    AddressOnParent: String(drive.slot),
    HostResource: [disk],
  });
}

export function newImage(drive: DriveSpec, driveReference: CimReference, host: string): CimInstance {
  return resource(drive.kind === 'disk' ? 'diskImage' : 'dvdImage', {
    Parent: formatObjectPath(driveReference, { host }),
    HostResource: [drive.path],
    ...(drive.iopsLimit === 0 ? {} : { IOPSLimit: BigInt(drive.iopsLimit) }),
  });
}

export function newNic(nic: NicSpec): CimInstance {
  return resource('nic', {
    ElementName: nic.portId,
    VirtualSystemIdentifiers: identifiers(),
    StaticMacAddress: true,
    Address: nic.mac,
  });
}

export function newConnection(nic: NicSpec, nicReference: CimReference, host: string): CimInstance {
  return resource('connection', {
    ElementName: nic.portId,
    Parent: formatObjectPath(nicReference, { host }),
    HostResource: [switchPath(nic.switchId, host)],
  });
}

/** The host's device is named by its object's path. */
export function newPciDevice({ systemName, deviceId }: PciDeviceSpec, host: string): CimInstance {
  const device = reference('Msvm_PciExpress', {
    SystemCreationClassName: 'Msvm_ComputerSystem',
    SystemName: systemName,
    CreationClassName: 'Msvm_PciExpress',
    DeviceID: deviceId,
  });
  return settingsInstance('Msvm_PciExpressSettingData', {
    HostResource: [formatObjectPath(device, { host })],
  });
}

export function newVideo(video: VideoSpec): CimInstance {
  return video.kind === 'synthetic'
    ? settingsInstance('Msvm_SyntheticDisplayControllerSettingData', {})
    : settingsInstance('Msvm_Synthetic3DDisplayControllerSettingData', videoProperties(video));
}

export function videoProperties(
  video: VideoSpec,
): WmiClasses['Msvm_Synthetic3DDisplayControllerSettingData'] {
  if (video.kind === 'synthetic') return {};
  return {
    MaximumScreenResolution: video.resolution,
    MaximumMonitors: video.monitors,
    ...(video.vramMb === null ? {} : { VRAMSizeBytes: BigInt(video.vramMb) * 1_048_576n }),
  };
}

export function switchPath(switchId: string, host: string): string {
  const address = reference('Msvm_VirtualEthernetSwitch', {
    CreationClassName: 'Msvm_VirtualEthernetSwitch',
    Name: switchId,
  });
  return formatObjectPath(address, { host });
}

/** A change of the object that `target` names; its class may be a sibling of `C` on older hosts (serial ports). */
export function change(target: CimReference, properties: Changes): CimInstance {
  const { namespace, className } = target;
  return {
    kind: 'instance',
    namespace,
    className,
    properties: { InstanceID: target.keys['InstanceID'] ?? '', ...properties },
  };
}

export function memoryProperties(
  memory: MemorySpec,
  numa: ProcessorSpec['numa'],
): WmiClasses['Msvm_MemorySettingData'] {
  return {
    DynamicMemoryEnabled: memory.dynamic,
    VirtualQuantity: BigInt(memory.startupMb),
    Reservation: BigInt(memory.minimumMb),
    Limit: BigInt(memory.maximumMb),
    ...(numa === null ? {} : { MaxMemoryBlocksPerNumaNode: BigInt(numa.memoryMbPerNode) }),
  };
}

export function processorProperties(
  processors: ProcessorSpec,
  nestedChanges: boolean,
): WmiClasses['Msvm_ProcessorSettingData'] {
  const { numa } = processors;
  return {
    VirtualQuantity: BigInt(processors.count),
    Reservation: BigInt(processors.reservation),
    Limit: BigInt(processors.limit),
    Weight: processors.weight,
    LimitProcessorFeatures: processors.limitFeatures,
    ...(numa === null
      ? {}
      : {
          MaxProcessorsPerNumaNode: BigInt(numa.processorsPerNode),
          MaxNumaNodesPerSocket: BigInt(numa.nodesPerSocket),
        }),
    // Hosts before 10.0 do not have the property: it is named only where it changes.
    ...(nestedChanges ? { ExposeVirtualizationExtensions: processors.nestedVirtualization } : {}),
  };
}

/** Features of a switch port; `existing` is changed, else they are added. */
export function portSecurity(macSpoofing: boolean, existing: CimReference | undefined): CimInstance {
  const properties = { AllowMacSpoofing: macSpoofing };
  if (existing !== undefined) return change(existing, properties);
  return settingsInstance(PORT_SECURITY, properties);
}
