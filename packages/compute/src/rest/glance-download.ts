import { createHash, getHashes, type Hash } from 'node:crypto';
import { open, unlink } from 'node:fs/promises';
import { segment, type CallOptions, type RestClient, type RestRequest } from './rest-client.js';
import { RestError } from './rest-error.js';
import { errorCode } from '../util/errors.js';
import type { GlanceImage } from './glance.js';

export type ImageDownloadErrorCode = 'IMAGE_CORRUPT' | 'IMAGE_DISK_FULL' | 'IMAGE_FILE_FAILED';

/** An image's bytes could not be written, or are not what Glance says they are. */
export class ImageDownloadError extends Error {
  readonly code: ImageDownloadErrorCode;
  constructor(code: ImageDownloadErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options);
    this.name = 'ImageDownloadError';
    this.code = code;
  }
}

/** The little of a file handle that a download needs. */
export interface ImageFile {
  write(
    chunk: Buffer,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesWritten: number }>;
  truncate(length: number): Promise<void>;
  close(): Promise<void>;
}

interface Expected {
  readonly algorithm: string;
  readonly value: string;
}

/** `os_hash_*` where this Node knows the algorithm, else the MD5 of old images, else nothing. */
function expectedHash(image: GlanceImage): Expected | null {
  const { osHashAlgo, osHashValue, checksum } = image;
  if (osHashAlgo !== null && osHashValue !== null && getHashes().includes(osHashAlgo.toLowerCase())) {
    return { algorithm: osHashAlgo.toLowerCase(), value: osHashValue.toLowerCase() };
  }
  return checksum === null ? null : { algorithm: 'md5', value: checksum.toLowerCase() };
}

function fileError(image: GlanceImage, path: string, error: unknown): ImageDownloadError {
  const code = errorCode(error);
  const said = error instanceof Error ? error.message : String(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new ImageDownloadError(
      'IMAGE_DISK_FULL',
      `There is no room for image ${image.meta.id} (${image.meta.sizeBytes} bytes) at ${path}. Free space on that disk, or move instances_path to a larger one.`,
      { cause: error },
    );
  }
  return new ImageDownloadError(
    'IMAGE_FILE_FAILED',
    `Image ${image.meta.id} cannot be written to ${path}: ${said}. Check the folder and its permissions.`,
    { cause: error },
  );
}

/** Wraps what goes wrong with the file, so that it is not taken for trouble with the connection. */
async function onFile<T>(image: GlanceImage, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw fileError(image, path, error);
  }
}

async function writeAll(handle: ImageFile, chunk: Buffer, position: number): Promise<void> {
  for (let written = 0; written < chunk.length;) {
    const { bytesWritten } = await handle.write(chunk, written, chunk.length - written, position + written);
    written += bytesWritten;
  }
}

interface Transfer extends CallOptions {
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

async function transfer(
  rest: RestClient,
  image: GlanceImage,
  path: string,
  handle: ImageFile,
  options: Transfer,
): Promise<void> {
  const { onProgress, ...call } = options;
  const request: RestRequest = {
    ...call,
    method: 'GET',
    path: `/v2/images/${segment(image.meta.id)}/file`,
    headers: { accept: 'application/octet-stream' },
  };
  const expected = expectedHash(image);
  const hash: Hash | null = expected === null ? null : createHash(expected.algorithm);
  const response = await rest.stream(request);
  let done = 0;
  try {
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      hash?.update(chunk);
      const at = done;
      await onFile(image, path, () => writeAll(handle, chunk, at));
      done += chunk.length;
      onProgress?.(done, image.meta.sizeBytes);
    }
  } catch (error) {
    if (error instanceof ImageDownloadError) throw error;
    throw rest.failure(request, error);
  }
  check(image, done, expected, hash);
}

function check(image: GlanceImage, done: number, expected: Expected | null, hash: Hash | null): void {
  const advice = 'Upload the image again, or check the store behind Glance.';
  if (image.meta.sizeBytes > 0 && done !== image.meta.sizeBytes) {
    throw new ImageDownloadError(
      'IMAGE_CORRUPT',
      `Image ${image.meta.id} came with ${done} bytes instead of ${image.meta.sizeBytes}. ${advice}`,
    );
  }
  const actual = hash?.digest('hex');
  if (expected !== null && actual !== expected.value) {
    throw new ImageDownloadError(
      'IMAGE_CORRUPT',
      `Image ${image.meta.id} came with ${expected.algorithm} ${actual ?? ''} instead of ${expected.value}. ${advice}`,
    );
  }
}

/** Further tries of a download whose connection broke midway. */
const RESUMES = 2;

/** How the file is made: exclusively, readable by its owner only. */
function openNew(path: string): Promise<ImageFile> {
  return open(path, 'wx', 0o600);
}

/** Downloads to a file that must not exist yet; on failure the file is gone again. */
export async function downloadToFile(
  rest: RestClient,
  image: GlanceImage,
  path: string,
  options: Transfer,
  openFile: (path: string) => Promise<ImageFile> = openNew,
): Promise<void> {
  const handle = await onFile(image, path, () => openFile(path));
  let complete = false;
  try {
    for (let tried = 0; !complete; tried += 1) {
      try {
        await transfer(rest, image, path, handle, options);
        complete = true;
      } catch (error) {
        const broken = error instanceof RestError && error.kind === 'unreachable';
        if (!broken || tried >= RESUMES) throw error;
        await onFile(image, path, () => handle.truncate(0));
      }
    }
  } finally {
    await handle.close();
    if (!complete) await unlink(path);
  }
}
