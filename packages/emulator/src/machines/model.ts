import type { CimInstance, CimReference, CimValue } from '@nova-hyperv/wsman';
import { V2, settingReference, textOf, v2 } from '../cim.js';
import type { Placement } from '../numa/placement.js';
import type { CollectedMetric } from '../metrics/collection.js';
import { parseObjectPath } from '../store/object-path.js';

/** `Msvm_ComputerSystem.EnabledState` as v2 reports it. Source: HyperV_v2, msvm-computersystem. */
export const STATE = {
  running: 2,
  off: 3,
  shuttingDown: 4,
  saved: 6,
  paused: 9,
  starting: 10,
  stopping: 32774,
  pausing: 32776,
  resuming: 32777,
} as const;

/**
 * One virtual machine as the host knows it. Immutable: a change makes a new one, which is written to disk and
 * then put in the place of the old one, so that there is no half-made state.
 */
export interface Machine {
  /** GUID, upper case, no braces. */
  readonly id: string;
  readonly settings: CimInstance;
  /** Resource, feature and boot source settings by lower-case InstanceID, in the order of adding. */
  readonly resources: ReadonlyMap<string, CimInstance>;
  readonly enabledState: number;
  readonly requestedState: number;
  /** ISO 8601; null = never. */
  readonly lastStateChange: string | null;
  readonly lastConfigurationChange: string;
  /** When its processors began to run; null while it is off. */
  readonly startedAt: string | null;
  /** Base64; absent = none was set. */
  readonly keyProtector?: string;
  readonly securityPolicy?: string;
  /** Set while it runs; tells the next process that a restart of the host took the guest down. */
  readonly wasRunning: boolean;
  /** Where its memory lies on the host's NUMA nodes; null while it is off. */
  readonly placement: Placement | null;
  /** Oldest first; absent = none. */
  readonly checkpoints?: readonly Checkpoint[];
  /** Metrics that are being collected; absent = none. */
  readonly metrics?: readonly CollectedMetric[];
}

/** A machine as it was at a moment: its settings, and its disks, which go on in differencing ones. */
export interface Checkpoint {
  /** GUID, upper case, no braces. */
  readonly id: string;
  readonly settings: CimInstance;
  readonly resources: readonly CimInstance[];
  readonly disks: readonly CheckpointDisk[];
}

/** Paths are the host's. */
export interface CheckpointDisk {
  /** InstanceID of the machine's hard disk, lower case. */
  readonly resource: string;
  /** What the disk was. */
  readonly frozen: string;
  /** The difference that the machine has written to since. */
  readonly active: string;
}

export function generationOf(machine: Machine): 1 | 2 {
  return textOf(machine.settings.properties['VirtualSystemSubType']).endsWith(':2') ? 2 : 1;
}

export function nameOf(machine: Machine): string {
  return textOf(machine.settings.properties['ElementName']);
}

export function idOf(instance: CimInstance): string {
  return textOf(instance.properties['InstanceID']);
}

export function resourceById(machine: Machine, instanceId: string): CimInstance | undefined {
  return machine.resources.get(instanceId.toLowerCase());
}

export function resourcesOf(machine: Machine): CimInstance[] {
  return [...machine.resources.values()];
}

export function withResource(machine: Machine, instance: CimInstance): Machine {
  const resources = new Map(machine.resources);
  resources.set(idOf(instance).toLowerCase(), instance);
  return { ...machine, resources };
}

export function withoutResource(machine: Machine, instanceId: string): Machine {
  const resources = new Map(machine.resources);
  resources.delete(instanceId.toLowerCase());
  return { ...machine, resources };
}

export function withSettings(machine: Machine, changes: Readonly<Record<string, CimValue>>): Machine {
  return { ...machine, settings: changed(machine.settings, changes) };
}

export function changed(instance: CimInstance, changes: Readonly<Record<string, CimValue>>): CimInstance {
  return { ...instance, properties: { ...instance.properties, ...changes } };
}

export function settingsId(machineId: string): string {
  return `Microsoft:${machineId}`;
}

export function settingsReference(machineId: string): CimReference {
  return settingReference('Msvm_VirtualSystemSettingData', settingsId(machineId));
}

export function systemReference(machineId: string): CimReference {
  return {
    kind: 'reference',
    namespace: V2,
    className: 'Msvm_ComputerSystem',
    keys: { CreationClassName: 'Msvm_ComputerSystem', Name: machineId },
  };
}

export function resourceReference(instance: CimInstance): CimReference {
  return settingReference(instance.className, idOf(instance));
}

/** The InstanceID that a path to setting data names (`Parent`, an entry of BootSourceOrder), in lower case. */
export function pathTarget(path: string): string | undefined {
  const parsed = parseObjectPath(path, V2);
  const id = Object.entries(parsed?.reference.keys ?? {}).find(
    ([name]) => name.toLowerCase() === 'instanceid',
  )?.[1];
  return id?.toLowerCase();
}

/** InstanceID of the parent in lower case; undefined when the resource has none. */
export function parentOf(instance: CimInstance): string | undefined {
  return pathTarget(textOf(instance.properties['Parent']));
}

export function childrenOf(machine: Machine, instanceId: string): CimInstance[] {
  const wanted = instanceId.toLowerCase();
  return resourcesOf(machine).filter((resource) => parentOf(resource) === wanted);
}

/** GUID of the machine that a setting's InstanceID belongs to, upper case. */
export function machineIdOf(instanceId: string): string | undefined {
  return /^microsoft:([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})(?:\\|$)/i
    .exec(instanceId)?.[1]
    ?.toUpperCase();
}

export function bootSource(
  device: CimInstance,
  type: 1 | 2,
  description: string,
  firmwarePath: string,
): CimInstance {
  return v2('Msvm_BootSourceSettingData', {
    InstanceID: `${idOf(device)}\\B`,
    ElementName: description,
    Caption: 'Boot Source Setting Data',
    Description: 'Settings for a boot source.',
    BootSourceType: type,
    BootSourceDescription: description,
    FirmwareDevicePath: firmwarePath,
    OtherLocation: null,
    OptionalData: null,
  });
}
