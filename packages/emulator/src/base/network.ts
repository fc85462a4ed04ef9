import type { CimInstance, CimReference } from '@nova-hyperv/wsman';
import { V2, reference, v2 } from '../cim.js';
import { known } from '../machines/build.js';
import type { RuleHost } from '../machines/rules.js';
import type { SwitchState } from './host-state.js';
import type { Definitions } from './definitions.js';

function switchReference(id: string): CimReference {
  return reference(V2, 'Msvm_VirtualEthernetSwitch', {
    CreationClassName: 'Msvm_VirtualEthernetSwitch',
    Name: id,
  });
}

export function switchInstance(state: SwitchState, host: RuleHost): CimInstance {
  const properties = {
    ...switchReference(state.id).keys,
    ElementName: state.name,
    Caption: 'Virtual Switch',
    Description: 'Microsoft Virtual Switch',
    EnabledState: 5,
    RequestedState: 12,
    HealthState: 5,
    OperationalStatus: [2],
    Status: 'OK',
    MaxVMQOffloads: 0,
    MaxIOVOffloads: 0,
  };
  return v2('Msvm_VirtualEthernetSwitch', known(host, 'Msvm_VirtualEthernetSwitch', properties));
}

/**
 * An external switch: itself, its settings, the host's adapter, and the two endpoints between them, so that the
 * walk adapter → endpoint → connection → endpoint of the switch finds it.
 */
export function externalSwitch(state: SwitchState, host: RuleHost): Definitions {
  const system = host.name.toUpperCase();
  const adapter = reference(V2, 'Msvm_ExternalEthernetPort', {
    SystemCreationClassName: 'Msvm_ComputerSystem',
    SystemName: system,
    CreationClassName: 'Msvm_ExternalEthernetPort',
    DeviceID: `Microsoft:{${state.adapterId}}`,
  });
  const port = reference(V2, 'Msvm_EthernetSwitchPort', {
    SystemCreationClassName: 'Msvm_VirtualEthernetSwitch',
    SystemName: state.id,
    CreationClassName: 'Msvm_EthernetSwitchPort',
    DeviceID: `Microsoft:${state.portId}`,
  });
  const adapterEnd = endpoint('Msvm_ComputerSystem', system, state.adapterId);
  const switchEnd = endpoint('Msvm_VirtualEthernetSwitch', state.id, state.portId);
  const common = {
    EnabledState: 2,
    RequestedState: 12,
    HealthState: 5,
    OperationalStatus: [2],
    Status: 'OK',
  };
  const object = (
    of: CimReference,
    properties: Readonly<Record<string, string | boolean | bigint | readonly string[]>>,
  ): CimInstance => v2(of.className, known(host, of.className, { ...common, ...properties, ...of.keys }));
  const description = `Emulated Ethernet Adapter ${state.name}`;
  const settings = switchSettings(state, host);
  return {
    objects: [
      switchInstance(state, host),
      settings,
      object(adapter, {
        ElementName: description,
        Name: description,
        PermanentAddress: state.mac,
        Speed: 10_000_000_000n,
        IsBound: true,
        FullDuplex: true,
      }),
      object(port, { ElementName: 'External Port', Name: state.portId, PermanentAddress: state.mac }),
      object(adapterEnd, { ElementName: description, MACAddress: state.mac, Connected: true }),
      object(switchEnd, { ElementName: 'External Port', MACAddress: state.mac, Connected: true }),
    ],
    links: [
      v2('Msvm_EthernetDeviceSAPImplementation', { Antecedent: adapter, Dependent: adapterEnd }),
      v2('Msvm_EthernetDeviceSAPImplementation', { Antecedent: port, Dependent: switchEnd }),
      v2('Msvm_ActiveConnection', { Antecedent: switchEnd, Dependent: adapterEnd, IsUnidirectional: false }),
      v2('Msvm_SettingsDefineState', {
        ManagedElement: switchReference(state.id),
        SettingData: reference(V2, settings.className, { InstanceID: `Microsoft:${state.id}` }),
      }),
      v2('Msvm_SystemDevice', { GroupComponent: switchReference(state.id), PartComponent: port }),
    ],
  };
}

function switchSettings(state: SwitchState, host: RuleHost): CimInstance {
  const className = 'Msvm_VirtualEthernetSwitchSettingData';
  const properties = {
    InstanceID: `Microsoft:${state.id}`,
    ElementName: state.name,
    VirtualSystemIdentifier: state.id,
    VirtualSystemType: 'Microsoft:Hyper-V:System:Realized',
    Notes: [],
    IOVPreferred: false,
    BandwidthReservationMode: 1,
    TeamingEnabled: false,
    PacketDirectEnabled: false,
    MaxNumMACAddress: 1024,
  };
  return v2(className, known(host, className, properties));
}

function endpoint(systemClass: string, systemName: string, name: string): CimReference {
  return reference(V2, 'Msvm_LANEndpoint', {
    SystemCreationClassName: systemClass,
    SystemName: systemName,
    CreationClassName: 'Msvm_LANEndpoint',
    Name: name,
  });
}
