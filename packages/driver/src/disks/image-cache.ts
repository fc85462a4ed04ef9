import { readdir, stat, utimes } from 'node:fs/promises';
import { hasCode, joinHostPath } from '@nova-hyperv/hyperv';
import type { HyperVHost } from '@nova-hyperv/hyperv';
import { inspect, recogniseFile } from '@nova-hyperv/vhd';
import type { Logger } from 'pino';
import type { DriverConfig } from '../config.js';
import { DriverError } from '../errors.js';
import { KeyedLock } from '../keyed-lock.js';
import { refuseDifferencing } from '../plan/disks.js';
import type { ResizedBase, RootFormat } from '../plan/disks.js';
import type { BaseImage } from '../plan/input.js';
import type { ImageMeta, ImageSource } from '../types.js';
import { copyToNew, publish, removeFile } from './files.js';
import { isMissing } from './instance-folder.js';

const EXTENSIONS = ['vhd', 'vhdx', 'iso'] as const;
/** `<image id>.<ext>` and `<image id>_<GB>.vhd` */
const CACHED = /^(?<id>[0-9A-Za-z-]+?)(?:_\d+)?\.(?:vhd|vhdx|iso)$/;
const IMAGE_ID = /^[0-9A-Za-z-]{1,64}$/;

export interface CacheOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * Base images in `<instances_path>\_base`. A file that has its final name is whole and checked; unfinished ones begin with a dot and
 * this node's name. One download at a time for each image.
 */
export class ImageCache {
  readonly #host: HyperVHost;
  readonly #config: DriverConfig;
  readonly #node: string;
  readonly #log: Logger;
  readonly #locks = new KeyedLock();

  constructor(host: HyperVHost, config: DriverConfig, node: string, log: Logger) {
    this.#host = host;
    this.#config = config;
    this.#node = node.replaceAll(/[^0-9A-Za-z-]/g, '-');
    this.#log = log;
  }

  #path(name: string): string {
    return joinHostPath(this.#config.instancesPath, '_base', name);
  }

