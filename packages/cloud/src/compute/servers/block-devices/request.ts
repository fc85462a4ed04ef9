import { ROOT_DEVICE_NAME, type SourceType } from '@nova-hyperv/compute';
import { z } from 'zod';
import { badRequest, type ApiError } from '../../../kernel/errors.js';
import { parse } from '../../../kernel/validate.js';
import { boolean } from '../../api/values.js';
import type { ServerBody } from '../create-schema.js';

const integerText = z.union([
  z.number().int(),
  z
    .string()
    .regex(/^-?\d{1,9}$/)
    .transform(Number),
]);
const size = z.union([integerText, z.literal('').transform(() => null)]).nullish();

/** One element of `block_device_mapping_v2`. nova/api/openstack/compute/schemas/servers.py */
const DEVICE = z.strictObject({
  source_type: z.enum(['volume', 'image', 'snapshot', 'blank']).optional(),
  destination_type: z.enum(['local', 'volume']).optional(),
  boot_index: z.union([integerText, z.enum(['None', '']).transform(() => null)]).nullish(),
  uuid: z.string().max(255).nullish(),
  volume_size: size,
  delete_on_termination: boolean.optional(),
  guest_format: z.string().max(255).nullish(),
  device_name: z.string().max(255).nullish(),
  disk_bus: z.string().max(255).nullish(),
  device_type: z.string().max(255).nullish(),
  no_device: z.unknown().optional(),
  tag: z.string().min(1).max(60).optional(),
  volume_type: z.string().max(255).nullish(),
});

/** One element of the old `block_device_mapping`. */
const LEGACY = z.strictObject({
  virtual_name: z.string().max(255).nullish(),
  volume_id: z.string().max(255).nullish(),
  snapshot_id: z.string().max(255).nullish(),
  volume_size: size,
  device_name: z.string().max(255).nullish(),
  delete_on_termination: boolean.optional(),
  no_device: z.unknown().optional(),
  connection_info: z.unknown().optional(),
});

/** A block device as asked for, of either form: Nova's BlockDeviceDict. */
export interface Mapping {
  readonly source: SourceType;
  readonly destination: 'local' | 'volume';
  /** Of the image, volume or snapshot; null for blank ones. */
  readonly id: string | null;
  /** Null where it is not booted from. */
  readonly bootIndex: number | null;
  readonly sizeGb: number | null;
  readonly deleteOnTermination: boolean;
  readonly guestFormat: string | null;
  readonly deviceName: string | null;
  readonly diskBus: string | null;
  readonly deviceType: string | null;
  readonly tag: string | null;
  readonly volumeType: string | null;
}

export const invalid = (details: string): ApiError =>
  badRequest(`Block Device Mapping is Invalid: ${details}`);
/** nova/exception.py, InvalidBDMBootSequence */
export const invalidBootSequence = (): ApiError =>
  invalid('Boot sequence for the instance and image/block device mapping combination is not valid.');

const orNull = (text: string | null | undefined): string | null =>
  text === undefined || text === '' ? null : text;
const isAsked = (value: unknown): boolean =>
  value !== undefined && value !== null && value !== '' && value !== false;

/**
 * The block devices of a request, in its order; those with `no_device` are gone: what they suppress, mappings of images, is not made here anyway.
 * @param imageId '' when the request names no image
 * Throws 400 in Nova's words.
 */
export function mappingsOf(server: ServerBody, imageId: string): readonly Mapping[] {
  const { block_device_mapping: legacy, block_device_mapping_v2: modern } = server;
  if (legacy !== undefined && modern !== undefined && legacy.length > 0 && modern.length > 0)
    throw badRequest('Using different block_device_mapping syntaxes is not allowed in the same request.');
  if (legacy !== undefined && legacy.length > 0) return legacyMappings(legacy, imageId);
  const mappings = (modern ?? [])
    .map((device) => parse(DEVICE, device))
    .filter((device) => !isAsked(device.no_device))
    .map((device) => toMapping(device, imageId));
  // What clients leave out when the image is all there is.
  return mappings.length === 0 && imageId !== '' ? [imageRoot(imageId)] : mappings;
}

