import { mkdirSync } from 'node:fs';
import type { CimInstance, CimValue } from '@nova-hyperv/wsman';
import { dateTime, intervalOfMs, textOf, v2 } from '../cim.js';
import { HV, HyperVError } from '../errors.js';
import { SECURE_BOOT_TEMPLATES } from '../releases.js';
import { addResource } from './add.js';
import { known, newResource } from './build.js';
import { kind, kindOf } from './kinds.js';
import type { KindName } from './kinds.js';
import { STATE, resourcesOf, settingsId, withResource } from './model.js';
import type { Machine } from './model.js';
import { modifyResource } from './modify.js';
import type { RuleHost } from './rules.js';
import { newSecuritySettings } from '../security/security-settings.js';
import { checkedSettings, definitionChanges } from './system-settings.js';
import { errorCode } from '../system-error.js';

const DEFAULT_DATA_ROOT = String.raw`C:\ProgramData\Microsoft\Windows\Hyper-V`;

/** What DefineSystem makes of a settings text and, where given, resource texts. */
export function defineMachine(
  id: string,
  wanted: CimInstance,
  resources: readonly CimInstance[],
  host: RuleHost,
): Machine {
  const changes = definitionChanges(wanted);
  const generation = generationFrom(changes);
  const now = host.clock.now();
  const base: Machine = {
    id,
    settings: v2(
      'Msvm_VirtualSystemSettingData',
      known(host, 'Msvm_VirtualSystemSettingData', defaults(id, generation, now, host)),
    ),
    resources: new Map(),
    enabledState: STATE.off,
    requestedState: 5,
    lastStateChange: null,
    lastConfigurationChange: now.toISOString(),
    startedAt: null,
    wasRunning: false,
    placement: null,
  };
  let machine: Machine = {
    ...base,
    settings: checkedSettings(base, known(host, 'Msvm_VirtualSystemSettingData', changes), host),
  };
  for (const root of ['ConfigurationDataRoot', 'SnapshotDataRoot', 'SwapFileDataRoot']) {
    const folder = textOf(machine.settings.properties[root]);
    if (folder !== '') makeFolder(folder, host);
  }
  for (const resource of standardResources(machine, generation, host))
    machine = withResource(machine, resource);
  for (const resource of resources) machine = applyResource(machine, resource, host);
  return machine;
}

/** V20. */
function makeFolder(folder: string, host: RuleHost): void {
  try {
    mkdirSync(host.paths.toLocal(folder), { recursive: true });
  } catch (error) {
    if (error instanceof HyperVError) throw error;
    throw new HyperVError(HV.failed, `The folder '${folder}' cannot be made (${errorCode(error)}).`, {
      cause: error,
    });
  }
}

/** In a definition, memory and processor texts change what every machine has; everything else is added. */
function applyResource(machine: Machine, resource: CimInstance, host: RuleHost): Machine {
  const name = kindOf(resource)?.name;
  if (name !== 'memory' && name !== 'processor') return addResource(machine, resource, host).machine;
  const own = resourcesOf(machine).find((candidate) => kindOf(candidate)?.name === name);
  const properties = { ...resource.properties, InstanceID: own?.properties['InstanceID'] ?? null };
  return modifyResource(machine, { ...resource, properties }, host).machine;
}

function generationFrom(changes: Readonly<Record<string, CimValue>>): 1 | 2 {
  const subType = changes['VirtualSystemSubType'];
  if (subType === undefined || subType === 'Microsoft:Hyper-V:SubType:1') return 1;
  if (subType === 'Microsoft:Hyper-V:SubType:2') return 2;
  throw new HyperVError(HV.invalidParameter, `There is no virtual system sub type '${textOf(subType)}'.`);
}

