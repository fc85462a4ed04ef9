import { ComputeError, type CinderVolume } from '@nova-hyperv/compute';
import { badRequest, ApiError } from '../../../kernel/errors.js';
import type { Nova } from '../../deps.js';
import type { ImageView } from '../../ports.js';
import { toApiError } from '../compute-errors.js';
import { invalid, type Mapping } from './request.js';
import type { DevicePlan } from './plan.js';

const GIB = 1024 ** 3;
/** nova/utils.py, VIM_IMAGE_ATTRIBUTES: what a volume keeps of its image beside the image's properties. */
const IMAGE_ATTRIBUTES: ReadonlySet<string> = new Set([
  'image_id',
  'image_name',
  'size',
  'checksum',
  'container_format',
  'disk_format',
  'min_ram',
  'min_disk',
]);

/** What volumes of a request are made from or are, looked at once. */
export interface DeviceSources {
  /** Of the server: the image's or the boot volume's own. */
  readonly image: ImageView;
  /** The same volumes with the sizes that follow from their sources. */
  readonly volumes: readonly Mapping[];
}

/**
 * Asks Cinder and Glance about everything that the volumes of a request come from. Throws 400 in Nova's words for what cannot be used.
 * @param image of the request; null when it names none
 */
export async function lookAtSources(
  nova: Nova,
  token: string,
  plan: DevicePlan,
  image: ImageView | null,
): Promise<DeviceSources> {
  const volumes: Mapping[] = [];
  let bootImage: ImageView | null = null;
  for (const mapping of plan.volumes) {
    const { sizeGb, metadata } = await look(nova, token, mapping);
    volumes.push({ ...mapping, sizeGb: mapping.source === 'volume' ? sizeGb : (mapping.sizeGb ?? sizeGb) });
    if (mapping.bootIndex === 0) bootImage = metadata;
  }
  const found = plan.bootVolume === null ? image : bootImage;
  if (found === null) throw badRequest('Invalid imageRef provided.');
  return { image: found, volumes };
}

interface Looked {
  readonly sizeGb: number | null;
  readonly metadata: ImageView;
}

async function look(nova: Nova, token: string, mapping: Mapping): Promise<Looked> {
  const id = mapping.id ?? '';
  const cinder = nova.volumesAs(token);
  switch (mapping.source) {
    case 'blank':
      return { sizeGb: null, metadata: emptyImage(mapping.sizeGb ?? 0) };
    case 'image': {
      const image = await nova.images.get(id, token);
      if (image === null) throw invalid(`failed to get image ${id}.`);
      checkMinimum(image, mapping.sizeGb ?? 0);
      return { sizeGb: mapping.sizeGb, metadata: image };
    }
    case 'snapshot': {
      const snapshot = await asked(() => cinder.snapshot(id), `failed to get snapshot ${id}.`);
      const volume = await asked(
        () => cinder.volume(snapshot.volumeId),
        `failed to get volume ${snapshot.volumeId}.`,
      );
      return { sizeGb: snapshot.sizeGb, metadata: imageOfVolume(volume) };
    }
    case 'volume':
      break;
  }
  const volume = await asked(() => cinder.volume(id), `failed to get volume ${id}.`);
  checkVolume(volume, mapping.bootIndex === 0);
  return { sizeGb: volume.sizeGb, metadata: imageOfVolume(volume) };
}

async function asked<T>(work: () => Promise<T>, otherwise: string): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ComputeError) throw invalid(otherwise);
    throw error;
  }
}

/** nova/compute/api.py, VolumeSmallerThanMinDisk; Cinder looks again. */
function checkMinimum(image: ImageView, sizeGb: number): void {
  if (image.minDiskGb <= sizeGb) return;
  throw badRequest(
    `Volume is smaller than the minimum size specified in image metadata. Volume size is ${sizeGb * GIB} bytes, minimum size is ${image.minDiskGb * GIB} bytes.`,
  );
}

/** What a host would refuse later is refused here. */
export function checkVolume(volume: CinderVolume, isRoot: boolean): void {
  const { id, bootable, status } = volume;
  if (isRoot && !bootable) throw badRequest(`Block Device ${id} is not bootable.`);
  if (status !== 'available')
    throw badRequest(
      `Invalid volume: Invalid input received: Invalid volume: Volume ${id} status must be available or downloading to reserve, but the current status is ${status}.`,
    );
  refuseUnserved(volume);
}

/** @throws ApiError 400 in Nova's words */
export function refuseUnserved({ id, multiattach, encrypted, volumeType }: CinderVolume): void {
  if (multiattach)
    throw badRequest(`Volume ${id} has 'multiattach' set, which is not supported for this instance.`);
  if (encrypted)
    throw badRequest(`Volume encryption is not supported for ${volumeType ?? 'this'} volume ${id}`);
}

const emptyImage = (sizeGb: number): ImageView => ({
  id: '',
  name: '',
  status: 'active',
  diskFormat: '',
  containerFormat: '',
  sizeBytes: sizeGb * GIB,
  minDiskGb: 0,
  minRamMb: 0,
  properties: {},
});

/** nova/utils.py, get_image_metadata_from_volume: the scheduler and the host take it for the image's. */
function imageOfVolume({ imageMetadata, sizeGb }: CinderVolume): ImageView {
  const properties = Object.entries(imageMetadata).filter(([key]) => !IMAGE_ATTRIBUTES.has(key));
  return {
    ...emptyImage(sizeGb),
    diskFormat: imageMetadata['disk_format'] ?? '',
    containerFormat: imageMetadata['container_format'] ?? '',
    minDiskGb: Number(imageMetadata['min_disk'] ?? 0) || 0,
    minRamMb: Number(imageMetadata['min_ram'] ?? 0) || 0,
    properties: Object.fromEntries(properties),
  };
}

/** Cinder's refusals as the compute API's. */
export async function cinderAnswer<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const answer = toApiError(error);
    throw answer instanceof ApiError && answer.status === 404 ? badRequest(answer.message) : answer;
  }
}
