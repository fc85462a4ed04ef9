import { hasCode, joinHostPath } from '@nova-hyperv/hyperv';
import { inspect, recogniseFile } from '@nova-hyperv/vhd';
import type { DriverConfig } from '../config.js';
import { DriverError } from '../errors.js';
import { rootFormatOf } from '../plan/disks.js';
import type { Refusal } from '../plan/explain.js';
import type { BaseImage } from '../plan/input.js';
import type { ImageMeta } from '../types.js';
import { checkContent } from './image-cache.js';

/** An image's file as the plan takes it; without a base where it is no disk. */
export interface ReadImageFile {
  readonly base?: BaseImage;
  readonly refusals: readonly Refusal[];
}

/**
 * Looks at an image's file as a boot does when it has fetched it.
 * @throws Error with the system's code when the file cannot be read
 */
export async function readImageFile(
  image: ImageMeta,
  file: string,
  config: Pick<DriverConfig, 'instancesPath' | 'imageCacheSubdirectory'>,
): Promise<ReadImageFile> {
  const base = await baseOf(image, file, joinHostPath(config.instancesPath, config.imageCacheSubdirectory));
  const refusals: Refusal[] = [];
  try {
    await checkContent(image, rootFormatOf({ image }), file, undefined);
  } catch (error) {
    if (!(error instanceof DriverError)) throw error;
    // What the metadata say wrong is told by the plan.
    if (error.novaName !== 'InvalidImageFormat') {
      refusals.push({
        exception: error.novaName,
        message: error.message,
        rule: 'content of the image',
        source: 'usage guide, Prepare images for use with Hyper-V',
        scope: error.scope,
      });
    }
  }
  return { ...(base === undefined ? {} : { base }), refusals };
}

async function baseOf(image: ImageMeta, file: string, folder: string): Promise<BaseImage | undefined> {
  const { format } = await recogniseFile(file);
  const path = joinHostPath(folder, `${image.id}.${format}`);
  if (format === 'iso') return { kind: 'iso', path };
  try {
    return { kind: 'disk', path, info: await inspect(file) };
  } catch (error) {
    if (hasCode(error, 'VHD_CORRUPT', 'VHD_UNSUPPORTED', 'VHD_UNKNOWN_FORMAT', 'VHD_LOG_NEEDS_REPLAY'))
      return undefined;
    throw error;
  }
}
