import { readFile } from 'node:fs/promises';
import {
  readImageFile,
  type DriverConfig,
  type Flavor,
  type ImageMeta,
  type ReadImageFile,
} from '@nova-hyperv/driver';
import type { CloudAccess } from '../cloud-access/log-in.js';
import { CliError, EXIT } from '../errors.js';
import { errorMessage } from '../json.js';
import { flavorOfDocument, imageOfDocument } from './documents.js';

/** What a boot is asked with: options of `nova-hyperv plan`. */
export interface RequestFlags {
  readonly image?: string;
  readonly flavor?: string;
  readonly property: readonly (readonly [string, string])[];
  readonly extraSpec: readonly (readonly [string, string])[];
  readonly vcpus?: number;
  readonly ram?: number;
  readonly disk?: number;
  readonly ephemeral?: number;
  readonly swap?: number;
  readonly diskFormat?: string;
  readonly imageFile?: string;
}

export interface BootRequest extends ReadImageFile {
  readonly image: ImageMeta;
  readonly flavor: Flavor;
}

const NO_IMAGE: ImageMeta = {
  id: 'image',
  name: '',
  diskFormat: 'vhdx',
  containerFormat: 'bare',
  sizeBytes: 0,
  minDiskGb: 0,
  minRamMb: 0,
  properties: {},
};

/** A name that ends so is a file's, never an image's in a cloud. */
const isDocument = (name: string): boolean => name.endsWith('.json');

/** Image and flavor from files or from a cloud, with the overrides. The cloud is logged in to only where it is needed. @throws CliError, RestError */
export async function bootRequest(
  flags: RequestFlags,
  config: DriverConfig,
  cloud: () => Promise<CloudAccess>,
): Promise<BootRequest> {
  const image = withImageOverrides(await imageOf(flags.image, cloud), flags);
  const flavor = withFlavorOverrides(await flavorOf(flags.flavor, cloud), flags);
  const read: ReadImageFile =
    flags.imageFile === undefined ? { refusals: [] } : await readImageFile(image, flags.imageFile, config);
  return { image, flavor, ...read };
}

async function imageOf(name: string | undefined, cloud: () => Promise<CloudAccess>): Promise<ImageMeta> {
  if (name === undefined) return NO_IMAGE;
  if (isDocument(name)) return imageOfDocument(await readJson(name), name);
  const found = await (await cloud()).images.find(name);
  if (found === undefined) throw new CliError(`the cloud has no image ${name}`, EXIT.usage);
  return found.meta;
}

async function flavorOf(
  name: string | undefined,
  cloud: () => Promise<CloudAccess>,
): Promise<Flavor | undefined> {
  if (name === undefined) return undefined;
  if (isDocument(name)) return flavorOfDocument(await readJson(name), name);
  const found = await (await cloud()).compute.flavor(name);
  if (found === undefined) throw new CliError(`the cloud has no flavor ${name}`, EXIT.usage);
  return found;
}

export async function readJson(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8');
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CliError(`${file}: ${errorMessage(error)}`, EXIT.usage, { cause: error });
  }
}

function withImageOverrides(image: ImageMeta, { property, diskFormat }: RequestFlags): ImageMeta {
  return {
    ...image,
    ...(diskFormat === undefined ? {} : { diskFormat }),
    properties: { ...image.properties, ...Object.fromEntries(property) },
  };
}

function withFlavorOverrides(flavor: Flavor | undefined, flags: RequestFlags): Flavor {
  const { vcpus, ram, disk } = flags;
  if (flavor === undefined && (vcpus === undefined || ram === undefined || disk === undefined))
    throw new CliError('give --flavor, or all of --vcpus, --ram and --disk', EXIT.usage);
  return {
    flavorId: flavor?.flavorId ?? '',
    name: flavor?.name ?? 'given',
    vcpus: vcpus ?? flavor?.vcpus ?? 0,
    memoryMb: ram ?? flavor?.memoryMb ?? 0,
    rootGb: disk ?? flavor?.rootGb ?? 0,
    ephemeralGb: flags.ephemeral ?? flavor?.ephemeralGb ?? 0,
    swapMb: flags.swap ?? flavor?.swapMb ?? 0,
    extraSpecs: { ...flavor?.extraSpecs, ...Object.fromEntries(flags.extraSpec) },
  };
}
