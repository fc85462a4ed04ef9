import { maxInternalSize } from '@nova-hyperv/vhd';
import type { DiskFormat, DiskInfo, SizeRuleDisk } from '@nova-hyperv/vhd';
import { joinHostPath } from '@nova-hyperv/hyperv';
import { DriverError } from '../errors.js';
import type { Instance } from '../types.js';
import { planConfigDrive, reserveConfigDriveSlot } from './config-drive.js';
import { planDiskLimit } from './disk-limits.js';
import type { BootIndexes } from './boot-order.js';
import type { EarlyPlanInput, PlanInput, PlanVolume } from './input.js';
import { MAXIMUM_DISK_BYTES } from './limits.js';
import { localDiskBus, SlotAllocator } from './slots.js';
import { bootIndexesOf, isRootVolume, volumeDrive } from './volumes.js';
import type { VolumeDrive } from './volumes.js';
import { compareDrives } from './vm-spec.js';
import type { ControllerSpec, DriveSpec, Generation } from './vm-spec.js';

export const GIB = 1024 ** 3;
const SECTOR = 512;

/** How one file of the instance comes to be. Paths are the host's; sizes are virtual sizes in bytes. */
export type DiskFile =
  /** A differencing disk; without a size it has its parent's. */
  | {
      readonly kind: 'difference';
      readonly path: string;
      readonly parent: string;
      readonly format: DiskFormat;
      readonly sizeBytes?: number;
    }
  /** A full copy, grown when a size is given. */
  | { readonly kind: 'copy'; readonly path: string; readonly source: string; readonly sizeBytes?: number }
  /** An empty dynamic VHDX. */
  | { readonly kind: 'empty'; readonly path: string; readonly sizeBytes: number }
  /** The instance's metadata as an ISO 9660 file system, as such or as the content of a fixed VHD. */
  | { readonly kind: 'config-drive'; readonly path: string; readonly form: 'iso' | 'vhd' };

/** A second base beside the image's own: a VHD's differencing child cannot be resized, so its parent is. */
export interface ResizedBase {
  readonly path: string;
  readonly source: string;
  readonly sizeBytes: number;
}

export interface DiskPlan {
  readonly drives: readonly DriveSpec[];
  /** Of the volumes that are booted from. */
  readonly bootIndexes: BootIndexes;
  readonly files: readonly DiskFile[];
  readonly resizedBase?: ResizedBase;
}

/** Glance's disk formats that can be a root. */
export type RootFormat = 'vhd' | 'vhdx' | 'iso';

/** What the image's metadata tell before it is fetched. */
export function rootFormatOf(input: Pick<EarlyPlanInput, 'image'>): RootFormat {
  const { diskFormat, id, containerFormat } = input.image;
  if (diskFormat !== 'vhd' && diskFormat !== 'vhdx' && diskFormat !== 'iso') {
    throw new DriverError(
      'InvalidImageFormat',
      `Image ${id} has disk_format ${diskFormat}; Hyper-V runs vhd, vhdx and iso. Convert it (for example: qemu-img convert -O vhdx) and upload it with --disk-format vhdx.`,
    );
  }
  if (containerFormat !== 'bare') {
    throw new DriverError(
      'InvalidImageFormat',
      `Image ${id} has container_format ${containerFormat}; this driver runs bare images only.`,
    );
  }
  return diskFormat;
}

export function planDisks(
  input: PlanInput,
  generation: Generation,
  directory: string,
  controllers: readonly ControllerSpec[],
): DiskPlan {
  const slots = new SlotAllocator(controllers);
  reserveConfigDriveSlot(input, generation, slots);
  const bus = localDiskBus(generation);
  const iopsLimit = planDiskLimit(input);
  const { base, instance } = input;
  const volumes = input.volumes ?? [];
  const volumeDrives: VolumeDrive[] = [];
  const addVolumes = (which: readonly PlanVolume[]): void => {
    for (const volume of which) volumeDrives.push(volumeDrive(volume, generation, slots, input.host));
  };
  const drives: DriveSpec[] = [];
  const files: DiskFile[] = [];
  let resizedBase: ResizedBase | undefined;
  // Before everything else: a BIOS boots from the first IDE disk.
  addVolumes(volumes.filter(({ device }) => isRootVolume(device)));
  if (base.kind === 'volume') {
    // No file: what the machine boots from is in the volume.
  } else if (base.kind === 'iso') {
    const path = joinHostPath(directory, 'root.iso');
    drives.push({ ...slots.take(bus), kind: 'dvd', path, iopsLimit: 0 });
    files.push({ kind: 'copy', path, source: base.path });
  } else {
    refuseUnusableBase(input, base.info, generation);
    const path = joinHostPath(directory, `root.${base.info.format}`);
    const sizeBytes = rootSize(input, base.info);
    drives.push({ ...slots.take(bus), kind: 'disk', path, iopsLimit });
    resizedBase = resizedVhdBase(input, base.path, base.info, sizeBytes);
    files.push(rootFile(input, path, base.path, base.info, sizeBytes, resizedBase));
  }
  for (const [number, sizeGb] of ephemeralSizesGb(instance).entries()) {
    refuseTooLarge(input, 'ephemeral disk', sizeGb * GIB, 'vhdx');
    const path = joinHostPath(directory, `eph${number}.vhdx`);
    drives.push({ ...slots.take(bus), kind: 'disk', path, iopsLimit });
    files.push({ kind: 'empty', path, sizeBytes: sizeGb * GIB });
  }
  addVolumes(volumes.filter(({ device }) => !isRootVolume(device)));
  const configDrive = planConfigDrive(input, generation, directory, slots, iopsLimit);
  if (configDrive !== undefined) {
    drives.push(configDrive.drive);
    files.push(configDrive.file);
  }
  return {
    drives: [...drives, ...volumeDrives.map(({ drive }) => drive)].toSorted(compareDrives),
    bootIndexes: bootIndexesOf(volumeDrives),
    files,
    ...(resizedBase === undefined ? {} : { resizedBase }),
  };
}

