import type { Flavor } from '@nova-hyperv/driver';
import { z } from 'zod';
import { badRequest, type ApiError } from '../../kernel/errors.js';
import { parse } from '../../kernel/validate.js';
import { boolean } from '../api/values.js';

const integerText = z.union([
  z.number().int(),
  z
    .string()
    .regex(/^-?\d{1,9}$/)
    .transform(Number),
]);

/** One element of `block_device_mapping_v2`. nova/api/openstack/compute/schemas/servers.py */
const DEVICE = z.strictObject({
  source_type: z.enum(['volume', 'image', 'snapshot', 'blank']).optional(),
  destination_type: z.enum(['local', 'volume']).optional(),
  boot_index: z.union([integerText, z.enum(['None', '']).transform(() => null)]).nullish(),
  uuid: z.string().max(255).nullish(),
  volume_size: z.union([integerText, z.literal('').transform(() => null)]).nullish(),
  delete_on_termination: boolean.optional(),
  guest_format: z.string().max(255).nullish(),
  device_name: z.string().max(255).nullish(),
  disk_bus: z.string().max(255).nullish(),
  device_type: z.string().max(255).nullish(),
  no_device: z.unknown().optional(),
  tag: z.string().max(60).optional(),
  volume_type: z.string().max(255).nullish(),
});
type Device = z.output<typeof DEVICE>;

/** Nova's default `[DEFAULT] max_local_block_devices`. */
const MAX_LOCAL = 3;

const invalid = (details: string): ApiError => badRequest(`Block Device Mapping is Invalid: ${details}`);

/**
 * Sizes, in GiB, of the ephemeral disks that a request names: empty where it leaves them to the flavor. Throws 400 in Nova's words for mappings that
 * cannot be, and for those that are not served: everything that needs block storage.
 */
export function ephemeralSizes(
  devices: readonly Readonly<Record<string, unknown>>[],
  imageId: string,
  flavor: Flavor,
): readonly number[] {
  const mappings = servedDevices(devices);
  const roots = mappings.filter(({ source_type: source }) => source === 'image');
  for (const root of roots) checkRoot(root, imageId);
  if (roots.length > 1)
    throw invalid('Boot sequence for the instance and image/block device mapping combination is not valid.');
  const blanks = mappings.filter(({ source_type: source }) => source === 'blank');
  for (const blank of blanks) checkBlank(blank);
  if (mappings.length > MAX_LOCAL) throw badRequest('You specified more local devices than the limit allows');
  const sizes = blanks.map(({ volume_size: size }) => size ?? flavor.ephemeralGb);
  const sum = sizes.reduce((total, size) => total + size, 0);
  if (sum > flavor.ephemeralGb) {
    throw badRequest(
      'Ephemeral disks requested are larger than the instance type allows. If no size is given in one block device mapping, flavor ephemeral size will be used.',
    );
  }
  return sizes;
}

/** The mappings of a request. Throws 400 for those that cannot be read or are not served, whatever the server boots from. */
export function servedDevices(devices: readonly Readonly<Record<string, unknown>>[]): readonly Device[] {
  const mappings = devices.map((device) => parse(DEVICE, device));
  for (const device of mappings) refuseUnserved(device);
  return mappings;
}

function refuseUnserved(device: Device): void {
  const { source_type: source, destination_type: target } = device;
  if (target === 'volume' || source === 'volume' || source === 'snapshot') {
    throw badRequest(
      'Volumes are not served by this cloud: there is no block storage service yet. Boot from an image, and use ephemeral disks (destination_type local) beside it.',
    );
  }
  if (device.tag !== undefined)
    throw badRequest('Device tags of disks are not served by this cloud: leave the tag out.');
  if ((device.no_device ?? null) !== null)
    throw badRequest('no_device is not served by this cloud: leave it out.');
}

function checkRoot(device: Device, imageId: string): void {
  if (device.destination_type !== undefined && device.destination_type !== 'local')
    throw invalid('Invalid destination_type.');
  if (device.boot_index !== 0) throw invalid('Mapping image to local is not supported.');
  if (device.uuid !== imageId)
    throw invalid('Boot sequence for the instance and image/block device mapping combination is not valid.');
}

/** A blank disk: the host makes it, formats nothing, and never boots from it. */
function checkBlank(device: Device): void {
  const { boot_index: index, volume_size: size, guest_format: format, device_type: type } = device;
  if ((device.uuid ?? '') !== '') throw invalid('A blank device has no uuid.');
  if (format === 'swap')
    throw badRequest(
      'Swap disks are not served by this cloud: leave them out and let the guest make its own swap file.',
    );
  if ((format ?? '') !== '')
    throw badRequest('guest_format is not served by this cloud: the guest formats its disks. Leave it out.');
  if ((device.disk_bus ?? '') !== '' || ((type ?? '') !== '' && type !== 'disk'))
    throw badRequest(
      'Ephemeral disks are disks on the bus of their generation here: leave disk_bus and device_type out.',
    );
  if (index !== undefined && index !== null && index >= 0)
    throw invalid('Boot sequence for the instance and image/block device mapping combination is not valid.');
  if (size !== null && size !== undefined && size < 1) throw invalid('Invalid volume_size.');
}
