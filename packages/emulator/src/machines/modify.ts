import type { CimInstance, CimValue } from '@nova-hyperv/wsman';
import { isTrue, numberOf, sameValue, textOf, textsOf } from '../cim.js';
import { HV, HyperVError } from '../errors.js';
import { checkFile, macAddress, switchPaths } from './add.js';
import { checkRemoteFx, requireOff as requireDisplayOff } from './display-rules.js';
import { isKind, kindOf } from './kinds.js';
import type { KindName } from './kinds.js';
import { STATE, changed, generationOf, idOf, parentOf, resourceById, withResource } from './model.js';
import type { Machine } from './model.js';
import { checkAssignment } from './pci-rules.js';
import { givenDisk } from './physical-drives.js';
import type { RuleHost } from './rules.js';
import { isShielded } from '../security/security-settings.js';
import { checkStorage } from './storage-rules.js';

export interface Modified {
  readonly machine: Machine;
  readonly modified: CimInstance;
}

type Changes = Record<string, CimValue>;
type ModifyRule = (machine: Machine, before: CimInstance, changes: Changes, host: RuleHost) => Changes;

/** One element of ModifyResourceSettings: InstanceID identifies, null keeps. */
export function modifyResource(machine: Machine, wanted: CimInstance, host: RuleHost): Modified {
  const id = textOf(wanted.properties['InstanceID']);
  const before = resourceById(machine, id);
  if (before === undefined || before.className !== wanted.className) {
    throw new HyperVError(HV.invalidParameter, `There is no ${wanted.className} with InstanceID '${id}'.`);
  }
  if (
    ![STATE.off, STATE.running, STATE.paused, STATE.saved].some((state) => state === machine.enabledState)
  ) {
    throw new HyperVError(
      HV.invalidState,
      'Resources cannot be changed in the present state of the virtual machine.',
    );
  }
  const changes: Changes = {};
  for (const [name, value] of Object.entries(wanted.properties)) {
    if (value !== null && name !== 'InstanceID' && !sameValue(value, before.properties[name] ?? null))
      changes[name] = value;
  }
  const rule = RULES[kindOf(before)?.name ?? 'keyboard'];
  const kept = rule === undefined ? onlyNames(before, changes) : rule(machine, before, changes, host);
  const modified = changed(before, kept);
  const next = withResource(machine, modified);
  checkAssignment(next);
  return { machine: next, modified };
}

const RULES: Partial<Record<KindName, ModifyRule>> = {
  memory: modifyMemory,
  processor: modifyProcessor,
  'hard-disk': modifyMedium,
  'dvd-disk': modifyMedium,
  'disk-drive': modifyDrive,
  'physical-drive': modifyPhysicalDrive,
  'dvd-drive': modifyDrive,
  'synthetic-nic': modifyNic,
  'legacy-nic': modifyNic,
  connection: modifyConnection,
  'serial-port': modifySerialPort,
  's3-display': (_machine, before, changes) => accept(before, changes, ['ElementName', 'Address']),
  'remotefx-display': modifyRemoteFx,
  'synthetic-display': (_machine, before, changes) =>
    accept(before, changes, ['ElementName', 'ResolutionType', 'HorizontalResolution', 'VerticalResolution']),
};

function modifyRemoteFx(machine: Machine, before: CimInstance, changes: Changes, host: RuleHost): Changes {
  accept(before, changes, ['ElementName', 'MaximumMonitors', 'MaximumScreenResolution', 'VRAMSizeBytes']);
  requireDisplayOff(machine);
  checkRemoteFx(changed(before, changes), host);
  return changes;
}

function onlyNames(before: CimInstance, changes: Changes): Changes {
  return accept(before, changes, ['ElementName']);
}

/** Passes the named changes and refuses others: a value that is not writable is never silently dropped. */
function accept(before: CimInstance, changes: Changes, names: readonly string[]): Changes {
  const other = Object.keys(changes).find((name) => !names.includes(name));
  if (other === undefined) return changes;
  throw new HyperVError(HV.invalidParameter, `The property ${other} of '${idOf(before)}' cannot be changed.`);
}

function requireOff(machine: Machine, what: string): void {
  if (machine.enabledState !== STATE.off) {
    throw new HyperVError(HV.invalidState, `${what} can be changed only while the virtual machine is off.`);
  }
}

const MEMORY = [
  'ElementName',
  'VirtualQuantity',
  'Reservation',
  'Limit',
  'Weight',
  'DynamicMemoryEnabled',
  'TargetMemoryBuffer',
  'MaxMemoryBlocksPerNumaNode',
  'HugePagesEnabled',
  'SgxSize',
  'SgxEnabled',
  'PoolID',
];
const RUNNING_MEMORY = new Set(['Weight', 'TargetMemoryBuffer', 'ElementName', 'Limit', 'Reservation']);
const SMALLEST_MEMORY = 32;

