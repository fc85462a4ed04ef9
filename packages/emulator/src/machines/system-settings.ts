import type { CimInstance, CimValue } from '@nova-hyperv/wsman';
import { intervalOfMs, isTrue, listOf, numberOf, sameText, sameValue, textOf, textsOf } from '../cim.js';
import { HV, HyperVError } from '../errors.js';
import { isShielded } from '../security/security-settings.js';
import { SECURE_BOOT_TEMPLATES } from '../releases.js';
import { orderedBootSources } from './boot.js';
import { STATE, changed, generationOf } from './model.js';
import type { Machine } from './model.js';
import { checkAssignment } from './pci-rules.js';
import type { RuleHost } from './rules.js';

/** When a property of the machine's settings may change: at any time, or only while the machine is off. */
const WRITABLE: Readonly<Record<string, 'any' | 'off'>> = {
  ElementName: 'any',
  Notes: 'any',
  AutomaticStartupAction: 'any',
  AutomaticStartupActionDelay: 'any',
  AutomaticStartupActionSequenceNumber: 'any',
  AutomaticShutdownAction: 'any',
  AutomaticRecoveryAction: 'any',
  UserSnapshotType: 'any',
  SnapshotDataRoot: 'any',
  IncrementalBackupEnabled: 'any',
  AutomaticSnapshotsEnabled: 'any',
  LockOnDisconnect: 'any',
  AutomaticCriticalErrorAction: 'any',
  AutomaticCriticalErrorActionTimeout: 'any',
  EnhancedSessionTransportType: 'any',
  AdditionalRecoveryInformation: 'any',
  AllowReducedFcRedundancy: 'any',
  AllowFullSCSICommandSet: 'off',
  SwapFileDataRoot: 'off',
  VirtualNumaEnabled: 'off',
  SecureBootEnabled: 'off',
  SecureBootTemplateId: 'off',
  BootOrder: 'off',
  BootSourceOrder: 'off',
  BIOSNumLock: 'off',
  BIOSSerialNumber: 'off',
  BaseBoardSerialNumber: 'off',
  ChassisSerialNumber: 'off',
  ChassisAssetTag: 'off',
  GuestControlledCacheTypes: 'off',
  LowMmioGapSize: 'off',
  HighMmioGapSize: 'off',
  PauseAfterBootFailure: 'off',
  NetworkBootPreferredProtocol: 'off',
  ConsoleMode: 'off',
  DebugPort: 'off',
  DebugPortEnabled: 'off',
};

/** Properties that DefineSystem takes besides those that may change later. */
const ONLY_AT_DEFINITION = new Set([
  'ConfigurationDataRoot',
  'LogDataRoot',
  'SuspendDataRoot',
  'GuestStateDataRoot',
  'BIOSGUID',
  'VirtualSystemSubType',
  'Version',
]);

const ALLOWED: Readonly<Record<string, readonly number[]>> = {
  AutomaticStartupAction: [2, 3, 4],
  AutomaticShutdownAction: [2, 3, 4],
  AutomaticRecoveryAction: [2, 3, 4],
  UserSnapshotType: [2, 3, 4, 5],
  NetworkBootPreferredProtocol: [4096, 4097],
  ConsoleMode: [0, 1, 2, 3],
  EnhancedSessionTransportType: [0, 1],
  AutomaticCriticalErrorAction: [0, 1],
};

const LONGEST_NAME = 100;
const MINUTE = 60_000_000n;

/**
 * The machine with changed settings (ModifySystemSettings). Properties that are
 * null in the text keep their value; values that cannot be written are tolerated when they say what is so.
 */
export function modifySystemSettings(machine: Machine, wanted: CimInstance, host: RuleHost): Machine {
  const changes: Record<string, CimValue> = {};
  for (const [name, value] of Object.entries(wanted.properties)) {
    if (value === null || isSame(name, value, machine.settings.properties[name] ?? null)) continue;
    const when = WRITABLE[name];
    if (when === undefined) {
      throw new HyperVError(
        HV.invalidParameter,
        `The property ${name} of virtual system settings cannot be changed.`,
      );
    }
    if (when === 'off' && machine.enabledState !== STATE.off) {
      throw new HyperVError(
        HV.invalidState,
        `The property ${name} can be changed only while the virtual machine is off.`,
      );
    }
    changes[name] = value;
  }
  if (isShielded(machine) && changes['SecureBootEnabled'] === false)
    throw new HyperVError(
      HV.invalidParameter,
      'Secure Boot cannot be disabled for a shielded virtual machine.',
    );
  const next = { ...machine, settings: checkedSettings(machine, changes, host) };
  checkAssignment(next);
  return next;
}

/** Settings of a new machine: the host's defaults with what the caller's text says. */
export function definitionChanges(wanted: CimInstance): Record<string, CimValue> {
  const changes: Record<string, CimValue> = {};
  for (const [name, value] of Object.entries(wanted.properties)) {
    if (value === null || name === 'InstanceID') continue;
    // What a client copies along from a default object and the host decides itself is passed over.
    if (WRITABLE[name] !== undefined || ONLY_AT_DEFINITION.has(name)) changes[name] = value;
  }
  return changes;
}

