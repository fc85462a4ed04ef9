import type { ImageMeta } from '@nova-hyperv/driver';
import { ComputeError } from '../errors.js';
import type { InstanceRecord } from '../ports.js';
import type { GlanceImage } from '../rest/glance.js';
import { isStatus } from '../rest/rest-error.js';
import type { CallOptions } from '../rest/rest-client.js';
import type { ComputeContext } from './context.js';

/** Nova keeps an instance's image properties in its system metadata under this prefix. */
const SHUTDOWN_TIMEOUT = 'image_os_shutdown_timeout';

/** What a build is made from: the image, or for a boot from a volume what the volume told of its own. */
export async function buildImage(
  ctx: ComputeContext,
  record: InstanceRecord,
  call: CallOptions,
): Promise<ImageMeta> {
  return record.imageRef === '' ? imageOf(record) : (await showBuildImage(ctx, record, call)).meta;
}

/** The image of a build as Glance has it now, checked for what every host would refuse. @throws ComputeError, RestError */
async function showBuildImage(
  ctx: ComputeContext,
  record: InstanceRecord,
  call: CallOptions,
): Promise<GlanceImage> {
  const id = record.imageRef;
  let image: GlanceImage;
  try {
    image = await ctx.images.show(id, call);
  } catch (error) {
    if (!isStatus(error, 404)) throw error;
    throw new ComputeError('ImageNotFound', `Image ${id} could not be found.`, { cause: error });
  }
  if (image.status !== 'active') {
    throw new ComputeError(
      'ImageNotActive',
      `Image ${id} is not active (${image.status}). Reactivate it, or upload its data.`,
    );
  }
  checkFlavor(record, image);
  return image;
}

/** nova/compute/api.py _validate_flavor_image_nostatus: the image's minima. */
function checkFlavor(record: InstanceRecord, { meta }: GlanceImage): void {
  const { flavor } = record;
  if (flavor.memoryMb < meta.minRamMb) {
    throw new ComputeError(
      'FlavorMemoryTooSmall',
      `Flavor's memory is too small for requested image: ${meta.id} needs ${meta.minRamMb} MB, flavor ${flavor.name} has ${flavor.memoryMb} MB.`,
    );
  }
  if (flavor.rootGb > 0 && flavor.rootGb < meta.minDiskGb) {
    throw new ComputeError(
      'FlavorDiskSmallerThanMinDisk',
      `Flavor's disk is smaller than the minimum size specified in image metadata. Flavor disk is ${flavor.rootGb} GB, minimum size is ${meta.minDiskGb} GB.`,
    );
  }
}

/** System metadata with what later operations need of the image, which may be gone by then. */
export function withImageFacts(
  metadata: Readonly<Record<string, string>>,
  image: ImageMeta,
): Readonly<Record<string, string>> {
  const timeout = image.properties['os_shutdown_timeout'];
  return timeout === undefined ? metadata : { ...metadata, [SHUTDOWN_TIMEOUT]: timeout };
}

/** How long the guest may take to shut down, seconds: the image's `os_shutdown_timeout`, else the configuration's. */
export function shutdownTimeoutSeconds(ctx: ComputeContext, record: InstanceRecord): number {
  const timeout = Number(record.systemMetadata[SHUTDOWN_TIMEOUT] ?? '');
  const given =
    record.systemMetadata[SHUTDOWN_TIMEOUT] !== undefined && Number.isFinite(timeout) && timeout >= 0;
  return given ? timeout : ctx.config.shutdownTimeoutSeconds;
}

const IMAGE_PREFIX = 'image_';
/** Nova's names in the system metadata for what is no property of the image. */
const NOT_PROPERTIES: ReadonlySet<string> = new Set([
  'base_image_ref',
  'min_ram',
  'min_disk',
  'disk_format',
  'container_format',
]);

/** The image as the instance was made from it, from what the instance keeps of it: the image itself may be gone, or changed. */
export function imageOf(record: InstanceRecord): ImageMeta {
  const kept = Object.entries(record.systemMetadata)
    .filter(([key]) => key.startsWith(IMAGE_PREFIX))
    .map(([key, value]) => [key.slice(IMAGE_PREFIX.length), value] as const);
  const facts = new Map(kept);
  return {
    id: record.imageRef,
    name: '',
    diskFormat: facts.get('disk_format') ?? '',
    containerFormat: facts.get('container_format') ?? 'bare',
    sizeBytes: 0,
    minDiskGb: Number(facts.get('min_disk') ?? 0),
    minRamMb: Number(facts.get('min_ram') ?? 0),
    properties: Object.fromEntries(kept.filter(([key]) => !NOT_PROPERTIES.has(key))),
  };
}