/** Hot resizing of memory is refused: the guests' engine cannot. */
function modifyMemory(machine: Machine, before: CimInstance, changes: Changes, host: RuleHost): Changes {
  accept(before, changes, MEMORY);
  const after = changed(before, changes).properties;
  const isDynamic = isTrue(after['DynamicMemoryEnabled']);
  const running = machine.enabledState !== STATE.off;
  if (running && Object.keys(changes).some((name) => !RUNNING_MEMORY.has(name)))
    requireOff(machine, 'Memory');
  const quantity = numberOf(after['VirtualQuantity']);
  const most = host.release.maximumMemoryMb[generationOf(machine)];
  if (quantity < SMALLEST_MEMORY || quantity > most) {
    throw new HyperVError(HV.invalidParameter, `Memory must lie between ${SMALLEST_MEMORY} and ${most} MB.`);
  }
  const buffer = numberOf(after['TargetMemoryBuffer']);
  if (buffer < 5 || buffer > 2000)
    throw new HyperVError(HV.invalidParameter, 'TargetMemoryBuffer must lie between 5 and 2000.');
  if (numberOf(after['Weight']) > 10_000)
    throw new HyperVError(HV.invalidParameter, 'Weight is at most 10000.');
  const perNode = numberOf(after['MaxMemoryBlocksPerNumaNode']);
  if (changes['MaxMemoryBlocksPerNumaNode'] !== undefined && (perNode < 8 || perNode % 2 !== 0)) {
    throw new HyperVError(HV.invalidParameter, 'MaxMemoryBlocksPerNumaNode must be even and at least 8.');
  }
  if (!isDynamic) return changes;
  const [reservation, limit] = [numberOf(after['Reservation']), numberOf(after['Limit'])];
  if (reservation < SMALLEST_MEMORY || limit > most) {
    throw new HyperVError(
      HV.invalidParameter,
      `Dynamic memory must lie between ${SMALLEST_MEMORY} and ${most} MB.`,
    );
  }
  if (reservation > quantity || quantity > limit) {
    throw new HyperVError(
      HV.invalidParameter,
      'Dynamic memory needs Reservation <= VirtualQuantity <= Limit.',
    );
  }
  if ([reservation, quantity, limit].some((value) => value % 2 !== 0)) {
    throw new HyperVError(HV.invalidParameter, 'Dynamic memory sizes must be multiples of 2 MB.');
  }
  return changes;
}

const PROCESSOR = [
  'ElementName',
  'VirtualQuantity',
  'Reservation',
  'Limit',
  'Weight',
  'LimitCPUID',
  'LimitProcessorFeatures',
  'MaxProcessorsPerNumaNode',
  'MaxNumaNodesPerSocket',
  'ExposeVirtualizationExtensions',
  'HideHypervisorPresent',
  'EnableHostResourceProtection',
  'HwThreadsPerCore',
  'CpuGroupId',
  'PoolID',
];
const RUNNING_PROCESSOR = new Set(['Reservation', 'Limit', 'Weight', 'ElementName']);

function modifyProcessor(machine: Machine, before: CimInstance, changes: Changes, host: RuleHost): Changes {
  accept(before, changes, PROCESSOR);
  if (Object.keys(changes).some((name) => !RUNNING_PROCESSOR.has(name)))
    requireOff(machine, 'Processor settings');
  const after = changed(before, changes).properties;
  const count = numberOf(after['VirtualQuantity']);
  const most = Math.min(host.processors, host.release.maximumProcessors[generationOf(machine)]);
  if (count < 1 || count > most) {
    throw new HyperVError(HV.invalidParameter, `The number of processors must lie between 1 and ${most}.`);
  }
  if (isTrue(changes['ExposeVirtualizationExtensions']) && majorVersion(machine) < NESTED_SINCE) {
    throw new HyperVError(
      HV.invalidParameter,
      `ExposeVirtualizationExtensions needs configuration version ${NESTED_SINCE}.0 or later.`,
    );
  }
  const [reservation, limit] = [numberOf(after['Reservation']), numberOf(after['Limit'])];
  if (limit > 100_000 || reservation > limit) {
    throw new HyperVError(HV.invalidParameter, 'Processor Reservation <= Limit <= 100000 is needed.');
  }
  if (numberOf(after['Weight']) > 10_000)
    throw new HyperVError(HV.invalidParameter, 'Weight is at most 10000.');
  return changes;
}

/** P4: first configuration version that knows nested virtualization. */
const NESTED_SINCE = 8;

function majorVersion(machine: Machine): number {
  return Number.parseInt(textOf(machine.settings.properties['Version']), 10);
}

