import { randomUUID } from 'node:crypto';
import type { CimInstance, CimReference } from '@nova-hyperv/wsman';
import { formatObjectPath } from '@nova-hyperv/wsman';
import { reference, RESOURCE, settingsInstance, SUB_TYPE_GENERATION } from '@nova-hyperv/hyperv';
import type { ResourceKind, SystemSettings, WmiClasses } from '@nova-hyperv/hyperv';
import type { DriveSpec, MemorySpec, NicSpec, ProcessorSpec, VmSpec } from '../plan/vm-spec.js';
import { biosValue, FULL_PROCESSOR, shutdownValue, START_ACTION_NONE } from './values.js';

/**
 * The settings objects to send. Each holds the few properties that Hyper-V needs, as clients do that are known to work with real
 * hosts, instead of a changed copy of the host's default object, which costs a query for each kind.
 */

/** What DefineSystem gets. SecureBootEnabled false must be said: the host's own default is true. */
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
    VirtualNumaEnabled: spec.processors.numa,
    ChassisAssetTag: spec.chassisAssetTag,
    ...(spec.generation === 2 ? { SecureBootEnabled: spec.security.secureBoot } : {}),
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
  | 'Msvm_EthernetPortAllocationSettingData'];

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

export function newImage(drive: DriveSpec, driveReference: CimReference, host: string): CimInstance {
  return resource(drive.kind === 'disk' ? 'diskImage' : 'dvdImage', {
    Parent: formatObjectPath(driveReference, { host }),
    HostResource: [drive.path],
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

export function memoryProperties(memory: MemorySpec): WmiClasses['Msvm_MemorySettingData'] {
  return {
    DynamicMemoryEnabled: memory.dynamic,
    VirtualQuantity: BigInt(memory.startupMb),
    Reservation: BigInt(memory.minimumMb),
    Limit: BigInt(memory.maximumMb),
  };
}

export function processorProperties(processors: ProcessorSpec): WmiClasses['Msvm_ProcessorSettingData'] {
  return {
    VirtualQuantity: BigInt(processors.count),
    Reservation: 0n,
    Limit: FULL_PROCESSOR,
    LimitProcessorFeatures: processors.limitFeatures,
  };
}
