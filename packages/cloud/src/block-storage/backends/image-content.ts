import { open, stat } from 'node:fs/promises';
import { checkWhole, type FileFormat, inspect, recogniseFile, VhdError } from '@nova-hyperv/vhd';
import { BackendError, type ImageContent } from './backend.js';

const GIB = 2 ** 30;

/** An image that was looked at and may be read. */
export interface ReadableImage {
  readonly path: string;
  /** How it is read. `disk`: VHD or VHDX. */
  readonly as: 'raw' | 'disk' | 'qcow2';
  /** Bytes. */
  readonly virtualSize: number;
  /** Bytes, 512 or 4096. */
  readonly logicalSectorSize: number;
}

/** What the content of an image may be, by Glance's `disk_format`. Between VHD and VHDX the content decides, as for images that are booted. */
const CONTENT: Readonly<Record<string, readonly FileFormat[]>> = {
  raw: ['raw', 'iso'],
  iso: ['iso'],
  vhd: ['vhd', 'vhdx'],
  vhdx: ['vhd', 'vhdx'],
  qcow2: ['qcow2'],
};

const invalid = (message: string, cause?: unknown): BackendError =>
  new BackendError('IMAGE_INVALID', message, { cause });

/**
 * Finds out what an image is, by its content, and that it can become a volume: of the format that it is said to have, whole, without a parent
 * or any other file.
 * @throws BackendError IMAGE_INVALID; IMAGE_TOO_LARGE when it holds more than `maxBytes`.
 */
export async function readImage(image: ImageContent, maxBytes: number): Promise<ReadableImage> {
  const allowed = CONTENT[image.diskFormat];
  if (allowed === undefined)
    throw invalid(
      `Images of format ${image.diskFormat} cannot become volumes; convert it to vhd, vhdx, qcow2 or raw and upload that.`,
    );
  const { format } = await recogniseFile(image.path);
  if (!allowed.includes(format))
    throw invalid(
      `The image is said to be ${image.diskFormat} and its content is ${format}; upload it again with the right disk_format.`,
    );
  const readable = await look(image.path, format);
  if (readable.virtualSize > maxBytes)
    throw new BackendError(
      'IMAGE_TOO_LARGE',
      `The image holds ${Math.ceil(readable.virtualSize / GIB)} GiB and the volume ${maxBytes / GIB} GiB; make the volume larger.`,
    );
  return readable;
}

async function look(path: string, format: FileFormat): Promise<ReadableImage> {
  if (format === 'qcow2') return lookAtQcow2(path);
  if (format === 'vhd' || format === 'vhdx') return lookAtDisk(path);
  const { size } = await stat(path);
  return { path, as: 'raw', virtualSize: size, logicalSectorSize: 512 };
}

async function lookAtDisk(path: string): Promise<ReadableImage> {
  try {
    const { type, virtualSize, logicalSectorSize } = await inspect(path);
    if (type === 'differencing')
      throw invalid('The image has a parent; merge it (nova-hyperv vhd merge) and upload the whole disk.');
    await checkWhole(path);
    return { path, as: 'disk', virtualSize, logicalSectorSize };
  } catch (error) {
    if (!(error instanceof VhdError)) throw error;
    throw invalid(`The image is damaged: ${error.reason ?? error.code}; upload it again.`, error);
  }
}

const QCOW2_HEADER_SIZE = 104;
const DIRTY = 1n << 0n;
const CORRUPT = 1n << 1n;
const COMPRESSION_TYPE = 1n << 3n;
const EXTENDED_L2 = 1n << 4n;
const KNOWN_FEATURES = DIRTY | COMPRESSION_TYPE | EXTENDED_L2;

/** Source: QEMU, docs/interop/qcow2.txt, Header. Offsets are bytes, numbers big-endian. */
async function lookAtQcow2(path: string): Promise<ReadableImage> {
  const header = Buffer.alloc(QCOW2_HEADER_SIZE);
  const file = await open(path, 'r');
  try {
    const { bytesRead } = await file.read(header, 0, header.length, 0);
    if (bytesRead < 72) throw invalid('The image is cut short; upload it again.');
  } finally {
    await file.close();
  }
  if (header.readBigUInt64BE(8) !== 0n)
    throw invalid('The image has a backing file; make it whole (qemu-img convert) and upload that.');
  if (header.readUInt32BE(32) !== 0)
    throw invalid('The image is encrypted; decrypt it (qemu-img convert) and upload that.');
  const features = header.readUInt32BE(4) === 2 ? 0n : header.readBigUInt64BE(72);
  if ((features & CORRUPT) !== 0n)
    throw invalid('The image is marked corrupt; repair it and upload it again.');
  // An external data file among others.
  if ((features & ~KNOWN_FEATURES) !== 0n)
    throw invalid(
      'The image keeps its data elsewhere or in an unknown way; make it whole (qemu-img convert).',
    );
  const virtualSize = header.readBigUInt64BE(24);
  if (virtualSize > BigInt(Number.MAX_SAFE_INTEGER))
    throw invalid('The image says that it has an impossible size.');
  return { path, as: 'qcow2', virtualSize: Number(virtualSize), logicalSectorSize: 512 };
}
