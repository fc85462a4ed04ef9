import { hostBaseName, isInHostFolder, joinHostPath } from '@nova-hyperv/hyperv';
import type { DiskInfo, SizeRuleDisk } from '@nova-hyperv/vhd';
import { DriverError } from '../errors.js';
import type { Flavor } from '../types.js';
import { isConfigDriveDisk } from './config-drive.js';
import { planDiskLimit } from './disk-limits.js';
import { GIB, refuseTooLarge, rootVirtualSize } from './disks.js';
import type { BootIndexes } from './boot-order.js';
import type { EarlyPlanInput } from './input.js';
import { planEarly, withDrives } from './plan.js';
import { localDiskBus, SlotAllocator } from './slots.js';
import { bootDeviceOfDrive, compareDrives, deepFreeze } from './vm-spec.js';
import type { BootDevice, DriveSpec, VmSpec } from './vm-spec.js';

/** A disk file of an instance, inspected. */
export interface ExistingDisk {
  readonly drive: DriveSpec;
  readonly info: Pick<DiskInfo, 'format' | 'type' | 'virtualSize'>;
  /** The disk at the bottom of its chain, which the size rule counts by; itself when it has no parent. */
  readonly base: SizeRuleDisk;
}

/** `instance.flavor` is the new one. */
export interface ResizeInput extends EarlyPlanInput {
  readonly oldFlavor: Flavor;
  /** Everything that the machine has on its controllers. */
  readonly drives: readonly DriveSpec[];
  /** What its firmware tries, where that is a list of devices. */
  readonly bootOrder?: readonly BootDevice[];
  /** Those of them that are disk files of the instance. */
  readonly disks: readonly ExistingDisk[];
}

/** What becomes of one file. Paths are the host's; sizes are virtual sizes in bytes. */
export type DiskChange =
  | { readonly kind: 'grow'; readonly path: string; readonly sizeBytes: number }
  /** A differencing VHD cannot be resized: it is made whole first. */
  | { readonly kind: 'flatten'; readonly path: string; readonly sizeBytes: number }
  /** A new, empty dynamic VHDX. */
  | { readonly kind: 'empty'; readonly path: string; readonly sizeBytes: number }
  /** Deleted once no drive has it. */
  | { readonly kind: 'remove'; readonly path: string };

export interface ResizePlan {
  readonly vm: VmSpec;
  readonly changes: readonly DiskChange[];
  /** Things that the flavor asks for and that are left as they are, for the log. */
  readonly warnings: readonly string[];
}

const ROOT = /^root\.(?:vhdx?|iso)$/i;
const EPHEMERAL = /^eph(\d{1,3})\.vhdx?$/i;

/** A disk file that this driver gave the instance: only these are changed, kept for a revert, and removed. */
export function isInstanceDisk(path: string, directory: string): boolean {
  const name = hostBaseName(path);
  return isInHostFolder(path, directory) && (ROOT.test(name) || EPHEMERAL.test(name));
}

export function isRootDisk(path: string): boolean {
  return ROOT.test(hostBaseName(path));
}

/** Nova's CannotResizeDisk. The instance stays as it is. */
export function cannotResize(reason: string, cause?: unknown): DriverError {
  const message = `Server disk was unable to be resized because: ${reason}`;
  return new DriverError('CannotResizeDisk', message, cause === undefined ? {} : { cause });
}

/**
 * What an existing machine becomes with another flavor: everything by the rules of a spawn, but for its disks, which are kept and grown. Pure;
 * throws {@link DriverError} for what cannot be had. Disks that are not the instance's own files stay where they are.
 */
export function planResize(input: ResizeInput): ResizePlan {
  const early = planEarly(input);
  refuseShrinking(input);
  const warnings: string[] = [];
  const changes = [...rootChanges(input)];
  const { removed, added } = ephemeralChanges(input, early.vm.directory, changes, warnings);
  const iopsLimit = planDiskLimit(input);
  const own = new Set(input.disks.map(({ drive }) => drive));
  const kept = input.drives
    .filter((drive) => !removed.includes(drive))
    .map((drive) =>
      own.has(drive) || isConfigDriveDisk(drive.path, early.vm.directory) ? { ...drive, iopsLimit } : drive,
    );
  const slots = new SlotAllocator(early.vm.controllers);
  for (const drive of kept) slots.occupy(drive);
  const bus = localDiskBus(early.generation);
  const fresh = added.map((path): DriveSpec => ({ ...slots.take(bus), kind: 'disk', path, iopsLimit }));
  const drives = [...kept, ...fresh].toSorted(compareDrives);
  return deepFreeze({ vm: withDrives(early, drives, volumeBootIndexes(input, kept)), changes, warnings });
}