/** Checks values and brings them into the form in which the host keeps them. */
export function checkedSettings(
  machine: Machine,
  changes: Readonly<Record<string, CimValue>>,
  host: RuleHost,
): CimInstance {
  const kept: Record<string, CimValue> = { ...changes };
  checkName(changes['ElementName']);
  for (const [name, allowed] of Object.entries(ALLOWED)) {
    const value = changes[name];
    if (value !== undefined && !allowed.includes(numberOf(value, -1))) {
      throw new HyperVError(HV.invalidParameter, `${name} must be one of ${allowed.join(', ')}.`);
    }
  }
  const timeout = changes['AutomaticCriticalErrorActionTimeout'];
  if (timeout !== undefined) kept['AutomaticCriticalErrorActionTimeout'] = wholeMinutes(timeout);
  if (changes['AutomaticStartupActionDelay'] !== undefined)
    spanOf(changes['AutomaticStartupActionDelay'], 'AutomaticStartupActionDelay');
  checkGap(changes['LowMmioGapSize']);
  checkRoots(changes, host);
  checkVersion(changes['Version'], host);
  checkFirmware(machine, changes, host);
  if (changes['BootSourceOrder'] !== undefined) {
    kept['BootSourceOrder'] = orderedBootSources(machine, textsOf(changes['BootSourceOrder']), host);
  }
  return changed(machine.settings, kept);
}

function checkName(name: CimValue | undefined): void {
  if (name === undefined) return;
  const text = textOf(name);
  if (text.length > LONGEST_NAME) {
    throw new HyperVError(
      HV.invalidParameter,
      `ElementName has ${text.length} characters; ${LONGEST_NAME} are the most.`,
    );
  }
}

/** Folders may be made later, but must be paths that the host can have. */
function checkRoots(changes: Readonly<Record<string, CimValue>>, host: RuleHost): void {
  for (const [name, value] of Object.entries(changes)) {
    if (name.endsWith('DataRoot') && textOf(value) !== '') host.paths.components(textOf(value));
  }
}

/** V17: the host knows the configuration versions of its own and of some earlier releases. */
function checkVersion(version: CimValue | undefined, host: RuleHost): void {
  if (version === undefined || host.release.machineVersions.includes(textOf(version))) return;
  throw new HyperVError(
    HV.invalidParameter,
    `This host has no configuration version '${textOf(version)}'; it has ${host.release.machineVersions.join(', ')}.`,
  );
}

function checkGap(size: CimValue | undefined): void {
  if (size === undefined) return;
  const megabytes = numberOf(size, -1);
  if (megabytes < 128 || megabytes > 3584) {
    throw new HyperVError(HV.invalidParameter, 'LowMmioGapSize must lie between 128 and 3584 MB.');
  }
}

function checkFirmware(machine: Machine, changes: Readonly<Record<string, CimValue>>, host: RuleHost): void {
  const generation = generationOf(machine);
  if (generation === 1) {
    if (isTrue(changes['SecureBootEnabled']) || textOf(changes['SecureBootTemplateId']) !== '') {
      throw new HyperVError(HV.invalidParameter, 'Secure Boot is for generation 2 virtual machines only.');
    }
    if (textsOf(changes['BootSourceOrder']).length > 0) {
      throw new HyperVError(
        HV.invalidParameter,
        'BootSourceOrder is for generation 2 virtual machines only; set BootOrder.',
      );
    }
    checkBootOrder(changes['BootOrder']);
    return;
  }
  const template = textOf(changes['SecureBootTemplateId']).replaceAll(/[{}]/g, '');
  if (template === '') return;
  const name = Object.entries(SECURE_BOOT_TEMPLATES).find(([, id]) => sameText(id, template))?.[0];
  if (name === undefined || !host.release.secureBootTemplates.includes(name)) {
    throw new HyperVError(HV.invalidParameter, `This host has no Secure Boot template ${template}.`);
  }
}

/** V14: four entries, all set, all different. */
function checkBootOrder(value: CimValue | undefined): void {
  if (value === undefined) return;
  const order = listOf(value);
  const devices = new Set(order.filter((entry) => typeof entry === 'number' && entry >= 0 && entry <= 3));
  if (order.length !== 4 || devices.size !== 4) {
    throw new HyperVError(HV.invalidParameter, 'BootOrder needs the four devices 0, 1, 2 and 3, each once.');
  }
}

/** V12: rounded up to whole minutes. */
function wholeMinutes(value: CimValue): CimValue {
  const minutes = (spanOf(value, 'AutomaticCriticalErrorActionTimeout') + MINUTE - 1n) / MINUTE;
  return intervalOfMs(Number(minutes) * 60_000);
}

/** V11: an interval is needed, a point in time is a failure. */
function spanOf(value: CimValue | undefined, name: string): bigint {
  if (typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'interval')
    return value.microseconds;
  throw new HyperVError(HV.failed, `${name} must be an interval such as 00000000003000.000000:000.`);
}

function isSame(name: string, left: CimValue, right: CimValue): boolean {
  if (name.endsWith('DataRoot') && typeof left === 'string' && typeof right === 'string') {
    return sameText(left.replace(/\\+$/, ''), right.replace(/\\+$/, ''));
  }
  return sameValue(left, right);
}
