import { nextDeviceName, ROOT_DEVICE_NAME, ComputeError } from '@nova-hyperv/compute';
import type { Flavor } from '@nova-hyperv/driver';
import { badRequest } from '../../../kernel/errors.js';
import { invalid, invalidBootSequence, type Mapping } from './request.js';

/** Nova's default `[DEFAULT] max_local_block_devices`. */
const MAX_LOCAL = 3;
/** nova/objects/fields.py, DiskBus: what Nova knows; what this host serves is the driver's to say. */
const DISK_BUSES: ReadonlySet<string> = new Set([
  'fdc',
  'ide',
  'sata',
  'scsi',
  'usb',
  'virtio',
  'xen',
  'lxc',
  'uml',
]);

/** What a server's block devices come to: its root, the disks that its host makes, its volumes. */
export interface DevicePlan {
  /** Null = the image, on the host. */
  readonly bootVolume: Mapping | null;
  /** Of the ephemeral disks that the request names, GiB. */
  readonly ephemeralsGb: readonly number[];
  /** With their names. */
  readonly volumes: readonly Mapping[];
}

/**
 * Applies Nova's rules to the block devices of a request (nova/compute/api.py, _validate_bdm), before anything is asked of anybody.
 * @param count of servers in the request
 * Throws 400 in Nova's words.
 */
export function planDevices(
  mappings: readonly Mapping[],
  imageId: string,
  flavor: Flavor,
  count: number,
): DevicePlan {
  checkBootSequence(mappings);
  const root = mappings.find(({ bootIndex }) => bootIndex === 0);
  if (root?.source === 'image' && root.destination === 'local' && root.id !== imageId)
    throw invalidBootSequence();
  if (count > 1 && mappings.some(({ source }) => source === 'volume'))
    throw badRequest('Cannot attach one or more volumes to multiple instances');
  const volumes = mappings.filter(({ destination }) => destination === 'volume');
  for (const volume of volumes) checkVolume(volume);
  const locals = mappings.filter(({ destination }) => destination === 'local');
  for (const local of locals) checkLocal(local);
  if (locals.length > MAX_LOCAL) throw badRequest('You specified more local devices than the limit allows');
  return {
    bootVolume: root?.destination === 'volume' ? root : null,
    ephemeralsGb: ephemerals(locals, flavor),
    volumes: named(volumes, flavor),
  };
}

/** Every device that can be booted from has its number: 0, 1, 2 … and there is one. */
function checkBootSequence(mappings: readonly Mapping[]): void {
  const order = mappings
    .flatMap(({ bootIndex }) => (bootIndex === null ? [] : [bootIndex]))
    .toSorted((a, b) => a - b);
  if (order.length === 0 || order.some((index, place) => index !== place)) throw invalidBootSequence();
}

function checkVolume({ source, sizeGb, diskBus }: Mapping): void {
  if (source === 'image' && sizeGb === null)
    throw badRequest("Images with destination_type 'volume' need to have a non-zero size specified");
  if (source === 'blank' && sizeGb === null)
    throw badRequest("Blank volumes (source: 'blank', dest: 'volume') need to have non-zero size");
  if (diskBus !== null && !DISK_BUSES.has(diskBus))
    throw badRequest(`Block Device Mapping is invalid: The provided disk bus ${diskBus} is not valid.`);
}

/** A disk that the host makes: the image's, or a blank one, which it formats nothing on and never boots from. */
function checkLocal({ source, guestFormat, diskBus, deviceType, bootIndex, tag }: Mapping): void {
  if (tag !== null)
    throw badRequest(
      'Device tags of disks that are not volumes are not served by this cloud: leave the tag out.',
    );
  if (source === 'image') return;
  if (guestFormat === 'swap')
    throw badRequest(
      'Swap disks are not served by this cloud: leave them out and let the guest make its own swap file.',
    );
  if (guestFormat !== null)
    throw badRequest('guest_format is not served by this cloud: the guest formats its disks. Leave it out.');
  if (diskBus !== null || (deviceType !== null && deviceType !== 'disk'))
    throw badRequest(
      'Ephemeral disks are disks on the bus of their generation here: leave disk_bus and device_type out.',
    );
  if (bootIndex !== null) throw invalidBootSequence();
}

function ephemerals(locals: readonly Mapping[], flavor: Flavor): readonly number[] {
  const sizes = locals
    .filter(({ source }) => source === 'blank')
    .map(({ sizeGb }) => sizeGb ?? flavor.ephemeralGb);
  const sum = sizes.reduce((total, one) => total + one, 0);
  if (sum > flavor.ephemeralGb) {
    throw badRequest(
      'Ephemeral disks requested are larger than the instance type allows. If no size is given in one block device mapping, flavor ephemeral size will be used.',
    );
  }
  return sizes;
}

/** Those that the user named first, so that nobody else gets their names. */
function named(volumes: readonly Mapping[], flavor: Flavor): readonly Mapping[] {
  const names = new Map<Mapping, string>();
  const name = (volume: Mapping): void => {
    const root = volume.bootIndex === 0;
    names.set(
      volume,
      root ? ROOT_DEVICE_NAME : nextDeviceName([...names.values()], flavor, volume.deviceName),
    );
  };
  try {
    for (const volume of volumes) if (volume.deviceName !== null) name(volume);
    for (const volume of volumes) if (volume.deviceName === null) name(volume);
  } catch (error) {
    if (error instanceof ComputeError) throw invalid(error.message);
    throw error;
  }
  return volumes.map((volume) => ({ ...volume, deviceName: names.get(volume) ?? null }));
}