/** Those that were asked for; else one that takes all the flavor has. */
function ephemeralSizesGb({ ephemeralsGb, flavor }: Instance): readonly number[] {
  if (ephemeralsGb !== undefined && ephemeralsGb.length > 0) return ephemeralsGb;
  return flavor.ephemeralGb > 0 ? [flavor.ephemeralGb] : [];
}

/** A differencing disk holds half of an image at best. */
export function refuseDifferencing(image: Pick<PlanInput['image'], 'id'>, info: DiskInfo): void {
  if (info.type === 'differencing' || info.parent !== undefined) {
    throw new DriverError(
      'ImageUnacceptable',
      `Image ${image.id} is a differencing ${info.format.toUpperCase()}: it holds only what differs from a parent that is not here. Merge it with its parent and upload the result.`,
    );
  }
}

function refuseUnusableBase(input: PlanInput, info: DiskInfo, generation: Generation): void {
  const { image } = input;
  refuseDifferencing(image, info);
  if (generation === 2 && info.format === 'vhd') {
    throw new DriverError(
      'InstanceUnacceptable',
      `Image ${image.id} holds a VHD, and a generation 2 machine boots from VHDX only. Convert it (for example: qemu-img convert -f vpc -O vhdx, or Convert-VHD) and upload it again, ` +
        `or, when its guest was installed on a generation 1 machine, set hw_machine_type=hyperv-gen1.`,
    );
  }
}

/**
 * Virtual size, in bytes, that a flavor's disk buys: whole sectors, for a host rounds up to them.
 * @param info of the disk at the bottom of the chain
 */
export function rootVirtualSize(rootGb: number, info: SizeRuleDisk): number {
  return Math.floor(maxInternalSize(info, rootGb * GIB) / SECTOR) * SECTOR;
}

/** The root's virtual size; undefined = the image's own. root_gb buys a file size, not a virtual one. */
function rootSize(input: PlanInput, info: DiskInfo): number | undefined {
  const { flavor } = input.instance;
  if (flavor.rootGb === 0) return undefined;
  const internal = rootVirtualSize(flavor.rootGb, info);
  if (internal < info.virtualSize) {
    throw new DriverError(
      'FlavorDiskSmallerThanImage',
      `Flavor ${flavor.name}'s disk of ${flavor.rootGb} GiB (${flavor.rootGb * GIB} bytes) has room for a ${info.format.toUpperCase()} of ${internal} bytes; ` +
        `image ${input.image.id} has a virtual size of ${info.virtualSize} bytes. Use a flavor with a larger disk, or with disk 0 for the image's own size.`,
    );
  }
  refuseTooLarge(input, 'root disk', internal, info.format);
  return internal === info.virtualSize ? undefined : internal;
}

export function refuseTooLarge(
  input: Pick<EarlyPlanInput, 'instance'>,
  what: string,
  bytes: number,
  format: DiskFormat,
): void {
  const largest = MAXIMUM_DISK_BYTES[format];
  if (bytes <= largest) return;
  throw new DriverError(
    'CannotResizeDisk',
    `Flavor ${input.instance.flavor.name}'s ${what} of ${bytes} bytes is too large: a ${format.toUpperCase()} has at most ${largest / GIB} GiB. ` +
      (format === 'vhd' ? 'Use a smaller flavor, or an image in VHDX.' : 'Use a smaller flavor.'),
  );
}

function resizedVhdBase(
  input: PlanInput,
  source: string,
  info: DiskInfo,
  sizeBytes: number | undefined,
): ResizedBase | undefined {
  if (!input.config.useCowImages || info.format !== 'vhd' || sizeBytes === undefined) return undefined;
  const path = source.replace(/\.vhd$/i, `_${input.instance.flavor.rootGb}.vhd`);
  return { path, source, sizeBytes };
}

function rootFile(
  input: PlanInput,
  path: string,
  source: string,
  info: DiskInfo,
  sizeBytes: number | undefined,
  resizedBase: ResizedBase | undefined,
): DiskFile {
  const size = sizeBytes === undefined ? {} : { sizeBytes };
  if (!input.config.useCowImages) return { kind: 'copy', path, source, ...size };
  if (resizedBase !== undefined) return { kind: 'difference', path, parent: resizedBase.path, format: 'vhd' };
  return { kind: 'difference', path, parent: source, format: info.format, ...size };
}
