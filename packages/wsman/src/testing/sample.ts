import { NEVER } from '../cim/datetime.js';
import type { CimInstance, CimReference, CimValue } from '../cim/value.js';
import { MemoryProvider } from './memory-provider.js';
import type { MemoryProviderOptions } from './memory-provider.js';

export const SAMPLE_NAMESPACE = 'root/virtualization/v2';
const HOST = 'HV-SAMPLE';

function instance(className: string, properties: Record<string, CimValue>): CimInstance {
  return { kind: 'instance', namespace: SAMPLE_NAMESPACE, className, properties };
}

/** A machine that is off, as a host reports it. */
export function sampleMachine(guid: string, name: string): CimInstance {
  return instance('Msvm_ComputerSystem', {
    CreationClassName: 'Msvm_ComputerSystem',
    Name: guid,
    ElementName: name,
    Caption: 'Virtual Machine',
    EnabledState: 3,
    RequestedState: 5,
    OperationalStatus: [2],
    OnTimeInMilliseconds: 0n,
    InstallDate: { kind: 'datetime', iso: '2026-10-08T15:15:36.68424Z' },
    TimeOfLastStateChange: NEVER,
    NumberOfNumaNodes: 1,
  });
}

function settings(guid: string, name: string): CimInstance {
  return instance('Msvm_VirtualSystemSettingData', {
    InstanceID: `Microsoft:${guid}`,
    ElementName: name,
    VirtualSystemIdentifier: guid,
    VirtualSystemType: 'Microsoft:Hyper-V:System:Realized',
    Notes: ['first line', 'second & last'],
    AutomaticStartupActionDelay: { kind: 'interval', microseconds: 1_800_000_000n },
  });
}

function reference(className: string, keys: Record<string, string>): CimReference {
  return { kind: 'reference', namespace: SAMPLE_NAMESPACE, className, keys };
}

function link(guid: string): CimInstance {
  return instance('Msvm_SettingsDefineState', {
    ManagedElement: reference('Msvm_ComputerSystem', {
      CreationClassName: 'Msvm_ComputerSystem',
      Name: guid,
    }),
    SettingData: reference('Msvm_VirtualSystemSettingData', { InstanceID: `Microsoft:${guid}` }),
  });
}

/** A host with its management service and `count` machines, each with its settings. */
export function sampleProvider(count: number, extra: MemoryProviderOptions = {}): MemoryProvider {
  const service = instance('Msvm_VirtualSystemManagementService', {
    CreationClassName: 'Msvm_VirtualSystemManagementService',
    Name: 'vmms',
    SystemCreationClassName: 'Msvm_ComputerSystem',
    SystemName: HOST,
  });
  const machines = Array.from({ length: count }, (_, index) => {
    const guid = `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`;
    const name = `machine-${index}`;
    return [sampleMachine(guid, name), settings(guid, name), link(guid)];
  });
  return new MemoryProvider({
    ...extra,
    instances: [service, ...machines.flat(), ...(extra.instances ?? [])],
  });
}