function defaults(id: string, generation: 1 | 2, now: Date, host: RuleHost): Record<string, CimValue> {
  const serial = serialNumber(id);
  return {
    InstanceID: settingsId(id),
    Caption: 'Virtual Machine Settings',
    Description: 'Active settings for the virtual machine.',
    ElementName: 'New Virtual Machine',
    VirtualSystemIdentifier: id,
    VirtualSystemType: 'Microsoft:Hyper-V:System:Realized',
    VirtualSystemSubType: `Microsoft:Hyper-V:SubType:${generation}`,
    Notes: [],
    CreationTime: dateTime(now),
    ConfigurationID: id,
    ConfigurationDataRoot: DEFAULT_DATA_ROOT,
    ConfigurationFile: `Virtual Machines\\${id}.${host.release.isTen ? 'vmcx' : 'xml'}`,
    SnapshotDataRoot: DEFAULT_DATA_ROOT,
    SuspendDataRoot: DEFAULT_DATA_ROOT,
    SwapFileDataRoot: DEFAULT_DATA_ROOT,
    LogDataRoot: DEFAULT_DATA_ROOT,
    GuestStateDataRoot: DEFAULT_DATA_ROOT,
    GuestStateFile: `Virtual Machines\\${id}.vmgs`,
    AutomaticStartupAction: 3,
    AutomaticStartupActionDelay: intervalOfMs(0),
    AutomaticStartupActionSequenceNumber: 0,
    AutomaticShutdownAction: 3,
    AutomaticRecoveryAction: 3,
    AutomaticCriticalErrorAction: 1,
    AutomaticCriticalErrorActionTimeout: intervalOfMs(30 * 60_000),
    AutomaticSnapshotsEnabled: false,
    IsAutomaticSnapshot: false,
    BIOSGUID: `{${host.newGuid()}}`,
    BIOSSerialNumber: serial,
    BaseBoardSerialNumber: serial,
    ChassisSerialNumber: serial,
    ChassisAssetTag: serial,
    Architecture: 'x64',
    BIOSNumLock: false,
    BootOrder: generation === 1 ? [1, 2, 3, 0] : [],
    BootSourceOrder: [],
    UserSnapshotType: 3,
    IsSaved: false,
    AdditionalRecoveryInformation: '',
    AllowFullSCSICommandSet: false,
    AllowReducedFcRedundancy: false,
    DebugChannelId: 0,
    DebugPort: 0,
    DebugPortEnabled: 0,
    Version: host.release.machineVersion,
    IncrementalBackupEnabled: false,
    VirtualNumaEnabled: true,
    PauseAfterBootFailure: false,
    NetworkBootPreferredProtocol: 4096,
    GuestControlledCacheTypes: false,
    LockOnDisconnect: false,
    ParentPackage: '',
    ConsoleMode: 0,
    SecureBootEnabled: generation === 2,
    SecureBootTemplateId: generation === 2 ? (SECURE_BOOT_TEMPLATES['MicrosoftWindows'] ?? '') : '',
    LowMmioGapSize: 128n,
    HighMmioGapSize: 512n,
    EnhancedSessionTransportType: 0,
  };
}

/** Seven groups of digits, made from the machine's GUID so that it is stable. */
function serialNumber(id: string): string {
  const digits = BigInt(`0x${id.replaceAll('-', '')}`)
    .toString()
    .padStart(26, '0')
    .slice(-26);
  return (digits.match(/\d{1,4}/g) ?? []).join('-');
}

/** The devices that a new machine has. */
function standardResources(machine: Machine, generation: 1 | 2, host: RuleHost): CimInstance[] {
  const nodeMemory = BigInt(Math.max(8, host.memoryMb - (host.memoryMb % 2)));
  const single = (
    name: KindName,
    properties: Readonly<Record<string, CimValue>> = {},
    suffix = '',
  ): CimInstance =>
    newResource(host, name, `${settingsId(machine.id)}\\${deviceGuid(name, host)}${suffix}`, properties);
  const made = [
    single('memory', { MaxMemoryBlocksPerNumaNode: nodeMemory }),
    single('processor', { MaxProcessorsPerNumaNode: BigInt(host.processors) }),
    single('synthetic-display'),
    single('keyboard'),
    single('mouse'),
    ...[0, 1].map((port) => single('serial-port', { ElementName: `COM ${port + 1}` }, `\\${port}`)),
  ];
  if (host.release.isTen) made.push(newSecuritySettings(machine.id));
  if (generation === 2) return made;
  return [
    ...made,
    ...[0, 1].map((number) =>
      single(
        'ide-controller',
        { ElementName: `IDE Controller ${number}`, Address: `${number}` },
        `\\${number}`,
      ),
    ),
    single('floppy-drive', { AddressOnParent: '0' }),
    single('s3-display'),
  ];
}

function deviceGuid(name: KindName, host: RuleHost): string {
  // Clients that build InstanceIDs from the public GUIDs must find out when a host has others.
  const isUsual = !host.refuse.has('known-setting-ids') || (name !== 'memory' && name !== 'processor');
  return (isUsual ? kind(name).deviceGuid : undefined) ?? host.newGuid();
}