/** Volumes keep their places in the boot order. */
function volumeBootIndexes({ bootOrder = [], disks }: ResizeInput, kept: readonly DriveSpec[]): BootIndexes {
  const own = new Set(disks.map(({ drive }) => bootDeviceOfDrive(drive)));
  const places = kept
    .map((drive) => bootDeviceOfDrive(drive))
    .filter((device) => !own.has(device))
    .map((device): [BootDevice, number] => [device, bootOrder.indexOf(device)]);
  return new Map(places.filter(([, place]) => place >= 0));
}

/** A disk that shrinks loses what is at its end. Ephemeral disks may go altogether. */
function refuseShrinking({ instance, oldFlavor }: ResizeInput): void {
  const { flavor } = instance;
  if (flavor.rootGb < oldFlavor.rootGb) {
    throw cannotResize(
      `the root disk cannot be made smaller (from ${oldFlavor.rootGb} GB to ${flavor.rootGb} GB). Use a flavor with a disk of at least ${oldFlavor.rootGb} GB.`,
    );
  }
  if (flavor.ephemeralGb > 0 && flavor.ephemeralGb < oldFlavor.ephemeralGb) {
    throw cannotResize(
      `ephemeral disks cannot be made smaller (from ${oldFlavor.ephemeralGb} GB to ${flavor.ephemeralGb} GB). Use a flavor with at least as much, or with none, which removes them.`,
    );
  }
}

function* rootChanges(input: ResizeInput): Iterable<DiskChange> {
  const { instance, oldFlavor } = input;
  const { flavor } = instance;
  const root = input.disks.find(({ drive }) => isRootDisk(drive.path));
  if (root === undefined || flavor.rootGb === oldFlavor.rootGb) return;
  const { info, base, drive } = root;
  const sizeBytes = rootVirtualSize(flavor.rootGb, base);
  if (sizeBytes < info.virtualSize) {
    throw cannotResize(
      `flavor ${flavor.name}'s disk of ${flavor.rootGb} GB has room for ${sizeBytes} bytes, and the root disk has ${info.virtualSize}. Use a flavor with a larger disk.`,
    );
  }
  refuseTooLarge(input, 'root disk', sizeBytes, info.format);
  if (sizeBytes === info.virtualSize) return;
  const flatten = info.format === 'vhd' && info.type === 'differencing';
  yield { kind: flatten ? 'flatten' : 'grow', path: drive.path, sizeBytes };
}

/** None and the flavor has some: one of its size. One: the flavor's size. Several: left as they were asked for. None any more: removed. */
function ephemeralChanges(
  input: ResizeInput,
  directory: string,
  changes: DiskChange[],
  warnings: string[],
): { readonly removed: readonly DriveSpec[]; readonly added: readonly string[] } {
  const { flavor } = input.instance;
  const present = input.disks.filter(({ drive }) => EPHEMERAL.test(hostBaseName(drive.path)));
  const sizeBytes = flavor.ephemeralGb * GIB;
  if (flavor.ephemeralGb === 0) {
    for (const { drive } of present) changes.push({ kind: 'remove', path: drive.path });
    return { removed: present.map(({ drive }) => drive), added: [] };
  }
  refuseTooLarge(input, 'ephemeral disk', sizeBytes, present[0]?.info.format ?? 'vhdx');
  const [only, ...others] = present;
  if (only === undefined) {
    const path = joinHostPath(directory, 'eph0.vhdx');
    changes.push({ kind: 'empty', path, sizeBytes });
    return { removed: [], added: [path] };
  }
  if (others.length > 0) {
    const sum = present.reduce((total, { info }) => total + info.virtualSize, 0);
    if (sum !== sizeBytes) {
      warnings.push(
        `The instance has ${present.length} ephemeral disks of ${sum} bytes together; they stay as they are, though flavor ${flavor.name} has ${flavor.ephemeralGb} GB`,
      );
    }
  } else if (only.info.virtualSize < sizeBytes) {
    changes.push({ kind: 'grow', path: only.drive.path, sizeBytes });
  }
  return { removed: [], added: [] };
}