  #local(name: string): string {
    return this.#host.reach.local(this.#path(name));
  }

  /** The image's base, fetched when it is not here. */
  async ensure(
    image: ImageMeta,
    format: RootFormat,
    source: ImageSource,
    options: CacheOptions = {},
  ): Promise<BaseImage> {
    if (!IMAGE_ID.test(image.id)) {
      throw new DriverError(
        'ImageUnacceptable',
        `The image id ${JSON.stringify(image.id)} cannot name a file.`,
      );
    }
    return this.#locks.run(image.id, async () => {
      options.signal?.throwIfAborted();
      return (await this.#cached(image.id)) ?? this.#fetch(image, format, source, options);
    });
  }

  async #cached(imageId: string): Promise<BaseImage | undefined> {
    for (const extension of EXTENSIONS) {
      const name = `${imageId}.${extension}`;
      if (!(await this.#touch(name))) continue;
      const path = this.#path(name);
      if (extension === 'iso') return { kind: 'iso', path };
      try {
        return { kind: 'disk', path, info: await inspect(this.#local(name)) };
      } catch (error) {
        if (!hasCode(error, 'VHD_CORRUPT', 'VHD_UNKNOWN_FORMAT')) throw error;
        this.#log.warn({ err: error, image: imageId }, 'the cached image is damaged; it is fetched again');
        await removeFile(this.#local(name));
      }
    }
    return undefined;
  }

  /** The time of last use is the file's own. */
  async #touch(name: string): Promise<boolean> {
    try {
      const now = new Date();
      await utimes(this.#local(name), now, now);
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  async #fetch(
    image: ImageMeta,
    format: RootFormat,
    source: ImageSource,
    { signal }: CacheOptions,
  ): Promise<BaseImage> {
    const temporary = this.#local(this.#temporaryName(image.id));
    await removeFile(temporary);
    try {
      await source.download(image.id, temporary, signal === undefined ? {} : { signal });
      const extension = await checkContent(image, format, temporary);
      const name = `${image.id}.${extension}`;
      await publish(temporary, this.#local(name));
      const path = this.#path(name);
      return extension === 'iso'
        ? { kind: 'iso', path }
        : { kind: 'disk', path, info: await inspect(this.#local(name)) };
    } catch (error) {
      await removeFile(temporary);
      throw error;
    }
  }

  #temporaryName(stem: string, extension = 'part'): string {
    return `.${stem}.${this.#node}.${extension}`;
  }

  /** The second base of a VHD image: a copy with the flavor's size. */
  async ensureResized(wanted: ResizedBase, options: CacheOptions = {}): Promise<void> {
    const name = wanted.path.slice(wanted.path.lastIndexOf('\\') + 1);
    await this.#locks.run(name, async () => {
      options.signal?.throwIfAborted();
      if (await this.#touch(name)) {
        if ((await inspect(this.#local(name))).virtualSize === wanted.sizeBytes) return;
        await removeFile(this.#local(name));
      }
      // The host resizes files by their extension only.
      const temporaryName = this.#temporaryName(name.replace(/\.vhd$/, ''), 'part.vhd');
      const temporary = this.#local(temporaryName);
      try {
        await removeFile(temporary);
        await copyToNew(this.#host.reach.local(wanted.source), temporary);
        const { signal } = options;
        await this.#host.disks.resize(
          this.#path(temporaryName),
          wanted.sizeBytes,
          signal === undefined ? {} : { signal },
        );
        await publish(temporary, this.#local(name));
      } catch (error) {
        await removeFile(temporary);
        throw error;
      }
    });
  }

  /** Files whose making was cut short by the end of an earlier process of this node. */
  async removeUnfinished(): Promise<readonly string[]> {
    const mine = new RegExp(`^\\..+\\.${this.#node}\\.part(?:\\.vhd)?$`);
    const names = (await this.#names()).filter((name) => mine.test(name));
    for (const name of names) await removeFile(this.#local(name));
    return names;
  }

  /** Touches what is used; removes what has not been for long enough. */
  async manage(usedImageIds: ReadonlySet<string>): Promise<void> {
    const oldest = Date.now() - this.#config.removeUnusedOriginalMinimumAgeSeconds * 1000;
    for (const name of await this.#names()) {
      const id = CACHED.exec(name)?.groups?.['id'];
      if (id === undefined) continue;
      await this.#locks.run(id, async () => {
        if (usedImageIds.has(id)) {
          await this.#touch(name);
        } else if (this.#config.removeUnusedBaseImages) {
          const { mtimeMs } = await stat(this.#local(name));
          if (mtimeMs > oldest) return;
          await removeFile(this.#local(name));
          this.#log.info({ image: id, file: name }, 'removed a cached image that is no longer used');
        }
      });
    }
  }

  async #names(): Promise<readonly string[]> {
    return readdir(this.#host.reach.local(joinHostPath(this.#config.instancesPath, '_base')));
  }
}

/** What the file is by its content; refuses what is not what it says, and what Hyper-V cannot run. */
async function checkContent(image: ImageMeta, format: RootFormat, file: string): Promise<RootFormat> {
  const { format: actual } = await recogniseFile(file);
  if (actual === 'iso' && format === 'iso') return 'iso';
  if ((actual !== 'vhd' && actual !== 'vhdx') || format === 'iso') {
    const what =
      actual === 'raw'
        ? 'neither VHD nor VHDX nor any known disk format (a raw disk, or damaged)'
        : actual.toUpperCase();
    throw new DriverError(
      'ImageUnacceptable',
      `Image ${image.id} says disk_format ${format}, and its content is ${what}. Correct its disk_format, or convert it (for example: qemu-img convert -O vhdx) and upload it again.`,
    );
  }
  try {
    refuseDifferencing(image, await inspect(file));
  } catch (error) {
    if (!hasCode(error, 'VHD_CORRUPT', 'VHD_UNSUPPORTED', 'VHD_LOG_NEEDS_REPLAY', 'VHD_UNKNOWN_FORMAT'))
      throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new DriverError(
      'ImageUnacceptable',
      `Image ${image.id} is a ${actual.toUpperCase()} that cannot be used: ${why}`,
      { cause: error },
    );
  }
  return actual;
}