/** Another file in the drive, or limits of the one that is in it. */
function modifyMedium(machine: Machine, before: CimInstance, changes: Changes, host: RuleHost): Changes {
  accept(before, changes, [
    'ElementName',
    'HostResource',
    'IOPSLimit',
    'IOPSReservation',
    'CachingMode',
    'Weight',
    'IgnoreFlushes',
    'WriteHardeningMethod',
    'StorageQoSPolicyID',
    'PoolID',
  ]);
  if (changes['HostResource'] !== undefined) {
    const isDvd = isKind(before, 'dvd-disk');
    const controller = resourceById(
      machine,
      parentOf(resourceById(machine, parentOf(before) ?? '') ?? before) ?? '',
    );
    const onScsi = controller !== undefined && isKind(controller, 'scsi-controller');
    // Media of a DVD drive and files on SCSI may be swapped while the machine runs.
    if (!isDvd && !onScsi && machine.enabledState !== STATE.saved)
      requireOff(machine, 'The file of an IDE disk');
    changes['HostResource'] = [checkFile(changed(before, changes), host, isDvd ? 'dvd-disk' : 'hard-disk')];
  }
  checkStorage(changed(before, changes));
  return changes;
}

/** Moving a drive to another slot is refused: remove it and add another. */
function modifyDrive(machine: Machine, before: CimInstance, changes: Changes): Changes {
  accept(before, changes, ['ElementName', 'PoolID']);
  if (Object.keys(changes).length > 0 && machine.enabledState === STATE.saved) requireOff(machine, 'A drive');
  return changes;
}

/** Another disk in the drive's place, or a name for it. */
function modifyPhysicalDrive(
  machine: Machine,
  before: CimInstance,
  changes: Changes,
  host: RuleHost,
): Changes {
  accept(before, changes, ['ElementName', 'PoolID', 'HostResource']);
  if (Object.keys(changes).length > 0 && machine.enabledState === STATE.saved) requireOff(machine, 'A drive');
  if (changes['HostResource'] === undefined) return changes;
  const controller = resourceById(machine, parentOf(before) ?? '');
  if (controller === undefined || !isKind(controller, 'scsi-controller'))
    requireOff(machine, 'The disk of an IDE drive');
  return { ...changes, HostResource: [givenDisk(changed(before, changes), host, idOf(before))] };
}

function modifyNic(machine: Machine, before: CimInstance, changes: Changes): Changes {
  accept(before, changes, [
    'ElementName',
    'Address',
    'StaticMacAddress',
    'ClusterMonitored',
    'DeviceNamingEnabled',
    'AllowPacketDirect',
    'VirtualSystemIdentifiers',
    'PoolID',
  ]);
  if (changes['Address'] === undefined && changes['StaticMacAddress'] === undefined) return changes;
  requireOff(machine, 'The MAC address');
  return { ...changes, ...macAddress(changed(before, changes)) };
}

function modifyConnection(machine: Machine, before: CimInstance, changes: Changes, host: RuleHost): Changes {
  accept(before, changes, [
    'ElementName',
    'HostResource',
    'EnabledState',
    'CompartmentGuid',
    'TestReplicaPoolID',
    'TestReplicaSwitchName',
    'RequiredFeatures',
    'RequiredFeatureHints',
    'PoolID',
    'Address',
    'LastKnownSwitchName',
  ]);
  if (machine.enabledState === STATE.saved) requireOff(machine, 'A connection');
  if (changes['HostResource'] === undefined) return changes;
  return { ...changes, HostResource: switchPaths(changes['HostResource'], host) };
}

const PIPE = /^\\\\\.\\pipe\\([^\\/:*?"<>|]{1,200})$/i;

/** R11: `\\.\pipe\NAME`, or nothing. */
function modifySerialPort(machine: Machine, before: CimInstance, changes: Changes): Changes {
  accept(before, changes, ['ElementName', 'Connection', 'DebuggerMode']);
  const connection = changes['Connection'];
  if (connection === undefined) return changes;
  requireOff(machine, 'The connection of a serial port');
  const paths = textsOf(connection);
  if (paths.length > 1 || paths.some((path) => path !== '' && !PIPE.test(path))) {
    throw new HyperVError(
      HV.invalidParameter,
      String.raw`A serial port is connected to one pipe: \\.\pipe\NAME.`,
    );
  }
  if (isShielded(machine) && paths.some((path) => path !== ''))
    throw new HyperVError(
      HV.invalidParameter,
      'The serial ports of a shielded virtual machine cannot be used.',
    );
  return { ...changes, Connection: paths.length === 0 ? [''] : paths };
}

/** Name of the pipe that a serial port is connected to; undefined = none. */
export function pipeOf(port: CimInstance): string | undefined {
  return PIPE.exec(textsOf(port.properties['Connection'])[0] ?? '')?.[1];
}