function toMapping(device: z.output<typeof DEVICE>, imageId: string): Mapping {
  const { source_type: source, destination_type: destination = 'local' } = device;
  const id = orNull(device.uuid);
  const bootIndex = device.boot_index ?? null;
  if (source === undefined) throw invalid('Some required fields are missing');
  if (source === 'blank' && id !== null) throw invalid('Invalid device UUID.');
  if (source !== 'blank' && id === null) throw invalid('Missing device UUID.');
  checkDestination(device, source, destination, imageId !== '' && bootIndex === 0);
  const sizeGb = device.volume_size ?? null;
  if (sizeGb !== null && sizeGb < 0) throw invalid('Invalid volume_size.');
  return {
    source,
    destination: source === 'volume' || source === 'snapshot' ? 'volume' : destination,
    id,
    bootIndex: bootIndex === null || bootIndex < 0 ? null : bootIndex,
    sizeGb: sizeGb === 0 ? null : sizeGb,
    deleteOnTermination: device.delete_on_termination ?? false,
    guestFormat: orNull(device.guest_format),
    deviceName: orNull(device.device_name),
    diskBus: orNull(device.disk_bus)?.toLowerCase() ?? null,
    deviceType: orNull(device.device_type)?.toLowerCase() ?? null,
    tag: device.tag ?? null,
    volumeType: orNull(device.volume_type),
  };
}

function checkDestination(
  device: z.output<typeof DEVICE>,
  source: SourceType,
  destination: 'local' | 'volume',
  isRoot: boolean,
): void {
  if (source === 'image' && destination === 'local' && !isRoot)
    throw invalid('Mapping image to local is not supported.');
  if (orNull(device.volume_type) === null) return;
  if (destination === 'local')
    throw invalid('Specifying a volume_type with destination_type=local is not supported.');
  if (source === 'volume') throw invalid('Specifying volume type to existing volume is not supported.');
}

const PLAIN = {
  id: null,
  bootIndex: null,
  sizeGb: null,
  deleteOnTermination: false,
  guestFormat: null,
  deviceName: null,
  diskBus: null,
  deviceType: null,
  tag: null,
  volumeType: null,
} as const;

const imageRoot = (imageId: string): Mapping => ({
  ...PLAIN,
  source: 'image',
  destination: 'local',
  id: imageId,
  bootIndex: 0,
  deleteOnTermination: true,
});

const bareName = (name: string | null | undefined): string => (name ?? '').replace(/^\/dev\//, '');
/** Nova's guess of the root device's name when an old mapping is read, beside ours. */
const ROOT_NAMES: ReadonlySet<string> = new Set(['vda', bareName(ROOT_DEVICE_NAME)]);

/** nova/block_device.py, from_legacy_mapping: the device with the root's name is booted from, else the image. */
function legacyMappings(
  devices: readonly Readonly<Record<string, unknown>>[],
  imageId: string,
): readonly Mapping[] {
  const mappings = devices
    .map((device) => parse(LEGACY, device))
    .filter((device) => !isAsked(device.no_device))
    .map(fromLegacy);
  const hasRoot = mappings.some(({ bootIndex }) => bootIndex === 0);
  if (hasRoot) return mappings;
  if (imageId !== '') return [imageRoot(imageId), ...mappings];
  const first = mappings.findIndex(({ source }) => source !== 'blank');
  return mappings.map((mapping, index) => (index === first ? { ...mapping, bootIndex: 0 } : mapping));
}

function fromLegacy(device: z.output<typeof LEGACY>): Mapping {
  const common = {
    ...PLAIN,
    sizeGb: device.volume_size ?? null,
    deviceName: orNull(device.device_name),
  };
  const virtual = device.virtual_name ?? '';
  if (virtual === 'swap' || /^ephemeral\d+$/.test(virtual)) {
    const guestFormat = virtual === 'swap' ? 'swap' : null;
    return { ...common, source: 'blank', destination: 'local', deleteOnTermination: true, guestFormat };
  }
  const bootIndex = ROOT_NAMES.has(bareName(device.device_name)) ? 0 : null;
  const deleteOnTermination = device.delete_on_termination ?? false;
  const [snapshot, volume] = [orNull(device.snapshot_id), orNull(device.volume_id)];
  const source = snapshot === null ? 'volume' : 'snapshot';
  if (snapshot === null && volume === null) throw invalid('Unrecognized legacy format.');
  return { ...common, source, destination: 'volume', id: snapshot ?? volume, bootIndex, deleteOnTermination };
}
