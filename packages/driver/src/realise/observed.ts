import type { CimInstance, CimReference } from '@nova-hyperv/wsman';
import type { Bus, Generation, MemorySpec, PciDeviceSpec, VideoSpec } from '../plan/vm-spec.js';

/**
 * A machine as its host shows it: the spec's facts with the host's own identifiers beside them. Settings objects are kept by reference
 * and by class, because a change must name both.
 */
export interface ObservedMachine {
  /** VM GUID. */
  readonly id: string;
  /** False when parts of it are only assumed (after a call that did not tell what it made). */
  readonly complete: boolean;
  readonly settings?: ObservedSettings;
  readonly memory?: ObservedMemory;
  readonly processor?: ObservedProcessor;
  readonly controllers: readonly ObservedController[];
  readonly drives: readonly ObservedDrive[];
  readonly nics: readonly ObservedNic[];
  readonly serialPorts: readonly ObservedSerialPort[];
  readonly pciDevices: readonly ObservedPciDevice[];
  /** Undefined: not looked at yet, or none. */
  readonly video?: ObservedVideo;
  /** Generation 1 has an emulated video adapter besides. */
  readonly s3Display?: { readonly reference: CimReference; readonly address: string };
}

export interface ObservedPciDevice extends PciDeviceSpec {
  readonly reference: CimReference;
}

export interface ObservedVideo {
  readonly reference: CimReference;
  readonly spec: VideoSpec;
}

export interface ObservedSettings {
  readonly name: string;
  readonly note: string;
  readonly generation: Generation;
  readonly dataRoot: string;
  readonly secureBoot: boolean;
  /** VirtualNumaEnabled; how the nodes are made up stands with memory and processor. */
  /** GUID without braces, upper case; '' where the host has but one template. */
  readonly secureBootTemplateId: string;
  readonly numa: boolean;
  readonly startAction: number;
  readonly shutdownAction: number;
  readonly chassisAssetTag: string;
  /** Generation 1. */
  readonly bootOrder: readonly number[];
  /** Generation 2: object paths in the host's own spelling. */
  readonly bootSourceOrder: readonly string[];
  readonly vtpm: boolean;
  readonly shielded: boolean;
}

export interface ObservedMemory extends MemorySpec {
  readonly reference: CimReference;
  readonly perNumaNodeMb: number;
}

export interface ObservedProcessor {
  readonly reference: CimReference;
  readonly count: number;
  readonly limitFeatures: boolean;
  readonly nestedVirtualization: boolean;
  readonly limit: number;
  readonly reservation: number;
  readonly weight: number;
  readonly perNumaNode: number;
  readonly numaNodesPerSocket: number;
}

export interface ObservedController {
  readonly reference: CimReference;
  readonly bus: Bus;
  readonly number: number;
}

export interface ObservedDrive {
  readonly reference: CimReference;
  readonly bus: Bus;
  readonly controller: number;
  readonly slot: number;
  readonly kind: 'disk' | 'dvd';
  readonly image?: { readonly reference: CimReference; readonly path: string; readonly iopsLimit: number };
  /** Of a disk of the host: its drive's ElementName, and the path of its Msvm_DiskDrive. */
  readonly physical?: { readonly volumeId: string; readonly disk: string };
}

export interface ObservedNic {
  readonly reference: CimReference;
  readonly portId: string;
  readonly mac: string;
  readonly connection?: ObservedConnection;
}

export interface ObservedConnection {
  readonly reference: CimReference;
  readonly switchId: string;
  /** Security settings of the switch port; undefined = the host's own, which allow nothing. */
  readonly security?: { readonly reference: CimReference; readonly macSpoofing: boolean };
}

export interface ObservedSerialPort {
  readonly reference: CimReference;
  readonly pipe: string | null;
}

/** What is known of a machine right after its definition: nothing that the host chose. */
export function justDefined(id: string): ObservedMachine {
  return { id, complete: false, controllers: [], drives: [], nics: [], serialPorts: [], pciDevices: [] };
}

export function instanceIdOf(reference: CimReference): string {
  return reference.keys['InstanceID'] ?? '';
}

export type SettingsRows = readonly CimInstance[];
