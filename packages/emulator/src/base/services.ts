import { NEVER } from '@nova-hyperv/wsman';
import type { CimInstance, CimValue } from '@nova-hyperv/wsman';
import { v2 } from '../cim.js';
import { SECURE_BOOT_TEMPLATES } from '../releases.js';
import type { RuleHost } from '../machines/rules.js';
import { known } from '../machines/build.js';
import type { HostState } from './host-state.js';

/** Services of the host by class: the element name, and the key Name that real hosts show (or a like one). */
const SERVICES: readonly (readonly [className: string, elementName: string, name: string])[] = [
  ['Msvm_VirtualSystemManagementService', 'Hyper-V Virtual System Management Service', 'vmms'],
  ['Msvm_ImageManagementService', 'Hyper-V Image Management Service', 'vhdsvc'],
  ['Msvm_VirtualEthernetSwitchManagementService', 'Hyper-V Networking Management Service', 'nvspwmi'],
  ['Msvm_VirtualSystemSnapshotService', 'Hyper-V Snapshot Service', 'vmms'],
  ['Msvm_VirtualSystemMigrationService', 'Hyper-V Migration Service', 'vmms'],
  ['Msvm_SecurityService', 'Hyper-V Security Service', 'vmms'],
  ['Msvm_ResourcePoolConfigurationService', 'Hyper-V Resource Pool Configuration Service', 'vmms'],
  ['Msvm_MetricService', 'Hyper-V Metric Service', 'vmms'],
  ['Msvm_AssignableDeviceService', 'Hyper-V Assignable Device Service', 'vmms'],
  ['Msvm_TerminalService', 'Hyper-V Terminal Service', 'vmms'],
];

/** The host's own computer system, its services and their settings. */
export function serviceObjects(host: RuleHost, state: HostState): readonly CimInstance[] {
  const made = (className: string, properties: Readonly<Record<string, CimValue>>): CimInstance[] => {
    const all = known(host, className, properties);
    return Object.keys(all).length === 0 ? [] : [v2(className, all)];
  };
  const system = host.name.toUpperCase();
  return [
    ...made('Msvm_ComputerSystem', {
      CreationClassName: 'Msvm_ComputerSystem',
      Name: system,
      ElementName: system,
      Caption: 'Hosting Computer System',
      Description: 'Microsoft Hosting Computer System',
      InstallDate: null,
      EnabledState: 2,
      EnabledDefault: 2,
      RequestedState: 12,
      HealthState: 5,
      OperationalStatus: [2],
      StatusDescriptions: ['OK'],
      Status: 'OK',
      TimeOfLastStateChange: NEVER,
      OnTimeInMilliseconds: null,
      NumberOfNumaNodes: host.numa.nodes.length,
      ResetCapability: 1,
    }),
    ...SERVICES.flatMap(([className, elementName, name]) =>
      made(className, {
        SystemCreationClassName: 'Msvm_ComputerSystem',
        SystemName: system,
        CreationClassName: className,
        Name: name,
        ElementName: elementName,
        Caption: elementName,
        Description: elementName,
        EnabledState: 2,
        EnabledDefault: 2,
        RequestedState: 12,
        HealthState: 5,
        OperationalStatus: [2],
        Status: 'OK',
        StartMode: 'Automatic',
        Started: true,
        MigrationServiceListenerIPAddressList: [],
        ActiveVirtualSystemMigrationCount: 0,
        ActiveStorageMigrationCount: 0,
      }),
    ),
    ...serviceSettings(host, state, made),
    ...secureBootTemplates(host, made),
  ];
}

type Make = (className: string, properties: Readonly<Record<string, CimValue>>) => CimInstance[];

function serviceSettings(host: RuleHost, state: HostState, made: Make): CimInstance[] {
  const system = host.name.toUpperCase();
  return [
    ...made('Msvm_VirtualSystemManagementServiceSettingData', {
      InstanceID: `Microsoft:${system}`,
      ElementName: 'Hyper-V Virtual System Management Service',
      DefaultExternalDataRoot: String.raw`C:\ProgramData\Microsoft\Windows\Hyper-V`,
      DefaultVirtualHardDiskPath: String.raw`C:\Users\Public\Documents\Hyper-V\Virtual Hard Disks`,
      MinimumMacAddress: '00155D000000',
      MaximumMacAddress: '00155D00FFFF',
      NumaSpanningEnabled: host.numa.spanning,
      EnhancedSessionModeEnabled: false,
      PrimaryOwnerName: 'Administrators',
      HypervisorRootSchedulerEnabled: false,
    }),
    ...made('Msvm_VirtualSystemMigrationServiceSettingData', {
      InstanceID: `Microsoft:${system}\\Migration`,
      ElementName: 'Hyper-V Migration Service',
      EnableVirtualSystemMigration: false,
      MaximumActiveVirtualSystemMigration: 2,
      MaximumActiveStorageMigration: 2,
      AuthenticationType: 0,
      EnableCompression: true,
      EnableSmbTransport: false,
    }),
    ...made('Msvm_TerminalServiceSettingData', {
      InstanceID: `Microsoft:${system}\\Terminal`,
      ElementName: 'Hyper-V Terminal Service',
      ListenerPort: 2179,
    }),
    ...made('Msvm_VirtualSystemManagementCapabilities', {
      InstanceID: `Microsoft:${state.id}`,
      ElementName: 'Hyper-V Virtual System Management Capabilities',
      ElementNameEditSupported: true,
      MaxElementNameLen: 100,
      RequestedStatesSupported: [2, 3, 9, 11],
      VirtualSystemTypesSupported: ['Microsoft:Hyper-V:SubType:1', 'Microsoft:Hyper-V:SubType:2'],
    }),
  ];
}

/** Template objects: settings of the machines' class whose ElementName is the template's name. */
function secureBootTemplates(host: RuleHost, made: Make): CimInstance[] {
  if (!host.release.isTen) return [];
  return host.release.secureBootTemplates.flatMap((name) => {
    const id = SECURE_BOOT_TEMPLATES[name] ?? '';
    return made('Msvm_VirtualSystemSettingData', {
      InstanceID: `Microsoft:Definition\\${id}\\Default`,
      ElementName: name,
      Caption: 'Virtual Machine Settings',
      Description: `Secure Boot template ${name}.`,
      VirtualSystemType: 'Microsoft:Hyper-V:System:Definition',
      VirtualSystemSubType: 'Microsoft:Hyper-V:SubType:2',
      VirtualSystemIdentifier: '',
      Version: host.release.machineVersion,
      SecureBootEnabled: true,
      SecureBootTemplateId: id,
      Notes: [],
    });
  });
}
