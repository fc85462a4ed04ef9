import { DriverError, numaConstraints, type Flavor } from '@nova-hyperv/driver';
import { badRequest, forbidden } from '../../kernel/errors.js';
import type { RequestContext } from '../../kernel/service.js';
import type { ImageView } from '../ports.js';
import { canonicalImage } from '../scheduler/image-properties.js';
import { checkSecureBoot } from '../scheduler/secure-boot.js';
import { parseVersionPredicate } from '../scheduler/version-predicate.js';
import type { FlavorRecord } from '../store/flavors.js';

const GIB = 1024 ** 3;

/**
 * Refuses what cannot be built from this image with this flavor, before anything is stored. Throws 400, or 403 for a
 * flavor without a disk, which Nova's default policy leaves to administrators.
 */
export function checkImage(
  image: ImageView,
  flavor: FlavorRecord,
  context: RequestContext,
  bootsFrom: 'image' | 'volume',
): void {
  if (image.status !== 'active') throw badRequest(`Image ${image.id} is not active.`);
  if (flavor.memoryMb < image.minRamMb) throw badRequest("Flavor's memory is too small for requested image.");
  // A volume has its own size, which Cinder looks after.
  if (bootsFrom === 'image') checkDisk(image, flavor, context);
  checkProperties(image);
  checkSecureBoot(flavor.name, flavor.extraSpecs, image.id, image.properties);
}

function checkDisk(image: ImageView, flavor: FlavorRecord, context: RequestContext): void {
  if (flavor.rootGb === 0) {
    if (!context.isAdmin) {
      throw forbidden(
        "Only volume-backed servers are allowed for flavors with zero disk. Use a flavor with a disk, or an administrator's account.",
      );
    }
  } else {
    checkSize(image, flavor);
  }
}

function checkSize(image: ImageView, flavor: FlavorRecord): void {
  const bytes = flavor.rootGb * GIB;
  if (image.sizeBytes > bytes) {
    throw badRequest(
      `Flavor's disk is too small for requested image. Flavor disk is ${bytes} bytes, image is ${image.sizeBytes} bytes.`,
    );
  }
  if (image.minDiskGb > flavor.rootGb) {
    throw badRequest(
      "Flavor's disk is smaller than the minimum size specified in image metadata. " +
        `Flavor disk is ${bytes} bytes, minimum size is ${image.minDiskGb * GIB} bytes.`,
    );
  }
}

/** Properties that the scheduler compares have to be readable. */
function checkProperties(image: ImageView): void {
  try {
    const { versionRequired } = canonicalImage(image.properties);
    if (versionRequired !== null) parseVersionPredicate(versionRequired);
  } catch (error) {
    throw badRequest(
      `Invalid image metadata. Error: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/** Nova's rules of NUMA topologies, which its API applies before anything is stored. Throws 400. */
export function checkNuma(flavor: Flavor, properties: Readonly<Record<string, string>>): void {
  try {
    numaConstraints(flavor, properties);
  } catch (error) {
    if (error instanceof DriverError) throw badRequest(error.message);
    throw error;
  }
}

/** What an instance keeps of its image: Nova's `image_*` system metadata. */
export function imageSystemMetadata(image: ImageView): Readonly<Record<string, string>> {
  const properties = Object.entries(image.properties).map(([key, value]) => [`image_${key}`, value] as const);
  return {
    ...Object.fromEntries(properties),
    image_base_image_ref: image.id,
    image_min_ram: String(image.minRamMb),
    image_min_disk: String(image.minDiskGb),
    image_disk_format: image.diskFormat,
    image_container_format: image.containerFormat,
  };
}
